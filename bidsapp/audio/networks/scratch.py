"""Arrays that move to disk when they would not fit."""

from __future__ import annotations

import math
import mmap
import tempfile
from pathlib import Path

import numpy as np
import torch

_ROWS_AT_ONCE = 32


class Scratch:
    """An uninitialised float32 tensor, in memory or in an unnamed temporary file.

    Parameters
    ----------
    shape
        Of the tensor.
    limit_bytes
        A larger tensor goes to disk.
    device
        Of a tensor that stays in memory.
    folder
        Where the file is made (and removed at once: only this process sees it).

    Attributes
    ----------
    tensor
        To read from; call `release` after each part.
    """

    def __init__(
        self, shape: tuple[int, ...], *, limit_bytes: int, device: str, folder: Path | None
    ) -> None:
        self._map: mmap.mmap | None = None
        n_bytes = 4 * math.prod(shape)
        if n_bytes <= limit_bytes:
            self.tensor = torch.empty(shape, device=device)
            return
        with tempfile.TemporaryFile(dir=folder) as file:
            file.truncate(n_bytes)
            self._map = mmap.mmap(file.fileno(), n_bytes)
        self.tensor = torch.from_numpy(np.frombuffer(self._map, np.float32).reshape(shape))

    @property
    def on_disk(self) -> bool:
        """Whether the tensor lies in a file."""
        return self._map is not None

    def write(self, channels: slice, values: torch.Tensor) -> None:
        """Set a slice of the last dimension to `values` (n, …, n_channels)."""
        step = len(self.tensor) if self._map is None else _ROWS_AT_ONCE
        for start in range(0, len(self.tensor), max(1, step)):
            rows = slice(start, start + step)
            self.tensor[rows, ..., channels] = values[rows].to(self.tensor.device)
            self.release()

    def release(self) -> None:
        """Give the pages of a file back; what was written stays and is read again on demand."""
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
