"""Scores of all participants, on disk, so that memory does not grow with their number.

Values are put participant by participant and read as slabs of units with all participants in a
row, which is what a test over participants needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.atomic import output_errors

_ITEM = np.dtype("<f4")


class ScoreStack:
    """An array (n_layers, n_participants, n_units) of float32 in a file.

    Plain reads and writes, no memory map: pages of a map count as memory of the process.

    Parameters
    ----------
    path
        The file; it is removed when the context ends.
    shape
        (n_layers, n_participants, n_units).
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self.path, self.shape = path, shape

    @classmethod
    @contextmanager
    def temporary(cls, folder: Path, shape: tuple[int, int, int]) -> Iterator[Self]:
        """Open a stack in a folder of its own below `folder`, which goes with it."""
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as own, cls(Path(own) / "scores", shape) as stack:
            yield stack

    def __enter__(self) -> Self:
        with output_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb+")
            self._file.truncate(int(np.prod(self.shape)) * _ITEM.itemsize)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def put(self, participant: int, values: NDArray[np.floating[Any]]) -> None:
        """Store the values (n_layers, n_units) of a participant."""
        with output_errors(self.path):
            for layer, row in enumerate(values):
                self._file.seek(self._offset(layer, participant, 0))
                self._file.write(np.ascontiguousarray(row, _ITEM).tobytes())

    def slab(self, layer: int, units: slice) -> NDArray[np.float32]:
        """Return the values (n_participants, n_units in `units`) of one layer."""
        size = units.stop - units.start
        rows = [self._read(layer, who, units.start, size) for who in range(self.shape[1])]
        return np.stack(rows)

    def slabs(self, units_at_once: int) -> Iterator[tuple[int, slice]]:
        """Yield (layer, units) that together cover everything."""
        for layer in range(self.shape[0]):
            for start in range(0, self.shape[2], units_at_once):
                yield layer, slice(start, min(start + units_at_once, self.shape[2]))

    def _read(self, layer: int, participant: int, start: int, size: int) -> NDArray[np.float32]:
        self._file.seek(self._offset(layer, participant, start))
        return np.frombuffer(self._file.read(size * _ITEM.itemsize), _ITEM)

    def _offset(self, layer: int, participant: int, start: int) -> int:
        return _ITEM.itemsize * ((layer * self.shape[1] + participant) * self.shape[2] + start)
