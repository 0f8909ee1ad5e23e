"""`emotion3d`, participant level: reads like the methods section it produces.

Source: Tanemura et al., poster. A three-dimensional convolutional network learns the emotion of
single volumes. Here it is tested on runs it has not seen, against linear decoders on the same
folds and volumes, decoders that know no brain, and labels shifted in time.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.atlas import atlas_parcels
from bidsapp.brain.parcels import parcel_means, standard_parcels
from bidsapp.models.cnn3d.decoding import CrossValidated
from bidsapp.models.cnn3d.volumes import Volumes
from bidsapp.models.devices import resolve_device
from bidsapp.models.linear_decoder import decode, haufe_patterns, prepare, run_probe, time_probe
from bidsapp.models.rows import RowSource
from bidsapp.recipes.emotion3d.confounds import confound_features
from bidsapp.recipes.emotion3d.explain import embed, network_maps, randomisation
from bidsapp.recipes.emotion3d.folds import make_splits
from bidsapp.recipes.emotion3d.inputs import EmotionAnalysis, collect_participant
from bidsapp.recipes.emotion3d.labels import LabelledVolumes
from bidsapp.recipes.emotion3d.linear import LinearTask, Shifts
from bidsapp.recipes.emotion3d.network import NetworkTask, training_settings
from bidsapp.recipes.emotion3d.outputs import write_results
from bidsapp.recipes.emotion3d.results import (
    Curve,
    Decoding,
    Embedded,
    Explanation,
    LagScore,
    Results,
    make_decoding,
    split_name,
)
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.recipes.emotion3d.volumes import StoredVolumes, load_volumes
from bidsapp.stats.classification import majority_line, prior_line
from bidsapp.stats.splits import Split

LOGGER = logging.getLogger("musicotopy")

__all__ = ["analyse", "collect_participant"]


def analyse(analysis: EmotionAnalysis) -> None:
    """Run the participant level for one participant in one space and write its results."""
    study = _Study(analysis)
    write_results(analysis, study.results())
    shutil.rmtree(study.folder, ignore_errors=True)


class _Study:
    """The objects that one analysis is made of."""

    def __init__(self, analysis: EmotionAnalysis) -> None:
        self.analysis, self.inputs, self.config = analysis, analysis.inputs, analysis.config
        self.settings: Emotion3dSettings = analysis.settings
        self.label = f"sub-{self.inputs.subject} {self.inputs.space}"
        self.device = resolve_device(self.config.device)

    @cached_property
    def stored(self) -> StoredVolumes:
        """Volumes on disk; they stay there for the group level."""
        return load_volumes(self.inputs.runs, self.settings, self.config, self.analysis.scratch)

    @cached_property
    def volumes(self) -> Volumes:
        """What decoders take."""
        return self.stored.volumes(self.settings.n_frames)

    @cached_property
    def labelled(self) -> LabelledVolumes:
        """Label, run and time of each volume."""
        return self.inputs.labelled()

    @cached_property
    def folder(self) -> Path:
        """Where finished folds and refits are kept until the results are written."""
        seed = self.config.random_seed
        parts = (self.analysis.configuration_hash, self.inputs.identity(), seed)
        key = hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
        folder = self.analysis.scratch / "emotion3d" / f"sub-{self.inputs.subject}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """The split that counts and, if asked for, the leaky one."""
        return make_splits(
            self.labelled, len(self.inputs.runs), self.settings, self.config.random_seed
        )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.inputs.classes)

    @property
    def min_shift(self) -> int:
        """Least shift of labels in volumes."""
        return max(1, round(self.settings.min_shift_s / self.inputs.runs[0].tr_s))

    @cached_property
    def confounds(self) -> tuple[NDArray[np.float64], bool]:
        """Motion and global signal."""
        return confound_features(self.inputs.runs, self.stored, self.settings.drop_volumes)

    @cached_property
    def parcels(self) -> NDArray[np.float64]:
        """(n_volumes, n_parcels) means over voxels."""
        units = self.stored.units
        n_parcels = min(self.settings.n_parcels, units.n_units)
        labels = (
            standard_parcels(units, n_parcels)
            if self.config.atlas is None
            else atlas_parcels(self.config.atlas, units).labels
        )
        n_parcels = int(labels.max()) + 1
        means = np.concatenate(
            [parcel_means(run, labels, n_parcels) for run in self.stored.runs]
        ).astype(np.float64)
        return means[:, np.isfinite(means).all(axis=0)]

    def features(self) -> Iterator[tuple[str, RowSource, int | None, str]]:
        """Yield name, features, principal components and kind of each linear decoder."""
        samples = self.labelled.samples
        yield "linear", self.volumes.data, self.settings.n_components, self.settings.linear
        yield "parcels", self.parcels, None, "svm"
        yield "confounds", self.confounds[0], None, "logistic"
        yield "time", time_probe(samples), None, "logistic"
        yield "run", run_probe(samples), None, "logistic"

    def tasks(self, split: Split) -> list[LinearTask]:
        """Prepare all linear decoders for a split."""
        return [
            LinearTask(name, prepare(x, split, n_components=n, seed=0), kind, self.n_classes)
            for name, x, n, kind in self.features()
        ]

    def linear(self, split: Split, tasks: list[LinearTask]) -> Iterator[Decoding]:
        """Decode with each linear decoder, and with the labels shifted."""
        labels = self.labelled.labels
        shifts = Shifts(
            self.labelled.samples,
            self.settings.n_shifts,
            self.min_shift,
            self.config.random_seed,
            self.folder,
            self.label,
            self.config.quiet,
        )
        for task in tasks:
            null = shifts.null(task, labels, f"{split.name}-{task.name}")
            yield make_decoding(split, task.name, labels, task.predict(labels), null)
        lines = majority_line(labels, split, self.n_classes)
        yield make_decoding(split, "majority", labels, lines)

    def network(self, split: Split) -> NetworkTask:
        """Networks under a split."""
        first = 1000 * self.config.random_seed
        return NetworkTask(
            self.volumes,
            split,
            training_settings(self.settings),
            self.n_classes,
            range(first, first + self.settings.n_seeds),
            self.device,
            self.folder,
            f"{self.label} {split_name(split)}",
            self.config.quiet,
        )

    def lags(self, task: LinearTask) -> Iterator[LagScore]:
        """Decode with other hemodynamic shifts."""
        for lag_s in self.settings.scan_lags_s:
            labels = self.inputs.labelled(lag_s).labels
            yield LagScore(lag_s, int((labels >= 0).sum()), task.score(labels))

    def results(self) -> Results:
        """Decode under each split; the first one is scanned, explained and embedded."""
        decodings: list[Decoding] = []
        curves: list[Curve] = []
        labels = self.labelled.labels
        lags: tuple[LagScore, ...] = ()
        explanation: Explanation | None = None
        embedding: Embedded | None = None
        for split in self.splits:
            LOGGER.info("%s: %s, %d folds", self.label, split_name(split), len(split.folds))
            tasks = self.tasks(split)
            found = list(self.linear(split, tasks))
            fitted = shifted = None
            if self.settings.n_seeds:
                networks = self.network(split)
                fitted = networks.fit(labels, "true")
                null, shifted = self._network_null(networks)
                found.insert(0, make_decoding(split, "cnn", labels, fitted.log_proba, null))
                curves += _curves(split, fitted)
            decodings += found
            if split is self.splits[0]:
                lags = tuple(self.lags(tasks[0]))
                explanation = self._explain(split, tasks[0], fitted, shifted)
                embedding = self._embed(split, fitted)
        return Results(
            self.labelled,
            self.stored,
            tuple(decodings),
            {split.name: prior_line(labels, split, self.n_classes) for split in self.splits},
            tuple(curves),
            lags,
            explanation,
            embedding,
            self.confounds[1],
            self.device,
        )

    def _network_null(
        self, networks: NetworkTask
    ) -> tuple[NDArray[np.float64], CrossValidated | None]:
        n_shifts = 0 if networks.split.leaky else self.settings.n_cnn_shifts
        return networks.null(
            self.labelled.labels,
            self.labelled.samples,
            n_shifts,
            min_shift=self.min_shift,
            seed=self.config.random_seed,
        )

    def _explain(
        self,
        split: Split,
        task: LinearTask,
        fitted: CrossValidated | None,
        shifted: CrossValidated | None,
    ) -> Explanation:
        labels = self.labelled.labels
        decoded = decode(task.prepared, labels, task.kind, n_classes=self.n_classes)
        haufe = haufe_patterns(task.prepared, decoded)
        if fitted is None or not self.settings.explain_per_class:
            return Explanation({}, haufe)
        maps, alike = network_maps(
            fitted, shifted, self.volumes, split, labels, self.settings, self.device
        )
        randomised = randomisation(fitted, self.volumes, split, labels, self.device)
        return Explanation(maps, haufe, randomised, alike)

    def _embed(self, split: Split, fitted: CrossValidated | None) -> Embedded | None:
        if fitted is None:
            return None
        return embed(
            fitted,
            self.volumes,
            split,
            self.labelled.labels,
            self.labelled.samples,
            n_shifts=self.settings.n_embedding_shifts,
            min_shift=self.min_shift,
            seed=self.config.random_seed,
            device=self.device,
        )


def _curves(split: Split, fitted: CrossValidated) -> Iterator[Curve]:
    for fold, networks in zip(split.folds, fitted.fits, strict=True):
        for number, one in enumerate(networks):
            yield Curve(split, fold.name, number, one.history, one.best_epoch)
