"""Discs of vertices, by distance along the cortical mesh.

Distance is that of the shortest path over edges and over the straight lines that join the far
corners of two triangles sharing an edge, laid flat. With these shortcuts a path may turn in
twice as many directions as with edges alone, which overestimate distances by up to 15 %.
Lengths are whole nanometres, so that sums and ties are the same on every machine.

Source: Dijkstra (1959), Numer Math 1, 269-271.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix

from bidsapp.brain.searchlights.size import Size
from bidsapp.models.neighbourhoods import Neighbourhoods

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NM_PER_MM: Final = 1e6
_NO_LIMIT: Final = 2**40
#: A heap entry is distance << _VERTEX_BITS | vertex.
_VERTEX_BITS: Final = 22


def discs(
    points: NDArray[np.float64],
    faces: NDArray[np.int64],
    unit_of: NDArray[np.int64],
    centres: NDArray[np.intp],
    size: Size,
) -> Neighbourhoods:
    """Find the disc around each centre.

    Parameters
    ----------
    points : array of shape (n_vertices, 3)
        In mm.
    faces : array of shape (n_triangles, 3)
        Vertex numbers.
    unit_of : array of shape (n_vertices,)
        Unit of each vertex; -1 where no disc may go.
    centres : array of shape (n_centres,)
        Vertex numbers of the centres, all of which have a unit.
    size
        Count, or radius along the mesh.

    Returns
    -------
    Neighbourhoods
    """
    lengths = _mesh_lengths(points, faces, unit_of >= 0)
    count = size.count or len(points)
    limit = _NO_LIMIT if size.radius_mm is None else int(np.round(size.radius_mm * _NM_PER_MM))
    members, starts, farthest = _settle(*lengths, unit_of, centres, count, limit)
    radius = (farthest / _NM_PER_MM).astype(np.float32)
    return Neighbourhoods(members, starts, unit_of[centres].astype(np.int32), radius)


def _mesh_lengths(
    points: NDArray[np.float64], faces: NDArray[np.int64], allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows, neighbours and lengths (nm) of edges and shortcuts between allowed vertices."""
    faces = faces[allowed[faces].all(axis=1)] if not allowed.all() else faces
    corners = np.concatenate([np.roll(faces, -k, axis=1) for k in range(3)])
    first, second, opposite = corners.T
    edges = (first, second, np.linalg.norm(points[first] - points[second], axis=1))
    shortcuts = _shortcuts(points, first, second, opposite)
    rows, columns, mm = (np.concatenate(both) for both in zip(edges, shortcuts, strict=True))
    n = len(points)
    # Both directions, and the shorter where one pair is joined twice.
    both_rows, both_columns = np.r_[rows, columns], np.r_[columns, rows]
    nm = np.tile(np.maximum(np.round(mm * _NM_PER_MM), 1).astype(np.int64), 2)
    order = np.lexsort((nm, both_columns, both_rows))
    both_rows, both_columns, nm = both_rows[order], both_columns[order], nm[order]
    new = np.r_[True, (np.diff(both_rows) != 0) | (np.diff(both_columns) != 0)]
    graph = coo_matrix((nm[new], (both_rows[new], both_columns[new])), shape=(n, n)).tocsr()
    return graph.indptr.astype(np.int64), graph.indices.astype(np.int64), graph.data


def _shortcuts(
    points: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    opposite: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Far corners of neighbouring triangles and their distance once both lie in one plane."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((high, low))
    same = (np.diff(low[order]) == 0) & (np.diff(high[order]) == 0)
    one, other = order[:-1][same], order[1:][same]
    a, b = low[one], high[one]
    edge = points[b] - points[a]
    length = np.linalg.norm(edge, axis=1)
    c, d = (_on_edge(points[opposite[k]] - points[a], edge, length) for k in (one, other))
    width = np.maximum(c[1] + d[1], np.finfo(float).tiny)
    crossing = c[0] + (d[0] - c[0]) * c[1] / width
    inside = (crossing > 0) & (crossing < length)
    straight = np.hypot(d[0] - c[0], width)
    return opposite[one][inside], opposite[other][inside], straight[inside]


def _on_edge(
    to_corner: NDArray[np.float64], edge: NDArray[np.float64], length: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Position of a corner along an edge, and its height over it (mm)."""
    along = (to_corner * edge).sum(axis=1) / np.maximum(length, np.finfo(float).tiny)
    height = np.sqrt(np.maximum((to_corner**2).sum(axis=1) - along**2, 0.0))
    return along, height


@njit(nogil=True)
def _settle(rows, neighbours, lengths, unit_of, centres, count, limit):  # type: ignore[no-untyped-def]
    """Nearest `count` units within `limit` nm of each centre, by Dijkstra's algorithm."""
    members = np.empty(max(centres.size * min(count, 128), 1), np.int32)
    starts = np.zeros(centres.size + 1, np.int64)
    farthest = np.zeros(centres.size, np.int64)
    best = np.full(unit_of.size, _NO_LIMIT + 1)
    touched = np.empty(unit_of.size, np.int64)
    for disc in range(centres.size):
        start = end = starts[disc]
        n_touched = 1
        touched[0] = centres[disc]
        best[centres[disc]] = 0
        heap = [np.int64(centres[disc])]
        while len(heap) > 0 and end - start < count:
            entry = heappop(heap)
            vertex, distance = entry & ((1 << _VERTEX_BITS) - 1), entry >> _VERTEX_BITS
            if distance > best[vertex]:
                continue
            if end == members.size:
                larger = np.empty(2 * members.size, np.int32)
                larger[:end] = members
                members = larger
            members[end] = unit_of[vertex]
            end += 1
            farthest[disc] = distance
            for k in range(rows[vertex], rows[vertex + 1]):
                near, further = neighbours[k], distance + lengths[k]
                if unit_of[near] < 0 or further > limit or further >= best[near]:
                    continue
                if best[near] > _NO_LIMIT:
                    touched[n_touched] = near
                    n_touched += 1
                best[near] = further
                heappush(heap, (further << _VERTEX_BITS) | near)
        members[start:end] = np.sort(members[start:end])
        starts[disc + 1] = end
        for k in range(n_touched):
            best[touched[k]] = _NO_LIMIT + 1
    return members[: starts[-1]].copy(), starts, farthest
