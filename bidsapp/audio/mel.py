"""The log-mel spectrogram that VGGish was trained on.

Every constant here is part of the network: another window, mel formula or offset gives a
different input space. Spectra are magnitudes, triangles are linear in mel, not normalised.

Source: Hershey et al. 2017, CNN architectures for large-scale audio classification, §2; constants
of the AudioSet VGGish release.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft
from scipy.signal import get_window

from bidsapp.errors import UsageError

SAMPLING_HZ = 16_000
WINDOW = 400
"""Samples of one spectrum (25 ms), periodic Hann."""
HOP = 160
"""Samples between spectra (10 ms)."""
FFT = 512
N_BANDS = 64
LOWEST_HZ = 125.0
HIGHEST_HZ = 7_500.0
LOG_OFFSET = 0.01
EXAMPLE = 96
"""Spectra in one example."""
EXAMPLE_S = ((EXAMPLE - 1) * HOP + WINDOW) / SAMPLING_HZ
"""Sound that one example sees: 0.975 s."""

_SPECTRA_AT_ONCE = 8192


def hz_to_mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mel of a frequency in Hz: ``1127 ln(1 + f / 700)``."""
    return 1127.0 * np.log1p(np.asarray(frequency_hz, dtype=np.float64) / 700.0)


@lru_cache(maxsize=1)
def mel_filters() -> npt.NDArray[np.float64]:
    """Triangular filters (n_bins=257, n_bands=64), peak 1, edges equidistant in mel."""
    mel = hz_to_mel(np.linspace(0.0, SAMPLING_HZ / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(hz_to_mel(LOWEST_HZ), hz_to_mel(HIGHEST_HZ), N_BANDS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (mel - lower) / (centre - lower)
    falling = (upper - mel) / (upper - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters.flags.writeable = False
    return filters


def spectra(waveform: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float64]]:
    """Magnitude spectra of a 16 kHz waveform, a few thousand at a time.

    Parameters
    ----------
    waveform
        Samples (n_samples,) at 16 kHz. Nothing is padded.

    Yields
    ------
    numpy.ndarray
        (n, 257); spectrum k sees samples ``160 k`` to ``160 k + 400``.
    """
    if waveform.size < WINDOW:
        return
    slices = np.lib.stride_tricks.sliding_window_view(waveform, WINDOW)[::HOP]
    window = get_window("hann", WINDOW, fftbins=True)
    for start in range(0, len(slices), _SPECTRA_AT_ONCE):
        yield np.abs(rfft(slices[start : start + _SPECTRA_AT_ONCE] * window, FFT))


def log_mel(waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log-mel spectrogram of a 16 kHz waveform.

    Parameters
    ----------
    waveform
        Samples (n_samples,) at 16 kHz.

    Returns
    -------
    numpy.ndarray
        (n_spectra, 64), float32: ``log(mel magnitude + 0.01)``, one each 10 ms (see `spectra`).
    """
    bands = [
        np.log(part @ mel_filters() + LOG_OFFSET).astype(np.float32) for part in spectra(waveform)
    ]
    return np.concatenate([np.empty((0, N_BANDS), np.float32), *bands])


def examples(spectrogram: npt.NDArray[np.float32], hop: int) -> npt.NDArray[np.float32]:
    """Cut a spectrogram into overlapping examples.

    Parameters
    ----------
    spectrogram
        (n_spectra, n_bands).
    hop
        Spectra between the starts of two examples.

    Returns
    -------
    numpy.ndarray
        (n_frames, 96, n_bands), a read-only view; n_frames is 0 for less than 0.975 s of sound.
    """
    if len(spectrogram) < EXAMPLE:
        return np.empty((0, EXAMPLE, spectrogram.shape[1]), np.float32)
    view = np.lib.stride_tricks.sliding_window_view(spectrogram, EXAMPLE, axis=0)
    return view[::hop].transpose(0, 2, 1)


def hop_in_spectra(hop_s: float) -> int:
    """Whole number of 10 ms spectra in a hop.

    Raises
    ------
    UsageError
        There is none, or it is 0.
    """
    spectra = hop_s * SAMPLING_HZ / HOP
    if round(spectra) < 1 or abs(spectra - round(spectra)) > 1e-6:
        msg = f"hop of {hop_s} s: give a multiple of 0.01 s, such as 0.48 or 0.96"
        raise UsageError(msg)
    return round(spectra)
