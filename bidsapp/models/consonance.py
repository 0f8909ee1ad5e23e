"""Consonance of tones that sound together: roughness and harmonicity.

``partial``
    one sinusoid of a sound: frequency in Hz and amplitude.
``roughness``
    interference of neighbouring partials: 0 where none share a critical band.
``harmonicity``
    how clearly the pitch classes resemble one harmonic complex tone, in bits.

Source: Hutchinson and Knopoff 1978, Interface 7, 1-29; Milne et al. 2011, J Math Music 5, 1-20;
Harrison and Pearce 2018, ISMIR, and 2020, Psychol Rev 127, 216-244 (parameters of both).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""Partials of a note in `chord_partials`, the fundamental included."""
ROUGHEST = 0.25
"""Distance of the roughest pair, in critical bandwidths."""
FARTHEST = 1.2
"""Distance from which a pair is not rough, in critical bandwidths."""
CENTS = 1200
"""Bins of an octave."""
N_HARMONICS = 12
DECAY = 0.75
"""Exponent with which harmonics of a pitch class lose weight."""
SPREAD_CENTS = 6.83
_C4_HZ = 440.0 * 2.0**-0.75


def roughness(frequencies_hz: npt.ArrayLike, amplitudes: npt.ArrayLike) -> float:
    """Measure the roughness of some partials.

    Parameters
    ----------
    frequencies_hz, amplitudes
        (n_partials,).

    Returns
    -------
    float
        Weighted mean of the interference of all pairs, without unit; 0 for a single partial,
        NaN where no partial has an amplitude.

    Notes
    -----
    Source: Hutchinson and Knopoff 1978; the pairs' curve as Parncutt fitted it:
    ``(4 y exp(1 - 4 y))²`` for a distance of y critical bandwidths of ``1.72 f^0.65`` Hz.
    """
    frequencies = np.asarray(frequencies_hz, np.float64)
    weights = np.asarray(amplitudes, np.float64)
    power = float(np.sum(weights**2))
    if not power:
        return float("nan")
    first, second = np.triu_indices(len(frequencies), 1)
    bandwidths = 1.72 * ((frequencies[first] + frequencies[second]) / 2.0) ** 0.65
    distances = np.abs(frequencies[first] - frequencies[second]) / bandwidths
    curve = (distances / ROUGHEST * np.exp(1.0 - distances / ROUGHEST)) ** 2
    pairs = np.where(distances <= FARTHEST, curve, 0.0) * weights[first] * weights[second]
    return float(pairs.sum()) / power


def partial_spectrum(frequencies_hz: npt.ArrayLike, amplitudes: npt.ArrayLike) -> Floats:
    """Fold partials that were measured in a sound into one octave and smooth them.

    Parameters
    ----------
    frequencies_hz, amplitudes
        (n_partials,).

    Returns
    -------
    array of shape (1200,)
        Weight at each cent; 0 cents is C.
    """
    places = CENTS * np.log2(np.asarray(frequencies_hz, np.float64) / _C4_HZ) % CENTS
    return _smooth(np.round(places), np.asarray(amplitudes, np.float64))


def harmonicity(spectrum: npt.ArrayLike) -> Floats:
    """Measure how clearly a folded spectrum resembles one harmonic complex tone.

    Parameters
    ----------
    spectrum
        (n, 1200) or (1200,), from `partial_spectrum`; scale does not matter.

    Returns
    -------
    array of shape (n,), or a scalar array
        Divergence from uniform, in bits, of the likeness to one complex tone at each cent; higher
        is more harmonic. NaN where all weights are 0.

    Notes
    -----
    Source: Harrison and Pearce 2018: likeness is the cosine of both spectra.
    """
    given = np.asarray(spectrum, np.float64)
    template = np.fft.rfft(_complex_tone())
    products = np.fft.irfft(np.fft.rfft(given) * np.conj(template), n=CENTS)
    total = products.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        likeness = np.maximum(products, 0.0) / total
        bits = np.where(likeness > 0, likeness * np.log2(CENTS * likeness), 0.0).sum(axis=-1)
    return np.where(given.sum(axis=-1) > 0, bits, np.nan)


def _complex_tone() -> Floats:
    """Return the spectrum (1200,) of one complex tone at 0 cents."""
    numbers = np.arange(1, N_HARMONICS + 1)
    return _smooth(
        np.round(CENTS * np.log2(numbers)) % CENTS, np.asarray(numbers**-DECAY, np.float64)
    )


def _smooth(places: Floats, weights: Floats) -> Floats:
    """Add Gaussians around places in cents."""
    distances = (np.arange(CENTS) - places[:, None] + CENTS / 2) % CENTS - CENTS / 2
    return np.asarray(weights @ np.exp(-(distances**2) / (2 * SPREAD_CENTS**2)))
