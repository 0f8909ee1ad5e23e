"""Read score and label maps back, whatever they were drawn on.

*Unit* means voxel or vertex. All maps of one space are read on the same `Grid`, so that the
n-th column means the same place everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError

Array = NDArray[Any]
_HEMISPHERES = {"CIFTI_STRUCTURE_CORTEX_LEFT": "L", "CIFTI_STRUCTURE_CORTEX_RIGHT": "R"}


@dataclass(frozen=True)
class Grid:
    """Where the units of a map lie.

    Attributes
    ----------
    n_units
        Number of columns of a map.
    vertices
        For each hemisphere (``L``, ``R``): (columns, vertex numbers, vertices in the mesh).
    columns, voxels
        Columns that are voxels, and their (n, 3) indices.
    shape, affine
        Of the volume, when there are voxels; mm.
    """

    n_units: int
    vertices: Mapping[str, tuple[Array, Array, int]] = field(default_factory=dict)
    columns: Array | None = None
    voxels: Array | None = None
    shape: tuple[int, int, int] | None = None
    affine: Array | None = None

    @property
    def is_surface(self) -> bool:
        """Whether there are vertices to draw on a mesh."""
        return bool(self.vertices)

    def hemispheres(self, values: Array) -> dict[str, Array]:
        """Spread (n_units,) values over the vertices of each mesh; NaN where there are none."""
        spread = {}
        for hemisphere, (columns, vertices, size) in self.vertices.items():
            mesh = np.full(size, np.nan)
            mesh[vertices] = values[columns]
            spread[hemisphere] = mesh
        return spread

    def volume(self, values: Array) -> Array | None:
        """Spread (n_units,) values over the voxels; NaN outside; None without voxels."""
        if self.columns is None or self.voxels is None or self.shape is None:
            return None
        box = np.full(self.shape, np.nan)
        box[tuple(self.voxels.T)] = values[self.columns]
        return box


@dataclass(frozen=True)
class Maps:
    """Named maps on a grid: `values` is (n_maps, n_units)."""

    values: Array
    names: tuple[str, ...]
    grid: Grid


def load_maps(paths: Sequence[Path], names: Sequence[str] = (), grid: Grid | None = None) -> Maps:
    """Read NIfTI, GIFTI (left and right) or CIFTI maps.

    Parameters
    ----------
    paths
        One file, or the left and the right hemisphere.
    names
        Names of the maps; those inside the file, or numbers, otherwise.
    grid
        Read a volume at these voxels; found from the file otherwise.

    Raises
    ------
    InputInvalidError
        When a file cannot be read or does not fit the grid.
    """
    try:
        image: Any = nib.load(paths[0])
        if isinstance(image, nib.GiftiImage):
            values, found = _surfaces(paths)
        elif isinstance(image, nib.Cifti2Image):
            values, found = _cifti(image)
        else:
            values, found = _volume(image, grid)
    except (ImageFileError, OSError, ValueError, EOFError) as error:
        msg = f"{paths[0]}: cannot be read ({error}); run the participant again with --overwrite"
        raise InputInvalidError(msg) from error
    if grid is not None and found.n_units != grid.n_units:
        msg = (
            f"{paths[0]}: has {found.n_units} units where the other maps have {grid.n_units}; "
            "run the participant again with --overwrite"
        )
        raise InputInvalidError(msg)
    labels = tuple(names) if len(names) == len(values) else tuple(map(str, range(len(values))))
    return Maps(values, labels, grid or found)


def _surfaces(paths: Sequence[Path]) -> tuple[Array, Grid]:
    blocks, vertices, start = [], {}, 0
    for path in paths:
        image: Any = nib.load(path)
        block = np.stack([np.asarray(array.data, dtype=np.float32) for array in image.darrays])
        size = block.shape[1]
        hemisphere = "R" if "hemi-R_" in path.name else "L"
        vertices[hemisphere] = (np.arange(start, start + size), np.arange(size), size)
        blocks.append(block)
        start += size
    return np.concatenate(blocks, axis=1), Grid(start, vertices)


def _volume(image: Any, grid: Grid | None) -> tuple[Array, Grid]:
    data = np.asarray(image.dataobj, dtype=np.float32)
    data = data[..., None] if data.ndim == 3 else data
    if grid is None:
        voxels = np.argwhere(np.isfinite(data).any(axis=3))
        shape = (data.shape[0], data.shape[1], data.shape[2])
        columns = np.arange(len(voxels))
        grid = Grid(len(voxels), {}, columns, voxels, shape, np.asarray(image.affine))
    if grid.voxels is None or data.shape[:3] != grid.shape:
        msg = f"a volume of shape {data.shape[:3]} where {grid.shape} was expected"
        raise ValueError(msg)
    return data[tuple(grid.voxels.T)].T, grid


def _cifti(image: Any) -> tuple[Array, Grid]:
    axis = image.header.get_axis(1)
    vertices: dict[str, tuple[Array, Array, int]] = {}
    for name, where, model in axis.iter_structures():
        if name in _HEMISPHERES:
            columns = np.arange(axis.size)[where]
            vertices[_HEMISPHERES[name]] = (columns, model.vertex, axis.nvertices[name])
    columns = np.flatnonzero(axis.volume_mask)
    values = np.asarray(image.dataobj, dtype=np.float32)
    if not columns.size:
        return values, Grid(axis.size, vertices)
    voxels = axis.voxel[columns]
    return values, Grid(axis.size, vertices, columns, voxels, axis.volume_shape, axis.affine)
