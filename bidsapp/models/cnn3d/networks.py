"""Networks for single volumes, by name.

All have a convolutional `body` whose last map keeps place, and a `head` that flattens this map:
averaging it over space would throw away where in the brain something happened. Layers whose size
depends on the grid are sized when the network is built, so every grid works.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from bidsapp.errors import InputInvalidError
from bidsapp.models.dropout import SeededDropout, use_generator

Shape = tuple[int, int, int]


class Network3d(nn.Module):
    """A body of convolutions, a hidden vector and a linear output.

    Attributes
    ----------
    body
        (n, n_channels, *shape) to (n, n_maps, *smaller grid).
    to_hidden
        The body's map to the hidden vector (n, n_hidden).
    output
        Hidden vector to logits (n, n_classes).
    """

    def __init__(self, body: nn.Module, to_hidden: nn.Module, output: nn.Module) -> None:
        super().__init__()
        self.body, self.to_hidden, self.output = body, to_hidden, output

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        """Return the hidden vector, (n, n_hidden)."""
        hidden: torch.Tensor = self.to_hidden(self.body(x))
        return hidden

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) of volumes (n, n_channels, *shape)."""
        logits: torch.Tensor = self.output(self.hidden(x))
        return logits

    def use_generator(self, generator: torch.Generator) -> None:
        """Let all dropout draw from `generator`."""
        use_generator(self, generator)


class _Residual(nn.Module):
    """Two convolutions around a shortcut; the first one halves the grid."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            *_block(n_in, n_out, stride=2),
            nn.Conv3d(n_out, n_out, 3, padding=1, bias=False),
            _norm(n_out),
        )
        self.shortcut = nn.Conv3d(n_in, n_out, 1, stride=2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Halve the grid."""
        return torch.relu(self.path(x) + self.shortcut(x))


def _norm(n_channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, n_channels), n_channels)


def _block(n_in: int, n_out: int, *, stride: int) -> list[nn.Module]:
    return [
        nn.Conv3d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        _norm(n_out),
        nn.ReLU(),
    ]


def _small(n_channels: int) -> tuple[nn.Module, int | None]:
    widths = (n_channels, 8, 16, 32, 64)
    layers = [layer for a, b in pairwise(widths) for layer in _block(a, b, stride=2)]
    return nn.Sequential(*layers), None


def _residual(n_channels: int) -> tuple[nn.Module, int | None]:
    stem = _block(n_channels, 16, stride=2)
    return nn.Sequential(*stem, _Residual(16, 16), _Residual(16, 32), _Residual(32, 64)), None


def _faithful(n_channels: int) -> tuple[nn.Module, int | None]:
    return nn.Sequential(
        nn.Conv3d(n_channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool3d(2),
        nn.Conv3d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool3d(2),
        nn.Conv3d(32, 64, 3, padding=1),
        nn.ReLU(),
    ), 128


NETWORKS3D: dict[str, Callable[[int], tuple[nn.Module, int | None]]] = {
    "small": _small,
    "residual": _residual,
    "faithful": _faithful,
}
"""Name to a function from channels to the body and the width of a hidden layer (None: the
flattened map itself, behind dropout). ``faithful`` is the published plan: three convolutions,
two max-pools, 128 hidden units, no normalisation. Source: Tanemura et al.,
Brain-agnostic 3DCNNs learn naturalistic emotion from 7t fMRI, and its public code
(lungerjo/DeepEmotion)."""


def build(name: str, n_classes: int, n_channels: int, shape: Shape, seed: int) -> Network3d:
    """Build a network with random weights.

    Parameters
    ----------
    name
        Of `NETWORKS3D`.
    n_classes
        Outputs.
    n_channels
        Frames stacked as channels.
    shape
        Grid of the volumes; at least 8 voxels along each axis.
    seed
        Determines the weights.

    Returns
    -------
    Network3d

    Raises
    ------
    InputInvalidError
        For an unknown name or a grid that is too small.
    """
    if name not in NETWORKS3D:
        msg = f"there is no volume network {name!r}; choose one of {', '.join(NETWORKS3D)}"
        raise InputInvalidError(msg)
    if min(shape) < 8:
        msg = f"a grid of {shape} is too small for a volume network; use at least 8 voxels a side"
        raise InputInvalidError(msg)
    with torch.device("meta"):
        body, n_hidden = NETWORKS3D[name](n_channels)
        n_flat = body(torch.empty(1, n_channels, *shape)).numel()
        if n_hidden is None:
            to_hidden = nn.Sequential(nn.Flatten(), SeededDropout(0.5))
        else:
            to_hidden = nn.Sequential(nn.Flatten(), nn.Linear(n_flat, n_hidden), nn.ReLU())
        network = Network3d(body, to_hidden, nn.Linear(n_hidden or n_flat, n_classes))
    network.to_empty(device="cpu")
    initialise(network, seed)
    return network


def initialise(module: nn.Module, seed: int) -> None:
    """Draw all weights anew: uniform with the bound 1 / sqrt(fan-in), as torch's own layers.

    Parameters
    ----------
    module
        Changed in place.
    seed
        Determines the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Conv3d | nn.Linear):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            for parameter in (layer.weight, layer.bias):
                if parameter is not None:
                    drawn = torch.empty(parameter.shape).uniform_(
                        -bound, bound, generator=generator
                    )
                    parameter.data.copy_(drawn)
        elif isinstance(layer, nn.GroupNorm):
            layer.reset_parameters()
