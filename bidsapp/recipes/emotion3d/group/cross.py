"""Decoding across participants: train on others, test on someone new, with chance."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.devices import resolve_device
from bidsapp.models.linear_decoder import prepare
from bidsapp.progress import track
from bidsapp.recipes.emotion3d.group.collect import participant_settings
from bidsapp.recipes.emotion3d.group.inputs import GroupAnalysis
from bidsapp.recipes.emotion3d.group.settings import GroupSettings
from bidsapp.recipes.emotion3d.group.volumes import GroupVolumes
from bidsapp.recipes.emotion3d.linear import LinearTask, pooled_accuracy, save
from bidsapp.recipes.emotion3d.network import NetworkTask, training_settings
from bidsapp.recipes.emotion3d.results import Decoding, make_decoding, split_name
from bidsapp.stats.classification import majority_line
from bidsapp.stats.label_nulls import shifted_labels
from bidsapp.stats.splits import SPLITTERS, Split

LOGGER = logging.getLogger("musicotopy")
Predict = Callable[[NDArray[np.integer]], NDArray[np.floating]]


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


class CrossStudy:
    """The objects that decoding across participants is made of.

    Parameters
    ----------
    analysis
        The job.
    found
        Volumes of all participants.
    """

    def __init__(self, analysis: GroupAnalysis, found: GroupVolumes) -> None:
        self.analysis, self.found = analysis, found
        self.settings: GroupSettings = analysis.settings
        self.own = participant_settings(analysis.inputs.participants[0])
        self.config = analysis.config
        self.n_classes = len(analysis.inputs.classes)
        self.device = resolve_device(self.config.device)
        self.label = f"group {analysis.inputs.space}"
        parts = (analysis.configuration_hash, analysis.inputs.identity(), self.config.random_seed)
        key = hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
        self.folder: Path = analysis.scratch / "emotion3d" / f"group-{key}"
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def min_shift(self) -> int:
        """Least shift of labels in volumes."""
        run = next(iter(self.analysis.inputs.members.values())).runs[0]
        return max(1, round(self.own.min_shift_s / run.tr_s))

    def splits(self) -> Iterator[Split]:
        """Yield the splits asked for that the data allow."""
        wanted = {
            "leave_participant_out": self.settings.leave_participant_out,
            "leave_participant_and_run_out": self.settings.leave_participant_and_run_out
            and len(np.unique(self.found.samples.run)) > 1,
        }
        for name, yes in wanted.items():
            if yes:
                yield SPLITTERS[name](
                    self.found.samples,
                    embargo_s=self.own.embargo_s,
                    n_folds=self.settings.max_participant_folds,
                    seed=self.config.random_seed,
                )

    def decodings(self) -> Iterator[CrossDecoding]:
        """Decode under every split: network, linear decoder, majority class."""
        labels = self.found.labels
        for split in self.splits():
            LOGGER.info("%s: %s, %d folds", self.label, split_name(split), len(split.folds))
            if self.settings.cnn and self.settings.n_seeds:
                yield self._network(split)
            yield self._linear(split)
            lines = majority_line(labels, split, self.n_classes)
            yield self._scored(split, "majority", lines, self._no_null())

    def _linear(self, split: Split) -> CrossDecoding:
        prepared = prepare(
            self.found.volumes.data, split, n_components=self.own.n_components, seed=0
        )
        task = LinearTask("linear", prepared, self.own.linear, self.n_classes)
        path = self.folder / f"null-{split.name}-linear.npy"
        null = self._null(path, self.settings.n_shifts, task.predict, f"{split.name} linear")
        return self._scored(split, "linear", task.predict(self.found.labels), null)

    def _network(self, split: Split) -> CrossDecoding:
        training = replace(
            training_settings(self.own),
            epochs=self.settings.epochs,
            max_shift=self.settings.max_shift_voxels,
        )
        first = 1000 * self.config.random_seed
        task = NetworkTask(
            self.found.volumes,
            split,
            training,
            self.n_classes,
            range(first, first + self.settings.n_seeds),
            self.device,
            self.folder,
            f"{self.label} {split_name(split)}",
            self.config.quiet,
        )
        fitted = task.fit(self.found.labels, "true")
        path = self.folder / f"null-{split.name}-cnn.npy"
        null = self._null(path, self.settings.n_cnn_shifts, task.predict, f"{split.name} cnn")
        return self._scored(split, "cnn", fitted.log_proba, null)

    def _scored(
        self,
        split: Split,
        decoder: str,
        log_proba: NDArray[np.floating],
        null: NDArray[np.float64],
    ) -> CrossDecoding:
        labels = self.found.labels
        decoding = make_decoding(split, decoder, labels, log_proba, null[:, 0])
        return CrossDecoding(decoding, self._own_scores(labels, log_proba), null[:, 1:])

    def _own_scores(
        self, labels: NDArray[np.integer], log_proba: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Balanced accuracy in each participant."""
        who = self.found.samples.participant
        numbers = range(len(self.analysis.inputs.subjects))
        return np.array([pooled_accuracy(labels[who == k], log_proba[who == k]) for k in numbers])

    def _null(
        self, path: Path, n_shifts: int, predict: Predict, label: str
    ) -> NDArray[np.float64]:
        """Score refits under labels shifted alike in all participants: pooled, then each one."""
        samples = self.found.samples
        done = np.load(path)[:n_shifts] if path.is_file() else None
        start = 0 if done is None else len(done)
        rows = [] if done is None else list(done)
        todo = range(start, n_shifts)
        label = f"{self.label} {label}: chance"
        for index in track(todo, total=len(todo), label=label, quiet=self.config.quiet):
            moved = shifted_labels(
                self.found.labels,
                samples,
                index,
                min_shift=self.min_shift,
                seed=self.config.random_seed,
            )
            found = predict(moved)
            rows.append(np.r_[pooled_accuracy(moved, found), self._own_scores(moved, found)])
            save(path, np.array(rows))
        return np.array(rows) if rows else self._no_null()

    def _no_null(self) -> NDArray[np.float64]:
        return np.zeros((0, 1 + len(self.analysis.inputs.subjects)))
