"""Volumes kept as masked rows, put back into their grid only when a network asks.

A masked float16 row takes a fifth of the grid in float32, is read from a memory map without
decompression, and is what travels to the accelerator; the scatter happens there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

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


@dataclass(frozen=True, eq=False)
class Volumes:
    """Volumes of one grid and mask.

    Attributes
    ----------
    data : array or `Rows` of shape (n_volumes, n_voxels)
        Values inside the mask, float16 or float32; zero means "as on average in this run".
    mask_index : integer array of shape (n_voxels,)
        Flat index (C order) of each voxel in `shape`.
    shape
        The grid.
    frames : integer array of shape (n_volumes, n_channels), optional
        Rows that are the channels of each volume; see `frame_stacks`. By default the volume
        itself is the only channel.
    """

    data: RowSource
    mask_index: IntArray
    shape: tuple[int, int, int]
    frames: IntArray | None = None

    def __post_init__(self) -> None:
        """Check that mask and data fit.

        Raises
        ------
        InputInvalidError
            If they do not.
        """
        if self.data.shape[1] != len(self.mask_index):
            msg = (
                f"volumes have {self.data.shape[1]} voxels but their mask has "
                f"{len(self.mask_index)}; rebuild the volume cache"
            )
            raise InputInvalidError(msg)

    @property
    def n_volumes(self) -> int:
        """Number of volumes."""
        return int(self.data.shape[0])

    @property
    def n_channels(self) -> int:
        """Frames stacked as channels."""
        return 1 if self.frames is None else int(self.frames.shape[1])

    def values(self, rows: IntArray) -> torch.Tensor:
        """Masked values.

        Parameters
        ----------
        rows : integer array of shape (n,)

        Returns
        -------
        tensor of shape (n, n_channels, n_voxels)
            In the dtype of `data`.
        """
        rows = np.asarray(rows)
        wanted = rows if self.frames is None else self.frames[rows].ravel()
        taken = torch.from_numpy(np.ascontiguousarray(self.data[wanted]))
        return taken.view(len(rows), self.n_channels, -1)

    def index(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """Return `mask_index` as a tensor on `device`."""
        return torch.as_tensor(np.asarray(self.mask_index, np.int64), device=device)


def scatter(
    values: torch.Tensor, index: torch.Tensor, shape: tuple[int, int, int]
) -> torch.Tensor:
    """Put masked values into their grid; zero outside the mask.

    Parameters
    ----------
    values : tensor of shape (n, n_channels, n_voxels)
        Any float type; float32 comes out.
    index : tensor of shape (n_voxels,)
    shape
        The grid.

    Returns
    -------
    tensor of shape (n, n_channels, *shape)
    """
    n, channels = values.shape[:2]
    grid = torch.zeros(n, channels, int(np.prod(shape)), device=values.device)
    return grid.index_copy_(2, index, values.float()).view(n, channels, *shape)


def gather(grid: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Take masked values out of a grid: (n, ..., *shape) to (n, ..., n_voxels)."""
    return grid.flatten(-3)[..., index]


def frame_stacks(series: IntArray, n_frames: int) -> IntArray:
    """Rows of the last `n_frames` volumes up to each volume, inside its series.

    Parameters
    ----------
    series : integer array of shape (n_volumes,)
        Run (of a participant) of each volume; rows of a series are adjacent and in order.
    n_frames
        Channels.

    Returns
    -------
    integer array of shape (n_volumes, n_frames)
        Oldest first; at the start of a series its first volume is repeated.
    """
    series = np.asarray(series)
    first = np.flatnonzero(np.r_[True, series[1:] != series[:-1]])
    start = np.repeat(first, np.diff(np.r_[first, series.size]))
    back = np.arange(n_frames)[::-1]
    rows: IntArray = np.maximum(np.arange(series.size)[:, None] - back, start[:, None])
    return rows
