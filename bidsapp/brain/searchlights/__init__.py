"""Searchlights: which units lie around each unit.

``sphere``
    voxels around a voxel, by straight distance, within one volume or one subcortical structure.
``disc``
    vertices around a vertex, by distance along the cortical mesh of its hemisphere.

Either has a fixed number of members or a fixed radius. Members of equal distance are taken in
the order of their voxel (C order) or vertex number, so the same units give the same searchlights
everywhere. Nothing outside ``include`` is ever a member or walked over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bidsapp.brain.cortex import CIFTI_SIDES
from bidsapp.brain.geometry import Grayordinates, SurfacePair, UnitSpace, VolumeGrid
from bidsapp.brain.searchlights.discs import discs
from bidsapp.brain.searchlights.mesh_files import cortical_meshes
from bidsapp.brain.searchlights.size import Size, join
from bidsapp.brain.searchlights.spheres import spheres
from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["searchlights"]


def searchlights(
    units: UnitSpace,
    *,
    count: int | None = 100,
    radius_mm: float | None = None,
    include: NDArray[np.bool_] | None = None,
    stride: int = 1,
) -> Neighbourhoods:
    """Find the searchlight around each unit.

    Parameters
    ----------
    units
        Voxels, two hemispheres, or grayordinates.
    count
        Members of a searchlight, the centre among them; ignored where `radius_mm` is given.
        Where fewer units can be reached (a small structure, an island of the mask), it has
        those.
    radius_mm
        Members are the units at most this far from the centre (mm).
    include : bool array of shape (n_units,), optional
        Units that may be centres and members; all when not given.
    stride
        Centres are the voxels whose three indices, or the vertices whose number, are multiples
        of this.

    Returns
    -------
    Neighbourhoods
        Centres ascending; members are unit numbers.

    Raises
    ------
    InputInvalidError
        No size, a mask of another length, no centre left, or vertices without a mesh.
    """
    size = Size.of(count, radius_mm)
    include = _included(units, include)
    if stride < 1:
        msg = f"a stride of {stride} between searchlights; give 1 or more"
        raise InputInvalidError(msg)
    found = join(list(_parts(units, size, include, stride)))
    if not found.n_centres:
        msg = (
            f"None of {units.n_units} units is the centre of a searchlight; widen the mask or "
            "lower the stride."
        )
        raise InputInvalidError(msg)
    return found


def _included(units: UnitSpace, include: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if include is None:
        return np.ones(units.n_units, dtype=np.bool_)
    include = np.asarray(include)
    if include.shape != (units.n_units,) or include.dtype != np.bool_:
        msg = (
            f"a searchlight mask of shape {include.shape} and type {include.dtype} for "
            f"{units.n_units} units; give one bool per unit"
        )
        raise InputInvalidError(msg)
    return include


def _parts(
    units: UnitSpace, size: Size, include: NDArray[np.bool_], stride: int
) -> Iterator[Neighbourhoods]:
    geometry = units.geometry
    if isinstance(geometry, VolumeGrid):
        voxels = np.argwhere(geometry.mask)
        yield _spheres(voxels, np.flatnonzero(include), geometry.affine, size, stride)
    elif isinstance(geometry, SurfacePair):
        sides = np.split(np.arange(units.n_units), [geometry.n_left])
        vertices = (np.arange(geometry.n_left), np.arange(geometry.n_right))
        sizes = (geometry.n_left, geometry.n_right)
        yield from _both_sides(units, sizes, (sides[0], sides[1]), vertices, size, include, stride)
    else:
        yield from _grayordinates(units, geometry, size, include, stride)


def _grayordinates(
    units: UnitSpace,
    geometry: Grayordinates,
    size: Size,
    include: NDArray[np.bool_],
    stride: int,
) -> Iterator[Neighbourhoods]:
    axis = geometry.axis
    left, right = (np.flatnonzero(axis.name == name) for name in CIFTI_SIDES)
    vertices = (axis.vertex[left], axis.vertex[right])
    sizes = tuple(int(axis.nvertices.get(name, 0)) for name in CIFTI_SIDES)
    yield from _both_sides(
        units, (sizes[0], sizes[1]), (left, right), vertices, size, include, stride
    )
    in_volume = np.asarray(axis.volume_mask)
    for name in np.unique(axis.name[in_volume]):
        here = np.flatnonzero((axis.name == name) & include)
        yield _spheres(np.asarray(axis.voxel), here, axis.affine, size, stride)


def _spheres(
    voxels: NDArray[np.integer[Any]],
    members: NDArray[np.intp],
    affine: NDArray[np.float64],
    size: Size,
    stride: int,
) -> Neighbourhoods:
    chosen = np.asarray(voxels[members], dtype=np.int64)
    centre = (chosen % stride == 0).all(axis=1)
    return spheres(chosen, members, affine, size, centre)


def _both_sides(
    units: UnitSpace,
    sizes: tuple[int, int],
    sides: tuple[NDArray[np.intp], NDArray[np.intp]],
    vertices: tuple[NDArray[np.intp], NDArray[np.intp]],
    size: Size,
    include: NDArray[np.bool_],
    stride: int,
) -> Iterator[Neighbourhoods]:
    if not any(include[side].any() for side in sides):
        return
    meshes = cortical_meshes(units, sizes)
    for (points, faces), n_vertices, side, numbers in zip(
        meshes, sizes, sides, vertices, strict=True
    ):
        unit_of = np.full(n_vertices, -1, dtype=np.int64)
        unit_of[numbers] = np.where(include[side], side, -1)
        centres = np.flatnonzero((unit_of >= 0) & (np.arange(n_vertices) % stride == 0))
        if centres.size:
            yield discs(points, faces, unit_of, centres, size)
