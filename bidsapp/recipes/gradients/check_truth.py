"""Results of `gradients` against the planted truth: participants, ratings, spin tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.recipes.gradients import group_results as of_group
from bidsapp.recipes.gradients import results as declared
from bidsapp.results.read import Results
from bidsapp.simulate.checks.shared import Check, Found, Written, means_by_space, said, written
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
    """Compare results of `gradients` with the truth; the oracle takes seconds per space.

    Returns
    -------
    dict
        ``participants``: one entry per participant and space that was analysed; ``mean``: per
        space, the mean of every number over participants; ``ratings``: per rating, planted and
        recovered layer; ``targets`` and whether each was ``reached``; ``group``: spin tests per
        space and network, if the group was analysed.
    """
    entries, people = [], {}
    network = str(truth.facts["network"])
    for item in written(output_dir, declared.RECIPE, _CATALOGUE, truth, network=network):
        people[item.subject] = item.results
        entries.append(item.place | compare(item, network))
        if oracle:
            entries[-1]["oracle"] = _oracle(data_dir, truth, item)
    if not entries:
        return None
    means = means_by_space(entries)
    group = written(output_dir, declared.RECIPE, _CATALOGUE, truth, group=True)
    return {
        "participants": entries,
        "mean": means,
        "ratings": _ratings(list(people.values()), truth),
        "targets": TARGETS,
        "reached": {space: reached(mean) for space, mean in means.items()},
        "group": spin_tests(group),
    }


def say_gradients(found: Found) -> list[str]:
    """Say in words what `check_gradients` found, one line per finding."""
    lines = []
    for space, mean in found["mean"].items():
        oracle = mean.get("oracle")
        beside = (
            ""
            if oracle is None
            else f"; an oracle that knows the design: {said(oracle['centroid_r'])}"
        )
        lines += [
            f"{space}: centroid layer and planted layer correlate at {said(mean['centroid_r'])}"
            f"{beside}",
            f"{space}: mean score where nothing is planted {said(mean['null_mean_r'])}",
            f"{space}: p <= .05 in {said(mean['planted_parcels_significant'])} of the parcels "
            f"with planted layers, in {said(mean['null_parcels_significant'])} of those without",
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
                    f"p = {said(test['p_planted'])} (r = {said(test['r_planted'])})"
                )
    return lines


def spin_tests(group: Iterable[Written]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Read the spin tests of layer maps against the gradient along which depth was planted.

    Returns
    -------
    dict
        Space → network → one entry per map (best, centroid): ``r_planted``, ``p_planted`` of the
        positive lags; ``r_negative`` of the negative lags.
    """
    tests: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for item in group:
        for network in item.results.networks(item.at):
            table = item.results.table(of_group.SPINS, item.at, network)
            for column, value in _MAIN.items():
                table = table[table[column] == value]
            if len(table):
                rows = [_spin_test(part, kind) for kind, part in table.groupby("map")]
                tests.setdefault(item.space, {})[network] = rows
    return tests


def _spin_test(rows: Any, name: Any) -> dict[str, Any]:
    by_lags = rows.set_index("lags")

    def cell(lags: str, column: str) -> float:
        return float(by_lags[column].get(lags, math.nan))

    return {
        "map": str(name),
        "r_planted": cell(POSITIVE, "r"),
        "p_planted": cell(POSITIVE, "p"),
        "r_negative": cell(NEGATIVE, "r"),
    }


def compare(item: Written, network: str) -> dict[str, Any]:
    """Compare one participant's maps with what was planted in layers of a network."""
    planted = read_map(item.planted)
    scores = {lags: item.required(declared.SCORE.of(lags), network) for lags in declared.LAGS}
    centroid = item.required(declared.CENTROID.of(POSITIVE), network)[0]
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
        **_null_parcels(item, network, planted),
    }


def _null_parcels(item: Written, network: str, planted: PlantedMap) -> dict[str, Any]:
    """Share of parcels without any planted unit that pass at p < .05, and of the others."""
    parcels = np.nan_to_num(item.required(declared.PARCEL_LABELS)[0]).astype(np.int64)
    table = item.results.table(declared.PARCEL_SUMMARY, item.at, network)
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


def _oracle(data_dir: Path, truth: Truth, item: Written) -> dict[str, float]:
    """Recovery by the plain pipeline on an even sample of planted units."""
    layer = read_map(item.planted).layer
    units = np.flatnonzero(layer > 0)
    units = units[:: max(1, len(units) // _ORACLE_UNITS)]
    scores = oracle_scores(data_dir, truth, item.subject, item.space, units)
    return recovery(scores, layer[units])


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


CHECK = Check("music", check_gradients, say_gradients)
