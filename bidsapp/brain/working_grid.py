"""The working grid: voxels of a wanted size along the axes of the data, by exact averaging.

A working voxel is the average of the brain voxels it overlaps, weighted by the shared volume; so
every signal is smoothed before it is thinned out, for any ratio of sizes. The grid is never finer
than the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, kron

from bidsapp.brain.geometry import UnitSpace, VolumeGrid, volume_units
from bidsapp.errors import InputInvalidError

_HALF = 0.5
_SAME = 0.01
_LEAST_SIDE = 8


@dataclass(frozen=True, eq=False)
class WorkingGrid:
    """Voxels of the decoders and how they follow from those of the data.

    Attributes
    ----------
    units
        The working voxels.
    average : sparse array of shape (n_working, n_source)
        Rows sum to 1; None if both grids are the same.
    """

    units: UnitSpace
    average: csr_array[Any, tuple[int, int]] | None

    def apply(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Average volumes (n_volumes, n_source) to (n_volumes, n_working)."""
        if self.average is None:
            return np.asarray(values, np.float32)
        return np.asarray((self.average @ values.T).T, np.float32)


def working_grid(source: UnitSpace, voxel_mm: float) -> WorkingGrid:
    """Make the working grid of a brain mask.

    Parameters
    ----------
    source
        Voxels of the data.
    voxel_mm
        Wanted size in mm; 0, or smaller than that of the data: as the data.

    Returns
    -------
    WorkingGrid
        Working voxels at least half of which are brain.

    Raises
    ------
    InputInvalidError
        No working voxel is half brain.
    """
    geometry = source.geometry
    assert isinstance(geometry, VolumeGrid)
    ratio = np.maximum(voxel_mm / geometry.voxel_sizes_mm, 1.0)
    ratio[ratio < 1 + _SAME] = 1.0
    if np.all(ratio == 1.0):
        return WorkingGrid(source, None)
    axes, starts = zip(*map(_overlap, geometry.mask.shape, ratio), strict=True)
    whole = csr_array(kron(kron(axes[0], axes[1]), axes[2], format="csr"))
    inside = whole[:, np.flatnonzero(geometry.mask)]
    share = inside.sum(axis=1) / float(np.prod(ratio))
    shape = tuple(axis.shape[0] for axis in axes)
    mask = (share >= _HALF - 1e-9).reshape(shape)
    if not mask.any():
        msg = (
            f"the brain mask in space {source.space} fills no voxel of {voxel_mm:g} mm by half; "
            "set voxel_mm to a smaller size or 0"
        )
        raise InputInvalidError(msg)
    step = np.diag([*ratio, 1.0])
    step[:3, 3] = starts
    units = volume_units(
        mask,
        geometry.affine @ step,
        space=source.space,
        resolution=f"{voxel_mm:g}mm".replace(".", "p"),
        problems=source.problems,
    )
    kept = inside[np.flatnonzero(mask)]
    average = csr_array(diags_array(1 / kept.sum(axis=1)) @ kept).astype(np.float32)
    return WorkingGrid(units, average)


def _overlap(size: int, ratio: float) -> tuple[csr_array[Any, tuple[int, int]], float]:
    """Shared length of working and source voxels of one axis, and the first working centre."""
    n = int(np.ceil(size / ratio - 1e-9))
    first = -0.5 - (n * ratio - size) / 2
    low = first + ratio * np.arange(n)[:, None]
    edges = np.arange(size) - 0.5
    shared = np.minimum(low + ratio, edges + 1) - np.maximum(low, edges)
    return csr_array(np.maximum(shared, 0.0)), float(first + ratio / 2)


def network_shape(units: UnitSpace) -> tuple[tuple[int, int, int], NDArray[np.int64]]:
    """Return a grid that networks can halve, and the flat index of each unit in it.

    Parameters
    ----------
    units
        Working voxels.

    Returns
    -------
    shape
        Of the working grid, at least 8 voxels a side: empty ones are added behind.
    index : integer array of shape (n_units,)
        In C order.
    """
    assert isinstance(units.geometry, VolumeGrid)
    mask = units.geometry.mask
    x, y, z = (max(side, _LEAST_SIDE) for side in mask.shape)
    return (x, y, z), np.ravel_multi_index(np.nonzero(mask), (x, y, z)).astype(np.int64)
