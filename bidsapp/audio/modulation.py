"""Spectro-temporal modulation power: how a log-frequency spectrogram fluctuates in time and pitch.

``rate``
    fluctuations per second (Hz) of a band's level.
``scale``
    fluctuations per octave (cycles/octave) along the frequency axis.

The spectrogram of a window is filtered with a bank of filters that are Gaussian on the logarithm
of rate and scale, an octave apart; the power of each filter's output is averaged over the window
and over upward and downward movement, in eight bands of two thirds of an octave.

Source: Chi, Ru and Shamma 2005, Multiresolution spectrotemporal analysis of complex sounds, §II;
rates × scales × frequency, without direction, as Santoro et al. 2014, Encoding of natural sounds
at multiple spectral and temporal resolutions in the human auditory cortex, Methods.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import fft, fftfreq, ifft, rfft, rfftfreq

from bidsapp.audio import mel

Floats = npt.NDArray[np.float32]

RATES_HZ = (2.0, 4.0, 8.0, 16.0, 32.0)
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Cycles per octave; the lowest filter also holds what all frequencies do together."""
N_BANDS = 64
BANDS_PER_OCTAVE = 12
LOWEST_HZ = 180.0
"""Centre of the lowest band; the highest is 6.85 kHz."""
N_REGIONS = 8
N_CHANNELS = len(RATES_HZ) * len(SCALES) * N_REGIONS

_WIDTH = 0.5
"""Standard deviation of the filters in octaves of rate and scale."""
_PADDED = (2 * mel.EXAMPLE, 2 * N_BANDS)
_FLOOR = 1e-6
_WINDOWS_AT_ONCE = 64


def band_centres_hz() -> npt.NDArray[np.float64]:
    """Centres of the 64 bands in Hz, a semitone apart."""
    centres: npt.NDArray[np.float64] = LOWEST_HZ * 2.0 ** (np.arange(N_BANDS) / BANDS_PER_OCTAVE)
    return centres


def log_spectrogram(waveform: Floats) -> Floats:
    """Log-frequency spectrogram of a 16 kHz waveform.

    Parameters
    ----------
    waveform
        Samples (n_samples,) at 16 kHz.

    Returns
    -------
    numpy.ndarray
        (n_spectra, 64): ``log(magnitude + 0.01)`` of the spectra of `bidsapp.audio.mel.spectra`.
        Bands narrower than the 31 Hz between spectral lines (below 540 Hz) interpolate.
    """
    bands = [
        np.log(part @ _triangles() + mel.LOG_OFFSET).astype(np.float32)
        for part in mel.spectra(waveform)
    ]
    return np.concatenate([np.empty((0, N_BANDS), np.float32), *bands])


def modulation_power(spectrogram: Floats, hop: int) -> Floats:
    """Modulation power of overlapping windows.

    Parameters
    ----------
    spectrogram
        (n_spectra, 64), one spectrum each 10 ms, bands a semitone apart.
    hop
        Spectra between the starts of two windows.

    Returns
    -------
    numpy.ndarray
        (n_windows, 200): ``log10`` of the power, rate by rate, in each scale by scale, in each
        band by band from low to high frequencies.
    """
    windows = mel.examples(spectrogram, hop)
    power = np.empty((len(windows), N_CHANNELS), np.float32)
    for start in range(0, len(windows), _WINDOWS_AT_ONCE):
        rows = slice(start, start + _WINDOWS_AT_ONCE)
        power[rows] = _power(windows[rows])
    return power


def _power(windows: Floats) -> Floats:
    """Filter some windows (n, 96, 64).

    The power of a filter's output over time is taken from its temporal spectrum (Parseval), so
    that only the frequency axis is transformed back.
    """
    rate_filters, scale_filters, taper = _filters()
    weights = taper / taper.sum()
    mean = np.einsum("ntx,t->nx", windows, weights)
    tapered = (windows - mean[:, None]) * np.sqrt(weights)[:, None]
    spectrum = fft(rfft(tapered, _PADDED[0], axis=1), _PADDED[1], axis=2)
    shape = len(windows), len(RATES_HZ), len(SCALES), N_REGIONS
    power = np.zeros(shape, np.float32)
    for index, pair in enumerate(scale_filters):
        for response in pair:  # upward and downward
            output = ifft(spectrum * response, axis=2)[..., :N_BANDS]
            energy = output.real**2 + output.imag**2
            regions = energy.reshape(*energy.shape[:2], N_REGIONS, -1).mean(axis=3)
            power[:, :, index] += np.einsum("rw,nwf->nrf", rate_filters, regions) / len(pair)
    levels: Floats = np.log10(power.reshape(len(windows), -1) + np.float32(_FLOOR))
    return levels


@lru_cache(maxsize=1)
def _filters() -> tuple[Floats, Floats, Floats]:
    """Power of the rate filters (n_rates, n_frequencies), scale filters (n_scales, 2, 128), taper.

    Temporal frequencies are those of `scipy.fft.rfft`; of the frequency axis one filter holds the
    positive, one the negative half, which is one direction of movement each.
    """
    rates = rfftfreq(_PADDED[0], mel.HOP / mel.SAMPLING_HZ)
    rate_filters = np.array([_tuned(rates, centre) ** 2 for centre in RATES_HZ])
    rate_filters *= 2.0 / _PADDED[0]
    scales = fftfreq(_PADDED[1], 1.0 / BANDS_PER_OCTAVE)
    pairs = []
    for centre in SCALES:
        response = _tuned(np.abs(scales), centre)
        if centre == SCALES[0]:
            response[np.abs(scales) < centre] = 1.0
        pairs.append([response * (scales >= 0), response * (scales <= 0)])
    taper = np.sin(np.pi * (np.arange(mel.EXAMPLE) + 0.5) / mel.EXAMPLE) ** 2
    return (
        rate_filters.astype(np.float32),
        np.array(pairs, np.float32),
        taper.astype(np.float32),
    )


def _tuned(frequencies: npt.NDArray[np.float64], centre: float) -> npt.NDArray[np.float64]:
    """Gaussian on the octave around `centre`; 0 at 0."""
    octaves = np.log2(np.maximum(frequencies, 1e-9) / centre)
    response: npt.NDArray[np.float64] = np.exp(-0.5 * (octaves / _WIDTH) ** 2)
    return response


@lru_cache(maxsize=1)
def _triangles() -> npt.NDArray[np.float64]:
    """Triangles (257, 64), each of sum 1, at least one spectral line wide to either side."""
    lines = np.linspace(0.0, mel.SAMPLING_HZ / 2, mel.FFT // 2 + 1)[:, None]
    centres = band_centres_hz()
    width = np.maximum(centres * (2.0 ** (1 / BANDS_PER_OCTAVE) - 1.0), lines[1, 0])
    triangles = np.maximum(0.0, 1.0 - np.abs(lines - centres) / width)
    normalised: npt.NDArray[np.float64] = triangles / triangles.sum(axis=0)
    normalised.flags.writeable = False
    return normalised
