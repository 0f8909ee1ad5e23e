"""Compare results of `gradients` with the planted truth of a simulated dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.bids.names import build_path, space_entities
from bidsapp.errors import InputMissingError
from bidsapp.simulate.oracle import oracle_scores, read_grid
from bidsapp.simulate.planted import PlantedMap, Truth, read_map, read_truth
from bidsapp.simulate.recovery import recovery

Floats = npt.NDArray[np.float64]

MODEL = "vggish"
#: What the real pipeline must reach on the default dataset.
TARGETS = {"centroid_r": 0.8, "null_mean_r": 0.02, "null_parcels_significant": 0.07}
_ORACLE_UNITS = 600


def check_truth(data_dir: Path, output_dir: Path, *, oracle: bool = True) -> dict[str, Any]:
    """Say how well the planted truth came back.

    Parameters
    ----------
    data_dir
        Dataset made by `simulate`.
    output_dir
        Results of the recipe ``gradients`` on it.
    oracle
        Also analyse the data by a plain pipeline that knows the design (a few seconds per
        participant and space).

    Returns
    -------
    dict
        Ready for JSON, None for what is undefined. ``participants``: one entry per participant
        and space that was analysed; ``mean``: per space, the mean of every number over
        participants; ``ratings``: per rating, planted and recovered layer; ``targets`` and
        whether each was ``reached``.

    Raises
    ------
    InputMissingError
        The dataset has no truth, or `output_dir` holds no result for any of its participants.
    """
    truth = read_truth(data_dir)
    entries = []
    for (subject, space), path in truth.maps().items():
        results = Results(output_dir, subject, space)
        if results.exists():
            entry = {"participant": subject, "space": space}
            entries.append(entry | compare(results, read_map(path)))
            if oracle:
                entries[-1]["oracle"] = _oracle(data_dir, truth, subject, space, read_map(path))
    if not entries:
        first = Results(output_dir, *next(iter(truth.maps()))).score_paths("positive")[0]
        msg = f"{first}: not found; run `musicotopy {data_dir} {output_dir} participant` first"
        raise InputMissingError(msg)
    spaces = sorted({str(entry["space"]) for entry in entries})
    means = {
        space: mean_of([entry for entry in entries if entry["space"] == space]) for space in spaces
    }
    summary = {
        "participants": entries,
        "mean": means,
        "ratings": _ratings(output_dir, truth),
        "targets": TARGETS,
        "reached": {space: reached(means[space]) for space in spaces},
    }
    return dict(_plain(summary))


class Results:
    """The files of one participant in one space that are read here.

    Parameters
    ----------
    output_dir
        Of the app.
    subject, space
        Participant label, and space as the BOLD files spell it.
    """

    def __init__(self, output_dir: Path, subject: str, space: str) -> None:
        self.output_dir = output_dir
        self.entities = {"sub": subject} | space_entities(space)
        self.surface = space == "fsaverage5"

    def exists(self) -> bool:
        """Whether this participant was analysed in this space."""
        return all(path.exists() for path in self.score_paths("positive"))

    def score_paths(self, lags: str) -> list[Path]:
        """Files with the score of every layer."""
        return self._maps({"model": MODEL, "stat": "r", "desc": lags}, "statmap")

    def scores(self, lags: str) -> Floats:
        """Scores (n_layers, n_grid)."""
        return read_grid(self.score_paths(lags)).T.astype(np.float64)

    def centroids(self, lags: str) -> Floats:
        """Centroid layer (n_grid,), NaN where undefined."""
        paths = self._maps({"model": MODEL, "stat": "centroid", "desc": lags}, "statmap")
        return read_grid(paths)[:, 0].astype(np.float64)

    def parcels(self) -> npt.NDArray[np.int64]:
        """Parcel of each unit (n_grid,), 1-based, 0 outside."""
        extension = ".label.gii" if self.surface else ".nii.gz"
        paths = self._maps({"desc": "parcels"}, "dseg", extension)
        return np.rint(read_grid(paths)[:, 0]).astype(np.int64)

    def parcel_p(self, lags: str) -> dict[int, float]:
        """P-value (maximum over layers) of each parcel."""
        import pandas as pd

        entities = self.entities | {"model": MODEL, "desc": "parcelsummary"}
        table = pd.read_table(self.output_dir / build_path(entities, "stats", ".tsv"))
        table = table[table["lags"] == lags]
        return dict(zip(table["parcel"].astype(int), table["p"].astype(float), strict=True))

    def _maps(
        self, entities: Mapping[str, str], suffix: str, extension: str | None = None
    ) -> list[Path]:
        extension = extension or (".func.gii" if self.surface else ".nii.gz")
        sides = [{"hemi": "L"}, {"hemi": "R"}] if self.surface else [{}]
        named = [{**self.entities, **entities, **side} for side in sides]
        return [self.output_dir / build_path(names, suffix, extension) for names in named]


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


def mean_of(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of every number over `entries`, nested like them; NaN is left out."""
    mean: dict[str, Any] = {}
    for name, value in entries[0].items():
        values = [entry[name] for entry in entries]
        if isinstance(value, Mapping):
            mean[name] = mean_of(values)
        elif isinstance(value, int | float):
            known = [number for number in values if not math.isnan(number)]
            mean[name] = float(np.mean(known)) if known else math.nan
    return mean


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


def _plain(value: Any) -> Any:
    """Make `value` ready for JSON: plain numbers of four significant digits, None for NaN."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.4g}") if math.isfinite(value) else None
    return value
