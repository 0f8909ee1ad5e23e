"""Results of `emotion3d` against the planted truth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.brain.geometry import VolumeGrid
from bidsapp.recipes.emotion3d.names import LEAKY
from bidsapp.recipes.emotion3d.results import HAUFE, NAME, RESULTS, SCORES
from bidsapp.results.read import Results, Space, read_stats
from bidsapp.simulate.checks.shared import Check, Found, said, written
from bidsapp.simulate.decoding_oracle import decode_emotions
from bidsapp.simulate.oracle import bold_paths, read_grid
from bidsapp.simulate.participant import FMRIPREP
from bidsapp.simulate.planted import Truth

Floats = npt.NDArray[np.float64]

_MEASURE = "balanced_accuracy"


def check_emotions(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Compare results of `emotion3d` with the truth; None where there are none.

    Parameters
    ----------
    data_dir, output_dir
        Simulated dataset, results.
    truth
        Of the dataset.
    oracle
        Also decode by a matched filter that knows the patterns, and by logistic regression on the
        whole brain that knows the delay and what disturbs.

    Returns
    -------
    dict
        ``participants``: per participant and space the ``scores`` (balanced accuracy of every
        split and decoder, with chance and p), the balanced accuracy of both oracles (``oracle``,
        ``oracle_decoder``), and per emotion
        the correlation of the linear decoder's pattern with the planted one, if both are on one
        grid; ``group``: scores of the group per space; ``planted``: whether there is any signal.
    """
    if truth.design != "emotions":
        return None
    entries, group = [], []
    for (subject, space), path in truth.maps().items():
        for results, at in written(output_dir, NAME, RESULTS, subject, space):
            with np.load(path) as arrays:
                patterns = arrays["pattern"].astype(np.float64)
            entry: dict[str, Any] = {"participant": subject, "space": space}
            entry["scores"] = read_scores(results, at)
            if oracle:
                entry["oracle"] = matched_filter(data_dir, truth, subject, space, patterns)
                units = np.flatnonzero(np.isfinite(patterns).all(axis=0))
                decoded = decode_emotions(data_dir, truth, subject, space, units)
                entry["oracle_decoder"] = decoded
            entries.append(entry | {"pattern_r": _pattern_r(results, at, patterns, truth)})
    for space in sorted({space for _, space in truth.maps()}):
        for results, at in written(output_dir, NAME, RESULTS, "", space):
            group.append({"space": space, "scores": read_scores(results, at)})
    if not entries and not group:
        return None
    has_signal = float(truth.options["snr"]) > 0
    return {"participants": entries, "group": group, "planted": has_signal}


def say_emotions(found: Found) -> list[str]:
    """Say in words what `check_emotions` found, one line per finding."""
    lines = ["a pattern for each emotion is planted" if found["planted"] else "nothing is planted"]
    parts = [(f"sub-{entry['participant']}", entry) for entry in found["participants"]]
    parts += [("group", entry) for entry in found["group"]]
    for who, entry in parts:
        for score in entry["scores"]:
            leaky = " (LEAKY)" if score["leaky"] else ""
            lines.append(
                f"{who}, {entry['space']}, {score['split']}{leaky}, {score['decoder']}: balanced "
                f"accuracy {said(score['value'])}, chance {said(score['chance'])}, "
                f"p = {said(score['p'])}"
            )
        if entry.get("oracle") is not None:
            lines.append(
                f"{who}, {entry['space']}: a filter that knows the patterns reaches "
                f"{said(entry['oracle'])}"
            )
        if entry.get("oracle_decoder") is not None:
            lines.append(
                f"{who}, {entry['space']}: a plain decoder that knows the design reaches "
                f"{said(entry['oracle_decoder'])}"
            )
    return lines


def read_scores(results: Results, at: Space) -> list[dict[str, Any]]:
    """Balanced accuracy of every split and decoder, with chance and p."""
    table = results.table(SCORES, at)
    return [
        {
            "split": row["split"],
            "decoder": row["decoder"],
            "leaky": row["leaky"] == LEAKY,
            **{name: float(row[name]) for name in ("value", "chance", "p")},
        }
        for row in table[table["measure"] == _MEASURE].to_dict("records")
    ]


def matched_filter(
    data_dir: Path, truth: Truth, subject: str, space: str, patterns: Floats
) -> float:
    """Balanced accuracy of the emotion whose planted pattern fits a volume best.

    Volumes are standardised within their run; patterns are compared by correlation over planted
    units. Nothing is learnt, so nothing can leak.

    Parameters
    ----------
    data_dir, truth
        Simulated dataset and its truth.
    subject, space
        Participant label and space.
    patterns
        (n_emotions, n_grid), NaN outside the brain.
    """
    emotions = list(truth.facts["emotions"])
    units = np.flatnonzero(np.nan_to_num(np.abs(patterns).sum(axis=0)) > 0)
    if len(units) == 0:
        return math.nan
    known = _standard(patterns[:, units].T)
    hits: dict[str, list[bool]] = {name: [] for name in emotions}
    for run in truth.runs(subject):
        entities = {"sub": subject, **run.entities}
        data = read_grid(bold_paths(data_dir / FMRIPREP, entities, space))[units].T
        volumes = _standard(_standard(data.astype(np.float64)).T)
        chosen = (volumes.T @ known).argmax(axis=1)
        name = f"task-{run.entities['task']}_run-{run.entities['run']}_truth.tsv"
        labels = read_stats(truth.folder / name)["emotion"]
        for label, choice in zip(labels, chosen, strict=True):
            if isinstance(label, str):
                hits[label].append(emotions[choice] == label)
    return float(np.mean([np.mean(found) for found in hits.values() if found]))


def _pattern_r(
    results: Results, at: Space, patterns: Floats, truth: Truth
) -> dict[str, float] | None:
    """Correlation of written and planted patterns over planted units, per emotion.

    None where they are on different grids.
    """
    written = results.maps(HAUFE, at)
    assert written is not None
    geometry = written.units.geometry
    assert isinstance(geometry, VolumeGrid)
    emotions = [str(name) for name in truth.facts["emotions"]]
    if geometry.mask.size != patterns.shape[1] or not set(emotions) <= set(written.names):
        return None
    planted = patterns[:, geometry.mask.reshape(-1)]
    units = np.nan_to_num(np.abs(planted).sum(axis=0)) > 0
    correlations = {}
    for name, pattern in zip(emotions, planted, strict=True):
        values = written.values[written.names.index(name)].astype(np.float64)
        both = units & np.isfinite(values)
        correlations[name] = float(np.corrcoef(values[both], pattern[both])[0, 1])
    return correlations


def _standard(data: Floats) -> Floats:
    """Give every column mean 0 and variance 1."""
    spread = data.std(axis=0)
    return np.asarray((data - data.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


CHECK = Check(check_emotions, say_emotions)
