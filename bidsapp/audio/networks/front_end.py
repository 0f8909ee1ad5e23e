"""Mel spectrograms of windows of sound, described by their constants.

Every constant is part of a network: another window, mel formula or compression gives a different
input space. The description is data, so that it can be read from a file beside a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import librosa
import numpy as np
import numpy.typing as npt
import torch

from bidsapp.errors import UsageError

Scale = Literal["slaney", "htk"]
Norm = Literal["none", "slaney"]
Compression = Literal["none", "log", "log10", "db"]


@dataclass(frozen=True, slots=True)
class MelFrontEnd:
    """Constants of a mel spectrogram.

    Attributes
    ----------
    sampling_hz
        Rate of the waveform in Hz.
    n_fft, win_length, hop_length
        Length of the transform, of the periodic Hann window (centred in the transform) and
        distance between spectra, in samples.
    n_mels
        Bands.
    lowest_hz, highest_hz
        Edges of the lowest and highest band in Hz; half the sampling rate if 0.
    power
        1 for magnitude, 2 for power.
    scale
        Mel formula: ``slaney`` or ``htk``.
    norm
        ``slaney`` (triangles of equal area) or ``none`` (peak 1).
    compression
        ``log`` and ``log10``: of ``gain * x + offset``; ``db``: ``10 log10(max(x, offset))``;
        ``none``.
    gain, offset
        Of the compression.
    centre
        Pad half a transform of zeros at both ends, so that spectrum k is centred at sample
        ``k * hop_length``; otherwise it starts there.
    """

    sampling_hz: int = 16_000
    n_fft: int = 512
    win_length: int = 512
    hop_length: int = 256
    n_mels: int = 96
    lowest_hz: float = 0.0
    highest_hz: float = 0.0
    power: float = 2.0
    scale: Scale = "slaney"
    norm: Norm = "slaney"
    compression: Compression = "log10"
    gain: float = 1.0
    offset: float = 1e-10
    centre: bool = False

    def __post_init__(self) -> None:
        choices = (("scale", Scale), ("norm", Norm), ("compression", Compression))
        for name, kind in choices:
            if getattr(self, name) not in get_args(kind):
                msg = f"mel front end: {name} = {getattr(self, name)!r}; choose from "
                raise UsageError(msg + ", ".join(get_args(kind)))
        sizes = self.sampling_hz, self.n_fft, self.win_length, self.hop_length, self.n_mels
        if min(sizes) < 1 or self.win_length > self.n_fft:
            msg = (
                f"mel front end: n_fft {self.n_fft}, win_length {self.win_length}, hop_length "
                f"{self.hop_length}, n_mels {self.n_mels}; all must be positive and win_length "
                f"at most n_fft"
            )
            raise UsageError(msg)

    def n_samples(self, n_spectra: int) -> int:
        """Count the samples that so many spectra see."""
        seen = (n_spectra - 1) * self.hop_length
        return seen if self.centre else seen + self.n_fft

    def __call__(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Compute the compressed mel spectrogram.

        Parameters
        ----------
        waveforms
            (n, n_samples) float32 at `sampling_hz`.

        Returns
        -------
        torch.Tensor
            (n, n_spectra, n_mels) float32.
        """
        window = torch.hann_window(self.win_length, device=waveforms.device)
        spectra = torch.stft(
            waveforms,
            self.n_fft,
            self.hop_length,
            self.win_length,
            window=window,
            center=self.centre,
            pad_mode="constant",
            return_complex=True,
        )
        size = spectra.real**2 + spectra.imag**2
        if self.power != 2.0:
            size = size ** (self.power / 2.0)
        filters = torch.from_numpy(_filters(self)).to(waveforms.device)
        return self._compress(size.transpose(1, 2) @ filters.T)

    def _compress(self, bands: torch.Tensor) -> torch.Tensor:
        if self.compression == "none":
            return bands
        if self.compression == "db":
            return 10.0 * torch.log10(bands.clamp_min(self.offset))
        inside = self.gain * bands + self.offset
        return torch.log(inside) if self.compression == "log" else torch.log10(inside)


@lru_cache(maxsize=8)
def _filters(front_end: MelFrontEnd) -> npt.NDArray[np.float32]:
    """Make the triangles (n_mels, 1 + n_fft / 2)."""
    filters: npt.NDArray[np.float32] = librosa.filters.mel(
        sr=front_end.sampling_hz,
        n_fft=front_end.n_fft,
        n_mels=front_end.n_mels,
        fmin=front_end.lowest_hz,
        fmax=front_end.highest_hz or front_end.sampling_hz / 2,
        htk=front_end.scale == "htk",
        norm=None if front_end.norm == "none" else front_end.norm,
    )
    return filters
