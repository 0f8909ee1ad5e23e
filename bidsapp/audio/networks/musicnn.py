"""musicnn: a tag network with musically shaped filters over a mel spectrogram.

Tall filters hear timbre, long ones rhythm; three residual convolutions and two dense layers
follow. Published parameters trained on MagnaTagATune load as they are.

Source: Pons and Serra 2019, musicnn, §2; sizes of the published MagnaTagATune parameters (Won et
al. 2020, Evaluation of CNN-based automatic music tagging models).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import relu

from bidsapp.audio.networks.base import INPUT, Layer
from bidsapp.audio.networks.layered import LayeredNetwork
from bidsapp.audio.networks.mel_db import MelGrid
from bidsapp.audio.networks.mel_db import mel_db as grid_mel_db
from bidsapp.audio.networks.weights import he_initialise, load_state, random_facts, read_parameters

SAMPLES = 48_000
"""Samples of one window (3 s)."""
N_BANDS = 96
GRID = MelGrid(sampling_hz=16_000, n_fft=512, hop=256, n_bands=N_BANDS)
TIMES = GRID.n_times(SAMPLES)
TAGS = (
    *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast"),
    *("piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera"),
    *("male", "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute"),
    *("woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic"),
    *("choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp"),
    *("cello", "no voice", "weird", "country", "metal", "female voice", "choral"),
)
"""The 50 tags of the MagnaTagATune parameters, in order of the last layer."""
LAYERS = (
    Layer("mel", INPUT, N_BANDS * TIMES, N_BANDS, TIMES),
    Layer("frontend", "conv", 561 * TIMES, 561, TIMES),
    Layer("conv1", "conv", 64 * TIMES, 64, TIMES),
    Layer("conv2", "conv", 64 * TIMES, 64, TIMES),
    Layer("conv3", "conv", 64 * TIMES, 64, TIMES),
    Layer("dense", "fc", 200),
    Layer("tags", "tags", len(TAGS)),
)

_TALL = ((204, 67), (204, 38))
_LONG = ((51, 129), (51, 65), (51, 33))
_MUSIC_DB = (-10.0, 20.0)
"""Mean and spread of music in dB, with which the untrained network normalises its input."""


class _Convolved(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, conv: nn.Conv1d | nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        n = conv.out_channels
        self.bn = nn.BatchNorm2d(n) if isinstance(conv, nn.Conv2d) else nn.BatchNorm1d(n)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return relu(self.bn(self.conv(x)))


class MusicnnModule(nn.Module):
    """The network from the mel spectrogram on; names of parameters are those of the release."""

    def __init__(self) -> None:
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        tall = [_Convolved(nn.Conv2d(1, n, (bands, 7), padding=(0, 3))) for n, bands in _TALL]
        long = [_Convolved(nn.Conv1d(1, n, taps, padding=taps // 2)) for n, taps in _LONG]
        self.layers = nn.ModuleList([*tall, *long])
        self.layer1 = _Convolved(nn.Conv1d(561, 64, 7, padding=3))
        self.layer2 = _Convolved(nn.Conv1d(64, 64, 7, padding=3))
        self.layer3 = _Convolved(nn.Conv1d(64, 64, 7, padding=3))
        self.dense1 = nn.Linear(2 * (561 + 3 * 64), 200)
        self.bn = nn.BatchNorm1d(200)
        self.dense2 = nn.Linear(200, len(TAGS))

    def frontend(self, mel_db: torch.Tensor) -> torch.Tensor:
        """(n, 561, n_times): maxima over mel of tall filters, long filters of the mean band."""
        x = self.spec_bn(mel_db[:, None])
        tall = [layer(x).amax(dim=2) for layer in self.layers[: len(_TALL)]]
        mean = x.mean(dim=2)
        return torch.cat([*tall, *(layer(mean) for layer in self.layers[len(_TALL) :])], dim=1)

    def residual(self, number: int, x: torch.Tensor) -> torch.Tensor:
        """Convolution 1, 2 or 3 of the (n, channels, n_times) layer before it."""
        y: torch.Tensor = self.get_submodule(f"layer{number}")(x)
        return y if number == 1 else y + x

    def convolutions(self, mel_db: torch.Tensor) -> list[torch.Tensor]:
        """Front end and the three convolutions."""
        parts = [self.frontend(mel_db)]
        for number in (1, 2, 3):
            parts.append(self.residual(number, parts[-1]))
        return parts

    def dense(self, convolutions: list[torch.Tensor]) -> torch.Tensor:
        """(n, 200) from maximum and mean over time of `convolutions`."""
        x = torch.cat(convolutions, dim=1)
        pooled = torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1)
        return relu(self.bn(self.dense1(pooled)))


class Musicnn(LayeredNetwork):
    """Seven layers of musicnn: input, front end, convolutions, dense layer, tag probabilities.

    Parameters
    ----------
    module
        The network with its parameters.
    weights
        Where they come from.
    hop_s
        Time between frames, a multiple of 0.01 s.
    """

    name = "musicnn"
    layers = LAYERS
    classes = TAGS

    def __init__(self, module: MusicnnModule, weights: dict[str, object], hop_s: float) -> None:
        super().__init__(GRID.sampling_hz, SAMPLES, hop_s, weights)
        self.module: MusicnnModule = module.eval()

    @classmethod
    def random(cls, seed: int, hop_s: float) -> Musicnn:
        """Untrained network: He-normal weights from a seed; input normalised as music is."""
        module = MusicnnModule()
        he_initialise(module, seed)
        mean, spread = _MUSIC_DB
        module.spec_bn.running_mean = torch.tensor([mean])
        module.spec_bn.running_var = torch.tensor([spread**2])
        return cls(module, random_facts(seed), hop_s)

    @classmethod
    def from_file(cls, path: Path, hop_s: float, permuted: int | None = None) -> Musicnn:
        """Trained network from the published state dict, its kernels permuted if asked for.

        Raises
        ------
        InputInvalidError
            A parameter is missing or has another shape; or as `read_parameters`.
        """
        state, facts = read_parameters(path, permuted)
        module = MusicnnModule()
        load_state(module, state, path, cls.name)
        return cls(module, facts, hop_s)

    def step(
        self, index: int, previous: torch.Tensor | None, frames: torch.Tensor
    ) -> torch.Tensor:
        """Compute a layer; the dense one anew from the sound, for it sees all before it."""
        if previous is None:
            return mel_db(frames)
        name = LAYERS[index].name
        if name == "frontend":
            return self.module.frontend(previous)
        if name == "dense":
            return self.module.dense(self.module.convolutions(mel_db(frames)))
        if name == "tags":
            return torch.sigmoid(self.module.dense2(previous))
        return self.module.residual(int(name[-1]), previous)

    @torch.no_grad()
    def activations(self, frames: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer; front end and convolutions are computed once."""
        spectrogram = mel_db(frames)
        convolutions = self.module.convolutions(spectrogram)
        dense = self.module.dense(convolutions)
        yield from (spectrogram, *convolutions, dense, torch.sigmoid(self.module.dense2(dense)))


def mel_db(waveforms: torch.Tensor) -> torch.Tensor:
    """Mel spectrogram in dB, (n, 96, n_times), of waveforms (n, n_samples) at 16 kHz."""
    return grid_mel_db(waveforms, GRID)
