"""The decoders of `emotion3d` over the folds of a split: linear ones, networks, and their null.

The null of a decoder is the score of refits under labels shifted in time. Finished refits and
training runs are kept, so that an analysis that was stopped goes on where it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.cnn3d.decoding import CrossValidated, cross_validate
from bidsapp.models.cnn3d.training import EpochRecord, TrainingSettings
from bidsapp.models.cnn3d.volumes import Volumes
from bidsapp.models.linear_decoder import PreparedFold, decode
from bidsapp.recipes.base.study import Study
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.scratch import Scratch
from bidsapp.stats.classification import balanced_accuracy
from bidsapp.stats.label_nulls import shifted_labels
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import Split

LOGGER = logging.getLogger("musicotopy")
_SAY_EVERY_S = 20.0
_AT_ONCE = 10
Labels = NDArray[np.integer]
LogProba = NDArray[np.floating]


def training_settings(settings: Emotion3dSettings) -> TrainingSettings:
    """Return how networks are trained: as the settings of the same names say."""
    names = {item.name for item in fields(TrainingSettings)} & set(vars(settings))
    return TrainingSettings(
        **{name: getattr(settings, name) for name in names - {"patience"}},
        patience=settings.patience or None,
        max_shift=settings.max_shift_voxels,
    )


def pooled_accuracy(labels: Labels, log_proba: LogProba) -> float:
    """Balanced accuracy of the volumes that have a label and a prediction; NaN without any.

    Parameters
    ----------
    labels : integer array of shape (n_volumes,)
        -1 where there is none.
    log_proba : array of shape (n_volumes, n_classes)
        NaN where never tested.
    """
    used = (labels >= 0) & np.isfinite(log_proba).all(axis=1)
    if not used.any():
        return float("nan")
    predicted = log_proba[used].argmax(axis=1)
    return balanced_accuracy(labels[used], predicted, log_proba.shape[1])


@dataclass(frozen=True, eq=False)
class Shifts:
    """How labels are shifted in time for a null, and where finished refits are kept.

    Attributes
    ----------
    labels : integer array of shape (n_volumes,)
        True labels.
    samples
        When each volume was measured.
    min_shift
        Least shift in volumes.
    seed
        Of the analysis.
    scratch
        For finished refits.
    names
        What each number of a run stands for in all participants.
    """

    labels: Labels
    samples: Samples
    min_shift: int
    seed: int
    scratch: Scratch
    names: Sequence[str]

    def shifted(self, index: int) -> Labels:
        """Return the labels of one shift, (n_volumes,)."""
        return shifted_labels(
            self.labels,
            self.samples,
            index,
            min_shift=self.min_shift,
            seed=self.seed,
            names=self.names,
        )

    def null(
        self,
        name: str,
        n_shifts: int,
        predict: Callable[[Labels, int], LogProba],
        score: Callable[[Labels, LogProba], float | NDArray[np.floating]] = pooled_accuracy,
        *,
        row: tuple[int, ...] = (),
        at_once: int = 1,
    ) -> NDArray[np.float64]:
        """Score refits under shifted labels, going on where an earlier run has stopped.

        Parameters
        ----------
        name
            Under which refits are kept.
        n_shifts
            Refits.
        predict
            From labels (n_volumes,) and the number of the shift to log-probabilities (n_volumes,
            n_classes): the whole cross-validation.
        score
            From labels and log-probabilities to one score, or several.
        row
            Shape of the score.
        at_once
            Refits between two writes.

        Returns
        -------
        array of shape (n_shifts, *row)
        """

        def refit(indices: range) -> NDArray[np.float64]:
            scores = []
            for index in indices:
                labels = self.shifted(index)
                scores.append(score(labels, predict(labels, index)))
            return np.array(scores, np.float64)

        what = f"{name}: chance"
        return self.scratch.resume(
            f"null-{name}", n_shifts, refit, row=row, at_once=at_once, what=what
        )


@dataclass(frozen=True, eq=False)
class LinearTask:
    """A decoder whose features are projected already.

    Attributes
    ----------
    name
        Of the decoder in files.
    prepared
        Folds.
    kind
        ``logistic``, ``ridge`` or ``svm``.
    n_classes
        Number of classes.
    """

    name: str
    prepared: tuple[PreparedFold, ...]
    kind: str
    n_classes: int

    def predict(self, labels: Labels, _shift: int = -1) -> LogProba:
        """Log-probabilities (n_volumes, n_classes) of held-out volumes."""
        return decode(self.prepared, labels, self.kind, n_classes=self.n_classes).log_proba

    def score(self, labels: Labels) -> float:
        """Return the balanced accuracy of the whole cross-validation."""
        return pooled_accuracy(labels, self.predict(labels))

    def null(self, shifts: Shifts, split: Split, n_shifts: int) -> NDArray[np.float64]:
        """Score refits under shifted labels, (n_shifts,)."""
        name = f"{split.name}-{self.name}"
        return shifts.null(name, n_shifts, self.predict, at_once=_AT_ONCE)


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
    scratch
        For checkpoints; its label is what the log says.
    """

    volumes: Volumes
    split: Split
    training: TrainingSettings
    n_classes: int
    seeds: Sequence[int]
    device: str
    scratch: Scratch

    def fit(self, labels: Labels, name: str) -> CrossValidated:
        """Train and test on all folds; what is kept already is not trained again.

        Parameters
        ----------
        labels : integer array of shape (n_volumes,)
        name
            Of the labels, for the checkpoints; empty for no checkpoints and no log.
        """
        stem = f"{self.split.name}-{name}"
        return cross_validate(
            self.volumes,
            labels,
            self.split,
            self.training,
            n_classes=self.n_classes,
            seeds=self.seeds,
            device=self.device,
            checkpoint=(
                (
                    lambda fold, seed, stage: self.scratch.checkpoint(
                        f"{stem}-{fold}-{seed}-{stage}"
                    )
                )
                if name
                else None
            ),
            on_epoch=EpochLog(self.split) if name else None,
        )

    def predict(self, labels: Labels, _shift: int = -1) -> LogProba:
        """Log-probabilities (n_volumes, n_classes) of networks trained on some labels."""
        return self.fit(labels, "").log_proba

    def null(
        self, shifts: Shifts, n_shifts: int
    ) -> tuple[NDArray[np.float64], CrossValidated | None]:
        """Score refits under shifted labels; also return the first refit, None without any."""
        first = self.fit(shifts.shifted(0), "shift0") if n_shifts else None

        def predict(labels: Labels, index: int) -> LogProba:
            if index == 0 and first is not None:
                return first.log_proba
            return self.predict(labels)

        return shifts.null(f"{self.split.name}-cnn", n_shifts, predict), first


class DecodingData:
    """What decoding of a participant and of the group share: labels, their shifts, networks.

    Parameters
    ----------
    study
        Of the level.
    who
        Label of the participant, or ``group``.
    labels : integer array of shape (n_volumes,)
        -1 where there is none.
    samples
        When each volume was measured.
    classes
        Names.
    min_shift_s, tr_s
        Least shift, and repetition time.
    run_names
        What each number of a run stands for in all participants.
    """

    def __init__(
        self,
        study: Study,
        who: str,
        labels: NDArray[np.int64],
        samples: Samples,
        classes: Sequence[str],
        *,
        min_shift_s: float,
        tr_s: float,
        run_names: Sequence[str],
    ) -> None:
        self.study, self.labels, self.n_classes = study, labels, len(classes)
        self.seed = study.config.random_seed
        self.scratch = study.kept(f"emotion3d/{who}", self.seed)
        self.min_shift = max(1, round(min_shift_s / tr_s))
        self.shifts = Shifts(labels, samples, self.min_shift, self.seed, self.scratch, run_names)

    def networks(
        self, volumes: Volumes, split: Split, training: TrainingSettings, n_seeds: int
    ) -> NetworkTask:
        """Return the networks that learn from volumes under a split."""
        seeds = range(1000 * self.seed, 1000 * self.seed + n_seeds)
        device = self.study.device
        return NetworkTask(volumes, split, training, self.n_classes, seeds, device, self.scratch)


class EpochLog:
    """Says now and then how the training of the folds goes.

    Parameters
    ----------
    split
        Folds that are trained.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        self._last_s = time.monotonic()

    def __call__(self, fold: int, seed: int, row: EpochRecord) -> None:
        """Take note of an epoch."""
        now = time.monotonic()
        if now - self._last_s < _SAY_EVERY_S:
            return
        self._last_s = now
        LOGGER.info(
            "%s, %s, seed %d, epoch %d: loss %.3f, accuracy %.2f; held out %.3f, %.2f",
            self.split.name,
            self.split.folds[fold].name,
            seed,
            row.epoch,
            row.loss,
            row.accuracy,
            row.val_loss,
            row.val_accuracy,
        )
