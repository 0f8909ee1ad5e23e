"""The residual network over waveforms that Thielen and colleagues trained to tag music.

ResNet-18 with every square turned into a line: 49 taps for 7 × 7, 9 for 3 × 3, stride 4 for 2,
over 50,176 = 224² samples of sound at 16 kHz (3.136 s).

Source: Thielen et al., Table 1; residual blocks as He et al. 2015, Deep residual learning, §3.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import max_pool1d, relu

from bidsapp.audio.mel import SAMPLING_HZ
from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.layered import LayeredNetwork
from bidsapp.audio.networks.weights import he_initialise, load_state, random_facts, read_parameters
from bidsapp.errors import InputInvalidError

SAMPLES = 50_176
"""Samples of one window."""
N_TAGS = 50
WIDTH = 64
"""Channels of the first layer; those of the paper."""
LAYERS = (
    *("conv1", "conv2_1", "conv2_2", "conv3_1", "conv3_2"),
    *("conv4_1", "conv4_2", "conv5_1", "conv5_2", "fc"),
)
_DOUBLINGS = {"conv2": 0, "conv3": 1, "conv4": 2, "conv5": 3}


class Block(nn.Module):
    """Two convolutions of nine taps around which the input is carried.

    Parameters
    ----------
    n_in, n_out
        Channels.
    stride
        Of the first convolution; where it is not 1, a convolution of one tap carries the input.
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv_a = nn.Conv1d(n_in, n_out, 9, stride, padding=4, bias=False)
        self.norm_a = nn.BatchNorm1d(n_out)
        self.conv_b = nn.Conv1d(n_out, n_out, 9, padding=4, bias=False)
        self.norm_b = nn.BatchNorm1d(n_out)
        self.carry: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.carry = nn.Sequential(
                nn.Conv1d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm1d(n_out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, n_times) → (n, n_out, n_times / stride)."""
        y = self.norm_b(self.conv_b(relu(self.norm_a(self.conv_a(x)))))
        return relu(y + self.carry(x))


class ResNet(nn.Module):
    """The network as a module, to train and to run.

    Parameters
    ----------
    n_tags
        Outputs.
    width
        Channels of the first layer; later ones have 2, 4 and 8 times as many.
    """

    def __init__(self, n_tags: int = N_TAGS, width: int = WIDTH) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, width, 49, stride=4, padding=24, bias=False)
        self.norm1 = nn.BatchNorm1d(width)
        n_in = width
        for name in LAYERS[1:-1]:
            stage, _, place = name.partition("_")
            n_out = width << _DOUBLINGS[stage]
            stride = 4 if place == "1" and n_out != width else 1
            self.add_module(name, Block(n_in, n_out, stride))
            n_in = n_out
        self.fc = nn.Linear(n_in, n_tags)

    def layer(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Compute one layer from the one before (the waveform (n, n_samples) for the first).

        Convolutional layers give (n, n_channels, n_times) after their last ReLU, ``fc`` the
        logits (n, n_tags) of the average over time, however long the sound is.
        """
        if name == "conv1":
            return relu(self.norm1(self.conv1(x[:, None])))
        if name == "conv2_1":
            x = max_pool1d(x, 9, stride=4, padding=4)
        if name == "fc":
            x = x.mean(dim=2)
        y: torch.Tensor = self.get_submodule(name)(x)
        return y

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_tags) of waveforms (n, n_samples)."""
        x = waveforms
        for name in LAYERS:
            x = self.layer(name, x)
        return x


class ResNet1d(LayeredNetwork):
    """The ten layers of the residual network: ReLU outputs, then tag probabilities.

    The average of a convolutional layer over a frame's central hop is what sliding the network
    over the whole sound gives there, as long as the hop is at most 0.9 s: the receptive field
    reaches 1.12 s to either side, the window 1.57 s.

    Parameters
    ----------
    module
        The network with its parameters.
    weights
        Where they come from.
    hop_s
        Time between frames, a multiple of 0.01 s.
    """

    name = "resnet1d"

    def __init__(self, module: ResNet, weights: dict[str, object], hop_s: float) -> None:
        super().__init__(SAMPLING_HZ, SAMPLES, hop_s, weights)
        self.module: ResNet = module.eval()
        self.layers = _layers(module)

    @classmethod
    def random(cls, seed: int, hop_s: float) -> ResNet1d:
        """Untrained network: He-normal weights from a seed."""
        module = ResNet()
        he_initialise(module, seed)
        return cls(module, random_facts(seed), hop_s)

    @classmethod
    def from_file(cls, path: Path, hop_s: float, permuted: int | None = None) -> ResNet1d:
        """Network from a state dict as ``musicotopy-tools train tagger`` writes it.

        Numbers of tags and channels are read from the file. Kernels are permuted if asked for.

        Raises
        ------
        InputInvalidError
            A parameter is missing or has another shape; or as `read_parameters`.
        """
        state, facts = read_parameters(path, permuted)
        sizes = [
            len(state[name])
            for name in ("fc.weight", "conv1.weight")
            if name in state and state[name].ndim
        ]
        if len(sizes) < 2 or not min(sizes):
            msg = f"{path}: has no conv1 and fc; give a state dict of resnet1d"
            raise InputInvalidError(msg)
        module = ResNet(*sizes)
        load_state(module, state, path, cls.name)
        return cls(module, facts, hop_s)

    def step(
        self, index: int, previous: torch.Tensor | None, frames: torch.Tensor
    ) -> torch.Tensor:
        """Compute a layer; the last one as probabilities."""
        values = self.module.layer(LAYERS[index], frames if previous is None else previous)
        return torch.sigmoid(values) if LAYERS[index] == "fc" else values


def _layers(module: ResNet) -> tuple[Layer, ...]:
    layers, length = [], SAMPLES // 4
    for name in LAYERS[:-1]:
        block = module.get_submodule(name)
        if name == "conv2_1":
            length //= 4
        if isinstance(block, Block):
            length //= block.conv_a.stride[0]
        kernel = block.conv_a if isinstance(block, Block) else module.conv1
        n = kernel.out_channels
        layers.append(Layer(name, "conv", n * length, n, length))
    return (*layers, Layer("fc", "tags", module.fc.out_features))
