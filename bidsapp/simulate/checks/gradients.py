"""Results of `gradients` against the planted truth: participants, ratings, spin tests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.bids.names import build_path, space_entities
from bidsapp.simulate.checks.shared import Check, Found, SpaceResults, mean_of, read_stats, said
from bidsapp.simulate.oracle import oracle_scores
from bidsapp.simulate.planted import PlantedMap, Truth, read_map
from bidsapp.simulate.recovery import recovery

Floats = npt.NDArray[np.float64]

MODEL = "vggish"
#: What the real pipeline must reach on the default dataset.
TARGETS = {"centroid_r": 0.8, "null_mean_r": 0.02, "null_parcels_significant": 0.07}
_ORACLE_UNITS = 600
_REFERENCE = "gradient1"


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
    entries = []
    for (subject, space), path in truth.maps().items():
        results = Results(output_dir, subject, space)
        if results.exists():
            entry = {"participant": subject, "space": space}
            entries.append(entry | compare(results, read_map(path)))
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
        "ratings": _ratings(output_dir, truth),
        "targets": TARGETS,
        "reached": {space: reached(means[space]) for space in spaces},
        "group": spin_tests(output_dir, spaces),
    }


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
            f"planted pass p < .05 (target {TARGETS['null_parcels_significant']}): "
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


def spin_tests(output_dir: Path, spaces: list[str]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Read the spin tests of layer maps against the gradient along which depth was planted.

    Returns
    -------
    dict
        Space → network → one entry per map (best, centroid): ``r_planted``, ``p_planted`` of the
        positive lags; ``p_negative`` of the negative lags, over maps; ``p_difference`` of the
        paired difference.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for space in spaces:
        named = "_".join(f"{key}-{value}" for key, value in space_entities(space).items())
        for path in sorted((output_dir / "group").glob(f"*{named}_*_desc-spin_stats.tsv")):
            table = read_stats(path)
            table = table[
                (table["reference"] == _REFERENCE)
                & (table["hemisphere"] == "both")
                & (table["direction"] == "reference rotated")
            ]
            model = path.name.split("model-")[1].split("_")[0]
            tests = [_spin_test(rows, name) for name, rows in table.groupby("map")]
            found.setdefault(space, {})[model] = tests
    return found


def _spin_test(rows: Any, name: Any) -> dict[str, Any]:
    by_lags = rows.set_index("lags")

    def cell(lags: str, column: str) -> float:
        return float(by_lags[column].get(lags, math.nan))

    return {
        "map": str(name),
        "r_planted": cell("positive", "r"),
        "p_planted": cell("positive", "p"),
        "p_negative": cell("negative", "p_max"),
        "p_difference": cell("positive-negative", "p"),
    }


def _verdict(won: bool) -> str:
    return "reached" if won else "missed"


class Results(SpaceResults):
    """The maps of one participant in one space that are read here."""

    def exists(self) -> bool:
        """Whether this participant was analysed in this space."""
        return all(path.exists() for path in self.paths(self._named("positive", "r"), "statmap"))

    def scores(self, lags: str) -> Floats:
        """Scores (n_layers, n_grid)."""
        return self.maps(self._named(lags, "r"), "statmap")

    def centroids(self, lags: str) -> Floats:
        """Centroid layer (n_grid,), NaN where undefined."""
        return np.asarray(self.maps(self._named(lags, "centroid"), "statmap")[0])

    def parcels(self) -> npt.NDArray[np.int64]:
        """Parcel of each unit (n_grid,), 1-based, 0 outside."""
        return np.asarray(np.rint(self.maps({"desc": "parcels"}, "dseg")[0]), dtype=np.int64)

    def parcel_p(self, lags: str) -> dict[int, float]:
        """P-value (maximum over layers) of each parcel."""
        table = self.table({"model": MODEL, "desc": "parcelsummary"})
        table = table[table["lags"] == lags]
        return dict(zip(table["parcel"].astype(int), table["p"].astype(float), strict=True))

    def _named(self, lags: str, stat: str) -> dict[str, str]:
        return {"model": MODEL, "stat": stat, "desc": lags}


def compare(results: Results, planted: PlantedMap) -> dict[str, Any]:
    """Compare one participant's maps with what was planted."""
    scores = {lags: results.scores(lags) for lags in ("positive", "negative")}
    units = np.flatnonzero(planted.layer > 0)
    layer = planted.layer[units]
    null = planted.layer == 0
    positive = recovery(scores["positive"][:, units], layer)
    masked = recovery(scores["positive"][:, units], layer, results.centroids("positive")[units])
    negative = recovery(scores["negative"][:, units], layer)
    return {
        **positive,
        "significant_centroid_r": masked["centroid_r"],
        "significant_coverage": masked["centroid_coverage"],
        "planted_layer_r_negative_lags": negative["planted_layer_r"],
        "null_mean_r": float(np.nanmean(scores["positive"][:, null])),
        "null_mean_r_negative_lags": float(np.nanmean(scores["negative"][:, null])),
        **_null_parcels(results, planted),
    }


def _null_parcels(results: Results, planted: PlantedMap) -> dict[str, Any]:
    """Share of parcels without any planted unit that pass at p < .05, and of the others."""
    parcels = results.parcels()
    p_values = results.parcel_p("positive")
    inside = parcels > 0
    planted_parcels = set(np.unique(parcels[inside & (planted.layer > 0)]))
    passed = {parcel: p < 0.05 for parcel, p in p_values.items() if not math.isnan(p)}
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


def _ratings(output_dir: Path, truth: Truth) -> dict[str, Any]:
    """Layer profile of each rating, averaged over participants, against the planted layer."""
    import pandas as pd

    subjects = sorted({subject for subject, _ in truth.maps()})
    entities = [{"sub": label, "model": MODEL, "desc": "ratings"} for label in subjects]
    paths = [output_dir / build_path(item, "stats", ".tsv") for item in entities]
    tables = [pd.read_table(path) for path in paths if path.exists()]
    if not tables:
        return {}
    table = pd.concat(tables)
    table = table[(table["lags"] == "positive") & (table["piece"] == "mean")]
    summary = {}
    for name, planted in truth.ratings.items():
        profile = table[table["rating"] == name].groupby("layer_index")["r"].mean()
        if len(profile):
            numbers = profile.index.to_numpy(dtype=float)
            weights = profile.clip(lower=0)
            total = float(weights.sum())
            summary[name] = {
                "planted_layer": planted,
                "peak_layer": int(numbers[int(np.argmax(profile.to_numpy()))]),
                "centroid_layer": float(numbers @ weights / total) if total > 0 else math.nan,
                "peak_r": float(profile.max()),
                "planted_layer_r": float(profile.get(planted, math.nan)),
            }
    return summary


CHECK = Check(check_gradients, say_gradients)
