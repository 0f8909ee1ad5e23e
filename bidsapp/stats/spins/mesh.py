"""The spheres that are spun, and which vertex each vertex takes its value from.

Source: Alexander-Bloch et al. (2018), NeuroImage 178, 540-551.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bidsapp.stats.spins.rotations import mirrored
from bidsapp.stats.spins.sphere_lookup import Backend, SphereLookup, build_lookup

Convention = Literal["neuromaps", "brainspace"]


@dataclass(frozen=True, eq=False)
class SpinMesh:
    """Spheres of one or both hemispheres; units are left vertices, then right ones."""

    left: SphereLookup | None
    right: SphereLookup | None

    @property
    def n_units(self) -> int:
        """Vertices of both hemispheres."""
        return sum(len(side.sites) for side in (self.left, self.right) if side is not None)


def spin_mesh(
    left: NDArray[np.floating[Any]] | None,
    right: NDArray[np.floating[Any]] | None,
    *,
    grid: int = 256,
) -> SpinMesh:
    """Look-up tables of the spherical surfaces of one or both hemispheres.

    Parameters
    ----------
    left, right : ndarray, shape (n_vertices, 3), or None
        Coordinates of the registration spheres, centred on the origin; None for a hemisphere
        without data.
    grid
        Cells along a side of each look-up table; changes speed, never results.

    Returns
    -------
    SpinMesh

    Raises
    ------
    ValueError
        If both are None or one is no sphere.
    """
    if left is None and right is None:
        raise ValueError("a spin test needs the sphere of at least one hemisphere")
    left_table = None if left is None else build_lookup(left, grid=grid)
    if left is not None and right is not None and np.array_equal(left, right):
        return SpinMesh(left_table, left_table)
    return SpinMesh(left_table, None if right is None else build_lookup(right, grid=grid))


def spin_indices(
    mesh: SpinMesh,
    rotations: NDArray[np.float64],
    *,
    convention: Convention = "neuromaps",
    backend: Backend = "numba",
    n_threads: int = 1,
    device: str = "cpu",
) -> NDArray[np.int32]:
    """Which unit each unit takes its value from after each rotation of the left sphere.

    Parameters
    ----------
    mesh
        From `spin_mesh`.
    rotations : ndarray, shape (n_rotations, 3, 3)
        For the left hemisphere; the right one gets ``M R M``, M = diag(-1, 1, 1).
    convention
        ``neuromaps``: unit i takes the value of the vertex nearest to R v_i, that is, the tree
        holds the rotated points. ``brainspace``: of the vertex nearest to R' v_i, the tree holds
        the original points. The two are inverse rotations of each other: the same null
        distribution, but not the same draws.
    backend, n_threads, device
        See `SphereLookup.nearest`; they never change the result.

    Returns
    -------
    ndarray of int32, shape (n_rotations, n_units)
        ``reference[indices[k]]`` is the reference after rotation k.
    """
    parts, first = [], 0
    for side, turns in per_hemisphere(mesh, rotations, convention):
        found = side.nearest(turns, backend=backend, n_threads=n_threads, device=device)
        parts.append(found + np.int32(first))
        first += len(side.sites)
    return np.hstack(parts)


def per_hemisphere(
    mesh: SpinMesh, rotations: NDArray[np.float64], convention: Convention
) -> Iterator[tuple[SphereLookup, NDArray[np.float64]]]:
    """Look-up table of each hemisphere with the rotations to ask it for (see `spin_indices`)."""
    turns = rotations if convention == "neuromaps" else np.swapaxes(rotations, 1, 2)
    if mesh.left is not None:
        yield mesh.left, turns
    if mesh.right is not None:
        yield mesh.right, mirrored(turns)
