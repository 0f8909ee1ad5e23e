"""Folders of models as the transformers library writes them: read, checked, or drawn from a seed.

A folder holds ``config.json``, the weights (``model.safetensors`` or ``pytorch_model.bin``) and
``preprocessor_config.json`` with the constants of the front end. Nothing is looked up elsewhere:
no address is asked, and no code in a folder is run.
"""

from __future__ import annotations

import hashlib
import json
import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch

from bidsapp.audio.io import content_hash
from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.tapped import TappedNetwork
from bidsapp.audio.networks.weights import he_initialise, permute_kernels, random_facts
from bidsapp.errors import InputInvalidError, InputMissingError, ResourceUnavailableError

_WEIGHTS = ("*.safetensors", "*.bin")
_SETTINGS = ("config.json", "preprocessor_config.json")
WINDOW_S = 10.0
"""Sound that one frame sees, where a network says nothing else."""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """What a network does to a waveform before its first layer.

    Attributes
    ----------
    sampling_hz
        Rate of the waveform in Hz.
    window
        Samples of one frame.
    settings
        Constants as ``preprocessor_config.json`` names them.
    """

    sampling_hz: int
    window: int
    settings: Mapping[str, Any]


def import_transformers(what: str) -> Any:
    """Import transformers.

    Parameters
    ----------
    what
        What needs it, for the message.

    Raises
    ------
    ResourceUnavailableError
        It is not installed, or cannot be imported.
    """
    try:
        import transformers
    except ImportError as error:
        msg = (
            f"{what}: needs the package transformers ({error}); "
            f"pip install 'musicotopy[embeddings]'"
        )
        raise ResourceUnavailableError(msg) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a file of settings of a folder; empty if it is not there.

    Raises
    ------
    InputInvalidError
        It is no JSON object.
    """
    path = folder / name
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path}: is no JSON ({error}); fetch the folder again"
        raise InputInvalidError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: holds no JSON object; fetch the folder again"
        raise InputInvalidError(msg)
    return content


def load_model(folder: Path, architecture: str, model_types: Sequence[str], what: str) -> Any:
    """Load a model of the transformers library from a folder.

    Parameters
    ----------
    folder
        As ``save_pretrained`` writes it.
    architecture
        Name of the class.
    model_types
        Values of ``model_type`` in ``config.json`` that it can be made of.
    what
        Name of the network, for messages.

    Returns
    -------
    torch.nn.Module
        In float32 and in evaluation mode.

    Raises
    ------
    ResourceUnavailableError
        transformers is not installed.
    InputMissingError
        The folder has no ``config.json``.
    InputInvalidError
        It is the folder of another model, or parameters are missing, damaged or not finite.
    """
    transformers = import_transformers(what)
    config = read_json(folder, "config.json")
    if not config:
        msg = (
            f"{folder}: no config.json here; {what} needs the folder of a model as transformers "
            f"saves it (config.json, preprocessor_config.json, model.safetensors)"
        )
        raise InputMissingError(msg)
    if config.get("model_type") not in model_types:
        msg = (
            f"{folder}: is a model of type {config.get('model_type')!r}, {what} needs "
            f"{' or '.join(map(repr, model_types))}; give another folder"
        )
        raise InputInvalidError(msg)
    try:
        with _quiet():
            model, report = getattr(transformers, architecture).from_pretrained(
                folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        msg = f"{folder}: cannot be loaded as {architecture} ({reason}); fetch it again"
        raise InputInvalidError(msg) from error
    missing = sorted(map(str, report["missing_keys"]))
    if missing:
        msg = (
            f"{folder}: {len(missing)} parameters of {architecture} are missing, {missing[0]} "
            f"among them; give the folder of a complete {what}"
        )
        raise InputInvalidError(msg)
    broken = [key for key, value in model.named_parameters() if not value.isfinite().all()]
    if broken:
        msg = f"{folder}: {broken[0]} holds NaN or infinite values; fetch it again"
        raise InputInvalidError(msg)
    return model.eval()


def folder_hash(folder: Path) -> str:
    """SHA-256 of the settings and weights of a folder, over names and contents.

    Weights that are there as safetensors and as pickles count once, as safetensors.
    """
    weights = _weight_files(folder)
    settings = [folder / name for name in _SETTINGS if (folder / name).is_file()]
    lines = (f"{content_hash(path)} {path.name}" for path in (*settings, *weights))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def unwrap(features: Any) -> torch.Tensor:
    """Take the joint embedding of what CLAP's ``get_*_features`` return.

    transformers 4 returns a tensor (n, n_dimensions), 5 an object that holds it as
    ``pooler_output``.
    """
    tensor: torch.Tensor = features if torch.is_tensor(features) else features.pooler_output
    return tensor


def read_tensors(folder: Path, prefix: str) -> dict[str, torch.Tensor]:
    """Read the parameters of a folder whose names begin with a prefix, and nothing else.

    Raises
    ------
    InputInvalidError
        A file of weights cannot be read.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in _weight_files(folder):
        try:
            if path.suffix == ".safetensors":
                from safetensors import safe_open

                with safe_open(path, "pt") as file:
                    names = filter(lambda name: name.startswith(prefix), file.keys())
                    tensors |= {name: file.get_tensor(name) for name in names}
                continue
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:
            msg = f"{path}: not a file of weights ({type(error).__name__}); fetch it again"
            raise InputInvalidError(msg) from error
        tensors |= {name: value for name, value in state.items() if name.startswith(prefix)}
    return tensors


def _weight_files(folder: Path) -> list[Path]:
    """List the files that hold the parameters: safetensors if there are any."""
    return next((files for kind in _WEIGHTS if (files := sorted(folder.glob(kind)))), [])


class FolderNetwork(TappedNetwork):
    """A network whose parameters are a folder of the transformers library.

    Parameters
    ----------
    model
        Model of the class `architecture`.
    settings
        Constants of the front end, as ``preprocessor_config.json`` names them.
    weights
        Where the parameters come from.
    hop_s
        Time between frames in seconds, a multiple of 0.01.
    """

    architecture: ClassVar[str]
    config_class: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    working_bytes: ClassVar[int]

    def __init__(
        self, model: Any, settings: Mapping[str, Any], weights: dict[str, object], hop_s: float
    ) -> None:
        self.model = model
        self.front_end = self.read_front_end(model.config, settings)
        self.layers = self.list_layers(model.config)
        self.classes = self.list_classes(model.config)
        super().__init__(
            self.front_end.sampling_hz, self.front_end.window, hop_s, weights, self.working_bytes
        )

    @classmethod
    def default_config(cls) -> Any:
        """Make the configuration of the published size, of which random networks are made."""
        return getattr(import_transformers(cls.name), cls.config_class)()

    @classmethod
    def random(cls, seed: int, hop_s: float) -> Self:
        """Untrained network of the published size: He-normal weights from a seed."""
        transformers = import_transformers(cls.name)
        config = cls.default_config()
        with torch.random.fork_rng(devices=[]), _quiet():
            model = getattr(transformers, cls.architecture)(config).eval()
        plain_weights(model)
        he_initialise(model, seed)
        return cls(model, {}, random_facts(seed), hop_s)

    @classmethod
    def from_folder(cls, folder: Path, hop_s: float, permuted: int | None = None) -> Self:
        """Trained network.

        Parameters
        ----------
        folder
            As `load_model` takes it.
        hop_s
            Time between frames in seconds.
        permuted
            Seed with which the values of each kernel are permuted; None leaves them.

        Raises
        ------
        ResourceUnavailableError, InputMissingError, InputInvalidError
            As `load_model`.
        """
        model = load_model(folder, cls.architecture, cls.model_types, cls.name)
        plain_weights(model)
        facts: dict[str, object] = {"source": "file", "file": folder.name}
        facts |= {"sha256": folder_hash(folder), **cls.more_facts(folder)}
        if permuted is not None:
            parameters = dict(model.named_parameters())
            changed = permute_kernels({k: v.detach() for k, v in parameters.items()}, permuted)
            model.load_state_dict(changed, strict=False)
            facts |= {"source": "permuted", "seed": permuted}
        return cls(model, read_json(folder, "preprocessor_config.json"), facts, hop_s)

    @classmethod
    def list_classes(cls, config: Any) -> tuple[str, ...]:
        """List what the last layer tells; nothing by default."""
        return ()

    @classmethod
    def more_facts(cls, folder: Path) -> dict[str, object]:
        """Say what else is to be known of trained weights."""
        return {}

    @classmethod
    def read_front_end(cls, config: Any, settings: Mapping[str, Any]) -> FrontEnd:
        """Read the constants; those of the library where the folder has none."""
        rate = int(settings.get("sampling_rate", 16_000))
        return FrontEnd(rate, round(WINDOW_S * rate), settings)

    @classmethod
    @abstractmethod
    def list_layers(cls, config: Any) -> tuple[Layer, ...]:
        """List the layers of a model of this configuration."""

    def taps(self, frames: torch.Tensor, wanted: Sequence[int]) -> Iterator[torch.Tensor]:
        """Yield some layers; the model goes where the frames are."""
        self.model.to(frames.device)
        return super().taps(frames, wanted)


def plain_weights(model: torch.nn.Module) -> None:
    """Turn parametrised weights (weight normalisation) into plain ones, in place."""
    from torch.nn.utils import parametrize

    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            names: Any = module.parametrizations
            for name in list(names):
                parametrize.remove_parametrizations(module, name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's remarks on the keys of a folder, which `load_model` checks."""
    logger = logging.getLogger("transformers")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
