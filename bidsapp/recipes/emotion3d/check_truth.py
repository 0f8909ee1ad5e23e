"""Results of `emotion3d` against the planted truth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.recipes.emotion3d.names import LEAKY
from bidsapp.recipes.emotion3d.results import HAUFE, NAME, RESULTS, SCORES
from bidsapp.results.read import read_stats
from bidsapp.simulate.checks.shared import Check, Found, Written, said, written
from bidsapp.simulate.decoding_oracle import decode_emotions
from bidsapp.simulate.nuisance import standard
from bidsapp.simulate.oracle import bold_paths, read_grid
from bidsapp.simulate.participant import FMRIPREP
from bidsapp.simulate.planted import Truth

Floats = npt.NDArray[np.float64]

_MEASURE = "balanced_accuracy"


def check_emotions(
    data_dir: Path, output_dir: Path, truth: Truth, *, oracle: bool
) -> dict[str, Any] | None:
    """Compare results of `emotion3d` with the truth; oracles are a filter and a decoder.

    The filter knows the patterns; the decoder, logistic regression on the whole brain, knows the
    delay and what disturbs.

    Returns
    -------
    dict
        ``participants``: per participant and space the ``scores`` (balanced accuracy of every
        split and decoder, with chance and p), the balanced accuracy of both oracles (``oracle``,
        ``oracle_decoder``), and per emotion
        the correlation of the linear decoder's pattern with the planted one, if both are on one
        grid; ``group``: scores of the group per space; ``planted``: whether there is any signal.
    """
    entries = []
    for item in written(output_dir, NAME, RESULTS, truth):
        with np.load(item.planted) as arrays:
            patterns = arrays["pattern"].astype(np.float64)
        entry = item.place | {"scores": read_scores(item)}
        if oracle:
            place = (data_dir, truth, item.subject, item.space)
            entry["oracle"] = matched_filter(*place, patterns)
            units = np.flatnonzero(np.isfinite(patterns).all(axis=0))
            entry["oracle_decoder"] = decode_emotions(*place, units)
        entries.append(entry | {"pattern_r": _pattern_r(item, patterns, truth)})
    group = [
        item.place | {"scores": read_scores(item)}
        for item in written(output_dir, NAME, RESULTS, truth, group=True)
    ]
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


def read_scores(item: Written) -> list[dict[str, Any]]:
    """Balanced accuracy of every split and decoder, with chance and p."""
    table = item.results.table(SCORES, item.at)
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
    known = standard(patterns[:, units].T)
    hits: dict[str, list[bool]] = {name: [] for name in emotions}
    for run in truth.runs(subject):
        entities = {"sub": subject, **run.entities}
        data = read_grid(bold_paths(data_dir / FMRIPREP, entities, space))[units].T
        volumes = standard(standard(data.astype(np.float64)).T)
        chosen = (volumes.T @ known).argmax(axis=1)
        name = f"task-{run.entities['task']}_run-{run.entities['run']}_truth.tsv"
        labels = read_stats(truth.folder / name)["emotion"]
        for label, choice in zip(labels, chosen, strict=True):
            if isinstance(label, str):
                hits[label].append(emotions[choice] == label)
    return float(np.mean([np.mean(found) for found in hits.values() if found]))


def _pattern_r(item: Written, patterns: Floats, truth: Truth) -> dict[str, float] | None:
    """Correlation of written and planted patterns over planted units, per emotion.

    None where they are on different grids.
    """
    maps, grid = item.results.maps(HAUFE, item.at), item.required(HAUFE)
    assert maps is not None
    emotions = [str(name) for name in truth.facts["emotions"]]
    if grid.shape[1] != patterns.shape[1] or not set(emotions) <= set(maps.names):
        return None
    units = np.nan_to_num(np.abs(patterns).sum(axis=0)) > 0
    correlations = {}
    for name, pattern in zip(emotions, patterns, strict=True):
        values = grid[maps.names.index(name)]
        both = units & np.isfinite(values)
        correlations[name] = float(np.corrcoef(values[both], pattern[both])[0, 1])
    return correlations


CHECK = Check("emotions", check_emotions, say_emotions)
