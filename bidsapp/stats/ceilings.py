"""Noise ceilings from repeats: the correlation that a perfect model is expected to reach.

The ceiling of a group that heard the same once is in `bidsapp.stats.isc`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.stats.displacement import piece_shifts
from bidsapp.stats.nulls import permutation_p

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


def explainable_variance(repeats: FloatArray, block: IntArray | None = None) -> FloatArray:
    """Return the share of one repeat's variance that is the same in all repeats.

    Parameters
    ----------
    repeats : array of shape (n_repeats, n_rows, n_units)
        Responses to the same sound.
    block : integer array of shape (n_rows,)
        Piece of each row: responses are centred inside pieces, as scores are. None for one piece.

    Returns
    -------
    array of shape (n_units,)
        Corrected for the number of repeats, so about 0 (also slightly below) for noise; NaN
        for units that are constant or NaN in any repeat.

    Raises
    ------
    InputInvalidError
        If there are fewer than two repeats.

    Notes
    -----
    With n repeats and uncorrected share e, the result is e - (1 - e) / (n - 1).
    Source: Schoppe et al. 2016, explainable signal power; Hsu, Borst and Theunissen 2004.
    """
    n_repeats = len(repeats)
    if n_repeats < 2:
        msg = f"a ceiling from repeats needs at least 2 repeats and there is {n_repeats}"
        raise InputInvalidError(msg)
    centred = _centred(repeats, block)
    total = (centred**2).mean(axis=(0, 1))
    shared = (centred.mean(axis=0) ** 2).mean(axis=0)
    constant = np.ptp(repeats, axis=1).min(axis=0) == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        share = shared / total
    corrected = share - (1 - share) / (n_repeats - 1)
    return np.where(constant, np.nan, corrected)


def repeat_ceiling(
    repeats: FloatArray,
    block: IntArray,
    min_shift: int,
    *,
    n_copies: int = 99,
    level: float = 0.05,
    seed: int = 0,
) -> FloatArray:
    """Return the correlation that a perfect model is expected to reach with one repeat.

    Parameters
    ----------
    repeats : array of shape (n_repeats, n_rows, n_units)
        On the rows that scores are computed on.
    block : integer array of shape (n_rows,)
        Piece of each row, from 0 without gaps.
    min_shift
        Least displacement of repeats against each other in rows.
    n_copies, level, seed
        The share of explainable variance is compared with that of repeats that are displaced
        against each other within pieces; units whose p exceeds the level have no ceiling.

    Returns
    -------
    array of shape (n_units,)
        Square root of the explainable variance; NaN where it is not above its null.

    Notes
    -----
    The root of the positive part alone is about .1 to .2 for pure noise: below its null
    interval a ceiling says nothing.
    """
    share = explainable_variance(repeats, block)
    lengths = np.bincount(block)
    centred = _centred(repeats, block)
    null = np.empty((n_copies, repeats.shape[2]))
    names = [f"{piece}" for piece in range(len(lengths))]
    rows = [np.flatnonzero(block == piece) for piece in range(len(lengths))]
    moves = [
        piece_shifts(
            [f"{name} repeat {number}" for name in names], lengths, min_shift, n_copies, seed
        )
        for number in range(1, len(repeats))
    ]
    for copy in range(n_copies):
        moved = centred.copy()
        for number, shifts in enumerate(moves, start=1):
            for piece, where in enumerate(rows):
                moved[number, where] = np.roll(centred[number, where], shifts[copy, piece], axis=0)
        null[copy] = explainable_variance(moved, block)
    above = permutation_p(share, null) <= level
    return np.where(above, np.sqrt(np.maximum(share, 0.0)), np.nan)


def _centred(repeats: FloatArray, block: IntArray | None) -> FloatArray:
    """Centre each repeat inside each piece."""
    values = np.asarray(repeats, np.float64)
    if block is None:
        return np.asarray(values - values.mean(axis=1, keepdims=True))
    centred = np.empty_like(values)
    for piece in np.unique(block):
        rows = block == piece
        centred[:, rows] = values[:, rows] - values[:, rows].mean(axis=1, keepdims=True)
    return centred
