"""Temporal nulls by refitting under circular shifts, and p values that are never zero.

A shift keeps the autocorrelation of both series and breaks their alignment. The whole
cross-validation is fitted again for each shift: keeping the predictions and shifting only the
data has twice the nominal error rate, because the scores of few folds depend on one another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


def circular_shifts(
    block_lengths: Sequence[int] | IntArray,
    n_shifts: int,
    min_shift: int | Sequence[int] | IntArray,
    seed: int,
    *,
    first: int = 0,
) -> IntArray:
    """Draw one shift per block for each of many copies.

    Parameters
    ----------
    block_lengths : array of shape (n_blocks,)
        Rows in each block.
    n_shifts
        Number of copies.
    min_shift
        Least distance from the true alignment in rows, in either direction; one number, or one
        per block. In a block shorter than three times this, a third of the block is used
        instead (at least one row), so that there are shifts to choose from.
    seed
        With the index of a copy it determines that copy's shifts, so the draw does not depend
        on how copies are divided over calls.
    first
        Index of the first copy.

    Returns
    -------
    array of shape (n_shifts, n_blocks)

    Raises
    ------
    InputInvalidError
        If a block has fewer than two rows.
    """
    lengths = np.asarray(block_lengths, dtype=np.int64)
    if lengths.size and lengths.min() < 2:
        msg = f"a block of {lengths.min()} row cannot be shifted; leave such blocks out"
        raise InputInvalidError(msg)
    low = np.maximum(1, np.minimum(np.asarray(min_shift, dtype=np.int64), lengths // 3))
    draws = [
        np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, index)))).integers(
            low, lengths - low, endpoint=True
        )
        for index in range(first, first + n_shifts)
    ]
    return np.array(draws, dtype=np.int64).reshape(n_shifts, lengths.size)


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
