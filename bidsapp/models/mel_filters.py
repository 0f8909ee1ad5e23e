"""Mel scales and triangular filters, as arrays."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MelScale = Literal["htk", "slaney"]

_SLANEY_STEP_HZ = 200.0 / 3.0
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_RATIO = np.log(6.4) / 27.0


def mel_edges(n_bands: int, highest_hz: float, scale: MelScale = "htk") -> Floats:
    """Frequencies that are equidistant on a mel scale from 0 Hz to `highest_hz`.

    Parameters
    ----------
    n_bands
        Number of bands.
    highest_hz
        Upper edge of the last band in Hz.
    scale
        ``htk``: ``2595 log10(1 + f / 700)``; ``slaney``: linear to 1 kHz, logarithmic above.

    Returns
    -------
    array of shape (n_bands + 2,)
        Band b rises from edge b, has its peak at edge b + 1 and ends at edge b + 2, in Hz.
    """
    if scale == "htk":
        highest_mel = 2595.0 * np.log10(1.0 + highest_hz / 700.0)
        edges: Floats = 700.0 * (
            10.0 ** (np.linspace(0.0, highest_mel, n_bands + 2) / 2595.0) - 1.0
        )
        return edges
    knee = _SLANEY_BREAK_HZ / _SLANEY_STEP_HZ
    highest = knee + np.log(highest_hz / _SLANEY_BREAK_HZ) / _SLANEY_RATIO
    mels = np.linspace(0.0, highest, n_bands + 2)
    above = _SLANEY_BREAK_HZ * np.exp(_SLANEY_RATIO * (mels - knee))
    return np.where(mels < knee, mels * _SLANEY_STEP_HZ, above)


def triangles(edges_hz: Floats, n_bins: int, highest_hz: float) -> npt.NDArray[np.float32]:
    """Triangular filters, linear in Hz, with a peak of 1.

    Parameters
    ----------
    edges_hz
        (n_bands + 2,), from `mel_edges`.
    n_bins
        Bins of the spectrum from 0 Hz to `highest_hz`.
    highest_hz
        Frequency of the last bin in Hz.

    Returns
    -------
    array of shape (n_bins, n_bands)
        float32.
    """
    hertz = np.linspace(0.0, highest_hz, n_bins)[:, None]
    lower, centre, upper = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising, falling = (hertz - lower) / (centre - lower), (upper - hertz) / (upper - centre)
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
