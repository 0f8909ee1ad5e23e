"""Design matrices: what was heard before each volume, at lags or through the response to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from bidsapp.errors import InputInvalidError
from bidsapp.features.extract import FeatureBank
from bidsapp.features.hrf import LENGTH_S, response_at
from bidsapp.features.sampling import refuse_beyond, sampling_matrix
from bidsapp.features.timeline import Timeline

Floats = npt.NDArray[np.float64]
Part = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]
"""Rows, columns and values of some entries of an operator."""


def lag_operators(
    bank: FeatureBank, timeline: Timeline, lags_s: Sequence[float]
) -> tuple[csr_array, ...]:
    """Sparse matrices that turn scores of frames into rows of a design, one for each lag.

    They depend on times alone: make them once, use them for every layer and fold.

    Parameters
    ----------
    bank
        Frames of all pieces.
    timeline
        Rows of the design.
    lags_s
        Lags in seconds; the same as the timeline was made with.

    Returns
    -------
    tuple of scipy.sparse.csr_array
        Each (n_rows, n_frames).

    Raises
    ------
    InputInvalidError
        The bank lacks a piece, or a row asks for a moment that the sound does not have.
    """
    return tuple(_lag_operator(bank, timeline, lag) for lag in lags_s)


def _lag_operator(bank: FeatureBank, timeline: Timeline, lag_s: float) -> csr_array:
    parts = [_piece_operator(bank, timeline, lag_s, piece) for piece in np.unique(timeline.piece)]
    return _joined(parts, timeline, bank)


def _joined(parts: Sequence[Part], timeline: Timeline, bank: FeatureBank) -> csr_array:
    """Operator (n_rows, n_frames) from its parts of single pieces."""
    shape = (timeline.n_rows, bank.n_frames)
    if not parts:
        return csr_array(shape)
    rows, columns, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    return coo_array((values, (rows, columns)), shape=shape).tocsr()


def _frames_of(bank: FeatureBank, timeline: Timeline, piece: int) -> npt.NDArray[np.intp]:
    """Frames of a piece of the timeline."""
    name = timeline.pieces[piece]
    if name not in bank.pieces:
        msg = f"{name}: no features of this sound; extract them first"
        raise InputInvalidError(msg)
    return np.flatnonzero(bank.frame_piece == bank.pieces.index(name))


def _piece_operator(bank: FeatureBank, timeline: Timeline, lag_s: float, piece: int) -> Part:
    """Rows, columns and values of one piece's part of the operator."""
    name = timeline.pieces[piece]
    mine = np.flatnonzero(timeline.piece == piece)
    frames = _frames_of(bank, timeline, piece)
    part = sampling_matrix(
        bank.frame_time_s[frames],
        timeline.stim_time_s[mine] - lag_s,
        timeline.tr_s[mine],
        reach_s=bank.window_s + bank.hop_s,
        what=f"{bank.network}, {name}",
    ).tocoo()
    rows, columns = part.coords
    return mine[rows], frames[columns], part.data


def response_operator(bank: FeatureBank, timeline: Timeline, *, mirrored: bool) -> csr_array:
    """Sparse matrix that turns scores of frames into the canonical response to what was heard.

    Parameters
    ----------
    bank
        Frames of all pieces.
    timeline
        Rows of the design.
    mirrored
        Weigh the frames after a volume as those before it would be: a control.

    Returns
    -------
    scipy.sparse.csr_array
        (n_rows, n_frames). Before a presentation, and after it, there is nothing.

    Raises
    ------
    InputInvalidError
        The bank lacks a piece, or a volume was taken at a moment that the sound does not have.
    """
    parts = []
    for piece in np.unique(timeline.piece):
        rows = np.flatnonzero(timeline.piece == piece)
        frames = _frames_of(bank, timeline, piece)
        frame_s, heard_s = bank.frame_time_s[frames], timeline.heard_s[rows]
        what = f"{bank.network}, {timeline.pieces[piece]}"
        refuse_beyond(frame_s, timeline.stim_time_s[rows], bank.window_s + bank.hop_s, what)
        since_s = timeline.stim_time_s[rows, None] - frame_s
        weights = response_at(-since_s if mirrored else since_s)
        is_heard = (frame_s >= heard_s[:, :1]) & (frame_s < heard_s[:, 1:])
        own = coo_array(np.where(is_heard & (np.abs(since_s) < LENGTH_S), weights, 0.0))
        own.eliminate_zeros()
        parts.append((rows[own.coords[0]], frames[own.coords[1]], own.data))
    return _joined(parts, timeline, bank)


def apply_lags(scores: Floats, operators: Sequence[csr_array]) -> Floats:
    """Design matrix: the scores heard some lags before each row, lags side by side.

    Parameters
    ----------
    scores
        (n_frames, k) scores of the bank's frames.
    operators
        From `lag_operators`.

    Returns
    -------
    numpy.ndarray
        (n_rows, k · n_lags): ``[S(t - lag_1) | S(t - lag_2) | …]``, where S(t) is the mean over
        the frames within half a TR of t.

    Source: poster, Encoding models (lags of 4, 5 and 6 s).
    """
    return np.hstack([operator @ scores for operator in operators])
