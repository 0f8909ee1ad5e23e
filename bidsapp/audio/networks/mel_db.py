"""Mel spectrograms in decibels, as the networks over them were or are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from bidsapp.models.mel_filters import MelScale, mel_edges, triangles

QUIETEST = 1e-10
"""Power below which decibels end: 100 dB below full scale."""


@dataclass(frozen=True, slots=True)
class MelGrid:
    """Window, hop and bands of a mel spectrogram.

    Attributes
    ----------
    sampling_hz
        Rate of the waveforms in Hz.
    n_fft, hop
        Samples of one spectrum (periodic Hann window) and between two.
    n_bands
        Triangles linear in Hz, with edges equidistant in mel from 0 Hz to half the sampling rate.
    scale
        Mel scale.
    """

    sampling_hz: int
    n_fft: int
    hop: int
    n_bands: int
    scale: MelScale = "htk"

    @property
    def highest_hz(self) -> float:
        """Half the sampling rate."""
        return self.sampling_hz / 2

    def n_times(self, n_samples: int) -> int:
        """Columns of a window of some samples."""
        return n_samples // self.hop + 1


def mel_db(waveforms: torch.Tensor, grid: MelGrid) -> torch.Tensor:
    """Mel spectrogram in dB, windows centred, ends reflected.

    Parameters
    ----------
    waveforms
        (n, n_samples) at the grid's rate.
    grid
        Sizes.

    Returns
    -------
    torch.Tensor
        (n, n_bands, n_times), one column every ``hop`` samples.
    """
    spectra = torch.stft(
        waveforms,
        grid.n_fft,
        grid.hop,
        window=torch.hann_window(grid.n_fft, device=waveforms.device),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectra.real**2 + spectra.imag**2
    bands = _filters(grid).to(waveforms.device).T @ power
    return 10.0 * torch.log10(bands.clamp_min(QUIETEST))


@lru_cache(maxsize=4)
def _filters(grid: MelGrid) -> torch.Tensor:
    """Triangles (n_fft / 2 + 1, n_bands), peak 1."""
    edges = mel_edges(grid.n_bands, grid.highest_hz, grid.scale)
    return torch.from_numpy(triangles(edges, grid.n_fft // 2 + 1, grid.highest_hz))
