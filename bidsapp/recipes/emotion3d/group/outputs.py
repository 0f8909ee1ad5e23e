"""Write the results of the group level: scores, tests, profiles of participants, mean maps."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bidsapp import __version__
from bidsapp.brain.geometry import UnitSpace, VolumeGrid
from bidsapp.recipes.emotion3d.group.cross import CrossDecoding
from bidsapp.recipes.emotion3d.group.inputs import STATISTICS, GroupAnalysis, GroupInputs
from bidsapp.recipes.emotion3d.group.statistics import (
    Scored,
    group_rows,
    participant_rows,
    prevalence_rows,
)
from bidsapp.recipes.emotion3d.group.volumes import GroupVolumes
from bidsapp.recipes.emotion3d.outputs import leaky, null_rows, score_rows
from bidsapp.recipes.emotion3d.results import LEAKY, Decoding, make_decoding, split_name
from bidsapp.recipes.writer import ResultWriter, group_writer

_LIBRARIES = ("numpy", "scipy", "torch", "scikit-learn", "nibabel", "nilearn")
_ALL = "all"
_FEW = 6
_TOLD = {
    "level": "within: each participant's own results; across: trained on other participants",
    "leaky": f"{LEAKY} where scores say nothing about the brain",
}
Row = dict[str, Any]


def write_group(
    analysis: GroupAnalysis,
    found: GroupVolumes,
    decodings: Sequence[CrossDecoding],
    scored: Sequence[Scored],
) -> None:
    """Write everything the group level has found.

    Parameters
    ----------
    analysis
        The job.
    found
        Volumes of all participants.
    decodings
        Across participants.
    scored
        Of participants, within and across.
    """
    inputs = analysis.inputs
    sources = [path for path in inputs.files if path.is_relative_to(analysis.output_dir)]
    writer = group_writer(analysis, found.units, sources)
    tests = list(group_rows(scored, analysis.settings, analysis.config.random_seed))
    _write_scores(writer, inputs, found, decodings)
    _write_tests(writer, analysis, scored, tests)
    _write_maps(writer, inputs, found.units)
    summary = _summary(analysis, found, decodings, tests)
    writer.facts(summary, {"desc": "emotion3dsummary"})


def _write_scores(
    writer: ResultWriter,
    inputs: GroupInputs,
    found: GroupVolumes,
    decodings: Sequence[CrossDecoding],
) -> None:
    told: dict[str, Any] = {"leaky": _TOLD["leaky"]}
    writer.table(
        (row for one in decodings for row in score_rows(one.decoding)),
        {"desc": "emotion3dscores"},
        "Scores of participants whom decoders were not trained on, pooled over participants.",
        low="lower end of the central 95 % of the scores with labels shifted in time",
        high="upper end",
        chance="mean score with labels shifted in time, alike in all participants",
        p="(b + 1) / (m + 1) over shifts, one-sided",
        **told,
    )
    profiles = [
        (one.decoding.split, one.decoding.decoder, _by_participant(inputs, found, one.decoding))
        for one in decodings
    ]
    writer.table(
        (row for item in profiles for row in _recall_rows(inputs, *item)),
        {"desc": "emotion3drecall"},
        "Share of the volumes of each class that were recognised in new participants.",
        participant="n/a for the pool of all",
        low="Wilson's 95 % interval, which takes volumes as independent",
        **told,
    )
    writer.table(
        (row for item in profiles for row in _confusion_rows(inputs, *item)),
        {"desc": "emotion3dconfusion"},
        "What volumes of each class were taken for: of all, and of each participant.",
        participant="n/a for the pool of all",
        share="of the volumes of the true class",
        share_of_others="the same, mean over all other participants",
        **told,
    )
    writer.table(
        (row for one in decodings for row in null_rows(one.decoding)),
        {"desc": "emotion3dnull"},
        "Balanced accuracy with labels shifted alike in all participants, all folds fitted again.",
        **told,
    )


def _by_participant(
    inputs: GroupInputs, found: GroupVolumes, decoding: Decoding
) -> dict[str, Decoding]:
    """Score each participant of a decoding; ``all`` is the pool."""
    who = found.samples.participant
    parts = {_ALL: decoding}
    for number, subject in enumerate(inputs.subjects):
        mine = who == number
        parts[subject] = make_decoding(
            decoding.split, decoding.decoder, found.labels[mine], decoding.log_proba[mine]
        )
    return parts


def _recall_rows(
    inputs: GroupInputs, split: Any, decoder: str, parts: dict[str, Decoding]
) -> Iterator[Row]:
    for subject, one in parts.items():
        for k, label in enumerate(inputs.classes):
            yield {
                "participant": None if subject == _ALL else subject,
                "split": split_name(split),
                "decoder": decoder,
                "class": label,
                "n": int(one.scores.confusion[k].sum()),
                "recall": one.scores.recall[k],
                "low": one.scores.recall_low[k],
                "high": one.scores.recall_high[k],
                "leaky": leaky(split),
            }


def _confusion_rows(
    inputs: GroupInputs, split: Any, decoder: str, parts: dict[str, Decoding]
) -> Iterator[Row]:
    shares = {subject: _shares(one.scores.confusion) for subject, one in parts.items()}
    for subject, one in parts.items():
        others = [value for name, value in shares.items() if name not in (subject, _ALL)]
        mean = np.nanmean(others, axis=0) if subject != _ALL and others else None
        for i, true in enumerate(inputs.classes):
            for j, predicted in enumerate(inputs.classes):
                yield {
                    "participant": None if subject == _ALL else subject,
                    "split": split_name(split),
                    "decoder": decoder,
                    "true": true,
                    "predicted": predicted,
                    "n": int(one.scores.confusion[i, j]),
                    "share": shares[subject][i, j],
                    "share_of_others": None if mean is None else mean[i, j],
                    "leaky": leaky(split),
                }


def _shares(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    total = confusion.sum(axis=1, keepdims=True)
    return np.where(total > 0, confusion / np.maximum(total, 1), np.nan)


def _write_tests(
    writer: ResultWriter, analysis: GroupAnalysis, scored: Sequence[Scored], tests: list[Row]
) -> None:
    settings, seed = analysis.settings, analysis.config.random_seed
    told: dict[str, Any] = dict(_TOLD)
    writer.table(
        participant_rows(scored),
        {"desc": "emotion3dparticipants"},
        "Balanced accuracy of each participant, and what it is with labels shifted in time.",
        **told,
    )
    writer.table(
        tests,
        {"desc": "emotion3dgroup"},
        "Sign-flip tests over participants of (score - own chance), and of network less linear "
        "decoder.",
        p="sign flips of participants, who heard the same stimulus: it says nothing about others",
        smallest_p="smallest p this number of participants can give",
        p_shift="(b + 1) / (m + 1): mean score among those with labels shifted alike in all",
        level=_TOLD["level"],
    )
    writer.table(
        prevalence_rows(scored, settings.significance, seed),
        {"desc": "emotion3dprevalence"},
        "Share of people who show the effect: a mean above chance says only that somebody does.",
        n_significant="participants with p at most the significance level",
        prevalence="most probable share (Ince et al. 2021), with its interval of highest density",
        p_global="minimum statistic (Allefeld et al. 2016): nobody shows the effect; takes "
        "participants as independent, though all had the same stimulus",
        p_majority="at most half of the population does",
        bound="largest share that is exceeded at the significance level; n/a: not even 0",
        level=_TOLD["level"],
    )


def _write_maps(writer: ResultWriter, inputs: GroupInputs, units: UnitSpace) -> None:
    """Write mean maps of the participants that have them, each scaled to a spread of 1."""
    geometry = units.geometry
    assert isinstance(geometry, VolumeGrid)
    for stat in STATISTICS:
        files = [inputs.map_file(one, stat) for one in inputs.participants]
        maps = [
            _class_maps(path, inputs.members[one.subject].classes, inputs.classes, geometry.mask)
            for path, one in zip(files, inputs.participants, strict=True)
            if path.is_file()
        ]
        if not maps:
            continue
        stack = np.stack(maps)
        n = np.isfinite(stack).sum(axis=0)
        total = np.where(np.isfinite(stack), stack, 0.0).sum(axis=0)
        writer.maps(
            np.where(n > 0, total / np.maximum(n, 1), np.nan),
            list(inputs.classes),
            {"stat": stat, "desc": "emotion3d"},
            "Mean over participants of their maps, each divided by its spread over voxels.",
            NumberOfMaps=len(maps),
        )


def _class_maps(
    path: Path, own: Sequence[str], classes: Sequence[str], mask: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Read a participant's maps at the shared voxels, in the order of the group's classes."""
    values = np.asarray(nib.load(path).dataobj, np.float64)[mask].T
    out = np.full((len(classes), values.shape[1]), np.nan)
    for name, one in zip(own, np.atleast_2d(values), strict=True):
        known = one[np.isfinite(one)]
        spread = float(known.std()) if known.size else 0.0
        if spread > 0:
            out[classes.index(name)] = one / spread
    return out


def warnings(
    analysis: GroupAnalysis, decodings: Sequence[CrossDecoding], tests: Sequence[Row]
) -> list[str]:
    """Return one sentence for each reason to read these results with care."""
    inputs = analysis.inputs
    found = [
        f"{split_name(split)}: {split.note}"
        for split in dict.fromkeys(one.decoding.split for one in decodings)
    ]
    n = len(inputs.participants)
    if n < _FEW:
        found.append(
            f"{n} participants: sign flips cannot give a p below {2.0**-n:.3g}; look at each "
            "participant."
        )
    for one in decodings:
        test = one.decoding.chance
        if test is not None:
            majority = next(
                item.decoding.scores.balanced_accuracy
                for item in decodings
                if item.decoding.decoder == "majority"
                and item.decoding.split is one.decoding.split
            )
            found.append(
                f"Chance of the {one.decoding.decoder} decoder under "
                f"{split_name(one.decoding.split)} is {test.mean:.2f} (95 % between "
                f"{test.low:.2f} and {test.high:.2f}), not 1/{len(inputs.classes)}; always saying "
                f"the most frequent class scores {majority:.2f}."
            )
    found += [
        f"{row['level']} participants, {row['split']}: the network does not beat the linear "
        f"decoder (mean difference {row['difference']:.2f}, p = {row['p']:.3f})."
        for row in tests
        if row["test"] == "cnn - linear" and row["difference"] <= 0
    ]
    kinds = {member.modality for member in inputs.members.values()}
    if "audiovisual" in kinds:
        found.append("Labels are those of observers who saw and heard the film.")
    if any(item.settings.label_source == "annotations" for item in inputs.members.values()):
        found.append(
            "Labels are emotions that observers saw portrayed, not emotions that the scanned "
            "people felt."
        )
    return found + [str(problem) for problem in inputs.problems]


def _summary(
    analysis: GroupAnalysis,
    found: GroupVolumes,
    decodings: Sequence[CrossDecoding],
    tests: list[Row],
) -> Row:
    inputs, config = analysis.inputs, analysis.config
    return {
        "recipe": analysis.recipe,
        "variant": config.variant,
        "version": __version__,
        "space": inputs.space,
        "participants": list(inputs.subjects),
        "left_out": dict(inputs.left_out),
        "settings": vars(analysis.settings),
        "config": {"random_seed": config.random_seed, "mem": config.mem},
        "classes": list(inputs.classes),
        "n_units": found.units.n_units,
        "units_hash": found.units.identity(),
        "n_volumes": found.volumes.n_volumes,
        "n_labelled": int((found.labels >= 0).sum()),
        "runs": list(found.run_names),
        "splits": [
            {
                "name": split_name(split),
                "leaky": split.leaky,
                "note": split.note,
                "folds": [fold.name for fold in split.folds],
            }
            for split in dict.fromkeys(one.decoding.split for one in decodings)
        ],
        "tests": tests,
        "warnings": warnings(analysis, decodings, tests),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
    }
