"""Networks that read waveforms and compute one layer from the one before."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.networks.scratch import Scratch
from bidsapp.audio.networks.windows import WindowNetwork, channels_per_block

Floats = npt.NDArray[np.float32]

_LARGEST_BATCH = 16
_COPIES = 8
"""Activations of the largest layer held while a batch passes through it."""


class LayeredNetwork(WindowNetwork):
    """A chain of layers over windows of a waveform; see `WindowNetwork` for the parameters."""

    module: torch.nn.Module

    @abstractmethod
    def step(
        self, index: int, previous: torch.Tensor | None, frames: torch.Tensor
    ) -> torch.Tensor:
        """Compute one layer of some frames.

        Parameters
        ----------
        index
            Position in `layers`.
        previous
            The layer before, (n, n_channels, n_times) or (n, n_channels); None for the first.
        frames
            (n, n_samples).

        Returns
        -------
        torch.Tensor
            (n, n_channels, n_times), or (n, n_channels) where there is no time axis.
        """

    def blocks(
        self,
        frames: Floats,
        *,
        memory_bytes: int,
        device: str = "cpu",
        scratch_dir: Path | None = None,
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield all activations; at any time two consecutive layers are held."""
        self.module.to(device)
        batches = self._batches(len(frames), memory_bytes)
        before: Scratch | None = None
        for index, layer in enumerate(self.layers):
            shape = (len(frames), layer.n_channels, layer.n_times)
            held = Scratch(shape, limit_bytes=memory_bytes // 3, device=device, folder=scratch_dir)
            for rows in batches:
                previous = None if before is None else before.tensor[rows].to(device)
                values = self._compute(index, previous, _tensor(frames[rows], device))
                held.tensor[rows] = values.reshape(-1, *shape[1:]).to(held.tensor.device)
                held.release()
            step = channels_per_block(layer, len(frames), memory_bytes)
            for start in range(0, layer.n_channels, step):
                part = held.tensor[:, start : start + step].to(device)
                yield index, part.transpose(1, 2).flatten(1)
                held.release()
            before = held

    def channels(
        self,
        frames: Floats,
        *,
        memory_bytes: int,
        device: str = "cpu",
        scratch_dir: Path | None = None,
    ) -> Iterator[tuple[int, Floats]]:
        """Average over time within the pass through the layers; no layer is held."""
        self.module.to(device)
        averages = [np.empty((len(frames), layer.n_channels), np.float32) for layer in self.layers]
        for rows in self._batches(len(frames), memory_bytes):
            activations = self.activations(_tensor(frames[rows], device))
            for index, (layer, values) in enumerate(zip(self.layers, activations, strict=True)):
                steps = values.reshape(len(values), layer.n_channels, layer.n_times)
                central = steps[..., self.central_times(layer)].mean(dim=2)
                averages[index][rows] = central.cpu().numpy()
        yield from enumerate(averages)

    def activations(self, frames: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer of some frames, as `step` computes them one from the other."""
        values: torch.Tensor | None = None
        for index in range(len(self.layers)):
            values = self._compute(index, values, frames)
            yield values

    def _compute(
        self, index: int, previous: torch.Tensor | None, frames: torch.Tensor
    ) -> torch.Tensor:
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            if previous is not None and self.layers[index - 1].n_times == 1:
                previous = previous.flatten(1)
            return self.step(index, previous, frames)

    def _batches(self, n_frames: int, memory_bytes: int) -> list[slice]:
        largest = 4 * max(layer.n_features for layer in self.layers)
        size = min(_LARGEST_BATCH, max(1, memory_bytes // (_COPIES * largest)))
        return [slice(start, start + size) for start in range(0, n_frames, size)]


def _tensor(frames: Floats, device: str) -> torch.Tensor:
    return torch.tensor(frames, device=device)
