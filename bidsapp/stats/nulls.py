"""Temporal nulls by refitting under circular shifts, and p values that are never zero.

A shift keeps the autocorrelation of both series and breaks their alignment. The whole
cross-validation is fitted again for each shift: keeping the predictions and shifting only the
data has twice the nominal error rate, because the scores of few folds depend on one another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


def apply_shifts(y: FloatArray, labels: IntArray, shifts: IntArray) -> FloatArray:
    """Shift the rows of each block circularly, once per copy.

    Parameters
    ----------
    y : array of shape (n_rows, n_units)
    labels : array of shape (n_rows,)
        Block of each row; rows labelled -1 stay where they are.
    shifts : array of shape (n_shifts, n_blocks)

    Returns
    -------
    array of shape (n_rows, n_shifts * n_units)
        Copy after copy; row t of a block moves to t + shift.
    """
    sources = np.array([shifted_rows(labels, shift) for shift in shifts], dtype=np.int64)
    source = sources.reshape(len(shifts), labels.size).T
    return y[source].reshape(labels.size, -1)


def shifted_rows(labels: IntArray, shift: IntArray) -> IntArray:
    """Return the row that comes to stand at each row when blocks are shifted circularly.

    Parameters
    ----------
    labels : array of shape (n_rows,)
        Block of each row; rows labelled -1 stay where they are.
    shift : array of shape (n_blocks,)
        Row t of a block moves to t + shift.

    Returns
    -------
    array of shape (n_rows,)
    """
    source = np.arange(labels.size)
    for block, rows_on in enumerate(np.asarray(shift)):
        rows = np.flatnonzero(labels == block)
        source[rows] = np.roll(rows, rows_on)
    return source


def permutation_p(observed: FloatArray, null: FloatArray) -> FloatArray:
    """Return (b + 1) / (m + 1), where b of m null scores reach the observed one.

    Parameters
    ----------
    observed : array of shape (...)
    null : array of shape (m, ...)
        A null score that is NaN counts as reaching the observed one.

    Returns
    -------
    array of shape (...)
        NaN where `observed` is.

    Notes
    -----
    Source: Phipson and Smyth 2010, p values of permutation tests are never zero.
    """
    observed = np.asarray(observed, dtype=np.float64)
    reached = np.count_nonzero(~(np.asarray(null) < observed[None]), axis=0)
    return np.where(np.isnan(observed), np.nan, (reached + 1) / (len(null) + 1))


def max_statistic_p(observed: FloatArray, null_max: FloatArray) -> FloatArray:
    """Return family-wise p values against the largest null score over the family.

    Parameters
    ----------
    observed : array of any shape
        Scores of the family, for instance layers by parcels.
    null_max : array of shape (m,)
        Largest score over the same family for each copy.

    Returns
    -------
    array of the shape of `observed`
    """
    observed = np.asarray(observed, dtype=np.float64)
    ordered = np.sort(np.nan_to_num(np.asarray(null_max, dtype=np.float64), nan=np.inf))
    reached = ordered.size - np.searchsorted(ordered, observed, side="left")
    return np.where(np.isnan(observed), np.nan, (reached + 1) / (ordered.size + 1))
