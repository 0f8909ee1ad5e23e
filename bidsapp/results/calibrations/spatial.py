"""Calibration of spin tests: unrelated smooth maps on small spheres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bidsapp.brain.surrogates import SecondNull, surrogates
from bidsapp.stats.spins.mesh import spin_mesh
from bidsapp.stats.spins.null import SpinNull, spin_null, transposed
from bidsapp.stats.spins.p_values import spin_test
from bidsapp.stats.spins.parcellated import surrogate_test

_N_SIDE, _N_ROTATIONS, _N_MAPS, _WIDTH = 300, 99, 2, 0.4
_N_PARCELS = 40  # of a hemisphere
Floats = NDArray[np.float64]


def sphere_points(n: int) -> Floats:
    """Points (n, 3) spread evenly on a sphere of radius 100 (golden spiral)."""
    number = np.arange(n) + 0.5
    z, angle = 1 - 2 * number / n, np.pi * (1 + 5**0.5) * number
    flat = np.sqrt(1 - z**2)
    return 100 * np.column_stack([flat * np.cos(angle), flat * np.sin(angle), z])


def spin(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p-values (n_sets,) of smooth maps and an unrelated reference."""
    return np.array([spin_test(null).p_fwe.min() for null in _nulls(rng, n_sets, 1, _N_MAPS)])


def annotation_spin(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p-values (n_sets,) of a smooth map and unrelated annotations."""
    nulls = _nulls(rng, n_sets, _N_MAPS, 1)
    return np.array([spin_test(transposed(null)).p_fwe.min() for null in nulls])


def second_null(
    rng: np.random.Generator,
    n_sets: int,
    method: SecondNull = "hungarian",
    n_draws: int = _N_ROTATIONS,
) -> Floats:
    """Smallest family-wise p-values (n_sets,) of parcellated smooth maps, by neuromaps' nulls."""
    points = sphere_points(_N_SIDE)
    centres = sphere_points(_N_PARCELS)
    left = 1 + np.argmax(points @ centres.T, axis=1)
    labels = left, left + _N_PARCELS
    whole = np.concatenate(labels)
    belongs = (whole == np.arange(1, 2 * _N_PARCELS + 1)[:, None]).astype(float)
    belongs /= belongs.sum(axis=1, keepdims=True)
    p_values = []
    for _ in range(n_sets):
        reference, maps = (_smooth(rng, n) @ belongs.T for n in (1, _N_MAPS))
        seed = int(rng.integers(1 << 31))
        drawn = surrogates(reference, labels, (points, points), method, n_draws=n_draws, seed=seed)
        p_values.append(surrogate_test(reference, drawn, maps).p_fwe.min())
    return np.array(p_values)


def _nulls(
    rng: np.random.Generator, n_sets: int, n_references: int, n_maps: int
) -> Iterator[SpinNull]:
    points = sphere_points(_N_SIDE)
    mesh = spin_mesh(points, points, grid=32)
    for _ in range(n_sets):
        yield spin_null(
            mesh,
            _smooth(rng, n_references),
            _smooth(rng, n_maps),
            n_rotations=_N_ROTATIONS,
            seed=int(rng.integers(1 << 31)),
            chunk=_N_ROTATIONS,
        )


def _smooth(rng: np.random.Generator, n_maps: int) -> Floats:
    """Smooth maps (n_maps, 2 n_side) of independent hemispheres."""
    points = sphere_points(_N_SIDE)
    kernel = np.exp((points @ points.T / 1e4 - 1) / _WIDTH**2)
    return np.hstack([rng.standard_normal((n_maps, _N_SIDE)) @ kernel for _ in "LR"])


def monte_carlo(rng: np.random.Generator, n_sets: int) -> NDArray[np.bool_]:
    """Whether the interval of p covers the p of infinitely many draws, (n_sets,)."""
    observed = rng.normal(0, 1, n_sets)
    drawn = rng.normal(0, 1, (_N_ROTATIONS, 1, 1, n_sets))
    overlap = np.ones((_N_ROTATIONS, 1, n_sets), np.float32)
    test = spin_test(SpinNull(observed[None, None], drawn, overlap, _N_ROTATIONS, ""))
    p = 2 * norm.sf(np.abs(observed))
    return np.asarray((test.p_low[0, 0] <= p) & (p <= test.p_high[0, 0]))
