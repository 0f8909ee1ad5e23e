"""The features that are planted: components, or channels, of every layer of a network."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bidsapp.simulate.signals import LayerFeatures

if TYPE_CHECKING:
    from bidsapp.audio.networks.base import Layer
    from bidsapp.features.banks import Bank

Stimuli = Sequence[tuple[str, Path]]
FeatureSource = Callable[[Stimuli], LayerFeatures]

_N_COMPONENTS = 50
_MEMORY_BYTES = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where the features of a simulation come from.

    Attributes
    ----------
    given
        A function that makes them; None leaves the choice to the design.
    cache_dir
        Folder shared with later runs of the app; a temporary one by default.
    weights_dir
        Folder with the weights of a trained network.
    quiet
        Show no progress.
    """

    given: FeatureSource | None = None
    cache_dir: Path | None = None
    weights_dir: Path | None = None
    quiet: bool = False


def layer_features(
    stimuli: Stimuli,
    network: str,
    weights: str,
    *,
    hop_s: float = 0.48,
    weights_dir: Path | None = None,
    cache_dir: Path | None = None,
    quiet: bool = False,
) -> LayerFeatures:
    """Components of the layers of a network.

    Parameters
    ----------
    stimuli
        (stim_file, path) of each sound.
    network, weights
        As ``--network`` and ``--weights`` name them; the seed of random weights is 0.
    hop_s
        Time between frames.
    weights_dir
        Folder with the weights of a trained network.
    cache_dir
        Folder shared with later runs of the app; a temporary one by default.
    quiet
        Show no progress.

    Returns
    -------
    LayerFeatures
        Fifty components per layer, scaled so that the total variance is 1.
    """
    from bidsapp.audio.networks import get_network, network_weights
    from bidsapp.features.extract import extract

    net = get_network(
        network,
        weights=network_weights(network, weights),
        weights_dir=weights_dir,
        seed=0,
        hop_s=hop_s,
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = cache_dir or Path(scratch)
        bank = extract(stimuli, net, folder, memory_bytes=_MEMORY_BYTES, quiet=quiet)
        everything = np.arange(bank.n_frames)
        scores = []
        for index in range(len(bank.layers)):
            pca = bank.components(index, everything, _N_COMPONENTS)
            scores.append(pca.scores / np.sqrt(pca.scores.var(axis=0).sum()))
    return _planted(net.name, bank, scores)


def course_features(
    stimuli: Stimuli,
    network: str,
    weights: str = "random",
    *,
    weights_dir: Path | None = None,
    cache_dir: Path | None = None,
    quiet: bool = False,
) -> LayerFeatures:
    """Courses of every channel of a network.

    Parameters
    ----------
    stimuli
        (stim_file, path) of each sound.
    network, weights
        As ``--network`` and ``--weights`` name them; the seed of random weights is 0.
    weights_dir
        Folder with the weights of a trained network.
    cache_dir
        Folder shared with later runs of the app; a temporary one by default.
    quiet
        Show no progress.

    Returns
    -------
    LayerFeatures
        As many scores per layer as it has channels.
    """
    from bidsapp.audio.networks import get_network, network_weights
    from bidsapp.features.courses import extract_courses

    net = get_network(
        network, weights=network_weights(network, weights), weights_dir=weights_dir, seed=0
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = cache_dir or Path(scratch)
        bank = extract_courses(stimuli, net, folder, memory_bytes=_MEMORY_BYTES, quiet=quiet)
        courses = [
            np.array(bank.course(index), dtype=np.float64) for index in range(len(bank.layers))
        ]
    return _planted(net.name, bank, courses)


def _planted(network: str, bank: Bank, scores: Sequence[npt.NDArray[np.float64]]) -> LayerFeatures:
    """Return scores (n_frames, k) of each layer on the clock of a bank."""
    return LayerFeatures(
        network=network,
        layers=tuple(layer.name for layer in bank.layers),
        pieces=bank.pieces,
        frame_piece=np.asarray(bank.frame_piece, dtype=np.int64),
        frame_time_s=np.asarray(bank.frame_time_s, dtype=np.float64),
        scores=tuple(scores),
        n_inputs=n_inputs(bank.layers),
    )


def n_inputs(layers: Sequence[Layer]) -> int:
    """Count the layers before the first one that a network computes; 0 if there is none."""
    from bidsapp.audio.networks.base import INPUT

    computed = [number for number, layer in enumerate(layers) if layer.kind != INPUT]
    return min(computed, default=0)
