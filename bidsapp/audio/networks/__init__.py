"""The networks one can ask for by name.

A new network is one module with one subclass of `Network`, one entry here, and its proof in
tests/audio. Beside the names of the registry there are two families, whose members are files of
the user: ``onnx:FILE`` and ``features:PATH``. Importing this package imports no numerical library
and little else, because ``--help`` lists the names.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from bidsapp.audio.networks.entry import NetworkEntry
from bidsapp.errors import InputMissingError, ResourceUnavailableError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Final

    from bidsapp.audio.networks.base import Network

RANDOM = "random"
"""Name of seeded random weights: the untrained control."""
PERMUTED = "permuted"
"""Name of trained weights whose values are permuted within each kernel: the second control."""
PRETRAINED = "pretrained"
CONTROLS: Final = (RANDOM, PERMUTED)
"""Values of ``source`` in a network's `weights` that mark a control."""
DEFAULT_HOP_S = 0.48


class Choice:
    """What a network is built from.

    Attributes
    ----------
    name
        Key of the registry.
    weights
        ``random``, ``permuted``, ``permuted:FILE``, a name of the entry's `weight_files`, or a
        file (a folder for networks of transformers).
    weights_dir
        Folder in which named weights are looked for.
    seed
        Of random and permuted weights.
    hop_s
        Time between frames in seconds.
    """

    __slots__ = ("hop_s", "name", "seed", "weights", "weights_dir")

    def __init__(
        self, name: str, weights: str, weights_dir: Path | None, seed: int, hop_s: float
    ) -> None:
        self.name = name
        self.weights = weights
        self.weights_dir = weights_dir
        self.seed = seed
        self.hop_s = hop_s

    @property
    def is_random(self) -> bool:
        """Whether the untrained network is asked for."""
        return self.weights == RANDOM

    def file(self) -> Path:
        """Find the file (or folder) of parameters; a member of a family is its own.

        Raises
        ------
        ResourceUnavailableError
            It is not there.
        """
        from bidsapp.audio.networks.weight_files import find_weights

        entry = network_entry(self.name)
        if entry not in NETWORKS.values():
            return self.path
        known = entry.weight_files
        wish = self.weights
        if wish == PERMUTED:
            wish = next(iter(known))
        wish = wish.removeprefix(f"{PERMUTED}:")
        return find_weights(
            self.name, wish, self.weights_dir, known, entry.tool, folder=entry.in_folder
        )

    @property
    def path(self) -> Path:
        """File or folder of a member of a family."""
        from pathlib import Path

        return Path(self.name.partition(":")[2])

    @property
    def permuted(self) -> int | None:
        """Seed of the permutation of kernels; None for weights as they are."""
        return self.seed if self.weights.partition(":")[0] == PERMUTED else None


def _class(module: str, name: str) -> Any:
    """Import the class of a network."""
    return getattr(importlib.import_module(f"bidsapp.audio.networks.{module}"), name)


def _without_weights(module: str, name: str) -> Callable[[Choice], Network]:
    """Return the builder of a network without parameters."""

    def build(choice: Choice) -> Network:
        network: Network = _class(module, name)(choice.hop_s)
        return network

    return build


def _with_weights(
    module: str, name: str, load: str = "from_file", *, of_several: bool = False
) -> Callable[[Choice], Network]:
    """Return the builder of a network with parameters.

    Parameters
    ----------
    module, name
        Module of this package, and the class in it.
    load
        Name of the method that makes the trained network.
    of_several
        Whether the class serves several names of the registry, and wants to know which.
    """

    def build(choice: Choice) -> Network:
        which = (choice.name,) if of_several else ()
        network: Network
        if choice.is_random:
            network = _class(module, name).random(*which, choice.seed, choice.hop_s)
        else:
            make = getattr(_class(module, name), load)
            network = make(*which, choice.file(), choice.hop_s, choice.permuted)
        return network

    return build


def _tagger_entry(name: str, summary: str) -> NetworkEntry:
    files = {name: (f"{name}.safetensors",)}
    build = _with_weights("taggers", "Tagger", of_several=True)
    return NetworkEntry(summary, files, build, tool="fetch musicnn", on_music=True, seconds=0.06)


def _speech_entry(name: str, summary: str, file: str) -> NetworkEntry:
    return NetworkEntry(
        f"{summary} of speech without labels",
        {"speech": (file,)},
        _with_weights("self_supervised", "SelfSupervised", of_several=True),
        tool=f"fetch {name}",
        package="torchaudio",
        extra="torchaudio",
        seconds=1.7 if "large" in name else 0.6,
    )


def _folder_entry(
    summary: str,
    weight_files: Mapping[str, tuple[str, ...]],
    module: str,
    name: str,
    tool: str,
    *,
    on_music: bool = False,
    seconds: float,
) -> NetworkEntry:
    """Return the entry of a network whose weights are a folder of transformers."""
    return NetworkEntry(
        summary,
        weight_files,
        _with_weights(module, name, "from_folder"),
        tool=tool,
        package="transformers",
        extra="embeddings",
        in_folder=True,
        on_music=on_music,
        seconds=seconds,
    )


def _onnx(choice: Choice) -> Network:
    from bidsapp.audio.networks.onnx_network import OnnxNetwork

    control = choice.weights if choice.weights in CONTROLS else ""
    return OnnxNetwork(choice.path, network_label(choice.name), choice.hop_s, control, choice.seed)


def _features(choice: Choice) -> Network:
    from bidsapp.audio.networks.table import TableNetwork

    return TableNetwork(choice.path, network_label(choice.name))


_TAGGERS = {
    "musicnn-mtt": "musicnn of its authors, 10 layers, tags of MagnaTagATune",
    "musicnn-msd": "musicnn of its authors, 10 layers, tags of the Million Song Dataset",
    "vgg-mtt": "VGG of the musicnn package, 7 layers, tags of MagnaTagATune",
    "vgg-msd": "VGG of the musicnn package, 7 layers, tags of the Million Song Dataset",
}
_SPEECH = {
    "hubert-base": ("HuBERT of torchaudio, 19 layers, 960 h", "hubert_fairseq_base_ls960.pth"),
    "hubert-large": (
        "HuBERT of torchaudio, 31 layers, 60,000 h",
        "hubert_fairseq_large_ll60k.pth",
    ),
    "wav2vec2-base": (
        "wav2vec 2.0 of torchaudio, 19 layers, 960 h",
        "wav2vec2_fairseq_base_ls960.pth",
    ),
    "wav2vec2-large": (
        "wav2vec 2.0 of torchaudio, 31 layers, 960 h",
        "wav2vec2_fairseq_large_ls960.pth",
    ),
    "wavlm-base": ("WavLM of torchaudio, 19 layers, 960 h", "wavlm_base.pth"),
    "wavlm-large": ("WavLM of torchaudio, 31 layers, 94,000 h", "wavlm_large.pth"),
}
"""Name → beginning of the summary, and file of weights."""

NETWORKS: Mapping[str, NetworkEntry] = MappingProxyType(
    {
        "vggish": NetworkEntry(
            summary="VGGish, 24 layers, trained on AudioSet (or random)",
            weight_files={"audioset": ("vggish-10086976.pth", "vggish.pt")},
            build=_with_weights("vggish", "VGGish"),
            tool="fetch vggish",
            seconds=0.04,
        ),
        "baseline": NetworkEntry(
            summary="acoustic descriptors without a network: mel, loudness, spectral, mtf",
            weight_files={},
            build=_without_weights("baseline", "Baseline"),
            seconds=0.005,
        ),
        "resnet1d": NetworkEntry(
            summary="residual network over waveforms, 10 layers, to train on tags (or random)",
            weight_files={"tagger": ("resnet1d.pth",)},
            build=_with_weights("resnet1d", "ResNet1d"),
            seconds=0.05,
            tool="train tagger",
            on_music=True,
        ),
        "musicnn": NetworkEntry(
            summary="musicnn, 7 layers, trained on the tags of MagnaTagATune (or random)",
            weight_files={"mtat": ("mtat_musicnn_best_model.pth", "musicnn.pth")},
            build=_with_weights("musicnn", "Musicnn"),
            tool="fetch musicnn-mtat",
            on_music=True,
            seconds=0.08,
        ),
        **{name: _tagger_entry(name, summary) for name, summary in _TAGGERS.items()},
        **{name: _speech_entry(name, *facts) for name, facts in _SPEECH.items()},
        "harmonic": NetworkEntry(
            summary="twelve pitch-class filters, 4 layers, to train on emotions (or random)",
            weight_files={"emotion": ("harmonic.pth",)},
            build=_with_weights("harmonic", "Harmonic"),
            tool="train harmony",
            on_music=True,
            seconds=0.02,
        ),
        "consonance": NetworkEntry(
            summary="roughness, harmonicity, pitch classes and loudness, without parameters",
            weight_files={},
            build=_without_weights("consonance", "Consonance"),
            seconds=0.01,
        ),
        "clap": _folder_entry(
            "CLAP, 7 layers, the last is one space for music and captions (or random)",
            {"music": ("larger_clap_music",), "music-speech": ("larger_clap_music_and_speech",)},
            "clap",
            "Clap",
            tool="fetch clap-music",
            on_music=True,
            seconds=0.24,
        ),
        "ast": _folder_entry(
            "audio spectrogram transformer, 14 layers, classes of AudioSet (or random)",
            {"audioset": ("ast-finetuned-audioset-10-10-0.4593",)},
            "ast",
            "AudioSpectrogramTransformer",
            tool="fetch ast",
            seconds=3.8,
        ),
        "w2v-bert": _folder_entry(
            "w2v-BERT 2.0, 25 layers, trained on speech without labels (or random)",
            {"2.0": ("w2v-bert-2.0",)},
            "w2v_bert",
            "W2vBert",
            tool="fetch w2v-bert",
            seconds=5.0,  # not measured
        ),
        "encodec": _folder_entry(
            "encoder of EnCodec, 7 layers, trained to compress sound (or random)",
            {"24khz": ("encodec_24khz",)},
            "encodec",
            "Encodec",
            tool="fetch encodec",
            seconds=0.1,
        ),
    }
)


FAMILIES: Mapping[str, NetworkEntry] = MappingProxyType(
    {
        "onnx": NetworkEntry(
            summary="any ONNX model with a TOML file beside it that states its input",
            weight_files={"file": ()},
            build=_onnx,
        ),
        "features": NetworkEntry(
            summary="features that you have computed: TSV, Parquet, NPZ or _stim.tsv.gz",
            weight_files={},
            build=_features,
            seconds=0.0,
        ),
    }
)
"""Prefix → entry; a name is ``PREFIX:PATH``."""


def network_entry(name: str) -> NetworkEntry:
    """Find the entry of a network.

    Parameters
    ----------
    name
        Key of `NETWORKS`, or ``PREFIX:PATH`` with a key of `FAMILIES`.

    Raises
    ------
    UsageError
        No network has this name.
    InputMissingError
        There is no such file.
    """
    from pathlib import Path

    prefix, colon, path = name.partition(":")
    if colon and prefix in FAMILIES:
        if not Path(path).exists():
            msg = (
                f"--network {name}: there is no such file or folder; check the path, and in a "
                f"container that it is bound"
            )
            raise InputMissingError(msg)
        return FAMILIES[prefix]
    if name not in NETWORKS:
        families = ", ".join(f"{prefix}:PATH" for prefix in FAMILIES)
        msg = f"--network {name}: no such network; known are {', '.join(NETWORKS)}; and {families}"
        raise UsageError(msg)
    return NETWORKS[name]


def refuse_without_package(name: str) -> None:
    """Refuse a network whose optional package is not installed; the package is not imported.

    Raises
    ------
    ResourceUnavailableError
        It is not there.
    """
    from importlib.util import find_spec

    entry = network_entry(name)
    if entry.package and find_spec(entry.package) is None:
        msg = f"{name}: needs the package {entry.package}: pip install 'musicotopy[{entry.extra}]'"
        raise ResourceUnavailableError(msg)


def get_network(
    name: str,
    *,
    weights: str | Path = RANDOM,
    weights_dir: Path | None = None,
    seed: int = 0,
    hop_s: float = DEFAULT_HOP_S,
) -> Network:
    """Make a network.

    Parameters
    ----------
    name
        Key of `NETWORKS`, or ``PREFIX:PATH`` with a key of `FAMILIES`.
    weights
        ``random``, ``permuted`` (values of the published weights permuted within each kernel),
        ``permuted:FILE``, a name of the entry's `weight_files`, or a file. Networks without
        parameters take no notice.
    weights_dir
        Folder in which named weights are looked for.
    seed
        Of random and permuted weights.
    hop_s
        Time between frames in seconds, a multiple of 0.01.

    Raises
    ------
    UsageError
        No network has this name, or the hop is none it can have.
    InputMissingError
        There is no such file.
    ResourceUnavailableError
        The weights are not there.
    InputInvalidError
        The weights are not this network's, or not those their file name promises.
    """
    refuse_without_package(name)
    return network_entry(name).build(Choice(name, str(weights), weights_dir, seed, hop_s))


def network_label(name: str) -> str:
    """Turn the name of a network into the label under which its results are written.

    Examples
    --------
    >>> network_label("musicnn-mtt")
    'musicnnmtt'
    >>> network_label("onnx:models/my-model.onnx")
    'onnxmymodel'
    """
    from pathlib import Path

    prefix, colon, path = name.partition(":")
    if colon:
        name = f"{prefix}{Path(path).name.partition('.')[0]}"
    return re.sub(r"[^A-Za-z0-9]", "", name)


def network_weights(network: str, wish: str) -> str:
    """Turn ``--weights`` into what `bidsapp.audio.networks.get_network` takes.

    Parameters
    ----------
    network
        As `get_network` takes it.
    wish
        ``random``, ``permuted``, ``pretrained`` (the first published weights of the network), the
        name of published weights, or a file.
    """
    if wish != PRETRAINED:
        return wish
    return next(iter(network_entry(network).weight_files), RANDOM)
