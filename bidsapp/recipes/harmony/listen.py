"""What a page lets the reader see and hear of a sound: spectrogram, Grad-CAM on it, player."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.models.harmonic.explain import on_spectrogram
from bidsapp.models.mel_filters import mel_edges

STEP_S = 0.2
"""Time between two columns of a stored spectrogram."""
RANGE_DB = 80.0
"""What 0 to 255 of a stored spectrogram span, below the loudest value of the sound."""
_PER_ROW = 2
_BLOCK_S = 60
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """A spectrogram for the eye.

    Attributes
    ----------
    values
        (n_rows, n_times), from `spectrogram`.
    hz
        (n_rows,) middle of each row.
    gradcam
        (n_rows, n_moments), from `on_bands`.
    """

    values: npt.NDArray[np.uint8]
    hz: npt.NDArray[np.float64]
    gradcam: npt.NDArray[np.float64]

    @property
    def duration_s(self) -> float:
        """Length of the sound in seconds."""
        return float(self.values.shape[1] * STEP_S)


def sound_arrays(
    sounds: Sequence[Path], harmonic: Any, n_players: int, player_s: float
) -> dict[str, npt.NDArray[Any]]:
    """Return spectrograms and excerpts of the first sounds.

    Parameters
    ----------
    sounds
        Files, in the order of the courses.
    harmonic
        The harmonic network (`bidsapp.audio.networks.harmonic.Harmonic`).
    n_players
        For how many sounds.
    player_s
        Longest excerpt in seconds, from the beginning of the sound.

    Returns
    -------
    dict
        ``bands`` (12, k): mel bands of the filters; ``hz`` (n_rows,): middle of each row of a
        spectrogram; ``spectrogram1`` (n_rows, n_times) uint8, ``sound1`` MP3 as uint8, and so on.

    Raises
    ------
    InputMissingError, InputInvalidError
        A sound cannot be read.
    """
    from bidsapp.audio.excerpts import excerpt_mp3
    from bidsapp.audio.io import load_audio
    from bidsapp.audio.networks.harmonic import GRID

    peaks_hz = mel_edges(GRID.n_bands, GRID.highest_hz, GRID.scale)[1:-1]
    arrays: dict[str, npt.NDArray[Any]] = {
        "bands": harmonic.bands,
        "hz": peaks_hz.reshape(-1, _PER_ROW).mean(axis=1),
    }
    for number, path in enumerate(sounds[:n_players], start=1):
        arrays[f"spectrogram{number}"] = spectrogram(load_audio(path, harmonic.sampling_hz))
        mp3 = excerpt_mp3(path, 0.0, player_s, compact=True)
        arrays[f"sound{number}"] = np.frombuffer(mp3, np.uint8)
    return arrays


def spectrogram(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Mel spectrogram for the eye, from the network's bands.

    Parameters
    ----------
    waveform
        (n_samples,) at the rate of the network's grid, of at least one window.

    Returns
    -------
    array of shape (n_bands / 2, n_times)
        Means of two bands and of `STEP_S`; 0 is `RANGE_DB` below the maximum, 255 the maximum.
        Blocks of a minute are transformed apart.
    """
    import torch

    from bidsapp.audio.networks.harmonic import GRID
    from bidsapp.audio.networks.mel_db import mel_db

    step = round(STEP_S * GRID.sampling_hz)
    block = step * round(_BLOCK_S / STEP_S)
    parts = []
    for start in range(0, len(waveform), block):
        samples = waveform[start : start + block]
        if len(samples) < max(step, GRID.n_fft):
            break
        db = mel_db(torch.tensor(samples)[None], GRID)[0].numpy()
        rows = db.reshape(-1, _PER_ROW, db.shape[1]).mean(axis=1)
        column = np.minimum(np.arange(db.shape[1]) * GRID.hop // step, len(samples) // step - 1)
        edges = np.flatnonzero(np.diff(column, prepend=-1))
        sums = np.add.reduceat(rows, edges, axis=1)
        parts.append(sums / np.diff(edges, append=db.shape[1]))
    whole = np.concatenate(parts, axis=1)
    shares = np.clip((whole - whole.max()) / RANGE_DB + 1, 0, 1)
    return np.asarray(np.round(255 * shares), np.uint8)


def on_bands(
    gradcam: npt.NDArray[np.float64], bands: npt.NDArray[np.integer], n_rows: int
) -> npt.NDArray[np.float64]:
    """Lay Grad-CAM of pitch classes on the rows of a stored spectrogram.

    Parameters
    ----------
    gradcam
        (n_moments, 12), not negative.
    bands
        (12, k) mel bands of the filters.
    n_rows
        Rows of the spectrogram.

    Returns
    -------
    array of shape (n_rows, n_moments)
        The larger of two bands; NaN where no filter sees either.
    """
    laid = on_spectrogram(gradcam.T[None], bands, n_rows * _PER_ROW)[0]
    pairs = laid.reshape(n_rows, _PER_ROW, -1)
    seen = np.isfinite(pairs).any(axis=1)
    largest = np.where(np.isfinite(pairs), pairs, 0.0).max(axis=1)
    return np.where(seen, largest, np.nan)


def written_sound(
    arrays: Arrays, number: int, gradcam: npt.NDArray[np.float64]
) -> tuple[Spectrogram, bytes] | None:
    """Return spectrogram and MP3 of a sound; None where they were not written.

    Parameters
    ----------
    arrays
        As `sound_arrays` made them.
    number
        Of the sound, from 1.
    gradcam
        (n_moments, 12) of the sound.
    """
    values = arrays.get(f"spectrogram{number}")
    if values is None:
        return None
    laid = on_bands(gradcam, arrays["bands"], len(values))
    mp3 = np.asarray(arrays[f"sound{number}"], np.uint8).tobytes()
    return Spectrogram(values, arrays["hz"], laid), mp3
