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
    from typing import Final

    from bidsapp.audio.networks.base import Network
    from bidsapp.audio.networks.model_folders import FolderNetwork

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


def _vggish(choice: Choice) -> Network:
    from bidsapp.audio.networks.vggish import VGGish

    if choice.is_random:
        return VGGish.random(choice.seed, choice.hop_s)
    return VGGish.from_file(choice.file(), choice.hop_s, choice.permuted)


def _baseline(choice: Choice) -> Network:
    from bidsapp.audio.networks.baseline import Baseline

    return Baseline(choice.hop_s)


def _resnet1d(choice: Choice) -> Network:
    from bidsapp.audio.networks.resnet1d import ResNet1d

    if choice.is_random:
        return ResNet1d.random(choice.seed, choice.hop_s)
    return ResNet1d.from_file(choice.file(), choice.hop_s, choice.permuted)


def _musicnn(choice: Choice) -> Network:
    from bidsapp.audio.networks.musicnn import Musicnn

    if choice.is_random:
        return Musicnn.random(choice.seed, choice.hop_s)
    return Musicnn.from_file(choice.file(), choice.hop_s, choice.permuted)


def _tagger(choice: Choice) -> Network:
    from bidsapp.audio.networks.taggers import Tagger

    if choice.is_random:
        return Tagger.random(choice.name, choice.seed, choice.hop_s)
    return Tagger.from_file(choice.name, choice.file(), choice.hop_s, choice.permuted)


def _tagger_entry(name: str, summary: str) -> NetworkEntry:
    files = {name: (f"{name}.safetensors",)}
    return NetworkEntry(summary, files, _tagger, tool="fetch musicnn", on_music=True)


def _self_supervised(choice: Choice) -> Network:
    from bidsapp.audio.networks.self_supervised import SelfSupervised

    if choice.is_random:
        return SelfSupervised.random(choice.name, choice.seed, choice.hop_s)
    return SelfSupervised.from_file(choice.name, choice.file(), choice.hop_s, choice.permuted)


def _self_supervised_entry(name: str, summary: str, file: str) -> NetworkEntry:
    return NetworkEntry(
        summary,
        {"speech": (file,)},
        _self_supervised,
        tool=f"fetch {name}",
        package="torchaudio",
        extra="torchaudio",
    )


def _harmonic(choice: Choice) -> Network:
    from bidsapp.audio.networks.harmonic import Harmonic

    if choice.is_random:
        return Harmonic.random(choice.seed, choice.hop_s)
    return Harmonic.from_file(choice.file(), choice.hop_s, choice.permuted)


def _consonance(choice: Choice) -> Network:
    from bidsapp.audio.networks.consonance import Consonance

    return Consonance(choice.hop_s)


def _folder(module: str, class_name: str) -> Callable[[Choice], Network]:
    """Return the builder of a network whose weights are a folder of transformers."""

    def build(choice: Choice) -> Network:
        source = importlib.import_module(f"bidsapp.audio.networks.{module}")
        network: type[FolderNetwork] = getattr(source, class_name)
        if choice.is_random:
            return network.random(choice.seed, choice.hop_s)
        return network.from_folder(choice.file(), choice.hop_s, choice.permuted)

    return build


def _onnx(choice: Choice) -> Network:
    from bidsapp.audio.networks.onnx_network import OnnxNetwork

    control = choice.weights if choice.weights in CONTROLS else ""
    return OnnxNetwork(choice.path, network_label(choice.name), choice.hop_s, control, choice.seed)


def _features(choice: Choice) -> Network:
    from bidsapp.audio.networks.table import TableNetwork

    return TableNetwork(choice.path, network_label(choice.name))


NETWORKS: Mapping[str, NetworkEntry] = MappingProxyType(
    {
        "vggish": NetworkEntry(
            summary="VGGish, 24 layers, trained on AudioSet (or random)",
            weight_files={"audioset": ("vggish-10086976.pth", "vggish.pt")},
            build=_vggish,
            tool="fetch vggish",
        ),
        "baseline": NetworkEntry(
            summary="acoustic descriptors without a network: mel, loudness, spectral, mtf",
            weight_files={},
            build=_baseline,
        ),
        "resnet1d": NetworkEntry(
            summary="residual network over waveforms, 10 layers, to train on tags (or random)",
            weight_files={"tagger": ("resnet1d.pth",)},
            build=_resnet1d,
            tool="train tagger",
            on_music=True,
        ),
        "musicnn": NetworkEntry(
            summary="musicnn, 7 layers, trained on the tags of MagnaTagATune (or random)",
            weight_files={"mtat": ("mtat_musicnn_best_model.pth", "musicnn.pth")},
            build=_musicnn,
            tool="fetch musicnn-mtat",
            on_music=True,
        ),
        "musicnn-mtt": _tagger_entry(
            "musicnn-mtt", "musicnn of its authors, 10 layers, tags of MagnaTagATune"
        ),
        "musicnn-msd": _tagger_entry(
            "musicnn-msd", "musicnn of its authors, 10 layers, tags of the Million Song Dataset"
        ),
        "vgg-mtt": _tagger_entry(
            "vgg-mtt", "VGG of the musicnn package, 7 layers, tags of MagnaTagATune"
        ),
        "vgg-msd": _tagger_entry(
            "vgg-msd", "VGG of the musicnn package, 7 layers, tags of the Million Song Dataset"
        ),
        "hubert-base": _self_supervised_entry(
            "hubert-base",
            "HuBERT of torchaudio, 19 layers, 960 h of speech without labels",
            "hubert_fairseq_base_ls960.pth",
        ),
        "hubert-large": _self_supervised_entry(
            "hubert-large",
            "HuBERT of torchaudio, 31 layers, 60,000 h of speech without labels",
            "hubert_fairseq_large_ll60k.pth",
        ),
        "wav2vec2-base": _self_supervised_entry(
            "wav2vec2-base",
            "wav2vec 2.0 of torchaudio, 19 layers, 960 h of speech without labels",
            "wav2vec2_fairseq_base_ls960.pth",
        ),
        "wav2vec2-large": _self_supervised_entry(
            "wav2vec2-large",
            "wav2vec 2.0 of torchaudio, 31 layers, 960 h of speech without labels",
            "wav2vec2_fairseq_large_ls960.pth",
        ),
        "wavlm-base": _self_supervised_entry(
            "wavlm-base",
            "WavLM of torchaudio, 19 layers, 960 h of speech without labels",
            "wavlm_base.pth",
        ),
        "wavlm-large": _self_supervised_entry(
            "wavlm-large",
            "WavLM of torchaudio, 31 layers, 94,000 h of speech without labels",
            "wavlm_large.pth",
        ),
        "harmonic": NetworkEntry(
            summary="twelve pitch-class filters, 4 layers, to train on emotions (or random)",
            weight_files={"emotion": ("harmonic.pth",)},
            build=_harmonic,
            tool="train harmony",
            on_music=True,
        ),
        "consonance": NetworkEntry(
            summary="roughness, harmonicity, pitch classes and loudness, without parameters",
            weight_files={},
            build=_consonance,
        ),
        "clap": NetworkEntry(
            summary="CLAP, 7 layers, the last is one space for music and captions (or random)",
            weight_files={
                "music": ("larger_clap_music",),
                "music-speech": ("larger_clap_music_and_speech",),
            },
            build=_folder("clap", "Clap"),
            tool="fetch clap-music",
            package="transformers",
            extra="embeddings",
            in_folder=True,
            on_music=True,
        ),
        "ast": NetworkEntry(
            summary="audio spectrogram transformer, 14 layers, classes of AudioSet (or random)",
            weight_files={"audioset": ("ast-finetuned-audioset-10-10-0.4593",)},
            build=_folder("ast", "AudioSpectrogramTransformer"),
            tool="fetch ast",
            package="transformers",
            extra="embeddings",
            in_folder=True,
        ),
        "w2v-bert": NetworkEntry(
            summary="w2v-BERT 2.0, 25 layers, trained on speech without labels (or random)",
            weight_files={"2.0": ("w2v-bert-2.0",)},
            build=_folder("w2v_bert", "W2vBert"),
            tool="fetch w2v-bert",
            package="transformers",
            extra="embeddings",
            in_folder=True,
        ),
        "encodec": NetworkEntry(
            summary="encoder of EnCodec, 7 layers, trained to compress sound (or random)",
            weight_files={"24khz": ("encodec_24khz",)},
            build=_folder("encodec", "Encodec"),
            tool="fetch encodec",
            package="transformers",
            extra="embeddings",
            in_folder=True,
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
