"""Networks that see windows of a waveform, and yield their layers as blocks of channels."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bidsapp.audio import mel
from bidsapp.audio.io import RESAMPLER
from bidsapp.audio.networks.base import Layer, Network
from bidsapp.errors import UsageError

Floats = npt.NDArray[np.float32]

_LARGEST_BLOCK_BYTES = 1 << 28


class WindowNetwork(Network):
    """Layers over windows of a waveform.

    Parameters
    ----------
    sampling_hz
        Rate of the waveform.
    window
        Samples one frame sees.
    hop_s
        Time between frames in seconds, a multiple of 0.01.
    weights
        Where the parameters come from.

    Raises
    ------
    UsageError
        The hop is no multiple of 0.01 s, or no whole number of samples.
    """

    def __init__(
        self, sampling_hz: int, window: int, hop_s: float, weights: dict[str, object]
    ) -> None:
        self.sampling_hz = sampling_hz
        self._window = window
        self._hop = samples_in_hop(hop_s, sampling_hz)
        self.window_s = window / sampling_hz
        self.hop_s = self._hop / sampling_hz
        self.weights = {"resampler": RESAMPLER, **weights}

    def frames(self, waveform: Floats) -> Floats:
        """Windows (n_frames, n_samples) of a waveform, a read-only view."""
        if waveform.size < self._window:
            return np.empty((0, self._window), np.float32)
        return np.lib.stride_tricks.sliding_window_view(waveform, self._window)[:: self._hop]

    def n_blocks(self, n_frames: int, memory_bytes: int) -> int:
        """Count the channel blocks of all layers."""
        return sum(
            -(-layer.n_channels // channels_per_block(layer, n_frames, memory_bytes))
            for layer in self.layers
        )


def samples_in_hop(hop_s: float, sampling_hz: int) -> int:
    """Whole number of samples in a hop that is a multiple of 0.01 s.

    Raises
    ------
    UsageError
        There is none.
    """
    mel.hop_in_spectra(hop_s)
    samples = hop_s * sampling_hz
    if abs(samples - round(samples)) > 1e-6 * samples:
        step = 0.01 * (100 // math.gcd(100, sampling_hz))
        msg = f"hop of {hop_s} s: at {sampling_hz} Hz it must be a multiple of {step:g} s"
        raise UsageError(msg)
    return round(samples)


def cells(layer: Layer) -> tuple[int, int, int]:
    """(n_channels, n_times, everything else)."""
    rest = layer.n_features // (layer.n_channels * layer.n_times)
    return layer.n_channels, layer.n_times, rest


def channels_per_block(layer: Layer, n_frames: int, memory_bytes: int) -> int:
    """Channels of all frames that fit into a quarter of the memory, one at least."""
    limit = min(memory_bytes // 4, _LARGEST_BLOCK_BYTES)
    size = 4 * max(1, n_frames) * math.prod(cells(layer)[1:])
    return min(layer.n_channels, max(1, limit // size))
