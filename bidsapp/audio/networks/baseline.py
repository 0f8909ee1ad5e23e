"""Acoustic descriptors on VGGish's windows: what a network must beat.

Each layer is one vector per window: ``mel`` the mean of the 64 log-mel bands, ``loudness`` the
root mean square, ``spectral`` the shape and change of the spectrum, ``mtf`` its spectro-temporal
modulation power (rates × scales × frequency). Descriptors of one layer are brought to comparable
sizes by fixed units (octaves, bels), never by the data, so that features of one sound do not
depend on the others.
"""

from __future__ import annotations

from importlib.metadata import version

import librosa
import numpy as np
import numpy.typing as npt

from bidsapp.audio import mel, modulation
from bidsapp.audio.io import RESAMPLER
from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.descriptors import DescriptorNetwork

Floats = npt.NDArray[np.float32]

CONTRAST_BANDS = 5
"""Octaves from 200 Hz to 6.4 kHz; what lies above is one more band."""
SPECTRAL = (
    *("centroid", "bandwidth", "rolloff", "flatness", "flux"),
    *(f"contrast{band}" for band in range(CONTRAST_BANDS + 1)),
)
_QUIETEST = 1e-5


class Baseline(DescriptorNetwork):
    """Four layers of acoustic descriptors.

    Parameters
    ----------
    hop_s
        Time between frames, a multiple of 0.01 s.

    Raises
    ------
    UsageError
        The hop is no multiple of 0.01 s.
    """

    name = "baseline"
    layers = (
        Layer("mel", "descriptor", mel.N_BANDS),
        Layer("loudness", "descriptor", 1),
        Layer("spectral", "descriptor", len(SPECTRAL)),
        Layer("mtf", "descriptor", modulation.N_CHANNELS),
    )
    sampling_hz = mel.SAMPLING_HZ
    window_s = mel.EXAMPLE_S
    version = 2

    def __init__(self, hop_s: float) -> None:
        self._hop = mel.hop_in_spectra(hop_s)
        self.hop_s = self._hop * mel.HOP / mel.SAMPLING_HZ
        self.weights = {
            "source": "none",
            "resampler": RESAMPLER,
            "librosa": version("librosa"),
        }

    def frames(self, waveform: Floats) -> Floats:
        """Describe each window: (n_frames, 276), the four layers side by side."""
        spectrogram = mel.log_mel(waveform)
        if len(spectrogram) < mel.EXAMPLE:
            return np.empty((0, sum(layer.n_features for layer in self.layers)), np.float32)
        series = np.hstack([spectrogram, _power(waveform), spectral_shape(waveform)])
        windows: Floats = mel.examples(series, self._hop).mean(axis=1)
        loudness = mel.N_BANDS
        windows[:, loudness] = np.log10(np.maximum(windows[:, loudness], _QUIETEST**2))
        power = modulation.modulation_power(modulation.log_spectrogram(waveform), self._hop)
        return np.hstack([windows, power])


def spectral_shape(waveform: Floats) -> Floats:
    """Shape and change of each 25 ms spectrum.

    Parameters
    ----------
    waveform
        Samples (n_samples,) at 16 kHz.

    Returns
    -------
    numpy.ndarray
        (n_spectra, 11), columns `SPECTRAL`: centroid, bandwidth and rolloff (85 %) in octaves
        re 1 kHz, flatness in bels, flux (mean rise of the log spectrum) in bels, contrast of
        six bands in bels.
    """
    parts = [part.astype(np.float32) for part in mel.spectra(waveform)]
    spectrum = np.maximum(np.concatenate(parts).T, _QUIETEST)
    feature, sr = librosa.feature, mel.SAMPLING_HZ
    hertz = [
        feature.spectral_centroid(S=spectrum, sr=sr),
        feature.spectral_bandwidth(S=spectrum, sr=sr),
        feature.spectral_rolloff(S=spectrum, sr=sr),
    ]
    flatness = feature.spectral_flatness(S=spectrum)
    rise = np.maximum(0.0, np.diff(np.log10(spectrum), axis=1, prepend=np.log10(spectrum[:, :1])))
    contrast = feature.spectral_contrast(S=spectrum, sr=sr, n_bands=CONTRAST_BANDS)
    octaves = np.log2(np.maximum(np.vstack(hertz), 1.0) / 1000.0)
    rows = [octaves, np.log10(flatness), 2 * rise.mean(axis=0, keepdims=True), contrast / 10.0]
    return np.vstack(rows).T.astype(np.float32)


def _power(waveform: Floats) -> Floats:
    """Mean square of each 10 ms step, (n_spectra, 1)."""
    slices = np.lib.stride_tricks.sliding_window_view(waveform, mel.WINDOW)[:: mel.HOP]
    power: Floats = np.einsum("ij,ij->i", slices, slices) / np.float32(mel.WINDOW)
    return power[:, None]
