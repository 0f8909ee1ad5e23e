"""Responses and embeddings of the windows of clips.

A window from w seconds of a clip on, ``embedding_window_s`` long, has the mean of the network's
frames that lie inside it, and the mean of the volumes taken within the same stretch of time
``shift_s`` later. Volumes of all presentations of a clip are averaged.

Source: Denk et al. 2025, music embedding prediction from fMRI data (section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bidsapp.audio.embeddings import window_means
from bidsapp.bids.records import Run
from bidsapp.errors import InputInvalidError
from bidsapp.features.courses import CourseBank
from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.clips import ROUNDING_S
from bidsapp.recipes.reconstruct.clips import Clips, ReconstructInputs, make_clips
from bidsapp.recipes.reconstruct.folds import allowed_gap, clips_near, make_blocks, places
from bidsapp.recipes.reconstruct.settings import ReconstructSettings

_LEAST_SHARE = 0.5
"""A response window needs this share of its volumes."""
_UNITS_AT_ONCE = 2_000
Floats = NDArray[np.float64]


def response_window(
    settings: ReconstructSettings, shift_s: float | None = None, length_s: float | None = None
) -> dict[str, float]:
    """Return the arguments of `response_weights`; those of the settings where left out."""
    window_s = settings.embedding_window_s
    return {
        "window_s": window_s,
        "shift_s": settings.shift_s if shift_s is None else shift_s,
        "length_s": window_s if length_s is None else length_s,
    }


def scanned_clips(
    inputs: ReconstructInputs, settings: ReconstructSettings
) -> tuple[Clips, ClipRows]:
    """Return the clips whose responses were scanned, and their blocks without embeddings.

    Parameters
    ----------
    inputs
        Of one participant.
    settings
        How sounds become clips, and clips blocks, and what is left out between blocks.
    """
    clips = make_clips(inputs, settings)
    weights = response_weights(clips, inputs.runs, **response_window(settings))
    scanned = np.diff(weights.indptr).reshape(-1, clips.n_windows).min(axis=1) > 0
    if not scanned.all():
        clips = clips.take(scanned, "its response was not scanned to the end")
    block, folds = make_blocks(clips, inputs, settings)
    nothing = np.empty((len(block), clips.n_windows, 0))
    near = allowed_gap(clips_near(clips, block, settings.fold_gap_s), block, folds)
    return clips, ClipRows(nothing, block, folds, near, places(clips, inputs))


def response_weights(
    clips: Clips, runs: Sequence[Run], *, window_s: float, shift_s: float, length_s: float
) -> csr_array:
    """Weights that average volumes over the response window of each row.

    Parameters
    ----------
    clips
        Clips and windows.
    runs
        Runs, whose volumes follow each other.
    window_s
        Length of an embedding's window.
    shift_s
        How much later the response is.
    length_s
        Length of the response window, about the same middle.

    Returns
    -------
    csr_array, (n_clips * n_windows, n_volumes)
        Rows sum to 1, or are empty where no presentation has enough volumes.
    """
    starts = np.concatenate([[0], np.cumsum([run.n_trs for run in runs])])
    rows: list[int] = []
    columns: list[int] = []
    weights: list[float] = []
    for clip, heard in enumerate(clips.hearings):
        for window, window_start_s in enumerate(clips.window_start_s):
            parts = []
            for hearing in heard:
                run = runs[hearing.run]
                begin_s = hearing.onset_s + window_start_s + shift_s + (window_s - length_s) / 2
                first = (begin_s - run.start_time_s - ROUNDING_S) / run.tr_s
                last = first + length_s / run.tr_s
                volumes = np.arange(np.ceil(first), np.ceil(last)).astype(int)
                inside = volumes[(volumes >= 0) & (volumes < run.n_trs)]
                if inside.size and inside.size >= _LEAST_SHARE * volumes.size:
                    parts.append(starts[hearing.run] + inside)
            for part in parts:
                rows += [clip * clips.n_windows + window] * len(part)
                columns += part.tolist()
                weights += [1 / (len(parts) * len(part))] * len(part)
    shape = (len(clips.clips) * clips.n_windows, int(starts[-1]))
    return csr_array((weights, (rows, columns)), shape=shape)


def fill_responses(
    weights: csr_array,
    data: NDArray[np.float32],
    out: NDArray[np.float32],
    units: NDArray[np.int64] | None = None,
) -> None:
    """Average the volumes of each row, unit by unit.

    Parameters
    ----------
    weights
        (n_rows, n_volumes) from `response_weights`.
    data
        (n_volumes, n_units) clean BOLD; may be mapped from disk.
    out
        (n_units, n_rows), filled.
    units
        Units whose responses are wanted; all by default.
    """
    for start in range(0, len(out), _UNITS_AT_ONCE):
        own = slice(start, min(start + _UNITS_AT_ONCE, len(out)))
        part = np.asarray(data[:, own if units is None else units[own]], np.float64)
        out[own] = (weights @ part).T


def read_responses(
    weights: csr_array, data: NDArray[np.float32], units: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the mean responses of some units, (n_units, n_rows); see `fill_responses`."""
    out = np.empty((len(units), weights.shape[0]), np.float32)
    fill_responses(weights, data, out, units)
    return out


def window_embeddings(bank: CourseBank, layer: int, clips: Clips, window_s: float) -> Floats:
    """Average the frames of a layer over each window.

    Parameters
    ----------
    bank
        Channel averages of all sounds.
    layer
        Position of the layer.
    clips
        Clips and windows.
    window_s
        Length of a window.

    Returns
    -------
    array, (n_clips, n_windows, n_channels)
        Mean of the frames that lie inside the window; where a frame is longer than the window,
        the frame whose centre is nearest to that of the window.

    Raises
    ------
    InputInvalidError
        A window has no frame near it, or features are not finite.
    """
    course = bank.course(layer)
    embedding = np.empty((len(clips.clips), clips.n_windows, course.shape[1]))
    for number, clip in enumerate(clips.clips):
        frames = np.flatnonzero(bank.frame_piece == bank.pieces.index(clip.piece))
        embedding[number] = window_means(
            course[frames],
            bank.frame_time_s[frames],
            bank.window_s,
            clip.start_s + clips.window_start_s,
            window_s,
        )
    if not np.isfinite(embedding).all():
        n = int((~np.isfinite(embedding)).any(axis=(1, 2)).sum())
        msg = (
            f"{bank.network}: embeddings of {n} clips are missing or not finite; check these "
            "sounds, and onset, duration and stim_start"
        )
        raise InputInvalidError(msg)
    return embedding
