"""Matrices of which rows are taken: arrays, memory maps, several of them as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]


class RowSource(Protocol):
    """A matrix of which rows are taken: an array, a memory map, `Rows`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n_volumes, n_voxels)."""

    def __getitem__(self, rows: IntArray, /) -> Any:
        """Rows as an array (n, n_voxels)."""


class Rows:
    """Arrays of several runs (or participants), read as one matrix without being joined.

    Parameters
    ----------
    parts
        Arrays or memory maps (n_i, n_voxels) of one dtype.

    Raises
    ------
    InputInvalidError
        If the parts differ in voxels or dtype.
    """

    def __init__(self, parts: Sequence[FloatArray]) -> None:
        kinds = {(part.shape[1], part.dtype) for part in parts}
        if len(kinds) != 1:
            msg = (
                f"parts of volumes differ in voxels or dtype ({sorted(map(str, kinds))}); "
                "bring all runs to one mask first"
            )
            raise InputInvalidError(msg)
        self.parts = tuple(parts)
        self.starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = (int(self.starts[-1]), int(parts[0].shape[1]))
        self.dtype = parts[0].dtype

    def __getitem__(self, rows: IntArray) -> FloatArray:
        """Rows as an array (n, n_voxels)."""
        rows = np.asarray(rows)
        part = np.searchsorted(self.starts, rows, side="right") - 1
        out = np.empty((rows.size, self.shape[1]), self.dtype)
        for k in np.unique(part):
            here = part == k
            out[here] = self.parts[k][rows[here] - self.starts[k]]
        return out
