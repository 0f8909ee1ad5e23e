"""`emotion3d`, group level: decoding across participants, and statistics over participants.

Decoders are trained on all but some participants and tested on these. Leaving a participant out
with all runs tests on the same stimulus; leaving out the run as well is the only test of a new
stimulus in a new brain. Scores of participants, within and across, are tested against each
participant's own chance.

Source: Tanemura et al., poster (one model of all participants, accuracy by emotion in unseen
ones).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.linear_decoder import prepare
from bidsapp.recipes.base import cautions as shared
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.emotion3d import cautions
from bidsapp.recipes.emotion3d import results as declared
from bidsapp.recipes.emotion3d.decoders import (
    DecodingData,
    LinearTask,
    pooled_accuracy,
    training_settings,
)
from bidsapp.recipes.emotion3d.decoding import (
    Decoding,
    Row,
    confusion_rows,
    leaky,
    make_decoding,
    null_rows,
    recall_rows,
    score_rows,
    split_name,
    splits_of,
)
from bidsapp.recipes.emotion3d.group_tests import (
    Scored,
    group_rows,
    participant_rows,
    prevalence_rows,
    within,
)
from bidsapp.recipes.emotion3d.group_volumes import GroupVolumes, group_volumes
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings, GroupSettings
from bidsapp.results.write import Output
from bidsapp.stats.classification import label_stretches, majority_line
from bidsapp.stats.clip_exchange import mean_of_known
from bidsapp.stats.splits import SPLITTERS, Split

LOGGER = logging.getLogger("musicotopy")
Labels = NDArray[np.integer]
LogProba = NDArray[np.floating]


def group(study: GroupStudy) -> None:
    """Decode across participants and test their scores, in one space.

    Parameters
    ----------
    study
        The job.
    """
    inputs, settings, seed = study.inputs, study.settings, study.config.random_seed
    LOGGER.info("%s: %d participants", study.label, len(inputs.participants))
    data = Data(study)
    across = [decoded for split in data.splits() for decoded in decode(data, split)]
    scored = [*within(inputs), *(item.scored(inputs.subjects) for item in across)]
    tests = list(group_rows(scored, settings, seed))
    sources = [path for path in inputs.files if path.is_relative_to(study.output_dir)]
    out = study.output(data.found.units, sources)
    decodings = [item.decoding for item in across]
    write_decodings(out, data, decodings)
    out.write(declared.PARTICIPANTS, participant_rows(scored))
    out.write(declared.TESTS, tests)
    out.write(declared.PREVALENCE, prevalence_rows(scored, settings.significance, seed))
    write_mean_maps(out, data)
    write_summary(out, data, decodings, scored, tests)
    data.scratch.remove()


@dataclass(frozen=True, eq=False)
class CrossDecoding:
    """A decoder trained on other participants.

    Attributes
    ----------
    decoding
        Predictions and scores pooled over participants.
    own : array of shape (n_participants,)
        Balanced accuracy in each participant.
    own_null : array of shape (n_shifts, n_participants)
        The same under shifted labels.
    """

    decoding: Decoding
    own: NDArray[np.float64]
    own_null: NDArray[np.float64]

    def scored(self, subjects: tuple[str, ...]) -> Scored:
        """Return the scores of participants whom the decoder was not trained on."""
        split = self.decoding.split
        return Scored(
            "across",
            split_name(split),
            self.decoding.decoder,
            leaky(split),
            subjects,
            self.own,
            self.own_null.T,
        )


class Data(DecodingData):
    """Volumes and labels of all participants, and how labels are shifted for the null.

    Parameters
    ----------
    study
        The job.
    """

    def __init__(self, study: GroupStudy) -> None:
        self.inputs = study.inputs
        self.settings: GroupSettings = study.settings
        self.members = [study.inputs.members[subject] for subject in study.inputs.subjects]
        self.own: Emotion3dSettings = self.members[0].settings
        self.found: GroupVolumes = group_volumes(study)
        super().__init__(
            study,
            "group",
            self.found.labels,
            self.found.samples,
            self.found.classes,
            min_shift_s=self.own.min_shift_s,
            tr_s=self.members[0].runs[0].tr_s,
            run_names=self.found.run_names,
        )

    def splits(self) -> Iterator[Split]:
        """Yield the splits asked for that the data allow."""
        settings, samples = self.settings, self.found.samples
        several_runs = len(np.unique(samples.run)) > 1
        wanted = {
            "leave_participant_out": settings.leave_participant_out,
            "leave_participant_and_run_out": settings.leave_participant_and_run_out
            and several_runs,
        }
        for name, is_wanted in wanted.items():
            if is_wanted:
                yield SPLITTERS[name](
                    samples,
                    embargo_s=self.own.embargo_s,
                    n_folds=settings.max_participant_folds,
                    seed=self.seed,
                )

    def own_scores(self, labels: Labels, log_proba: LogProba) -> NDArray[np.float64]:
        """Balanced accuracy in each participant, (n_participants,)."""
        who = self.found.samples.participant
        numbers = range(len(self.members))
        return np.array([pooled_accuracy(labels[who == k], log_proba[who == k]) for k in numbers])

    def null(
        self, name: str, n_shifts: int, predict: Callable[[Labels, int], LogProba]
    ) -> NDArray[np.float64]:
        """Score refits under labels shifted alike in all participants.

        Returns
        -------
        array of shape (n_shifts, 1 + n_participants)
            Pooled, then each participant.
        """

        def score(labels: Labels, log_proba: LogProba) -> NDArray[np.float64]:
            pooled = pooled_accuracy(labels, log_proba)
            return np.append(pooled, self.own_scores(labels, log_proba))

        return self.shifts.null(name, n_shifts, predict, score, row=(1 + len(self.members),))


def decode(data: Data, split: Split) -> Iterator[CrossDecoding]:
    """Decode under one split: network, linear decoder, majority class."""
    LOGGER.info("%s: %s, %d folds", data.study.label, split_name(split), len(split.folds))
    settings = data.settings
    if settings.cnn and settings.n_seeds:
        training = replace(
            training_settings(data.own),
            epochs=settings.epochs,
            max_shift=settings.max_shift_voxels,
        )
        networks = data.networks(data.found.volumes, split, training, settings.n_seeds)
        fitted = networks.fit(data.labels, "true")
        null = data.null(f"{split.name}-cnn", settings.n_cnn_shifts, networks.predict)
        yield _cross(data, split, "cnn", fitted.log_proba, null)
    prepared = prepare(data.found.volumes.data, split, n_components=data.own.n_components, seed=0)
    task = LinearTask("linear", prepared, data.own.linear, data.n_classes)
    null = data.null(f"{split.name}-linear", settings.n_shifts, task.predict)
    yield _cross(data, split, "linear", task.predict(data.labels), null)
    lines = majority_line(data.labels, split, data.n_classes)
    yield _cross(data, split, "majority", lines, np.zeros((0, 1 + len(data.members))))


def _cross(
    data: Data, split: Split, decoder: str, log_proba: LogProba, null: NDArray[np.float64]
) -> CrossDecoding:
    who = data.found.samples.participant
    decoding = make_decoding(split, decoder, data.labels, log_proba, null[:, 0], stretch=who)
    return CrossDecoding(decoding, data.own_scores(data.labels, log_proba), null[:, 1:])


# ------------------------------------------------------------------ what is written


def write_decodings(out: Output, data: Data, decodings: list[Decoding]) -> None:
    """Write scores and nulls of the pool; recalls and confusions also of each participant."""
    out.write(declared.SCORES, [row for item in decodings for row in score_rows(item)])
    out.write(declared.NULL, [row for item in decodings for row in null_rows(item)])
    classes = data.found.classes
    recalls: list[Row] = []
    confusions: list[Row] = []
    for pooled in decodings:
        own = [_of_participant(data, pooled, k) for k in range(len(data.members))]
        shares = [_shares(item.scores.confusion) for item in own]
        nothing = np.full((data.n_classes, data.n_classes), np.nan)
        for number, item in enumerate([pooled, *own]):
            who = {"participant": None if number == 0 else data.inputs.subjects[number - 1]}
            recalls += [who | row for row in recall_rows(item, classes)]
            others = [share for k, share in enumerate(shares, start=1) if k != number]
            of_others = np.nanmean(others, axis=0) if number and others else nothing
            share = _shares(item.scores.confusion)
            rows = confusion_rows(item, classes, share=share, share_of_others=of_others)
            confusions += [who | row for row in rows]
    out.write(declared.GROUP_RECALL, recalls)
    out.write(declared.GROUP_CONFUSION, confusions)


def _of_participant(data: Data, pooled: Decoding, number: int) -> Decoding:
    """Score one participant of a decoding."""
    own = data.found.samples.participant == number
    labels, series = data.labels[own], data.found.samples.series[own]
    return make_decoding(
        pooled.split,
        pooled.decoder,
        labels,
        pooled.log_proba[own],
        stretch=label_stretches(labels, series),
    )


def _shares(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    total = confusion.sum(axis=1, keepdims=True)
    return np.where(total > 0, confusion / np.maximum(total, 1), np.nan)


def write_mean_maps(out: Output, data: Data) -> None:
    """Write mean maps of the participants that have them, each scaled to a spread of 1."""
    classes, units = data.found.classes, data.found.units
    for method, result in declared.GROUP_MAPS.items():
        maps = []
        for participant, member in zip(data.inputs.participants, data.members, strict=True):
            own = participant.maps(declared.MAPS[method], data.inputs.at, units=units)
            if own is not None:
                maps.append(_scaled(own.values, member.classes, classes))
        if not maps:
            continue
        mean = mean_of_known(np.stack(maps))
        out.write(result, mean, names=list(classes), NumberOfMaps=len(maps))


def _scaled(
    values: NDArray[np.floating], own: tuple[str, ...], classes: tuple[str, ...]
) -> NDArray[np.float64]:
    """Divide each class's map by its spread, in the order of the group's classes."""
    out = np.full((len(classes), values.shape[1]), np.nan)
    for name, values_of_class in zip(own, values.astype(np.float64), strict=True):
        known = values_of_class[np.isfinite(values_of_class)]
        spread = float(known.std()) if known.size else 0.0
        if spread > 0:
            out[classes.index(name)] = values_of_class / spread
    return out


def write_summary(
    out: Output, data: Data, decodings: list[Decoding], scored: list[Scored], tests: list[Row]
) -> None:
    """Write settings, counts and cautions: the last file, which makes the space complete."""
    inputs, found, settings = data.inputs, data.found, data.settings
    doubts = [
        *cautions.of_group(decodings, scored, tests, data.n_classes, settings.significance),
        *cautions.of_networks_across(decodings, settings.cnn),
        *cautions.what_labels_are(data.members),
        *shared.left_out(inputs.left_out),
        *shared.of_problems(inputs.problems),
    ]
    facts: dict[str, Any] = {
        "classes": list(found.classes),
        "n_volumes": found.volumes.n_volumes,
        "n_labelled": int((found.labels >= 0).sum()),
        "n_runs": len(found.run_names),
        "splits": splits_of(decodings),
    }
    summary = data.study.summary(found.units, networks={}, cautions=doubts, **facts)
    out.write(declared.GROUP_SUMMARY, summary)
