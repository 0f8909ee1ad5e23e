"""Which units touch, for statistics of clusters.

Voxels touch when they share a face, vertices when an edge of the mesh joins them; grayordinates
are vertices on the cortex and voxels, structure by structure, elsewhere.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bidsapp.brain.geometry import Grayordinates, SurfacePair, UnitSpace, VolumeGrid
from bidsapp.brain.searchlights.mesh_files import cortical_meshes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDES = ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT")


def neighbour_pairs(units: UnitSpace) -> NDArray[np.int64]:
    """List the pairs of units that touch.

    Parameters
    ----------
    units
        Volume, surfaces or grayordinates.

    Returns
    -------
    ndarray, shape (n_pairs, 2)
        Unit numbers, each pair once.

    Raises
    ------
    InputInvalidError
        Surfaces without a mesh.
    """
    geometry = units.geometry
    if isinstance(geometry, VolumeGrid):
        return _faces(np.argwhere(geometry.mask), np.arange(units.n_units))
    if isinstance(geometry, SurfacePair):
        sides = [np.flatnonzero(units.structure == side) for side in "LR"]
        vertices = [np.arange(len(side)) for side in sides]
        return _cortical(units, (geometry.n_left, geometry.n_right), sides, vertices)
    assert isinstance(geometry, Grayordinates)
    return _grayordinates(units, geometry)


def _grayordinates(units: UnitSpace, geometry: Grayordinates) -> NDArray[np.int64]:
    axis = geometry.axis
    sizes = tuple(int(axis.nvertices.get(name, 0)) for name in _SIDES)
    sides = [np.flatnonzero(axis.name == name) for name in _SIDES]
    vertices = [np.asarray(axis.vertex)[side] for side in sides]
    parts = [_cortical(units, (sizes[0], sizes[1]), sides, vertices)] if any(sizes) else []
    for name, where, model in axis.iter_structures():
        if name not in axis.nvertices:
            parts.append(_faces(np.asarray(model.voxel), np.arange(len(axis))[where]))
    return np.concatenate(parts)


def _cortical(
    units: UnitSpace,
    sizes: tuple[int, int],
    sides: list[NDArray[np.intp]],
    vertices: list[NDArray[np.intp]],
) -> NDArray[np.int64]:
    """Edges of both meshes between vertices that are units."""
    pairs = []
    meshes = cortical_meshes(units, sizes)
    for (_, triangles), size, here, numbers in zip(meshes, sizes, sides, vertices, strict=True):
        if not size:
            continue
        unit_of = np.full(size, -1, np.int64)
        unit_of[numbers] = here
        edges = np.concatenate([triangles[:, list(two)] for two in combinations(range(3), 2)])
        edges = np.unique(np.sort(unit_of[edges], axis=1), axis=0)
        pairs.append(edges[edges[:, 0] >= 0])
    return np.concatenate(pairs)


def _faces(voxels: NDArray[np.integer], numbers: NDArray[np.integer]) -> NDArray[np.int64]:
    """Pairs of voxels that share a face; `voxels` (n, 3), `numbers` their units."""
    low = voxels.min(axis=0)
    box = np.full(voxels.max(axis=0) - low + 1, -1, np.int64)
    box[tuple((voxels - low).T)] = numbers
    pairs = []
    for axis in range(3):
        moved = np.moveaxis(box, axis, 0)
        both = np.stack([moved[:-1].ravel(), moved[1:].ravel()], axis=1)
        pairs.append(both[(both >= 0).all(axis=1)])
    return np.concatenate(pairs)
