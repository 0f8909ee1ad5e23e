"""Cross-validation of volume networks over the folds of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.models.cnn3d.training import (
    EpochRecord,
    Fitted,
    TrainingSettings,
    ensemble,
    fit,
    predict_log_proba,
)
from bidsapp.models.cnn3d.volumes import Volumes
from bidsapp.models.threads import map_single_threaded
from bidsapp.models.training_loop import Checkpoint
from bidsapp.stats.splits import Split

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """Networks of all folds.

    Attributes
    ----------
    log_proba : array of shape (n_volumes, n_classes)
        Of held-out volumes, averaged over seeds as probabilities; NaN where never tested.
    fits
        For each fold, one network per seed.
    """

    log_proba: FloatArray
    fits: tuple[tuple[Fitted, ...], ...]


def cross_validate(
    volumes: Volumes,
    labels: IntArray,
    split: Split,
    settings: TrainingSettings,
    *,
    n_classes: int,
    seeds: Sequence[int] = (0, 1, 2),
    device: str = "cpu",
    checkpoint: Callable[[int, int], Checkpoint | None] | None = None,
    on_epoch: Callable[[int, int, EpochRecord], None] | None = None,
) -> CrossValidated:
    """Train and test on every fold; training stops early on the fold's inner validation rows.

    Parameters
    ----------
    volumes, labels, settings, n_classes, device
        See `bidsapp.models.cnn3d.training.fit`.
    split
        Folds. With early stopping, networks learn from the inner training rows; without, from
        all training rows.
    seeds
        One network each.
    checkpoint
        From (fold, seed) to where that run is kept.
    on_epoch
        Called with (fold, seed, row of the history), from the thread of the run.

    Returns
    -------
    CrossValidated

    Notes
    -----
    On the CPU runs go side by side, each on one thread: results do not depend on how many.
    """

    def one(job: tuple[int, int]) -> tuple[Fitted, FloatArray]:
        number, seed = job
        fold = split.folds[number]
        stops = settings.patience is not None
        fitted = fit(
            volumes,
            labels,
            fold.inner.train if stops else fold.train,
            fold.inner.val if stops else None,
            settings,
            n_classes=n_classes,
            seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]),
            device=device,
            checkpoint=None if checkpoint is None else checkpoint(number, seed),
            on_epoch=None if on_epoch is None else lambda row: on_epoch(number, seed, row),
        )
        return fitted, predict_log_proba(fitted, volumes, fold.test, device=device)

    jobs = [(number, seed) for number in range(len(split.folds)) for seed in seeds]
    done = map_single_threaded(one, jobs, n_workers=None if device == "cpu" else 1)
    log_proba = np.full((volumes.n_volumes, n_classes), np.nan)
    fits = []
    for number, fold in enumerate(split.folds):
        mine = done[number * len(seeds) : (number + 1) * len(seeds)]
        log_proba[fold.test] = ensemble([found for _, found in mine])
        fits.append(tuple(fitted for fitted, _ in mine))
    return CrossValidated(log_proba, tuple(fits))
