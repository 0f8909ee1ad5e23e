"""Which layers of a network compete to be the best one of a voxel or vertex.

A network's input (a mel spectrogram) is listed with its layers, but nothing has been computed
from it yet: where it predicts best, no layer of the network is the answer. Its scores are
written and shown beside those of the layers; by default it is not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.networks.base import INPUT, Layer
from bidsapp.results.read import APART


def layers_apart(layers: Sequence[Layer], choice: str) -> tuple[str, ...]:
    """Return the names of the layers that are shown apart.

    Parameters
    ----------
    layers
        Of the network.
    choice
        ``apart`` or ``compete``.

    Returns
    -------
    tuple of str
        Inputs of the network; none if inputs compete, or if there is nothing else.
    """
    names = tuple(layer.name for layer in layers if layer.kind == INPUT)
    return () if choice == "compete" or len(names) == len(layers) else names


def competing(layers: Sequence[Layer], choice: str) -> NDArray[np.bool_]:
    """(n_layers,) whether each layer may be the best one; arguments as for `layers_apart`."""
    apart = layers_apart(layers, choice)
    return np.array([layer.name not in apart for layer in layers])


def network_facts(
    layers: Sequence[Layer], weights: Mapping[str, object], choice: str
) -> dict[str, Any]:
    """Return what a summary says of a network: its layers, those shown apart, its weights."""
    return {
        "layers": [layer.name for layer in layers],
        APART: list(layers_apart(layers, choice)),
        "weights": dict(weights),
    }
