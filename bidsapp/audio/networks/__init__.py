"""The networks one can ask for by name.

A new network is one module with one subclass of `Network`, one entry here, and its proof in
tests/audio. Importing this package imports no numerical library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bidsapp.errors import UsageError

if TYPE_CHECKING:
    from bidsapp.audio.networks.base import Network

RANDOM = "random"
"""Name of seeded random weights: the untrained control."""
DEFAULT_HOP_S = 0.48


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """One line of the registry.

    Attributes
    ----------
    summary
        What the network is, for ``--help`` and the docs.
    weight_files
        Known weights: name → file names looked for in ``--weights-dir``, first found wins. Empty
        for a network without parameters.
    build
        Makes the network from (weights, weights_dir, seed, hop_s); imports what it needs.
    """

    summary: str
    weight_files: Mapping[str, tuple[str, ...]]
    build: Callable[[str | Path, Path | None, int, float], Network]


def _vggish(weights: str | Path, weights_dir: Path | None, seed: int, hop_s: float) -> Network:
    from bidsapp.audio.networks.vggish import VGGish
    from bidsapp.audio.networks.weights import find_weights

    if str(weights) == RANDOM:
        return VGGish.random(seed, hop_s)
    known = NETWORKS["vggish"].weight_files
    return VGGish.from_file(find_weights("vggish", weights, weights_dir, known), hop_s)


def _baseline(weights: str | Path, weights_dir: Path | None, seed: int, hop_s: float) -> Network:
    from bidsapp.audio.networks.baseline import Baseline

    return Baseline(hop_s)


def _resnet1d(weights: str | Path, weights_dir: Path | None, seed: int, hop_s: float) -> Network:
    from bidsapp.audio.networks.resnet1d import ResNet1d
    from bidsapp.audio.networks.weights import find_weights

    if str(weights) == RANDOM:
        return ResNet1d.random(seed, hop_s)
    known = NETWORKS["resnet1d"].weight_files
    return ResNet1d.from_file(find_weights("resnet1d", weights, weights_dir, known), hop_s)


def _musicnn(weights: str | Path, weights_dir: Path | None, seed: int, hop_s: float) -> Network:
    from bidsapp.audio.networks.musicnn import Musicnn
    from bidsapp.audio.networks.weights import find_weights

    if str(weights) == RANDOM:
        return Musicnn.random(seed, hop_s)
    known = NETWORKS["musicnn"].weight_files
    return Musicnn.from_file(find_weights("musicnn", weights, weights_dir, known), hop_s)


def _harmonic(weights: str | Path, weights_dir: Path | None, seed: int, hop_s: float) -> Network:
    from bidsapp.audio.networks.harmonic import Harmonic
    from bidsapp.audio.networks.weights import find_weights

    if str(weights) == RANDOM:
        return Harmonic.random(seed, hop_s)
    known = NETWORKS["harmonic"].weight_files
    return Harmonic.from_file(find_weights("harmonic", weights, weights_dir, known), hop_s)


def _consonance(weights: str | Path, weights_dir: Path | None, seed: int, hop_s: float) -> Network:
    from bidsapp.audio.networks.consonance import Consonance

    return Consonance(hop_s)


NETWORKS: Mapping[str, NetworkEntry] = MappingProxyType(
    {
        "vggish": NetworkEntry(
            summary="VGGish, 24 layers, trained on AudioSet (or random)",
            weight_files={"audioset": ("vggish-10086976.pth", "vggish.pt")},
            build=_vggish,
        ),
        "baseline": NetworkEntry(
            summary="acoustic descriptors without a network: mel, loudness, spectral",
            weight_files={},
            build=_baseline,
        ),
        "resnet1d": NetworkEntry(
            summary="residual network over waveforms, 10 layers, to train on tags (or random)",
            weight_files={"tagger": ("resnet1d.pth",)},
            build=_resnet1d,
        ),
        "musicnn": NetworkEntry(
            summary="musicnn, 7 layers, trained on the tags of MagnaTagATune (or random)",
            weight_files={"mtat": ("mtat_musicnn_best_model.pth", "musicnn.pth")},
            build=_musicnn,
        ),
        "harmonic": NetworkEntry(
            summary="twelve pitch-class filters, 4 layers, to train on emotions (or random)",
            weight_files={"emotion": ("harmonic.pth",)},
            build=_harmonic,
        ),
        "consonance": NetworkEntry(
            summary="roughness, harmonicity, pitch classes and loudness, without parameters",
            weight_files={},
            build=_consonance,
        ),
    }
)


def get_network(
    name: str,
    *,
    weights: str | Path = RANDOM,
    weights_dir: Path | None = None,
    seed: int = 0,
    hop_s: float = DEFAULT_HOP_S,
) -> Network:
    """Make a network of the registry.

    Parameters
    ----------
    name
        Key of `NETWORKS`.
    weights
        ``random``, a name of the entry's `weight_files`, or a file. Networks without parameters
        take no notice.
    weights_dir
        Folder in which named weights are looked for.
    seed
        Of random weights.
    hop_s
        Time between frames in seconds, a multiple of 0.01.

    Raises
    ------
    UsageError
        No network has this name, or the hop is none it can have.
    ResourceUnavailableError
        The weights are not there.
    InputInvalidError
        The weights are not this network's, or not those their file name promises.
    """
    if name not in NETWORKS:
        msg = f"--network {name}: no such network; known are {', '.join(NETWORKS)}"
        raise UsageError(msg)
    return NETWORKS[name].build(weights, weights_dir, seed, hop_s)


def network_weights(network: str, wish: str) -> str:
    """Turn ``--weights`` into what `bidsapp.audio.networks.get_network` takes.

    Parameters
    ----------
    network
        Registered name.
    wish
        ``random``, ``pretrained`` (the first published weights of the network), the name of
        published weights, or a file.
    """
    published = NETWORKS[network].weight_files if network in NETWORKS else {}
    if wish != "pretrained":
        return wish
    return next(iter(published), RANDOM)
