"""What chance is: labels shifted circularly within runs, and everything fitted again.

A shift keeps how long labels last and breaks their alignment with the volumes. With whole runs
held out chance is not 1 / K, and with neighbours on both sides it is far above it; the null
shows either. A run is shifted alike in all participants: labels belong to the stimulus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.stats.displacement import piece_shifts
from bidsapp.stats.nulls import permutation_p
from bidsapp.stats.samples import Samples

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


def shifted_labels(
    labels: IntArray,
    samples: Samples,
    index: int,
    *,
    min_shift: int = 10,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> IntArray:
    """Shift labels circularly within each run.

    Parameters
    ----------
    labels : integer array of shape (n_volumes,)
        -1 where there is none; these move along.
    samples
        When each volume was measured. Rows are taken in their order.
    index
        Which copy; with `seed` it determines the shifts.
    min_shift
        Least shift in volumes in either direction; a third of shorter runs.
    seed
        Of the analysis.
    names
        What each number of a run stands for in all participants; its digits if left out. Seed,
        name and copy determine the shift as a share of the run, so that labels of a run move
        alike in analyses of different participants.

    Returns
    -------
    integer array of shape (n_volumes,)
    """
    runs = np.unique(samples.run)
    series = samples.series
    members = [np.flatnonzero(series == k) for k in range(int(series.max()) + 1)]
    shortest = [min(len(rows) for rows in members if samples.run[rows[0]] == run) for run in runs]
    heard = [str(run) if names is None else names[run] for run in runs]
    shifts = piece_shifts(heard, shortest, min_shift, 1, seed, first=index)[0]
    out = np.empty_like(labels)
    for rows in members:
        shift = int(shifts[np.searchsorted(runs, samples.run[rows[0]])])
        out[rows] = np.roll(labels[rows], shift)
    return out


def label_null(
    score: Callable[[IntArray], float],
    labels: IntArray,
    samples: Samples,
    n_shifts: int,
    *,
    min_shift: int = 10,
    seed: int = 0,
    first: int = 0,
) -> FloatArray:
    """Score refits under shifted labels.

    Parameters
    ----------
    score
        From labels (n_volumes,) to a score; the whole cross-validation with all its choices.
    labels, samples, min_shift, seed
        See `shifted_labels`.
    n_shifts
        Number of refits.
    first
        Index of the first copy, so that a null can be computed in parts.

    Returns
    -------
    array of shape (n_shifts,)
    """
    copies = range(first, first + n_shifts)
    return np.array(
        [
            score(shifted_labels(labels, samples, k, min_shift=min_shift, seed=seed))
            for k in copies
        ],
        dtype=np.float64,
    )


@dataclass(frozen=True)
class Chance:
    """An observed score among those of shifted labels.

    Attributes
    ----------
    observed, mean, low, high
        Score, and mean and central interval of the null.
    p
        One-sided, (b + 1) / (m + 1).
    n_shifts
        m.
    """

    observed: float
    mean: float
    low: float
    high: float
    p: float
    n_shifts: int


def chance(observed: float, null: FloatArray, *, level: float = 0.95) -> Chance:
    """Place a score among those of shifted labels.

    Parameters
    ----------
    observed
        Score with the true labels.
    null : array of shape (n_shifts,)
        From `label_null`.
    level
        Coverage of the interval.

    Returns
    -------
    Chance

    Raises
    ------
    InputInvalidError
        Without shifts.
    """
    if not len(null):
        msg = "chance needs at least one shift of the labels; ask for more shifts"
        raise InputInvalidError(msg)
    low, high = np.nanquantile(null, [(1 - level) / 2, (1 + level) / 2])
    p = float(permutation_p(np.asarray(observed), np.asarray(null)))
    return Chance(float(observed), float(np.nanmean(null)), float(low), float(high), p, len(null))
