"""Volumes kept as masked rows, put back into their grid only when a network asks.

A masked float16 row takes a fifth of the grid in float32, is read from a memory map without
decompression, and is what travels to the accelerator; the scatter happens there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.models.rows import RowSource

if TYPE_CHECKING:  # imported where it is used: a plan, which counts volumes, does without
    import torch

IntArray = npt.NDArray[np.integer]


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
        import torch

        rows = np.asarray(rows)
        wanted = rows if self.frames is None else self.frames[rows].ravel()
        taken = torch.from_numpy(np.ascontiguousarray(self.data[wanted]))
        return taken.view(len(rows), self.n_channels, -1)

    def index(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """Return `mask_index` as a tensor on `device`."""
        import torch

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
    import torch

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
