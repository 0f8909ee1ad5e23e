"""Results of `gradients` against the planted truth: participants, ratings, spin tests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.brain.geometry import VolumeGrid
from bidsapp.errors import InputMissingError
from bidsapp.recipes.gradients import group_results as of_group
from bidsapp.recipes.gradients import results as declared
from bidsapp.results.kinds import Result
from bidsapp.results.read import Results, Space
from bidsapp.simulate.checks.shared import Check, Found, mean_of, said
from bidsapp.simulate.oracle import oracle_scores
from bidsapp.simulate.planted import PlantedMap, Truth, read_map
from bidsapp.simulate.recovery import recovery

Floats = npt.NDArray[np.float64]

TARGETS = {"centroid_r": 0.8, "null_mean_r": 0.02, "null_parcels_significant": 0.07}
"""What the pipeline must reach on the default dataset."""
_ORACLE_UNITS = 600
_REFERENCE = "gradient1"
_MAIN = {"reference": _REFERENCE, "hemisphere": "both", "direction": "reference rotated"}
_CATALOGUE = (*declared.RESULTS, *of_group.RESULTS)
POSITIVE, NEGATIVE = declared.LAGS


def check_gradients(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Compare results of `gradients` with the truth; None where there are none.

    Parameters
    ----------
    data_dir, output_dir
        Simulated dataset, results.
    truth
        Of the dataset.
    oracle
        Also analyse the data by a plain pipeline that knows the design (a few seconds per
        participant and space).

    Returns
    -------
    dict
        ``participants``: one entry per participant and space that was analysed; ``mean``: per
        space, the mean of every number over participants; ``ratings``: per rating, planted and
        recovered layer; ``targets`` and whether each was ``reached``; ``group``: spin tests per
        space and network, if the group was analysed.
    """
    if truth.design != "music":
        return None
    entries, people = [], {}
    network = str(truth.facts["network"])
    for (subject, space), path in truth.maps().items():
        written = results_of(output_dir, subject)
        at = None if written is None else find_space(written, space)
        if written is None or at is None or network not in written.networks(at):
            continue
        people[subject] = written
        entry = {"participant": subject, "space": space}
        entries.append(entry | compare(written, at, network, read_map(path)))
        if oracle:
            entries[-1]["oracle"] = _oracle(data_dir, truth, subject, space, read_map(path))
    if not entries:
        return None
    spaces = sorted({str(entry["space"]) for entry in entries})
    means = {
        space: mean_of([entry for entry in entries if entry["space"] == space]) for space in spaces
    }
    return {
        "participants": entries,
        "mean": means,
        "ratings": _ratings(list(people.values()), truth),
        "targets": TARGETS,
        "reached": {space: reached(means[space]) for space in spaces},
        "group": spin_tests(results_of(output_dir), spaces),
    }


def results_of(output_dir: Path, subject: str = "") -> Results | None:
    """Return the results of a participant, or of the group; None where there are none."""
    try:
        return Results(output_dir, declared.RECIPE, _CATALOGUE, subject)
    except InputMissingError:
        return None


def find_space(written: Results, name: str) -> Space | None:
    """Return the space that the BOLD files spell like this; None if it was not analysed."""
    for space in written.spaces:
        if written.facts(space)["space"] == name:
            return space
    return None


def say_gradients(found: Found) -> list[str]:
    """Say in words what `check_gradients` found, one line per finding."""
    lines = []
    for space, mean in found["mean"].items():
        won = found["reached"][space]
        lines += [
            f"{space}: centroid layer and planted layer correlate at {said(mean['centroid_r'])} "
            f"(target {TARGETS['centroid_r']}): {_verdict(won['centroid_r'])}",
            f"{space}: mean score where nothing is planted {said(mean['null_mean_r'])} (target "
            f"below {TARGETS['null_mean_r']}): {_verdict(won['null_mean_r'])}",
            f"{space}: {said(mean['null_parcels_significant'])} of the parcels where nothing is "
            f"planted pass p <= .05 (target {TARGETS['null_parcels_significant']}): "
            f"{_verdict(won['null_parcels_significant'])}",
        ]
    for name, rating in found["ratings"].items():
        lines.append(
            f"{name}: planted in layer {rating['planted_layer']}, profile peaks at layer "
            f"{rating['peak_layer']}"
        )
    for space, models in found["group"].items():
        for model, tests in models.items():
            for test in tests:
                lines.append(
                    f"group, {space}, {model}, {test['map']} map: planted gradient spin "
                    f"p = {said(test['p_planted'])} (r = {said(test['r_planted'])}), "
                    f"negative lags p = {said(test['p_negative'])} over maps, "
                    f"difference p = {said(test['p_difference'])}"
                )
    return lines


def spin_tests(
    group: Results | None, spaces: list[str]
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Read the spin tests of layer maps against the gradient along which depth was planted.

    Returns
    -------
    dict
        Space → network → one entry per map (best, centroid): ``r_planted``, ``p_planted`` of the
        positive lags; ``p_negative`` of the negative lags, over maps; ``p_difference`` of the
        paired difference.
    """
    tests: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in spaces:
        at = None if group is None else find_space(group, name)
        if group is None or at is None:
            continue
        for network in group.networks(at):
            table = group.table(of_group.SPINS, at, network)
            for column, value in _MAIN.items():
                table = table[table[column] == value]
            if len(table):
                rows = [_spin_test(part, kind) for kind, part in table.groupby("map")]
                tests.setdefault(name, {})[network] = rows
    return tests


def _spin_test(rows: Any, name: Any) -> dict[str, Any]:
    by_lags = rows.set_index("lags")

    def cell(lags: str, column: str) -> float:
        return float(by_lags[column].get(lags, math.nan))

    return {
        "map": str(name),
        "r_planted": cell(POSITIVE, "r"),
        "p_planted": cell(POSITIVE, "p"),
        "p_negative": cell(NEGATIVE, "p_max"),
        "p_difference": cell("positive-negative", "p"),
    }


def _verdict(won: bool) -> str:
    return "reached" if won else "missed"


def on_grid(written: Results, result: Result, at: Space, network: str = "") -> Floats:
    """Read maps over the flattened grid of the files, (n_maps, n_grid); NaN outside the units."""
    values = written.values(result, at, network).astype(np.float64)
    geometry = written.units(at).geometry
    if not isinstance(geometry, VolumeGrid):
        return values
    grid = np.full((len(values), geometry.mask.size), np.nan)
    grid[:, geometry.mask.ravel()] = values
    return grid


def compare(written: Results, at: Space, network: str, planted: PlantedMap) -> dict[str, Any]:
    """Compare one participant's maps with what was planted.

    Parameters
    ----------
    written, at
        Of the participant, and the space.
    network
        Whose layers were planted.
    planted
        Over the same grid.
    """
    scores = {
        lags: on_grid(written, declared.SCORE.of(lags), at, network) for lags in declared.LAGS
    }
    centroid = on_grid(written, declared.CENTROID.of(POSITIVE), at, network)[0]
    units = np.flatnonzero(planted.layer > 0)
    layer = planted.layer[units]
    null = planted.layer == 0
    positive = recovery(scores[POSITIVE][:, units], layer)
    masked = recovery(scores[POSITIVE][:, units], layer, centroid[units])
    negative = recovery(scores[NEGATIVE][:, units], layer)
    return {
        **positive,
        "significant_centroid_r": masked["centroid_r"],
        "significant_coverage": masked["centroid_coverage"],
        "planted_layer_r_negative_lags": negative["planted_layer_r"],
        "null_mean_r": float(np.nanmean(scores[POSITIVE][:, null])),
        "null_mean_r_negative_lags": float(np.nanmean(scores[NEGATIVE][:, null])),
        **_null_parcels(written, at, network, planted),
    }


def _null_parcels(
    written: Results, at: Space, network: str, planted: PlantedMap
) -> dict[str, Any]:
    """Share of parcels without any planted unit that pass at p < .05, and of the others."""
    parcels = np.nan_to_num(on_grid(written, declared.PARCEL_LABELS, at)[0]).astype(np.int64)
    table = written.table(declared.PARCEL_SUMMARY, at, network)
    table = table[(table["lags"] == POSITIVE) & table["p"].notna()]
    inside = parcels > 0
    planted_parcels = set(np.unique(parcels[inside & (planted.layer > 0)]))
    significant = table["p"].to_numpy(float) < 0.05
    passed = dict(zip(table["parcel"].astype(int), map(bool, significant), strict=True))
    null = [value for parcel, value in passed.items() if parcel not in planted_parcels]
    rest = [value for parcel, value in passed.items() if parcel in planted_parcels]
    return {
        "n_null_parcels": len(null),
        "null_parcels_significant": float(np.mean(null)) if null else math.nan,
        "n_planted_parcels": len(rest),
        "planted_parcels_significant": float(np.mean(rest)) if rest else math.nan,
    }


def _oracle(
    data_dir: Path, truth: Truth, subject: str, space: str, planted: PlantedMap
) -> dict[str, float]:
    """Recovery by the plain pipeline on an even sample of planted units."""
    units = np.flatnonzero(planted.layer > 0)
    units = units[:: max(1, len(units) // _ORACLE_UNITS)]
    scores = oracle_scores(data_dir, truth, subject, space, units)
    return recovery(scores, planted.layer[units])


def reached(mean: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the means over participants reach `TARGETS`."""
    return {
        "centroid_r": bool(mean["centroid_r"] >= TARGETS["centroid_r"]),
        "null_mean_r": bool(abs(mean["null_mean_r"]) < TARGETS["null_mean_r"]),
        "null_parcels_significant": bool(
            mean["null_parcels_significant"] <= TARGETS["null_parcels_significant"]
        ),
    }


def _ratings(people: list[Results], truth: Truth) -> dict[str, Any]:
    """Layer profile of each rating, averaged over participants, against the planted layer."""
    import pandas as pd

    network = str(truth.facts["network"])
    table = pd.concat([person.table(declared.RATINGS, None, network) for person in people])
    table = table[(table["lags"] == POSITIVE) & (table["piece"] == "mean")]
    return dict(_rating_entries(table, truth))


def _rating_entries(table: Any, truth: Truth) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, planted in truth.ratings.items():
        profile = table[table["rating"] == name].groupby("layer_index")["r"].mean()
        if len(profile):
            numbers = profile.index.to_numpy(dtype=float)
            weights = profile.clip(lower=0)
            total = float(weights.sum())
            yield (
                name,
                {
                    "planted_layer": planted,
                    "peak_layer": int(numbers[int(np.argmax(profile.to_numpy()))]),
                    "centroid_layer": float(numbers @ weights / total) if total > 0 else math.nan,
                    "peak_r": float(profile.max()),
                    "planted_layer_r": float(profile.get(planted, math.nan)),
                },
            )


CHECK = Check(check_gradients, say_gradients)
