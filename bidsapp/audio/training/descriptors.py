"""Hand-crafted descriptors of windows: what classical models of music emotion learn from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

from bidsapp.audio.networks.consonance import WINDOW_S, describe
from bidsapp.audio.networks.harmonic import GRID
from bidsapp.models.harmonic.bands import (
    excitation,
)
from bidsapp.models.harmonic.names import PITCH_CLASSES
from bidsapp.models.harmonic.networks import HarmonicSettings

Floats = npt.NDArray[np.float64]

N_CEPSTRA = 20
_TEMPO_BPM = (40.0, 240.0)
_TIMBRE = (
    *(f"cepstrum{k}_mean" for k in range(N_CEPSTRA)),
    *(f"cepstrum{k}_sd" for k in range(N_CEPSTRA)),
    *("centroid_mean", "centroid_sd", "flatness_mean", "flux_mean", "flux_sd"),
)
_LOUDNESS = ("loudness_mean", "loudness_sd")
_TEMPO = ("tempo", "pulse")
_HARMONY = ("roughness_mean", "roughness_sd", "harmonicity_mean", "harmonicity_sd")
_CLASSES = tuple(f"class_{name}" for name in PITCH_CLASSES)
NAMES = (*_TIMBRE, *_LOUDNESS, *_TEMPO, *_HARMONY, *_CLASSES)
"""Columns of `describe_windows`. Levels are in dB, centroid and tempo in octaves."""
GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"descriptors": NAMES, "loudness": _LOUDNESS, "tempo": _TEMPO, "consonance": _HARMONY}
)
"""Classical models by name, and the columns each learns from."""


def describe_windows(
    waveforms: npt.NDArray[np.float32], mel_db: npt.NDArray[np.float32]
) -> Floats:
    """Describe windows of 6 s.

    Parameters
    ----------
    waveforms
        (n, n_samples) at 22,050 Hz.
    mel_db
        (n, 256, n_times) of the same windows.

    Returns
    -------
    array of shape (n, len(NAMES))
    """
    spectra = np.maximum(mel_db.astype(np.float64), -80.0)
    cepstra = dct(spectra, axis=1, norm="ortho")[:, :N_CEPSTRA]
    octaves = np.log2(HarmonicSettings().centres_hz / 1000.0)[:, None]
    power = 10.0 ** (spectra / 10.0)
    centroid = (power * octaves).sum(axis=1) / power.sum(axis=1)
    flatness = spectra.mean(axis=1) - 10.0 * np.log10(power.mean(axis=1))
    onsets = np.maximum(np.diff(spectra, axis=2), 0.0).mean(axis=1)
    tempo = np.array([_tempo(curve) for curve in onsets])
    levels = np.sqrt(np.maximum(_frames(waveforms, GRID.hop) ** 2, 0.0).mean(axis=2))
    loudness = 20.0 * np.log10(np.maximum(levels, 1e-5))
    step = round(WINDOW_S * GRID.sampling_hz)
    harmony = np.stack([describe(_frames(x[None], step)[0])[:, :2] for x in waveforms])
    classes = excitation(spectra.mean(axis=2), HarmonicSettings().bands)
    columns = [
        *(cepstra.mean(axis=2).T, cepstra.std(axis=2).T),
        *(centroid.mean(axis=1), centroid.std(axis=1), flatness.mean(axis=1)),
        *(onsets.mean(axis=1), onsets.std(axis=1)),
        *(loudness.mean(axis=1), loudness.std(axis=1), tempo.T),
        *(harmony[:, :, 0].mean(axis=1), harmony[:, :, 0].std(axis=1)),
        *(harmony[:, :, 1].mean(axis=1), harmony[:, :, 1].std(axis=1), classes.T),
    ]
    return np.vstack(columns).T.astype(np.float64)


def _frames(waveforms: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float32]:
    """Cut waveforms (n, n_samples) into consecutive pieces (n, n_pieces, step)."""
    n_pieces = waveforms.shape[1] // step
    return waveforms[:, : n_pieces * step].reshape(len(waveforms), n_pieces, step)


def _tempo(onsets: Floats) -> tuple[float, float]:
    """Octaves re 120 beats per minute, and height of the peak of the autocorrelation.

    A weight of one octave around 120 prefers usual tempi.
    """
    centred = onsets - onsets.mean()
    power = float(centred @ centred)
    if power == 0:
        return 0.0, 0.0
    rate_hz = GRID.sampling_hz / GRID.hop
    lags = np.arange(
        int(np.ceil(60 * rate_hz / _TEMPO_BPM[1])), int(60 * rate_hz / _TEMPO_BPM[0]) + 1
    )
    lags = lags[lags < len(centred)]
    correlation = np.array([centred[lag:] @ centred[:-lag] for lag in lags]) / power
    octaves = np.log2(60 * rate_hz / lags / 120.0)
    best = int(np.argmax(correlation * np.exp(-0.5 * octaves**2)))
    return float(octaves[best]), float(correlation[best])
