"""Networks whose layers are taps of one forward pass over windows of a waveform.

A pass gives several layers at once, whatever leads from one to the next: branches, residual
connections, graphs of other people. Layers are held in groups on disk, so that memory stays
within its bound; each group costs one pass.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.networks.scratch import Scratch
from bidsapp.audio.networks.windows import WindowNetwork, cells, channels_per_block

Floats = npt.NDArray[np.float32]

_LARGEST_BATCH = 16
_LARGEST_BATCH_BYTES = 96 << 20
"""Larger temporaries cost the system more (fresh pages for each) than batches gain."""
_LARGEST_GROUP_BYTES = 1 << 34


class TappedNetwork(WindowNetwork):
    """Taps of a network over windows of a waveform.

    Parameters
    ----------
    sampling_hz
        Rate of the waveform.
    window
        Samples one frame sees.
    hop_s
        Time between frames in seconds, a multiple of 0.01.
    weights
        Where the parameters come from.
    working_bytes
        Memory that one frame takes while it passes through the network.

    Raises
    ------
    UsageError
        The hop is no multiple of 0.01 s, or no whole number of samples.
    """

    def __init__(
        self,
        sampling_hz: int,
        window: int,
        hop_s: float,
        weights: dict[str, object],
        working_bytes: int,
    ) -> None:
        super().__init__(sampling_hz, window, hop_s, weights)
        self._working_bytes = working_bytes

    @abstractmethod
    def activations(self, frames: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield every layer of some frames.

        Parameters
        ----------
        frames
            (n, n_samples) float32.

        Yields
        ------
        torch.Tensor
            (n, n_channels, n_times, …), or (n, n_channels) where there is no time axis; float32.
        """

    def taps(self, frames: torch.Tensor, wanted: Sequence[int]) -> Iterator[torch.Tensor]:
        """Yield some layers of some frames; the pass ends with the last of them.

        Parameters
        ----------
        frames
            (n, n_samples).
        wanted
            Positions in `layers`, increasing.

        Yields
        ------
        torch.Tensor
            As `activations`.
        """
        left = list(wanted)
        for index, values in enumerate(self.activations(frames)):
            if left and index == left[0]:
                yield values
                left.pop(0)
            if not left:
                return

    def blocks(
        self,
        frames: Floats,
        *,
        memory_bytes: int,
        device: str = "cpu",
        scratch_dir: Path | None = None,
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield all activations; at any time the layers of one group are held, on disk."""
        n = len(frames)
        for group in self._groups(n, scratch_dir):
            held = {}
            free = memory_bytes // 3
            for index in group:
                shape = (n, *cells(self.layers[index]))
                held[index] = Scratch(shape, limit_bytes=free, device=device, folder=scratch_dir)
                free -= min(free, 4 * math.prod(shape) * (not held[index].on_disk))
            for rows, values in self._passes(frames, group, memory_bytes, device):
                for index, layer_values in zip(group, values, strict=True):
                    target = held[index].tensor
                    part = layer_values.reshape(-1, *target.shape[1:])
                    target[rows] = part.to(target.device)
                    held[index].release()
            for index in group:
                yield from self._columns(index, held.pop(index), memory_bytes, device)

    def channels(
        self,
        frames: Floats,
        *,
        memory_bytes: int,
        device: str = "cpu",
        scratch_dir: Path | None = None,
    ) -> Iterator[tuple[int, Floats]]:
        """Average over time within one pass; no layer is held."""
        averages = [np.empty((len(frames), layer.n_channels), np.float32) for layer in self.layers]
        every = range(len(self.layers))
        for rows, values in self._passes(frames, every, memory_bytes, device):
            for layer, layer_values, average in zip(self.layers, values, averages, strict=True):
                steps = layer_values.reshape(len(layer_values), *cells(layer))
                central = steps[:, :, self.central_times(layer)].mean(dim=(2, 3))
                average[rows] = central.cpu().numpy()
        yield from enumerate(averages)

    def _columns(
        self, index: int, held: Scratch, memory_bytes: int, device: str
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield one layer as blocks (n_frames, n_times · … · channels)."""
        layer = self.layers[index]
        step = channels_per_block(layer, len(held.tensor), memory_bytes)
        for start in range(0, layer.n_channels, step):
            part = held.tensor[:, start : start + step].to(device)
            yield index, part.permute(0, 2, 3, 1).flatten(1)
            held.release()

    def _passes(
        self, frames: Floats, wanted: Sequence[int], memory_bytes: int, device: str
    ) -> Iterator[tuple[slice, Iterator[torch.Tensor]]]:
        """Run the network batch by batch."""
        limit = min(memory_bytes // 3, _LARGEST_BATCH_BYTES)
        size = min(_LARGEST_BATCH, max(1, limit // self._working_bytes))
        for start in range(0, len(frames), size):
            rows = slice(start, start + size)
            with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                yield rows, self.taps(torch.tensor(frames[rows], device=device), wanted)

    def _groups(self, n_frames: int, folder: Path | None) -> list[list[int]]:
        """Part the layers into runs that a quarter of the free disk, at most 16 GiB, can hold."""
        free = shutil.disk_usage(folder or tempfile.gettempdir()).free
        limit = min(_LARGEST_GROUP_BYTES, free // 4)
        groups: list[list[int]] = []
        used = 0
        for index, layer in enumerate(self.layers):
            size = 4 * n_frames * layer.n_features
            if not groups or used + size > limit:
                groups.append([])
                used = 0
            groups[-1].append(index)
            used += size
        return groups
