"""Cross-validation of volume networks over the folds of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
        For each fold, one network per seed. With early stopping, the history is that of the run
        that chose the number of epochs.
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
    checkpoint: Callable[[int, int, str], Checkpoint | None] | None = None,
    on_epoch: Callable[[int, int, EpochRecord], None] | None = None,
) -> CrossValidated:
    """Train and test on every fold, on all of its training rows.

    How many epochs are trained is chosen on the fold's inner validation rows; a network is then
    trained for as many on all training rows, which is what other decoders learn from.

    Parameters
    ----------
    volumes, labels, settings, n_classes, device
        See `bidsapp.models.cnn3d.training.fit`.
    split
        Folds, with inner ones where training stops early.
    seeds
        One network each.
    checkpoint
        From (fold, seed, ``choose`` or ``final``) to where that run is kept.
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

        def run(
            stage: str, train: IntArray, val: IntArray | None, how: TrainingSettings
        ) -> Fitted:
            return fit(
                volumes,
                labels,
                train,
                val,
                how,
                n_classes=n_classes,
                seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]),
                device=device,
                checkpoint=None if checkpoint is None else checkpoint(number, seed, stage),
                on_epoch=None if on_epoch is None else lambda row: on_epoch(number, seed, row),
            )

        if settings.patience is None:
            fitted = run("final", fold.train, None, settings)
        else:
            chosen = run("choose", fold.inner.train, fold.inner.val, settings)
            how = replace(settings, epochs=chosen.best_epoch, patience=None)
            fitted = run("final", fold.train, None, how)
            fitted = replace(fitted, history=chosen.history)
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
