"""The harmonic network for music emotion: twelve pitch-class filters over a mel spectrogram.

Windows of 6 s, 256 mel bands, spectra of 4,096 samples every 512 at 22,050 Hz (the rate is not
published; at this one neighbouring semitones have mel bands of their own from 160 Hz on).

Source: Fong, Kumar and Sudhir, A theory-based explainable deep learning architecture for music
emotion, arXiv 2408.07113.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.networks.base import INPUT, Layer
from bidsapp.audio.networks.layered import LayeredNetwork
from bidsapp.audio.networks.mel_db import MelGrid, mel_db
from bidsapp.audio.networks.weights import load_state, random_facts, read_parameters
from bidsapp.models.harmonic.bands import ABSENT
from bidsapp.models.harmonic.names import QUADRANTS
from bidsapp.models.harmonic.networks import (
    BranchNetwork,
    HarmonicSettings,
    build,
)

Floats = npt.NDArray[np.float32]

GRID = MelGrid(sampling_hz=22_050, n_fft=4096, hop=512, n_bands=256)
WINDOW_S = 6.0
SAMPLES = round(WINDOW_S * GRID.sampling_hz)
"""Samples of one window."""
_AT_ONCE = 32


def window_mel_db(windows: Floats) -> Floats:
    """Mel spectrograms of windows.

    Parameters
    ----------
    windows
        (n, n_samples) at 22,050 Hz.

    Returns
    -------
    numpy.ndarray
        (n, 256, 259) dB, float32.
    """
    parts = [np.empty((0, GRID.n_bands, GRID.n_times(SAMPLES)), np.float32)]
    for start in range(0, len(windows), _AT_ONCE):
        batch = torch.tensor(windows[start : start + _AT_ONCE])
        parts.append(mel_db(batch, GRID).numpy())
    return np.concatenate(parts)


class Harmonic(LayeredNetwork):
    """Four layers: mel spectrogram, branches of pitch classes, pooled branches, quadrants.

    Parameters
    ----------
    module
        The network with its parameters.
    weights
        Where they come from.
    hop_s
        Time between frames, a multiple of 0.02 s (441 samples).

    Raises
    ------
    UsageError
        The hop is none it can have.
    """

    name = "harmonic"

    def __init__(self, module: BranchNetwork, weights: dict[str, object], hop_s: float) -> None:
        super().__init__(GRID.sampling_hz, SAMPLES, hop_s, weights)
        self.module: BranchNetwork = module.eval()
        n_times, n_channels = GRID.n_times(SAMPLES), module.n_branches * module.channels
        self.layers = (
            Layer("mel", INPUT, GRID.n_bands * n_times, GRID.n_bands, n_times),
            Layer("branches", "conv", n_channels * n_times, n_channels, n_times),
            Layer("pooled", "pool", n_channels * module.n_pooled, n_channels, module.n_pooled),
            Layer("quadrants", "quadrants", len(QUADRANTS)),
        )

    @classmethod
    def random(cls, seed: int, hop_s: float) -> Harmonic:
        """Untrained network: He-normal weights from a seed; input normalised as music is."""
        return cls(_branches(HarmonicSettings(seed=seed)), random_facts(seed), hop_s)

    @classmethod
    def from_file(cls, path: Path, hop_s: float, permuted: int | None = None) -> Harmonic:
        """Trained network from a state dict written by ``musicotopy-tools train harmony``.

        Kernels are permuted if asked for.

        Raises
        ------
        InputInvalidError
            A parameter is missing or has another shape; or as `read_parameters`.
        """
        state, facts = read_parameters(path, permuted)
        module = _sized_like(state)
        load_state(module, state, path, cls.name)
        return cls(module, facts, hop_s)

    @property
    def bands(self) -> npt.NDArray[np.int64]:
        """Mel bands of each filter (12, k), `ABSENT` where one has fewer."""
        return _rows(self.module.bands)

    def step(
        self, index: int, previous: torch.Tensor | None, frames: torch.Tensor
    ) -> torch.Tensor:
        """Compute one layer from the layer before it; quadrants are probabilities."""
        module = self.module
        if previous is None:
            return mel_db(frames, GRID)
        if index == 1:
            return module.maps(previous).flatten(1, 2)
        if index == 2:
            return module.pooled(
                previous.reshape(len(previous), module.n_branches, module.channels, -1)
            )
        logits: torch.Tensor = module.dense(previous.flatten(1))
        return logits.softmax(dim=1)


def _sized_like(state: Mapping[str, torch.Tensor]) -> BranchNetwork:
    """Build a network with the channels, taps and bands of a state dict, as far as it has them."""
    filters, bands = state.get("filters.weight"), state.get("bands")
    if filters is None or bands is None or filters.ndim != 3 or len(bands) % 12:
        return _branches(HarmonicSettings())
    settings = HarmonicSettings(channels=max(1, len(filters) // 12), taps=filters.shape[2])
    return BranchNetwork(settings, _rows(bands))


def _rows(bands: torch.Tensor) -> npt.NDArray[np.int64]:
    """Bands of twelve filters as a state dict has them, in rows; beyond the last is `ABSENT`."""
    rows = bands.cpu().reshape(12, -1).long()
    return np.asarray(torch.where(rows < GRID.n_bands, rows, ABSENT).numpy(), np.int64)


def _branches(settings: HarmonicSettings) -> BranchNetwork:
    module = build(settings)
    assert isinstance(module, BranchNetwork)
    return module
