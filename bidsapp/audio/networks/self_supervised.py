"""HuBERT, wav2vec 2.0 and WavLM: self-supervised networks of `torchaudio.pipelines`.

Seven convolutions turn a waveform into steps of 20 ms, a transformer (12 or 24 blocks) relates the
steps of a window to each other. Layers: ``conv1`` to ``conv7`` after their nonlinearity, each
averaged to the steps of the last, then ``block1``, ``block2``, … . Trained on speech without
labels: beside a network trained on music they answer what is particular to music.

Sizes, preprocessing and names of files are read from torchaudio's bundles; weights are read from
a file, never fetched here.

Source: Baevski et al. 2020, wav2vec 2.0, §2; Hsu et al. 2021, HuBERT, §II; Chen et al. 2022,
WavLM, §III.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn.functional import adaptive_avg_pool1d, layer_norm

from bidsapp.audio.networks.base import Layer
from bidsapp.audio.networks.tapped import TappedNetwork
from bidsapp.audio.networks.weights import he_initialise, load_state, random_facts, read_parameters
from bidsapp.errors import ResourceUnavailableError

WINDOW_S: Final = 2.0
"""Sound that one frame sees: 99 steps of 20 ms."""
PIPELINES: Final[Mapping[str, str]] = {
    "hubert-base": "HUBERT_BASE",
    "hubert-large": "HUBERT_LARGE",
    "wav2vec2-base": "WAV2VEC2_BASE",
    "wav2vec2-large": "WAV2VEC2_LARGE",
    "wavlm-base": "WAVLM_BASE",
    "wavlm-large": "WAVLM_LARGE",
}
"""Key of the registry → bundle of `torchaudio.pipelines`."""

_COPIES = 4
"""Activations of the first convolution held while a frame passes through it."""
_FORMER_NAMES = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}
"""Parts of a normalised kernel: names in files of torch before 2.0 → names since."""


class SelfSupervised(TappedNetwork):
    """One of the six networks.

    Parameters
    ----------
    name
        Key of `PIPELINES`.
    module
        The torchaudio model with its parameters.
    weights
        Where they come from.
    hop_s
        Time between frames in seconds, a multiple of 0.01.
    """

    def __init__(
        self, name: str, module: torch.nn.Module, weights: dict[str, object], hop_s: float
    ) -> None:
        bundle = _bundle(name)
        self.name = name.replace("-", "")
        self.module = module.eval().requires_grad_(requires_grad=False)
        self._normalised = bool(bundle._normalize_waveform)
        sampling_hz = int(bundle.sample_rate)
        window = round(WINDOW_S * sampling_hz)
        convolutions = bundle._params["extractor_conv_layer_config"]
        steps = _steps(window, convolutions)
        n_times, width = steps[-1], bundle._params["encoder_embed_dim"]
        self.layers = (
            *(
                Layer(f"conv{number}", "conv", n_channels * n_times, n_channels, n_times)
                for number, (n_channels, *_) in enumerate(convolutions, start=1)
            ),
            *(
                Layer(f"block{number}", "transformer", width * n_times, width, n_times)
                for number in range(1, 1 + bundle._params["encoder_num_layers"])
            ),
        )
        working = 4 * _COPIES * convolutions[0][0] * steps[0]
        super().__init__(sampling_hz, window, hop_s, weights, working)

    @classmethod
    def random(cls, name: str, seed: int, hop_s: float) -> SelfSupervised:
        """Untrained network: He-normal kernels from a seed, plain norms and gates."""
        module = _model(name)
        he_initialise(module, seed)
        _plain_scales(module)
        return cls(name, module, random_facts(seed), hop_s)

    @classmethod
    def from_file(
        cls, name: str, path: Path, hop_s: float, permuted: int | None = None
    ) -> SelfSupervised:
        """Trained network from a state dict of torchaudio.

        Parameters
        ----------
        name
            Key of `PIPELINES`.
        path
            File that ``musicotopy-tools fetch`` or torchaudio's own cache holds.
        hop_s
            Time between frames in seconds.
        permuted
            Seed with which the values of each kernel are permuted; None leaves them.

        Raises
        ------
        InputInvalidError
            A parameter is missing or has another shape; or as `read_parameters`.
        ResourceUnavailableError
            torchaudio is not installed, or does not match torch.
        """
        module = _model(name)
        state, facts = read_parameters(path, permuted)
        load_state(module, {_current_name(key): value for key, value in state.items()}, path, name)
        return cls(name, module, facts, hop_s)

    def activations(self, frames: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer (n, n_channels, n_times) of frames (n, n_samples)."""
        module: Any = self.module.to(frames.device)
        # torchaudio's own wrapper scales a whole batch at once, which would tie frames together
        x = layer_norm(frames, frames.shape[-1:]) if self._normalised else frames
        x = x[:, None]
        for convolution in module.feature_extractor.conv_layers:
            x, _ = convolution(x, None)
            yield adaptive_avg_pool1d(x, self.layers[0].n_times)
        x, _ = module.encoder._preprocess(x.transpose(1, 2))
        transformer, bias = module.encoder.transformer, None
        x = transformer._preprocess(x)
        for block in transformer.layers:
            x, bias = block(x, None, position_bias=bias)
            yield x.transpose(1, 2)


def _bundle(name: str) -> Any:
    """Return the bundle of torchaudio.

    Raises
    ------
    ResourceUnavailableError
        torchaudio is not installed, does not match torch, or lacks this bundle.
    """
    try:
        from torchaudio import pipelines

        return getattr(pipelines, PIPELINES[name])
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        version = torch.__version__.partition("+")[0]
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        msg = (
            f"--network {name}: torchaudio cannot be used with torch {torch.__version__} "
            f"({reason}); install the same version of both: pip install torchaudio=={version}"
        )
        raise ResourceUnavailableError(msg) from error


def _model(name: str) -> torch.nn.Module:
    """Build the model without parameters of worth; torch's own random numbers stay as they are."""
    bundle = _bundle(name)
    from torchaudio import models

    make = {"Wav2Vec2": models.wav2vec2_model, "WavLM": models.wavlm_model}[bundle._model_type]
    with torch.random.fork_rng(devices=[]):
        model: torch.nn.Module = make(**bundle._params)
    return model


def _steps(n_samples: int, convolutions: Sequence[tuple[int, int, int]]) -> list[int]:
    """Time steps after each convolution (channels, kernel, stride)."""
    steps = []
    for _, kernel, stride in convolutions:
        n_samples = (n_samples - kernel) // stride + 1
        steps.append(n_samples)
    return steps


def _current_name(key: str) -> str:
    head, dot, last = key.rpartition(".")
    return f"{head}{dot}{_FORMER_NAMES.get(last, last)}"


def _plain_scales(module: torch.nn.Module) -> None:
    """Undo the draw where a parameter of several axes is a scale and no kernel."""
    with torch.no_grad():
        parameters = dict(module.named_parameters())
        for name, parameter in parameters.items():
            if name.endswith("gru_rel_pos_const"):
                parameter.fill_(1.0)
            elif name.endswith("weight.original0"):
                kernel = parameters[name.removesuffix("0") + "1"]
                parameter.copy_(torch.linalg.vector_norm(kernel, dim=(0, 1), keepdim=True))
