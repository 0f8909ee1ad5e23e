"""Networks over the folds of a split: training that goes on where it stopped, chance, progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.models.cnn3d.decoding import CrossValidated, cross_validate
from bidsapp.models.cnn3d.training import EpochRecord, TrainingSettings
from bidsapp.models.cnn3d.volumes import Volumes
from bidsapp.progress import track
from bidsapp.recipes.emotion3d.linear import pooled_accuracy, save
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.stats.label_nulls import shifted_labels
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import Split

LOGGER = logging.getLogger("musicotopy")
_SAY_EVERY_S = 20.0


def training_settings(settings: Emotion3dSettings) -> TrainingSettings:
    """Return how networks are trained."""
    return TrainingSettings(
        network=settings.network,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimiser=settings.optimiser,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        schedule=settings.schedule,
        label_smoothing=settings.label_smoothing,
        class_weights=settings.class_weights,
        patience=settings.patience or None,
        max_shift=settings.max_shift_voxels,
        noise=settings.noise,
        scale=settings.scale,
    )


class FileCheckpoint:
    """State of one training run in a file.

    Parameters
    ----------
    path
        Where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None."""
        if not self.path.is_file():
            return None
        state: dict[str, Any] = torch.load(self.path, weights_only=True, map_location="cpu")
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state."""
        part = self.path.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.path)


class EpochLog:
    """Says now and then how the training of the folds goes.

    Parameters
    ----------
    label
        What is trained.
    split
        For the names of folds.
    """

    def __init__(self, label: str, split: Split) -> None:
        self.label, self.split = label, split
        self._said = time.monotonic()

    def __call__(self, fold: int, seed: int, row: EpochRecord) -> None:
        """Take note of an epoch."""
        now = time.monotonic()
        if now - self._said < _SAY_EVERY_S:
            return
        self._said = now
        LOGGER.info(
            "%s, %s, seed %d, epoch %d: loss %.3f, accuracy %.2f; held out %.3f, %.2f",
            self.label,
            self.split.folds[fold].name,
            seed,
            row.epoch,
            row.loss,
            row.accuracy,
            row.val_loss,
            row.val_accuracy,
        )


@dataclass(frozen=True, eq=False)
class NetworkTask:
    """Networks on some volumes under one split.

    Attributes
    ----------
    volumes, split, training
        What is learned from, how it is divided, and how networks are trained.
    n_classes
        Number of classes.
    seeds
        One network each.
    device
        That they are trained on.
    folder
        For checkpoints.
    label
        What the log says.
    quiet
        Show no progress.
    """

    volumes: Volumes
    split: Split
    training: TrainingSettings
    n_classes: int
    seeds: Sequence[int]
    device: str
    folder: Path
    label: str
    quiet: bool

    def fit(self, labels: NDArray[np.integer], name: str) -> CrossValidated:
        """Train and test on all folds; what is in the folder already is not trained again.

        Parameters
        ----------
        labels : integer array of shape (n_volumes,)
        name
            Of the labels, for the checkpoints.
        """
        stem = f"{self.split.name}-{name}"
        return self._run(
            labels,
            lambda fold, seed: FileCheckpoint(self.folder / f"{stem}-{fold}-{seed}.pt"),
            EpochLog(self.label, self.split),
        )

    def predict(self, labels: NDArray[np.integer]) -> NDArray[np.floating]:
        """Log-probabilities (n_volumes, n_classes) of networks trained on some labels."""
        return self._run(labels, None, None).log_proba

    def null(
        self,
        labels: NDArray[np.integer],
        samples: Samples,
        n_shifts: int,
        *,
        min_shift: int,
        seed: int,
    ) -> tuple[NDArray[np.float64], CrossValidated | None]:
        """Score refits under shifted labels; also return the first refit.

        Parameters
        ----------
        labels, samples, min_shift, seed
            See `bidsapp.stats.label_nulls.shifted_labels`.
        n_shifts
            Refits of the whole cross-validation with all its networks.
        """
        path = self.folder / f"null-{self.split.name}-cnn.npy"
        done = np.load(path)[:n_shifts] if path.is_file() else np.zeros(0)
        first = None
        todo = range(n_shifts)
        for index in track(todo, total=n_shifts, label=f"{self.label}: chance", quiet=self.quiet):
            moved = shifted_labels(labels, samples, index, min_shift=min_shift, seed=seed)
            if index == 0:
                first = self.fit(moved, "shift0")
            if index < len(done):
                continue
            found = first if index == 0 and first is not None else self._run(moved, None, None)
            done = np.append(done, pooled_accuracy(moved, found.log_proba))
            save(path, done)
        return done, first

    def _run(
        self,
        labels: NDArray[np.integer],
        checkpoint: Callable[[int, int], FileCheckpoint] | None,
        on_epoch: Callable[[int, int, EpochRecord], None] | None,
    ) -> CrossValidated:
        return cross_validate(
            self.volumes,
            labels,
            self.split,
            self.training,
            n_classes=self.n_classes,
            seeds=self.seeds,
            device=self.device,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
        )
