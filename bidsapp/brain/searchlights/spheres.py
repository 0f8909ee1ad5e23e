"""Spheres of voxels.

The steps from a voxel to its neighbours are the same everywhere on a grid. They are put in order
of distance (equal ones in C order) once, and each centre walks along them until it has met
enough voxels of the mask: no tree, no search, and ties that do not depend on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from bidsapp.brain.searchlights.size import Size, join
from bidsapp.models.neighbourhoods import Neighbourhoods

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Squared distances that differ by less are equal (mm²): affines are stored in float32.
_SAME_MM2: Final = 1e-3
#: Steps tried, in multiples of the count, before all voxels are searched.
_STEPS_PER_MEMBER: Final = (4, 64)


def spheres(
    voxels: NDArray[np.int64],
    units: NDArray[np.integer],
    affine: NDArray[np.float64],
    size: Size,
    centre: NDArray[np.bool_],
) -> Neighbourhoods:
    """Find the sphere around each centre.

    Parameters
    ----------
    voxels : array of shape (n, 3)
        Indices of the voxels that may be members.
    units : array of shape (n,)
        Their numbers in the result.
    affine : array of shape (4, 4)
        Voxel indices to mm.
    size
        Count or radius.
    centre : bool array of shape (n,)
        Which voxels are centres.

    Returns
    -------
    Neighbourhoods
    """
    metric = affine[:3, :3].T @ affine[:3, :3]
    rows = np.flatnonzero(centre)
    if size.radius_mm is not None:
        steps, mm2 = _steps(metric, size.radius_mm)
        return _walk_all(voxels, units, rows, steps, mm2, len(steps))[0]
    count = min(size.count or 1, len(voxels))
    parts = []
    for multiple in _STEPS_PER_MEMBER:
        if not rows.size:
            break
        voxel_mm3 = np.sqrt(np.linalg.det(metric))
        reach = float(np.cbrt(multiple * count * voxel_mm3 * 3 / (4 * np.pi)))
        steps, mm2 = _steps(metric, reach)
        found, rows = _walk_all(voxels, units, rows, steps, mm2, count)
        parts.append(found)
    if rows.size:
        parts.append(_search_all(voxels, units, rows, metric, count))
    return join(parts)


def _steps(
    metric: NDArray[np.float64], reach_mm: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return steps (n, 3) of at most `reach_mm` in order of distance, C order; squared mm."""
    extent = np.floor(reach_mm * np.sqrt(np.diag(np.linalg.inv(metric))) + 1e-6).astype(int)
    cube = np.indices(tuple(2 * extent + 1)).reshape(3, -1).T - extent
    mm2 = _squared_mm(cube, metric)
    near = mm2 <= reach_mm**2 + _SAME_MM2
    order = np.argsort(mm2[near], kind="stable")
    return cube[near][order], mm2[near][order]


def _squared_mm(steps: NDArray[np.int64], metric: NDArray[np.float64]) -> NDArray[np.float64]:
    exact = np.einsum("ni,ij,nj->n", steps, metric, steps)
    return np.asarray(np.round(exact / _SAME_MM2) * _SAME_MM2)


def _walk_all(
    voxels: NDArray[np.int64],
    units: NDArray[np.integer],
    rows: NDArray[np.intp],
    steps: NDArray[np.int64],
    mm2: NDArray[np.float64],
    count: int,
) -> tuple[Neighbourhoods, NDArray[np.intp]]:
    """Spheres of `rows`, and the rows whose steps ended before `count` members were met."""
    reach = np.abs(steps).max(axis=0)
    low = voxels.min(axis=0) - reach
    shape = voxels.max(axis=0) + reach + 1 - low
    table = np.full(int(shape.prod()), -1, dtype=np.int32)
    weights = np.array([shape[1] * shape[2], shape[2], 1])
    places = (voxels - low) @ weights
    table[places] = units
    by_radius = count == len(steps)
    members, sizes, last = _walk(table, places[rows], steps @ weights, count, by_radius)
    radius = np.sqrt(mm2[last]).astype(np.float32)
    done = sizes > 0
    starts = np.concatenate([[0], np.cumsum(sizes[done])]).astype(np.int64)
    centres = np.asarray(units[rows[done]], dtype=np.int32)
    return Neighbourhoods(members, starts, centres, radius[done]), rows[~done]


@njit(nogil=True)
def _walk(table, places, steps, count, by_radius):  # type: ignore[no-untyped-def]
    """Members of each place (ascending), how many, and the step of the farthest one."""
    members = np.empty(max(places.size * min(count, 128), 1), np.int32)
    sizes = np.zeros(places.size, np.int64)
    last = np.zeros(places.size, np.int64)
    start = 0
    for row in range(places.size):
        if start + count > members.size:
            larger = np.empty(2 * members.size + count, np.int32)
            larger[:start] = members[:start]
            members = larger
        end = start
        for step in range(steps.size):
            unit = table[places[row] + steps[step]]
            if unit >= 0:
                members[end] = unit
                end += 1
                last[row] = step
                if end - start == count:
                    break
        if by_radius or end - start == count:
            members[start:end] = np.sort(members[start:end])
            sizes[row] = end - start
            start = end
    return members[:start].copy(), sizes, last


def _search_all(
    voxels: NDArray[np.int64],
    units: NDArray[np.integer],
    rows: NDArray[np.intp],
    metric: NDArray[np.float64],
    count: int,
) -> Neighbourhoods:
    """Spheres of centres whose neighbours are far, by comparing with every voxel."""
    c_order = np.lexsort(voxels.T[::-1])
    members, radius = [], []
    for row in rows:
        mm2 = _squared_mm(voxels[c_order] - voxels[row], metric)
        nearest = np.argsort(mm2, kind="stable")[:count]
        members.append(units[c_order[nearest]])
        radius.append(np.sqrt(mm2[nearest[-1]]))
    return Neighbourhoods.from_lists(members, units[rows], radius)
