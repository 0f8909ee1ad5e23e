"""Exact nearest vertex of a rotated spherical mesh, by table instead of by tree.

*Octahedral map*: a direction is projected from the centre onto the octahedron |x|+|y|+|z| = 1,
which unfolds to the square [-1, 1]². Lines of the square are great circles on the sphere.
*Cell*: one of ``grid`` × ``grid`` small squares of it; a convex piece of the sphere (or two).
*Candidates*: the vertices that can be nearest to some point of a cell. A vertex is struck off
when another one is nearer at all four corners, and so, the cell being convex, everywhere in it.

A query computes its cell and compares the one to four candidates listed there. Every route
(compiled CPU code, torch, tree) evaluates the same score ``q·v - |v|²/2`` in float64 in the same
order, lowest vertex first, so the indices are the same to the last one.

Source: the pruning follows from the convexity of spherical cells; nearest-vertex reassignment
after rotation is Alexander-Bloch et al. (2018), NeuroImage 178, 540-551.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Backend = Literal["numba", "torch", "kdtree"]
_FIRST_NEIGHBOURS = 16
_MAX_RADIUS_SPREAD = 0.01
_MARGIN = 1e-9


@dataclass(frozen=True, eq=False)
class SphereLookup:
    """Candidate table of one spherical mesh.

    Attributes
    ----------
    sites : ndarray, shape (n_vertices, 4)
        x, y, z of each vertex, in any unit, and |v|²/2.
    grid
        Cells along a side of the unfolded octahedron.
    offsets : ndarray, shape (grid² + 1,)
        Where the candidates of each cell start in `candidates`.
    candidates : ndarray of int32
        Vertex numbers, ascending in each cell.
    """

    sites: NDArray[np.float64]
    grid: int
    offsets: NDArray[np.int32]
    candidates: NDArray[np.int32]

    @property
    def vertices(self) -> NDArray[np.float64]:
        """Coordinates, shape (n_vertices, 3)."""
        return self.sites[:, :3]

    def nearest(
        self,
        rotations: NDArray[np.float64],
        *,
        backend: Backend = "numba",
        n_threads: int = 1,
        device: str = "cpu",
    ) -> NDArray[np.int32]:
        """Vertex nearest to ``R v`` for each rotation R and vertex v.

        Parameters
        ----------
        rotations : ndarray, shape (n_rotations, 3, 3)
        backend
            ``numba`` (compiled table look-up), ``torch`` (the same on `device`) or ``kdtree``
            (scipy's tree: no table, slow, the oracle).
        n_threads
            Threads of the numba and kdtree routes; the result does not depend on it.
        device
            Where the torch route computes.

        Returns
        -------
        ndarray of int32, shape (n_rotations, n_vertices)
        """
        if backend == "torch":
            return np.asarray(nearest_on_device(self.on_device(device), rotations).cpu().numpy())
        if backend == "kdtree":
            return self._nearest_by_tree(rotations, n_threads)
        out = np.empty((len(rotations), len(self.sites)), np.int32)
        bounds = np.linspace(0, len(rotations), n_threads + 1).astype(int)
        columns = np.ascontiguousarray(self.vertices.T)
        table = (columns, self.sites, self.grid, self.offsets, self.candidates)

        def work(start: int, stop: int) -> None:
            _nearest_kernel(np.ascontiguousarray(rotations[start:stop]), *table, out[start:stop])

        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(work, bounds[:-1], bounds[1:]))
        return out

    def on_device(self, device: str) -> DeviceTable:
        """Return the table as torch tensors on `device`, candidates padded to equal length."""
        import torch

        counts = np.diff(self.offsets)
        slots = np.minimum(np.arange(counts.max()), counts[:, None] - 1)
        padded = self.candidates[self.offsets[:-1, None] + slots]
        return DeviceTable(
            torch.as_tensor(self.sites, device=device),
            self.grid,
            torch.as_tensor(padded.astype(np.int64), device=device),
        )

    def _nearest_by_tree(
        self, rotations: NDArray[np.float64], n_threads: int
    ) -> NDArray[np.int32]:
        tree = cKDTree(self.vertices)
        rotated = np.einsum("rab,vb->rva", rotations, self.vertices)
        return np.asarray(tree.query(rotated, workers=n_threads)[1], dtype=np.int32)


@dataclass(frozen=True, eq=False)
class DeviceTable:
    """A `SphereLookup` as torch tensors; `candidates` has shape (grid², n_slots)."""

    sites: Any
    grid: int
    candidates: Any


def build_lookup(vertices: NDArray[np.floating[Any]], *, grid: int = 256) -> SphereLookup:
    """Table of the vertices that can be nearest anywhere in each cell of the sphere.

    Parameters
    ----------
    vertices : ndarray, shape (n_vertices, 3)
        A spherical mesh centred on the origin; its radius may vary by 1 %.
    grid
        Cells along a side, even. 256 leaves about two candidates per cell for 10,000 vertices.

    Returns
    -------
    SphereLookup

    Raises
    ------
    ValueError
        If the mesh is no sphere around the origin, or `grid` is odd.
    """
    points = np.ascontiguousarray(vertices, dtype=np.float64)
    radius = np.linalg.norm(points, axis=1)
    if not np.ptp(radius) <= _MAX_RADIUS_SPREAD * radius.min():
        msg = (
            f"the mesh is not a sphere around the origin: radii from {radius.min():.4g} to "
            f"{radius.max():.4g}; give the spherical registration surface"
        )
        raise ValueError(msg)
    if grid % 2:
        msg = f"the grid must have an even number of cells along a side, not {grid}"
        raise ValueError(msg)
    corners, cosine, centres = _cells(grid)
    neighbours, counts = _all_neighbours(points, radius, centres, cosine)
    half_square = 0.5 * np.einsum("va,va->v", points, points)
    kept = _prune_kernel(
        neighbours, counts, points, half_square, corners, cosine, radius.min(), radius.max()
    )
    offsets = np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int32)
    candidates = np.sort(np.where(kept, neighbours, np.iinfo(np.int32).max), axis=1)
    return SphereLookup(
        np.column_stack([points, half_square]),
        grid,
        offsets,
        candidates[candidates < len(points)].astype(np.int32),
    )


def nearest_on_device(table: DeviceTable, rotations: NDArray[np.float64]) -> Any:
    """`SphereLookup.nearest` in torch; sums are written out so that no kernel can fuse them.

    Parameters
    ----------
    table
        From `SphereLookup.on_device`.
    rotations : ndarray, shape (n_rotations, 3, 3)

    Returns
    -------
    torch.Tensor of int32, shape (n_rotations, n_vertices), on the table's device
    """
    import torch

    turn = torch.as_tensor(rotations, device=table.sites.device)[..., None]
    x, y, z, _ = table.sites.T
    query = [turn[:, a, 0] * x + turn[:, a, 1] * y + turn[:, a, 2] * z for a in range(3)]
    cell = _device_cell(query, table.grid)
    best = table.candidates[cell, 0]
    best_score = _device_score(query, table, best)
    for slot in range(1, table.candidates.shape[1]):
        candidate = table.candidates[cell, slot]
        score = _device_score(query, table, candidate)
        better = score > best_score
        best = torch.where(better, candidate, best)
        best_score = torch.where(better, score, best_score)
    return best.to(torch.int32)


def _device_cell(query: list[Any], grid: int) -> Any:
    import torch

    x, y, z = query
    size = x.abs() + y.abs() + z.abs()
    u, v = x / size, y / size
    folded_u = torch.copysign(1 - v.abs(), u)
    folded_v = torch.copysign(1 - u.abs(), v)
    u, v = torch.where(z < 0, folded_u, u), torch.where(z < 0, folded_v, v)
    row = ((u + 1) * (0.5 * grid)).to(torch.int64).clamp_(max=grid - 1)
    column = ((v + 1) * (0.5 * grid)).to(torch.int64).clamp_(max=grid - 1)
    return row * grid + column


def _device_score(query: list[Any], table: DeviceTable, vertex: Any) -> Any:
    x, y, z = query
    at = table.sites[vertex]
    return x * at[..., 0] + y * at[..., 1] + z * at[..., 2] - at[..., 3]


def _unfold(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions (unit vectors) of points of the unfolded octahedron."""
    z = 1 - np.abs(u) - np.abs(v)
    lower = z < 0
    x = np.where(lower, np.copysign(1 - np.abs(v), u), u)
    y = np.where(lower, np.copysign(1 - np.abs(u), v), v)
    directions = np.stack([x, y, z], axis=-1)
    return np.asarray(directions / np.linalg.norm(directions, axis=-1, keepdims=True))


def _cells(grid: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Corners (grid², 4, 3), cosine of the radius (grid²,) and centres (grid², 3) of the cells."""
    lines = np.linspace(-1, 1, grid + 1)
    points = _unfold(*np.meshgrid(lines, lines, indexing="ij"))
    corners = np.stack([points[:-1, :-1], points[1:, :-1], points[:-1, 1:], points[1:, 1:]], 2)
    corners = corners.reshape(-1, 4, 3)
    middle = lines[:-1] + 1 / grid
    centres = _unfold(*np.meshgrid(middle, middle, indexing="ij")).reshape(-1, 3)
    cosine = np.einsum("cka,ca->ck", corners, centres).min(axis=1)
    return np.ascontiguousarray(corners), cosine, centres


def _all_neighbours(
    points: NDArray[np.float64],
    radius: NDArray[np.float64],
    centres: NDArray[np.float64],
    cosine: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Vertices near enough to each centre that they can be nearest to a point of its cell.

    If v0 is nearest to the centre c and v nearest to a point u of the cell, then
    |c - v| <= |c - u| + |u - v| <= |c - u| + |u - v0| <= 2 |c - u| + |c - v0|.
    """
    tree = cKDTree(points)
    chord = radius.max() * np.sqrt(2 - 2 * cosine) + np.ptp(radius)
    n_neighbours = min(_FIRST_NEIGHBOURS, len(points))
    while True:
        distance, index = tree.query(centres * radius.mean(), k=n_neighbours)
        reach = 2 * chord + distance[:, 0] + _MARGIN
        if n_neighbours == len(points) or np.all(distance[:, -1] > reach):
            return index.astype(np.int32), np.sum(distance <= reach[:, None], axis=1)
        n_neighbours = min(2 * n_neighbours, len(points))


@njit(nogil=True)
def _prune_kernel(neighbours, counts, points, half_square, corners, cosine, low, high):  # type: ignore[no-untyped-def]
    """Keep a neighbour unless another one is nearer at all corners, for every radius of query."""
    kept = np.zeros(neighbours.shape, np.bool_)
    for cell in range(len(neighbours)):
        for a in range(counts[cell]):
            j = neighbours[cell, a]
            beaten = False
            for b in range(counts[cell]):
                k = neighbours[cell, b]
                if k == j:
                    continue
                extra = half_square[k] - half_square[j]
                needed = extra / low if extra >= 0 else extra * cosine[cell] / high
                worst = np.inf
                for corner in range(4):
                    gain = 0.0
                    for axis in range(3):
                        gain += corners[cell, corner, axis] * (points[k, axis] - points[j, axis])
                    worst = min(worst, gain)
                if worst > needed + _MARGIN * high:
                    beaten = True
                    break
            kept[cell, a] = not beaten
    return kept


@njit(nogil=True, error_model="numpy")
def _nearest_kernel(rotations, columns, sites, grid, offsets, candidates, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n_rotations, n_vertices): all cells of a rotation first, then candidates."""
    query = np.empty(columns.shape)
    cells = np.empty(columns.shape[1], np.uint32)
    for r in range(len(rotations)):
        _rotate_to_cells(rotations[r], columns, grid, query, cells)
        for i in range(len(cells)):
            start, stop = offsets[cells[i]], offsets[cells[i] + np.uint32(1)]
            best = candidates[start]
            if stop > start + 1:
                best_score = -np.inf
                for slot in range(start, stop):
                    j = candidates[slot]
                    score = query[0, i] * sites[j, 0] + query[1, i] * sites[j, 1]
                    score = score + query[2, i] * sites[j, 2] - sites[j, 3]
                    if score > best_score:
                        best_score = score
                        best = j
            out[r, i] = best


@njit(nogil=True, error_model="numpy")
def _rotate_to_cells(turn, columns, grid, query, cells):  # type: ignore[no-untyped-def]
    """Rotated points into `query` (3, n_vertices) and their cells; written to be vectorised."""
    half, last = 0.5 * grid, np.int32(grid - 1)
    for i in range(len(cells)):
        a, b, c = columns[0, i], columns[1, i], columns[2, i]
        x = turn[0, 0] * a + turn[0, 1] * b + turn[0, 2] * c
        y = turn[1, 0] * a + turn[1, 1] * b + turn[1, 2] * c
        z = turn[2, 0] * a + turn[2, 1] * b + turn[2, 2] * c
        size = abs(x) + abs(y) + abs(z)
        u, v = x / size, y / size
        folded_u, folded_v = np.copysign(1 - abs(v), u), np.copysign(1 - abs(u), v)
        u = folded_u if z < 0 else u
        v = folded_v if z < 0 else v
        row = min(np.int32((u + 1) * half), last)
        cells[i] = row * grid + min(np.int32((v + 1) * half), last)
        query[0, i], query[1, i], query[2, i] = x, y, z
