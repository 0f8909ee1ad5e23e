"""The harmonic network and its rivals: mel spectrograms in, logits of four quadrants out.

Every network has `maps`, the values of its last convolution (n, n_groups, n_channels, …, n_times),
and a `head` from there to the logits, so that one Grad-CAM serves all.

Source: Fong, Kumar and Sudhir, arXiv 2408.07113 (branches of 32 channels, batch normalisation,
ReLU, average pooling, dropout, concatenation, max pooling, dropout, one dense layer; about 100,000
parameters). Lengths of filters and pools and the rate of dropout are not published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bidsapp.errors import UsageError
from bidsapp.models.dropout import SeededDropout
from bidsapp.models.harmonic.bands import (
    ABSENT,
    LOWEST_NOTE,
    N_OCTAVES,
    Rule,
    contiguous_bands,
    dealt_bands,
    harmonic_bands,
    note_hz,
    random_bands,
)
from bidsapp.models.harmonic.names import QUADRANTS
from bidsapp.models.mel_filters import MelScale, mel_edges

N_TIMES = 259
"""Columns of a window of 6 s at 22,050 Hz with a hop of 512 samples, ends included."""
MUSIC_DB = (-30.0, 20.0)
"""Mean and spread of music in dB, with which untrained networks normalise their input."""


@dataclass(frozen=True, slots=True)
class HarmonicSettings:
    """What a network over mel spectrograms is built from.

    Attributes
    ----------
    kind
        Key of `NETWORKS2D`.
    n_bands, highest_hz, mel_scale
        The mel grid; `highest_hz` is half the sampling rate.
    n_times
        Columns of a window.
    rule, n_harmonics, lowest_note, n_octaves
        See `bidsapp.models.harmonic.bands.harmonic_bands`.
    channels
        Of each branch.
    taps
        Columns a filter sees.
    average_pool, max_pool
        Columns pooled to one, first by the mean, then by the maximum.
    dropout
        Share dropped after each pool while training.
    seed
        Of random bands and first weights.
    """

    kind: Literal["harmonic", "contiguous", "random", "dealt", "learnable", "cnn"] = "harmonic"
    n_bands: int = 256
    highest_hz: float = 11_025.0
    mel_scale: MelScale = "htk"
    n_times: int = N_TIMES
    rule: Rule = "octaves"
    n_harmonics: int = 6
    lowest_note: int = LOWEST_NOTE
    n_octaves: int = N_OCTAVES
    channels: int = 32
    taps: int = 13
    average_pool: int = 3
    max_pool: int = 2
    dropout: float = 0.3
    seed: int = 0

    @property
    def centres_hz(self) -> npt.NDArray[np.float64]:
        """Peaks (n_bands,) of the mel bands in Hz."""
        return mel_edges(self.n_bands, self.highest_hz, self.mel_scale)[1:-1]

    @property
    def bands(self) -> npt.NDArray[np.int64]:
        """Bands (12, n) of the branches of this kind."""
        harmonic = harmonic_bands(
            self.centres_hz,
            rule=self.rule,
            n_harmonics=self.n_harmonics,
            lowest_note=self.lowest_note,
            n_octaves=self.n_octaves,
        )
        if self.kind == "contiguous":
            return contiguous_bands(self.n_bands, harmonic)
        if self.kind == "random":
            return random_bands(self.n_bands, harmonic, self.seed)
        return dealt_bands(harmonic, self.seed) if self.kind == "dealt" else harmonic


class MelNetwork(nn.Module):
    """Mel spectrograms (n, n_bands, n_times) in dB to logits (n, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.BatchNorm2d(1)

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """Values of the last convolution, (n, n_groups, n_channels, …, n_times)."""
        raise NotImplementedError

    def head(self, maps: torch.Tensor) -> torch.Tensor:
        """Logits (n, 4) of what `maps` returns."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, 4)."""
        return self.head(self.maps(x))

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        """Subtract the mean level of the training sounds and divide by its spread."""
        y: torch.Tensor = self.level(x[:, None])[:, 0]
        return y


class BranchNetwork(MelNetwork):
    """Twelve branches, each with filters over its own bands.

    Parameters
    ----------
    settings
        Sizes.
    own_bands
        (12, n) bands of the branches, instead of those that follow from the settings.
    """

    bands: torch.Tensor

    def __init__(
        self, settings: HarmonicSettings, own_bands: npt.NDArray[np.int64] | None = None
    ) -> None:
        super().__init__()
        bands = torch.from_numpy(settings.bands if own_bands is None else own_bands)
        n_branches, n_own = bands.shape
        self.n_branches, self.channels = n_branches, settings.channels
        self.n_absent = int((bands == ABSENT).sum())
        self.register_buffer("bands", bands.where(bands != ABSENT, settings.n_bands).flatten())
        n_channels = n_branches * settings.channels
        self.filters = nn.Conv1d(
            n_branches * n_own,
            n_channels,
            settings.taps,
            padding=settings.taps // 2,
            groups=n_branches,
        )
        self.norm = nn.BatchNorm1d(n_channels)
        self.average = nn.AvgPool1d(settings.average_pool)
        self.maximum = nn.MaxPool1d(settings.max_pool)
        self.drop_average = SeededDropout(settings.dropout)
        self.drop_maximum = SeededDropout(settings.dropout)
        self.n_pooled = settings.n_times // settings.average_pool // settings.max_pool
        self.dense = nn.Linear(n_channels * self.n_pooled, len(QUADRANTS))

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """Branches (n, 12, n_channels, n_times) after normalisation and ReLU."""
        x = self.normalised(x)
        x = torch.cat([x, x.new_zeros(len(x), 1, x.shape[2])], dim=1)
        y = torch.relu(self.norm(self.filters(x[:, self.bands])))
        return y.reshape(len(y), self.n_branches, self.channels, -1)

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """All branches side by side, pooled over time: (n, 12 n_channels, n_pooled)."""
        y = self.drop_average(self.average(maps.flatten(1, 2)))
        out: torch.Tensor = self.drop_maximum(self.maximum(y))
        return out

    def head(self, maps: torch.Tensor) -> torch.Tensor:
        """Logits (n, 4)."""
        out: torch.Tensor = self.dense(self.pooled(maps).flatten(1))
        return out


class LearnableNetwork(MelNetwork):
    """Harmonic bands whose width is learned, harmonics as channels of a convolution.

    Triangles stand at the harmonics of every semitone; their width is ``f / Q`` with one learned
    Q, and not less than the distance of two mel bands.

    Source: Won, Chun, Nieto and Serra 2020, Data-driven harmonic filters for audio representation
    learning, ICASSP, §2 (there over a linear spectrogram).
    """

    targets: torch.Tensor
    spacing: torch.Tensor
    centres: torch.Tensor

    def __init__(self, settings: HarmonicSettings) -> None:
        super().__init__()
        notes = np.arange(settings.lowest_note, settings.lowest_note + 12 * settings.n_octaves)
        frequencies = np.outer(np.arange(1, settings.n_harmonics + 1), note_hz(notes))
        centres = settings.centres_hz
        spacing = np.interp(frequencies, centres, np.gradient(centres))
        self.register_buffer("targets", torch.from_numpy(frequencies).float())
        self.register_buffer("spacing", torch.from_numpy(spacing).float())
        self.register_buffer("centres", torch.from_numpy(centres).float())
        self.q = nn.Parameter(torch.tensor(18.0))
        n = settings.channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(settings.n_harmonics, n, 5, padding=2),
            nn.BatchNorm2d(n),
            nn.ReLU(),
            nn.MaxPool2d((4, 3)),
            nn.Conv2d(n, 2 * n, 5, padding=2),
            nn.BatchNorm2d(2 * n),
            nn.ReLU(),
        )
        self.average = nn.AdaptiveAvgPool2d((3, 7))
        self.dropout = SeededDropout(settings.dropout)
        self.dense = nn.Linear(2 * n * 21, len(QUADRANTS))

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 1, n_channels, n_notes / 4, n_times / 3)."""
        width = torch.maximum(self.targets / self.q, self.spacing)
        distance = (self.centres[:, None, None] - self.targets).abs()
        weights = torch.relu(1.0 - distance / width)
        weights = weights / weights.sum(dim=0, keepdim=True).clamp_min(1e-6)
        x = torch.einsum("nbt,bhs->nhst", self.normalised(x), weights)
        y: torch.Tensor = self.convolutions(x)
        return y[:, None]

    def head(self, maps: torch.Tensor) -> torch.Tensor:
        """Logits (n, 4)."""
        out: torch.Tensor = self.dense(self.dropout(self.average(maps[:, 0])).flatten(1))
        return out


class PlainNetwork(MelNetwork):
    """A convolutional network without theory, of 5 to 10 million parameters."""

    def __init__(self, settings: HarmonicSettings) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, 128)
        blocks: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            blocks += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]
            blocks += [nn.MaxPool2d(2)] if n_out != widths[-1] else []
        self.convolutions = nn.Sequential(*blocks)
        self.average = nn.AdaptiveAvgPool2d((8, 8))
        self.hidden = nn.Linear(widths[-1] * 64, 700)
        self.dropout = SeededDropout(settings.dropout)
        self.dense = nn.Linear(700, len(QUADRANTS))

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 1, 128, n_bands / 8, n_times / 8)."""
        y: torch.Tensor = self.convolutions(self.normalised(x)[:, None])
        return y[:, None]

    def head(self, maps: torch.Tensor) -> torch.Tensor:
        """Logits (n, 4)."""
        hidden = torch.relu(self.hidden(self.average(maps[:, 0]).flatten(1)))
        out: torch.Tensor = self.dense(self.dropout(hidden))
        return out


NETWORKS2D: dict[str, Callable[[HarmonicSettings], MelNetwork]] = {
    "harmonic": BranchNetwork,
    "contiguous": BranchNetwork,
    "random": BranchNetwork,
    "dealt": BranchNetwork,
    "learnable": LearnableNetwork,
    "cnn": PlainNetwork,
}
"""Kind to network: harmonic, contiguous and random branches of the same size, the harmonic bands
dealt to the branches at random, learnable harmonic bands, and a plain network of several million
parameters."""


def build(settings: HarmonicSettings) -> MelNetwork:
    """Build a network with random weights.

    Parameters
    ----------
    settings
        What it is built from; the same settings give the same weights.

    Raises
    ------
    UsageError
        There is no such kind.
    """
    if settings.kind not in NETWORKS2D:
        msg = f"there is no network {settings.kind!r}; choose one of {', '.join(NETWORKS2D)}"
        raise UsageError(msg)
    network = NETWORKS2D[settings.kind](settings)
    randomise(network, settings.seed)
    mean, spread = MUSIC_DB
    network.level.running_mean = torch.tensor([mean])
    network.level.running_var = torch.tensor([spread**2])
    return network.eval()


def randomise(module: nn.Module, seed: int) -> None:
    """Draw the weights of convolutions and dense layers anew: He-normal, biases 0.

    Parameters
    ----------
    module
        Changed in place.
    seed
        Determines the weights.

    Source: He et al. 2015, Delving deep into rectifiers, §2.2.
    """
    layers = [m for m in module.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        for index, layer in enumerate(layers):
            stream = np.random.Generator(np.random.Philox(key=[seed, index]))
            shape = tuple(layer.weight.shape)
            drawn = stream.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))
            layer.weight.copy_(torch.from_numpy(drawn))
            if layer.bias is not None:
                layer.bias.zero_()


def n_parameters(network: MelNetwork) -> int:
    """Count trainable parameters; those of absent bands of shorter branches do not count."""
    n = sum(parameter.numel() for parameter in network.parameters())
    if isinstance(network, BranchNetwork):
        n -= network.n_absent * network.channels * network.filters.kernel_size[0]
    return n
