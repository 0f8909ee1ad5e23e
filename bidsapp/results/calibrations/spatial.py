"""Calibration of spin tests: unrelated smooth maps on small spheres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bidsapp.stats.spins.mesh import spin_mesh
from bidsapp.stats.spins.null import SpinNull, spin_null
from bidsapp.stats.spins.p_values import spin_test

_N_SIDE, _N_ROTATIONS, _N_MAPS, _WIDTH = 300, 99, 2, 0.4
Floats = NDArray[np.float64]


def sphere_points(n: int) -> Floats:
    """Points (n, 3) spread evenly on a sphere of radius 100 (golden spiral)."""
    number = np.arange(n) + 0.5
    z, angle = 1 - 2 * number / n, np.pi * (1 + 5**0.5) * number
    flat = np.sqrt(1 - z**2)
    return 100 * np.column_stack([flat * np.cos(angle), flat * np.sin(angle), z])


def spin(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p-values (n_sets,) of smooth maps and an unrelated reference."""
    points = sphere_points(_N_SIDE)
    mesh = spin_mesh(points, points, grid=32)
    kernel = np.exp((points @ points.T / 1e4 - 1) / _WIDTH**2)

    def smooth(n_maps: int) -> Floats:
        sides = [rng.standard_normal((n_maps, _N_SIDE)) @ kernel for _ in "LR"]
        return np.hstack(sides)

    p_values = []
    for _ in range(n_sets):
        null = spin_null(
            mesh,
            smooth(1),
            smooth(_N_MAPS),
            n_rotations=_N_ROTATIONS,
            seed=int(rng.integers(1 << 31)),
            chunk=_N_ROTATIONS,
        )
        p_values.append(spin_test(null).p_fwe.min())
    return np.array(p_values)


def monte_carlo(rng: np.random.Generator, n_sets: int) -> NDArray[np.bool_]:
    """Whether the interval of p covers the p of infinitely many draws, (n_sets,)."""
    observed = rng.normal(0, 1, n_sets)
    drawn = rng.normal(0, 1, (_N_ROTATIONS, 1, 1, n_sets))
    overlap = np.ones((_N_ROTATIONS, 1, n_sets), np.float32)
    test = spin_test(SpinNull(observed[None, None], drawn, overlap, _N_ROTATIONS, ""))
    p = 2 * norm.sf(np.abs(observed))
    return np.asarray((test.p_low[0, 0] <= p) & (p <= test.p_high[0, 0]))
