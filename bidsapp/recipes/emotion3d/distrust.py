"""What to distrust: plain sentences about this analysis, computed from what ran."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bidsapp.recipes.emotion3d.inputs import EmotionAnalysis
from bidsapp.recipes.emotion3d.results import LEAKY, Results, split_name
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings

_FEW_RUNS, _FEW_BLOCKS = 3, 10
_SIGNIFICANT, _FAR_S, _ALIKE = 0.05, 2.0, 0.5


def warnings(analysis: EmotionAnalysis, results: Results) -> list[str]:
    """Return one sentence for each reason to read these results with care."""
    return [
        *_chance(analysis, results),
        *_labels(analysis),
        *_decoders(results),
        *_timing(analysis, results),
        *_data(analysis, results),
        *map(str, analysis.inputs.problems),
    ]


def _chance(analysis: EmotionAnalysis, results: Results) -> Iterator[str]:
    n_classes = len(analysis.inputs.classes)
    for decoder in ("linear", "cnn"):
        found = results.find(decoder)
        test = found.chance if found else None
        majority = results.find("majority")
        if found is None or test is None or majority is None:
            continue
        yield (
            f"Chance is measured, not 1/{n_classes} = {1 / n_classes:.2f}: with the labels "
            f"shifted in time the {decoder} decoder scores a balanced accuracy of "
            f"{test.mean:.2f} on average (95 % between {test.low:.2f} and {test.high:.2f}); "
            f"always saying the most frequent class scores "
            f"{majority.scores.balanced_accuracy:.2f} (accuracy {majority.scores.accuracy:.2f})."
        )
        if 1 / (test.n_shifts + 1) > _SIGNIFICANT:
            yield (
                f"{test.n_shifts} shifts are too few for the {decoder} decoder to be significant: "
                f"its smallest possible p is {1 / (test.n_shifts + 1):.3f}."
            )
        elif test.p > _SIGNIFICANT:
            yield (
                f"The {decoder} decoder ({found.scores.balanced_accuracy:.2f}) is not above its "
                f"chance (p = {test.p:.3f}, {test.n_shifts} shifts)."
            )
    for split in dict.fromkeys(item.split for item in results.decodings):
        if split.leaky:
            yield f"{split_name(split)}: {split.note.removeprefix(LEAKY + ': ')} Do not report it."
        elif split.name == "blocked":
            yield split.note


def _labels(analysis: EmotionAnalysis) -> Iterator[str]:
    inputs = analysis.inputs
    rows = inputs.count_rows()
    for label in inputs.classes:
        mine = [row for row in rows if row["class"] == label]
        n_runs = sum(row["n_volumes"] > 0 for row in mine)
        n_blocks = sum(row["n_blocks"] for row in mine)
        if n_runs < _FEW_RUNS:
            yield (
                f"{label} occurs in {n_runs} run{'s' * (n_runs != 1)}: when one is held out "
                "there is little or nothing to learn it from."
            )
        if n_blocks < _FEW_BLOCKS:
            stretches = f"{n_blocks} separate stretch{'es' * (n_blocks != 1)}"
            yield f"{label} has {stretches}: that few independent samples."
    n_volumes, n_blocks = (sum(row[key] for row in rows) for key in ("n_volumes", "n_blocks"))
    yield (
        f"{n_volumes} labelled volumes are {n_blocks} stretches of one class each: Wilson's "
        "intervals take volumes as independent and are too narrow."
    )
    settings: Emotion3dSettings = analysis.settings
    if settings.label_source == "annotations":
        yield (
            "Labels are emotions that observers saw portrayed, not emotions that the scanned "
            "person felt."
        )
    if inputs.modality == "audiovisual":
        yield (
            "The observers saw and heard the film; if the scanned people only heard it, labels "
            "include what they could not know."
        )


def _decoders(results: Results) -> Iterator[str]:
    names = {
        "confounds": "motion and the global signal" if results.has_motion else "the global signal",
        "time": "the time in the run",
        "run": "the run",
    }
    for decoder, what in names.items():
        found = results.find(decoder)
        test = found.chance if found else None
        if test is not None and test.p <= _SIGNIFICANT:
            yield (
                f"A decoder that knows only {what} is above its chance too (balanced accuracy "
                f"{test.observed:.2f}, p = {test.p:.3f})."
            )
    network, linear = results.find("cnn"), results.find("linear")
    if network and linear:
        ours, theirs = network.scores.balanced_accuracy, linear.scores.balanced_accuracy
        if ours <= theirs:
            yield (
                f"The network ({ours:.2f}) does not beat the linear decoder ({theirs:.2f}) on the "
                "same folds and volumes."
            )
    if not results.has_motion:
        yield "No motion parameters were found: the confound decoder knows the global signal only."
    explanation = results.explanation
    for method, alike in (explanation.label_similarity if explanation else {}).items():
        if alike > _ALIKE:
            yield (
                f"Attribution maps ({method}) of networks trained on shifted labels resemble "
                f"those of the true labels (rank correlation {alike:.2f}): they show the data "
                "more than what was learned."
            )


def _timing(analysis: EmotionAnalysis, results: Results) -> Iterator[str]:
    settings: Emotion3dSettings = analysis.settings
    samples = results.labelled.samples
    if settings.purge_stimulus and not np.isfinite(samples.stimulus_s).any():
        yield (
            "Where in the stimulus each volume lies is not known: if runs overlap in the film, "
            "the same scenes are in training and test; give presentations.tsv."
        )
    if results.lags:
        best = max(results.lags, key=lambda row: row.balanced_accuracy)
        if abs(best.lag_s - settings.shift_s) > _FAR_S:
            yield (
                f"The linear decoder is best at a shift of {best.lag_s:g} s, not at "
                f"{settings.shift_s:g} s; check the clocks, and do not choose the shift by this."
            )


def _data(analysis: EmotionAnalysis, results: Results) -> Iterator[str]:
    inputs, stored = analysis.inputs, results.stored
    if not all(run.preprocessed for run in inputs.runs):
        yield "Raw BOLD was analysed: no motion correction, no common space."
    if analysis.config.confounds == "none" or not analysis.settings.denoise:
        yield "No confounds were regressed out: motion may carry part of the scores."
    if analysis.settings.normalise == "none":
        yield "Volumes were not standardised by run: a decoder can tell the run by its intensity."
    n_constant = int(stored.constant.sum())
    if n_constant:
        yield f"{n_constant} of {stored.units.n_units} working voxels are constant in a run."
    yield from stored.problems
    yield from map(str, stored.units.problems)
