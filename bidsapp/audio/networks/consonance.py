"""Consonance of each second of sound, beside its loudness and pitch classes.

Partials are the highest peaks of the spectrum; pitch classes are the levels of the mel bands that
the harmonic network gives to each of them. Nothing is learned.

Source: Hutchinson and Knopoff 1978 (roughness); Harrison and Pearce 2018 (harmonicity).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.io import RESAMPLER, load_audio
from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.descriptors import DescriptorNetwork
from bidsapp.audio.networks.harmonic import GRID
from bidsapp.audio.networks.mel_db import QUIETEST, mel_db
from bidsapp.audio.networks.windows import samples_in_hop
from bidsapp.models.consonance import harmonicity, partial_spectrum, roughness
from bidsapp.models.harmonic.bands import excitation
from bidsapp.models.harmonic.networks import HarmonicSettings
from bidsapp.models.pitch_class_sets import pitch_class_set

Floats = npt.NDArray[np.float32]

WINDOW_S = 0.96
"""Sound that one frame sees."""
N_PEAKS = 30
"""Partials of a spectrum."""
LEAST_DB = -50.0
"""Peaks this far below the highest are no partials."""
LOWEST_HZ, HIGHEST_HZ = 60.0, 6_000.0
_AT_ONCE = 64


class Consonance(DescriptorNetwork):
    """Four layers of descriptors: roughness, harmonicity, pitch classes, loudness.

    Parameters
    ----------
    hop_s
        Time between frames, a multiple of 0.02 s.

    Raises
    ------
    UsageError
        The hop is none it can have.
    """

    name = "consonance"
    layers = (
        Layer("roughness", "descriptor", 1),
        Layer("harmonicity", "descriptor", 1),
        Layer("pitchclasses", "descriptor", 12),
        Layer("loudness", "descriptor", 1),
    )
    sampling_hz = GRID.sampling_hz

    def __init__(self, hop_s: float) -> None:
        self._hop = samples_in_hop(hop_s, GRID.sampling_hz)
        self._window = round(WINDOW_S * GRID.sampling_hz)
        self.hop_s = self._hop / GRID.sampling_hz
        self.window_s = self._window / GRID.sampling_hz
        self.weights = {"source": "none", "resampler": RESAMPLER}

    def frames(self, waveform: Floats) -> Floats:
        """Describe each window: (n_frames, 15), the four layers side by side.

        Windows without a partial have roughness and harmonicity 0, so that a course has no gaps.
        """
        n_features = sum(layer.n_features for layer in self.layers)
        if waveform.size < self._window:
            return np.empty((0, n_features), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(waveform, self._window)[:: self._hop]
        starts = range(0, len(windows), _AT_ONCE)
        return np.concatenate([describe(windows[start : start + _AT_ONCE]) for start in starts])


def spectral_peaks(
    power: npt.NDArray[np.floating], step_hz: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Find the partials of one power spectrum.

    Parameters
    ----------
    power
        (n_bins,) from 0 Hz on.
    step_hz
        Distance of two bins in Hz.

    Returns
    -------
    frequencies_hz, amplitudes : arrays of shape (n_partials,)
        Local maxima between 60 Hz and 6 kHz that are at most 50 dB below the highest, the 30
        highest of them; places by the parabola through three logarithmic values.
    """
    level = 10.0 * np.log10(np.maximum(power, QUIETEST))
    low, high = int(LOWEST_HZ / step_hz), min(int(HIGHEST_HZ / step_hz), len(level) - 2)
    bins = np.arange(max(low, 1), high + 1)
    top = (level[bins] > level[bins - 1]) & (level[bins] >= level[bins + 1])
    bins = bins[top & (level[bins] > 10.0 * np.log10(QUIETEST))]
    bins = bins[level[bins] >= level[bins].max(initial=-np.inf) + LEAST_DB]
    bins = np.sort(bins[np.argsort(-level[bins], kind="stable")[:N_PEAKS]])
    left, middle, right = level[bins - 1], level[bins], level[bins + 1]
    bend = left - 2 * middle + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    height = middle - 0.25 * (left - right) * shift
    return np.asarray((bins + shift) * step_hz, np.float64), np.asarray(10.0 ** (height / 20.0))


def describe(windows: Floats) -> Floats:
    """Describe windows of about a second.

    Parameters
    ----------
    windows
        (n, n_samples) at 22,050 Hz.

    Returns
    -------
    numpy.ndarray
        (n, 15) roughness, harmonicity (bits), 12 pitch classes (bels), loudness (bels).
    """
    sounds = torch.tensor(windows)
    bands = mel_db(sounds, GRID).numpy()
    settings = HarmonicSettings()
    classes = excitation(bands.mean(axis=2), settings.bands)
    power = _mean_power(sounds)
    step_hz = GRID.sampling_hz / GRID.n_fft
    partials = [spectral_peaks(spectrum, step_hz) for spectrum in power]
    rough = [roughness(*peaks) for peaks in partials]
    harmonic = [harmonicity(partial_spectrum(*peaks)) for peaks in partials]
    mean_square = np.maximum(np.square(windows, dtype=np.float64).mean(axis=1), QUIETEST)
    columns = [
        np.nan_to_num(rough, nan=0.0)[:, None],
        np.nan_to_num(harmonic, nan=0.0)[:, None],
        classes / 10.0,
        np.log10(mean_square)[:, None],
    ]
    return np.hstack(columns).astype(np.float32)


def pitch_class_sets(path: Path, step_s: float) -> list[int]:
    """Return the pitch classes of each stretch of a sound, as sets.

    Parameters
    ----------
    path
        The sound.
    step_s
        Length of a stretch in seconds, at least that of one spectrum (0.19 s).

    Returns
    -------
    list of int
        As `bidsapp.models.pitch_class_sets.pitch_class_set` gives them, one per whole stretch.

    Raises
    ------
    InputMissingError, InputInvalidError
        The sound cannot be read.
    """
    waveform = load_audio(path, GRID.sampling_hz)
    step = round(step_s * GRID.sampling_hz)
    stretches = waveform[: len(waveform) // step * step].reshape(-1, step)
    step_hz = GRID.sampling_hz / GRID.n_fft
    return [
        pitch_class_set(*spectral_peaks(power, step_hz))
        for start in range(0, len(stretches), _AT_ONCE)
        for power in _mean_power(torch.tensor(stretches[start : start + _AT_ONCE]))
    ]


def _mean_power(sounds: torch.Tensor) -> npt.NDArray[np.float64]:
    """Power spectrum (n, n_bins) of each window, averaged over its columns."""
    spectra = torch.stft(
        sounds,
        GRID.n_fft,
        GRID.hop,
        window=torch.hann_window(GRID.n_fft),
        center=False,
        return_complex=True,
    )
    power: npt.NDArray[np.float64] = (spectra.abs() ** 2).mean(dim=2).double().numpy()
    return power / (GRID.n_fft / 4) ** 2
