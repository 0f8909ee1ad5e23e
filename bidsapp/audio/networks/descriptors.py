"""Networks without parameters whose frames hold all layers side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.networks.base import Network


class DescriptorNetwork(Network):
    """Frames are (n_frames, features of all layers in order); a block is one layer."""

    def n_blocks(self, n_frames: int, memory_bytes: int) -> int:
        """Count the blocks: one for each layer."""
        return len(self.layers)

    def blocks(
        self,
        frames: npt.NDArray[np.float32],
        *,
        memory_bytes: int,
        device: str = "cpu",
        scratch_dir: Path | None = None,
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield the layers."""
        start = 0
        for position, layer in enumerate(self.layers):
            columns = frames[:, start : start + layer.n_features]
            yield position, torch.from_numpy(np.ascontiguousarray(columns)).to(device)
            start += layer.n_features
