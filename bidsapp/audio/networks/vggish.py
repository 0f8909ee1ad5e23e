"""VGGish: six convolutions and three dense layers over 0.975 s of log-mel spectrogram.

The 24 layers are those of the MATLAB toolbox's network, which is where the poster's 24 come from;
the parameters are those of the AudioSet release. Activations are kept channels last
(frame × time × mel × channel): that is the order in which the first dense layer expects them.

Source: Hershey et al. 2017, CNN architectures for large-scale audio classification, §3.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import conv2d, linear, max_pool2d

from bidsapp.audio import mel
from bidsapp.audio.io import RESAMPLER
from bidsapp.audio.networks.base import INPUT, Layer, Network
from bidsapp.audio.networks.scratch import Scratch
from bidsapp.audio.networks.weights import (
    he_normal,
    permute,
    random_facts,
    read_parameters,
    read_state,
)
from bidsapp.errors import InputInvalidError

Parameters = tuple[torch.Tensor, torch.Tensor]
"""Weight (outputs, inputs, …) and bias (outputs,) of one stage."""

LAYERS = (
    Layer("InputBatch", INPUT, 6_144, 64, 96),
    Layer("conv1", "conv", 393_216, 64, 96),
    Layer("relu", "relu", 393_216, 64, 96),
    Layer("pool1", "pool", 98_304, 64, 48),
    Layer("conv2", "conv", 196_608, 128, 48),
    Layer("relu2", "relu", 196_608, 128, 48),
    Layer("pool2", "pool", 49_152, 128, 24),
    Layer("conv3_1", "conv", 98_304, 256, 24),
    Layer("relu3_1", "relu", 98_304, 256, 24),
    Layer("conv3_2", "conv", 98_304, 256, 24),
    Layer("relu3_2", "relu", 98_304, 256, 24),
    Layer("pool3", "pool", 24_576, 256, 12),
    Layer("conv4_1", "conv", 49_152, 512, 12),
    Layer("relu4_1", "relu", 49_152, 512, 12),
    Layer("conv4_2", "conv", 49_152, 512, 12),
    Layer("relu4_2", "relu", 49_152, 512, 12),
    Layer("pool4", "pool", 12_288, 512, 6),
    Layer("fc1_1", "fc", 4_096),
    Layer("relu5_1", "relu", 4_096),
    Layer("fc1_2", "fc", 4_096),
    Layer("relu5_2", "relu", 4_096),
    Layer("fc2", "fc", 128),
    Layer("EmbeddingBatch", "relu", 128),
    Layer("output", "output", 128),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One layer with parameters, and what follows it before the next one.

    Attributes
    ----------
    layer
        Its position in `LAYERS`; ReLU stands at the next, pooling at the one after.
    key
        Its name in the files of parameters.
    shape
        Of its weight: (outputs, inputs, 3, 3) or (outputs, inputs).
    cells
        Time and mel positions of its output; (1, 1) for a dense layer.
    pooled
        Whether 2 × 2 maxima follow the ReLU.
    """

    layer: int
    key: str
    shape: tuple[int, ...]
    cells: tuple[int, int]
    pooled: bool

    @property
    def n_steps(self) -> int:
        """Layers it computes: itself, its ReLU, its pooling."""
        return 3 if self.pooled else 2

    def channels_per_block(self, n_frames: int, limit_bytes: int) -> int:
        """Largest power of two of output channels whose block stays within the limit."""
        channel_bytes = 4 * n_frames * self.cells[0] * self.cells[1]
        fitting = max(1, limit_bytes // max(1, channel_bytes))
        return int(min(self.shape[0], 1 << (fitting.bit_length() - 1)))


STAGES = (
    Stage(1, "features.0", (64, 1, 3, 3), (96, 64), pooled=True),
    Stage(4, "features.3", (128, 64, 3, 3), (48, 32), pooled=True),
    Stage(7, "features.6", (256, 128, 3, 3), (24, 16), pooled=False),
    Stage(9, "features.8", (256, 256, 3, 3), (24, 16), pooled=True),
    Stage(12, "features.11", (512, 256, 3, 3), (12, 8), pooled=False),
    Stage(14, "features.13", (512, 512, 3, 3), (12, 8), pooled=True),
    Stage(17, "embeddings.0", (4096, 12_288), (1, 1), pooled=False),
    Stage(19, "embeddings.2", (4096, 4096), (1, 1), pooled=False),
    Stage(21, "embeddings.4", (128, 4096), (1, 1), pooled=False),
)

_PREFIXES = {"features_network.": "features.", "embedding_network.": "embeddings."}
_NO_PCA = "none: the last layer repeats the one before"
_PCA_FILE = "vggish_pca_params-970ea276.pth"
_PCA_SHAPES = {"pca_eigen_vectors": (128, 128), "pca_means": (128,)}
_FRAMES_AT_ONCE = {"conv": 32, "fc": 512}
_LARGEST_BLOCK_BYTES = 1 << 28


class VGGish(Network):
    """VGGish with named layers, streamed.

    Parameters
    ----------
    parameters
        Gives weight and bias of a stage, each time it is asked.
    weights
        Where they come from.
    hop_s
        Time between frames, a multiple of 0.01 s.
    pca
        Eigenvectors (128, 128) and means (128,) of the release's post-processing, which then is
        the last layer (not clipped, not quantised); without it the last layer repeats
        the one before.

    Raises
    ------
    UsageError
        The hop is no multiple of 0.01 s.
    """

    name = "vggish"
    sampling_hz = mel.SAMPLING_HZ
    window_s = mel.EXAMPLE_S

    def __init__(
        self,
        parameters: Callable[[Stage], Parameters],
        weights: Mapping[str, object],
        hop_s: float,
        pca: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> None:
        self._hop = mel.hop_in_spectra(hop_s)
        self._parameters = parameters
        self._pca = pca
        self.hop_s = self._hop * mel.HOP / mel.SAMPLING_HZ
        self.weights = {"resampler": RESAMPLER, "pca": _NO_PCA, **weights}
        last = Layer("output", "identity" if pca is None else "pca", 128)
        self.layers = (*LAYERS[:-1], last)

    @classmethod
    def random(cls, seed: int, hop_s: float) -> VGGish:
        """Untrained network: He-normal weights from a seed, biases zero."""

        def draw(stage: Stage) -> Parameters:
            return he_normal(stage.shape, seed, stage.layer), torch.zeros(stage.shape[0])

        return cls(draw, random_facts(seed), hop_s)

    @classmethod
    def from_file(cls, path: Path, hop_s: float, permuted: int | None = None) -> VGGish:
        """Trained network from a file of parameters.

        Parameters
        ----------
        path
            State dict with the key names of the PyTorch ports of the release. When
            ``vggish_pca_params-970ea276.pth`` lies beside it, it makes the last layer.
        hop_s
            Time between frames in seconds.
        permuted
            Seed with which the values of each kernel are permuted; None leaves them. The
            post-processing stays.

        Raises
        ------
        InputInvalidError
            A parameter is missing or has another shape; or as `read_state`.
        """
        state, weights = read_parameters(path)
        state = {_canonical(key): value for key, value in state.items()}
        for stage in STAGES:
            _require(path, state, f"{stage.key}.weight", stage.shape)
            _require(path, state, f"{stage.key}.bias", stage.shape[:1])
        if permuted is not None:
            weights |= {"source": "permuted", "seed": permuted}
        pca, facts = _find_pca(path.parent / _PCA_FILE)

        def look_up(stage: Stage) -> Parameters:
            weight, bias = state[f"{stage.key}.weight"].float(), state[f"{stage.key}.bias"].float()
            # one kernel at a time: together they are 288 MB
            return weight if permuted is None else permute(weight, permuted, stage.layer), bias

        return cls(look_up, {**weights, **facts}, hop_s, pca)

    def frames(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Log-mel examples (n_frames, 96, 64) of a 16 kHz waveform."""
        return mel.examples(mel.log_mel(waveform), self._hop)

    def n_blocks(self, n_frames: int, memory_bytes: int) -> int:
        """Count the blocks: input, output, and channel blocks of every stage."""
        limit = _block_limit(memory_bytes)
        return 2 + sum(
            stage.n_steps * (stage.shape[0] // stage.channels_per_block(n_frames, limit))
            for stage in STAGES
        )

    def blocks(
        self,
        frames: npt.NDArray[np.float32],
        *,
        memory_bytes: int,
        device: str = "cpu",
        scratch_dir: Path | None = None,
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield all activations; at any time one stage's input and output are held."""
        x = Scratch(
            (len(frames), mel.EXAMPLE, mel.N_BANDS, 1),
            limit_bytes=memory_bytes // 3,
            device=device,
            folder=scratch_dir,
        )
        x.write(slice(None), torch.tensor(frames)[..., None])
        yield 0, x.tensor.flatten(1)
        for stage in STAGES:
            x = yield from self._stage(stage, x, memory_bytes, device, scratch_dir)
        embedding = x.tensor.flatten(1).to(device)
        yield len(LAYERS) - 1, self._output(embedding)

    def _stage(
        self, stage: Stage, x: Scratch, memory_bytes: int, device: str, folder: Path | None
    ) -> Generator[tuple[int, torch.Tensor], None, Scratch]:
        """Yield a stage's layers by channel blocks and return the next stage's input."""
        n_frames = len(x.tensor)
        height, width = stage.cells
        step = stage.channels_per_block(n_frames, _block_limit(memory_bytes))
        shrink = 2 if stage.pooled else 1
        kept = Scratch(
            (n_frames, height // shrink, width // shrink, stage.shape[0]),
            limit_bytes=memory_bytes // 3,
            device=device,
            folder=folder,
        )
        weight, bias = (part.to(device) for part in self._parameters(stage))
        block = torch.empty((n_frames, height, width, step), device=device)
        for start in range(0, stage.shape[0], step):
            channels = slice(start, start + step)
            _fill(block, x, weight[channels], bias[channels])
            yield stage.layer, block.flatten(1)
            result = block.relu_()
            yield stage.layer + 1, result.flatten(1)
            if stage.pooled:
                result = max_pool2d(block.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
                yield stage.layer + 2, result.flatten(1)
            kept.write(channels, result)
        return kept

    def _output(self, embedding: torch.Tensor) -> torch.Tensor:
        if self._pca is None:
            return embedding
        vectors, means = (part.to(embedding.device) for part in self._pca)
        return (embedding - means) @ vectors.T


def _block_limit(memory_bytes: int) -> int:
    return min(memory_bytes // 4, _LARGEST_BLOCK_BYTES)


def _fill(block: torch.Tensor, x: Scratch, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Compute some output channels of all frames, batch by batch, into `block`."""
    step = _FRAMES_AT_ONCE["conv" if weight.ndim == 4 else "fc"]
    for start in range(0, len(block), step):
        batch = slice(start, start + step)
        inputs = x.tensor[batch].to(block.device)
        if weight.ndim == 4:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                out = conv2d(inputs.permute(0, 3, 1, 2), weight, bias, padding=1)
            block[batch] = out.permute(0, 2, 3, 1)
        else:
            block[batch, 0, 0] = linear(inputs.flatten(1), weight, bias)
        x.release()


def _canonical(key: str) -> str:
    for theirs, ours in _PREFIXES.items():
        key = key.replace(theirs, ours)
    return key


def _require(
    path: Path, state: Mapping[str, torch.Tensor], key: str, shape: tuple[int, ...]
) -> None:
    found = tuple(state[key].shape) if key in state else "nothing"
    if found != shape:
        msg = (
            f"{path}: parameter {key} should have shape {shape}, found {found}; "
            f"give a VGGish state dict"
        )
        raise InputInvalidError(msg)


def _find_pca(
    path: Path,
) -> tuple[tuple[torch.Tensor, torch.Tensor] | None, dict[str, object]]:
    if not path.is_file():
        return None, {}
    state, sha256 = read_state(path)
    state = {key: value.squeeze() for key, value in state.items()}
    for key, shape in _PCA_SHAPES.items():
        _require(path, state, key, shape)
    vectors, means = (state[key].float() for key in _PCA_SHAPES)
    return (vectors, means), {"pca": path.name, "pca_sha256": sha256}
