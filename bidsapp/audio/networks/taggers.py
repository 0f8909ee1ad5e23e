"""The four tag networks of the package musicnn: two architectures, two corpora.

``musicnn-mtt``, ``musicnn-msd``: tall filters hear timbre, long ones rhythm; three residual
convolutions, pooling over time, a dense layer, 50 tags. ``vgg-mtt``, ``vgg-msd``: five 3 × 3
convolutions with maxima. MTT: MagnaTagATune; MSD: Million Song Dataset. Parameters keep the names
and shapes of the release's checkpoints (kernels: height, width, inputs, outputs).

Source: Pons and Serra 2019, musicnn: pre-trained convolutional neural networks for music audio
tagging, §2; sizes of the package's checkpoints, version 0.1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch.nn.functional import batch_norm, conv1d, conv2d, linear, max_pool2d, pad, relu

from bidsapp.audio.networks.base import INPUT, Layer
from bidsapp.audio.networks.front_end import MelFrontEnd
from bidsapp.audio.networks.tapped import TappedNetwork
from bidsapp.audio.networks.weights import he_normal, random_facts, read_parameters
from bidsapp.errors import InputInvalidError

State = Mapping[str, torch.Tensor]

TIMES = 187
"""Spectra of one window: 3.008 s."""
FRONT_END = MelFrontEnd(compression="log10", gain=10_000.0, offset=1.0)
TAGS = {
    "mtt": (
        *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock"),
        *("fast", "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian"),
        *("opera", "male", "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet"),
        *("flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man"),
        *("classic", "choir", "voice", "new age", "dance", "male voice", "female vocal"),
        *("beats", "harp", "cello", "no voice", "weird", "country", "metal", "female voice"),
        "choral",
    ),
    "msd": (
        *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance"),
        *("00s", "alternative rock", "jazz", "beautiful", "metal", "chillout"),
        *("male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica"),
        *("80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues"),
        *("hard rock", "ambient", "acoustic", "experimental", "female vocalist", "guitar"),
        *("Hip-Hop", "70s", "party", "country", "easy listening", "sexy", "catchy", "funk"),
        *("electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad"),
        *("House", "happy"),
    ),
}
"""Tags of the last layer in order, by corpus."""

_EPSILON = 1e-3
"""Added to variances by the batch normalisation that the networks were trained with."""
_INPUT_NORM = "batch_normalization"
_MUSIC = (1.9, 1.65)
"""Mean and variance of compressed mel bands of music: rounded means of the four releases; the
untrained networks normalise their input with them."""
_TALL, _LONG, _N_MIDDLE, _N_DENSE, _N_VGG = (38, 67), (128, 64, 32), 64, 200, 128
_N_FRONT = 2 * 204 + 3 * 51
_MEL = Layer("mel", INPUT, TIMES * FRONT_END.n_mels, FRONT_END.n_mels, TIMES)
_VGG_POOLS = (((4, 1), 2), ((2, 2), 2), ((2, 2), 2), ((2, 2), 2), ((4, 4), 4))
_VGG_CELLS = ((92, 48), (46, 24), (23, 12), (11, 6), (2, 1))


def _musicnn_layers() -> tuple[Layer, ...]:
    timed = (("timbral", 2 * 204), ("temporal", 3 * 51), *((f"cnn{i}", 64) for i in (1, 2, 3)))
    pooled = _N_FRONT + 3 * _N_MIDDLE
    return (
        _MEL,
        *(Layer(name, "conv", n * TIMES, n, TIMES) for name, n in timed),
        Layer("mean_pool", "pool", pooled),
        Layer("max_pool", "pool", pooled),
        Layer("penultimate", "fc", _N_DENSE),
        Layer("tags", "tags", 50),
    )


def _vgg_layers() -> tuple[Layer, ...]:
    pools = (
        Layer(f"pool{number}", "pool", _N_VGG * times * bands, _N_VGG, times)
        for number, (times, bands) in enumerate(_VGG_CELLS, start=1)
    )
    return (_MEL, *pools, Layer("tags", "tags", 50))


def _norm_shapes(sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    names = [_INPUT_NORM, *(f"{_INPUT_NORM}_{number}" for number in range(1, len(sizes)))]
    return {f"{name}/{part}": (n,) for name, n in zip(names, sizes, strict=True) for part in parts}


def _musicnn_shapes() -> dict[str, tuple[int, ...]]:
    kernels = [
        *((7, bands, 1, 204) for bands in _TALL),
        *((taps, 1, 1, 51) for taps in _LONG),
        (7, _N_FRONT, 1, _N_MIDDLE),
        *((7, _N_MIDDLE, 1, _N_MIDDLE) for _ in range(2)),
    ]
    names = ["conv2d", *(f"conv2d_{number}" for number in range(1, len(kernels)))]
    pooled = 2 * (_N_FRONT + 3 * _N_MIDDLE)
    shapes: dict[str, tuple[int, ...]] = {
        "dense/kernel": (pooled, _N_DENSE),
        "dense_1/kernel": (_N_DENSE, 50),
        **{f"{name}/kernel": kernel for name, kernel in zip(names, kernels, strict=True)},
    }
    shapes |= {key.replace("kernel", "bias"): (shapes[key][-1],) for key in tuple(shapes)}
    norms = [1, *(kernel[-1] for kernel in kernels), pooled, _N_DENSE]
    return shapes | _norm_shapes(norms)


def _vgg_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"dense/kernel": (2 * _N_VGG, 50), "dense/bias": (50,)}
    for number in range(1, 6):
        n_in = 1 if number == 1 else _N_VGG
        shapes[f"{number}CNN/kernel"] = (3, 3, n_in, _N_VGG)
        shapes[f"{number}CNN/bias"] = (_N_VGG,)
    return shapes | _norm_shapes([1, *[_N_VGG] * 5])


class Tagger(TappedNetwork):
    """One of the four networks.

    Parameters
    ----------
    name
        Key of the registry, ``ARCHITECTURE-CORPUS``.
    state
        Parameters by their names in the release.
    weights
        Where they come from.
    hop_s
        Time between frames in seconds, a multiple of 0.01.
    """

    def __init__(self, name: str, state: State, weights: dict[str, object], hop_s: float) -> None:
        architecture, _, corpus = name.partition("-")
        self.classes = TAGS[corpus]
        self._forward = _FORWARD[architecture]
        self.layers = _LAYERS[architecture]
        self.name = f"{architecture}{corpus}"
        self._state = dict(state)
        n_samples = FRONT_END.n_samples(TIMES)
        super().__init__(FRONT_END.sampling_hz, n_samples, hop_s, weights, 48 << 20)

    @classmethod
    def random(cls, name: str, seed: int, hop_s: float) -> Tagger:
        """Untrained network: He-normal weights from a seed; input normalised as music is."""
        state = {}
        for index, (key, shape) in enumerate(_SHAPES[name.partition("-")[0]].items()):
            if key.endswith("kernel"):
                drawn = he_normal((shape[-1], *shape[:-1]), seed, index)
                state[key] = drawn.movedim(0, -1).contiguous()
            else:
                one = key.endswith(("gamma", "moving_variance"))
                state[key] = torch.full(shape, 1.0 if one else 0.0)
        for part, value in zip(("moving_mean", "moving_variance"), _MUSIC, strict=True):
            state[f"{_INPUT_NORM}/{part}"] = torch.tensor([value])
        return cls(name, state, random_facts(seed), hop_s)

    @classmethod
    def from_file(cls, name: str, path: Path, hop_s: float, permuted: int | None = None) -> Tagger:
        """Trained network from the file that ``musicotopy-tools fetch musicnn`` makes.

        Parameters
        ----------
        name
            Key of the registry.
        path
            safetensors file.
        hop_s
            Time between frames in seconds.
        permuted
            Seed with which the values of each kernel are permuted; None leaves them.

        Raises
        ------
        InputInvalidError
            A parameter is missing or has another shape; or as `read_parameters`.
        """
        state, facts = read_parameters(path, permuted)
        for key, shape in _SHAPES[name.partition("-")[0]].items():
            given = tuple(state[key].shape) if key in state else "nothing"
            if given != shape:
                msg = (
                    f"{path}: parameter {key} should have shape {shape}, found {given}; make the "
                    f"file of {name} with `musicotopy-tools fetch musicnn`"
                )
                raise InputInvalidError(msg)
        return cls(name, state, facts, hop_s)

    def activations(self, frames: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer of some windows."""
        self._state = {key: value.to(frames.device) for key, value in self._state.items()}
        return self._forward(self._state, FRONT_END(frames))


def _musicnn(state: State, mel: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the layers of musicnn from (n, n_times, n_mels)."""
    yield mel.transpose(1, 2)
    x = _norm(state, 0, mel[:, None])
    tall = [
        _convolved(state, number, pad(x, (0, 0, 3, 3))).amax(dim=3) for number in range(len(_TALL))
    ]
    yield torch.cat(tall, dim=1)
    long = []
    for number, taps in enumerate(_LONG, start=len(_TALL)):
        before = (taps - 1) // 2
        padded = pad(x, (0, 0, before, taps - 1 - before))
        long.append(_convolved(state, number, padded).amax(dim=3))
    yield torch.cat(long, dim=1)
    parts = [torch.cat([*tall, *long], dim=1)]
    for number in (5, 6, 7):
        y = _convolved_channels(state, number, parts[-1])
        parts.append(y if number == 5 else y + parts[-1])
        yield parts[-1]
    together = torch.cat(parts, dim=1)
    mean, largest = together.mean(dim=2), together.amax(dim=2)
    yield mean
    yield largest
    pooled = _norm(state, 9, torch.stack([largest, mean], dim=2).flatten(1))
    dense = _norm(state, 10, relu(_dense(state, "dense", pooled)))
    yield dense
    yield torch.sigmoid(_dense(state, "dense_1", dense))


def _vgg(state: State, mel: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the layers of the VGG from (n, n_times, n_mels)."""
    yield mel.transpose(1, 2)
    x = _norm(state, 0, mel[:, None])
    for number, (window, stride) in enumerate(_VGG_POOLS, start=1):
        weight = state[f"{number}CNN/kernel"].permute(3, 2, 0, 1)
        y = relu(conv2d(x, weight, state[f"{number}CNN/bias"], padding=1))
        x = max_pool2d(_norm(state, number, y), window, stride)
        yield x
    flat = x.permute(0, 2, 3, 1).flatten(1)
    yield torch.sigmoid(_dense(state, "dense", flat))


def _convolved(state: State, number: int, x: torch.Tensor) -> torch.Tensor:
    """Convolution over (n, 1, n_times, n_mels), ReLU, normalisation."""
    name = f"conv2d_{number}" if number else "conv2d"
    y = conv2d(x, state[f"{name}/kernel"].permute(3, 2, 0, 1), state[f"{name}/bias"])
    return _norm(state, number + 1, relu(y))


def _convolved_channels(state: State, number: int, x: torch.Tensor) -> torch.Tensor:
    """Convolution of seven taps over (n, n_channels, n_times), ReLU, normalisation."""
    weight = state[f"conv2d_{number}/kernel"][:, :, 0].permute(2, 1, 0)
    y = conv1d(x, weight, state[f"conv2d_{number}/bias"], padding=3)
    return _norm(state, number + 1, relu(y))


def _dense(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return linear(x, state[f"{name}/kernel"].T, state[f"{name}/bias"])


def _norm(state: State, number: int, x: torch.Tensor) -> torch.Tensor:
    name = f"{_INPUT_NORM}_{number}" if number else _INPUT_NORM
    mean, variance, gamma, beta = (
        state[f"{name}/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta")
    )
    return batch_norm(x, mean, variance, gamma, beta, eps=_EPSILON)


_Forward = Callable[[State, torch.Tensor], Iterator[torch.Tensor]]
_FORWARD: Mapping[str, _Forward] = {"musicnn": _musicnn, "vgg": _vgg}
_LAYERS = {"musicnn": _musicnn_layers(), "vgg": _vgg_layers()}
_SHAPES = {"musicnn": _musicnn_shapes(), "vgg": _vgg_shapes()}
