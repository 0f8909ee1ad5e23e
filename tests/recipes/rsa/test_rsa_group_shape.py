from __future__ import annotations

import numpy as np
import pytest

from bidsapp.brain.geometry import UnitSpace, surface_units, volume_units
from bidsapp.recipes.rsa.gyrus import find_shape, hemispheres, superior_temporal
from bidsapp.recipes.rsa.settings import GroupSettings
from bidsapp.stats.rsa.axis import axis_position

FAST = GroupSettings(n_bootstrap=50, axis_bins=5)
ALL = np.ones(3, np.bool_)


@pytest.fixture(scope="module")
def brain() -> UnitSpace:
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -78, -100, -50
    return volume_units(np.ones((40, 50, 30), dtype=bool), affine, space="MNI152NLin6Asym")


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        ((-54, -32, 12), True),
        ((46, -20, 8), True),
        ((-44, -4, -8), True),
        ((54, 10, -16), True),
        ((-60, -20, -12), False),
        ((-56, -20, 20), False),
        ((-30, -20, 8), False),
        ((50, -60, 12), False),
    ],
)
def test_the_gyrus_is_where_it_is(brain: UnitSpace, place, inside: bool) -> None:
    distance = np.linalg.norm(brain.coordinates_mm() - place, axis=1)
    assert superior_temporal(brain)[distance.argmin()] == inside


def test_there_is_no_gyrus_without_coordinates() -> None:
    assert not superior_temporal(surface_units(50, 50, space="toy")).any()
    assert superior_temporal(surface_units(10242, 10242, space="fsaverage5")).sum() > 500


def test_sides_that_cannot_be_told_are_one() -> None:
    units = volume_units(np.ones((2, 2, 2), dtype=bool), np.eye(4), space="custom")
    assert list(hemispheres(units)) == ["both"]


def planted_profile(brain: UnitSpace, n_people: int, noise: float = 0.01) -> np.ndarray:
    """Deep, shallow, deep along the gyrus of both sides."""
    rng = np.random.default_rng(1)
    rho = noise * rng.standard_normal((n_people, 3, brain.n_units)).astype(np.float32)
    gyrus = superior_temporal(brain)
    for mask in hemispheres(brain).values():
        inside = np.flatnonzero(mask & gyrus)
        position = axis_position(brain.coordinates_mm()[inside])
        layer = np.where(np.abs(position - 0.5) > 0.25, 2, 0)
        rho[:, layer, inside] += 0.1
    return rho


def test_finds_deep_layers_at_both_ends(brain: UnitSpace) -> None:
    rho = planted_profile(brain, 6)
    best = np.zeros(brain.n_units, dtype=np.int64)
    shape = find_shape(rho, best, np.ones(brain.n_units, bool), ALL, brain, FAST, seed=0)
    assert [axis.name for axis in shape.axes] == ["L", "R"]
    for axis in shape.axes:
        assert axis.profile is not None
        assert axis.centroid[2] < axis.centroid[0]
        assert axis.centroid[2] < axis.centroid[-1]
        assert axis.rho[0, 2] > 0.08
        assert axis.rho[2, 0] > 0.08
        assert (axis.profile.curvature > 0).all()


def test_one_participant_has_a_profile_without_test(brain: UnitSpace) -> None:
    best = np.zeros(brain.n_units, dtype=np.int64)
    rho = planted_profile(brain, 1)
    shape = find_shape(rho, best, np.ones(brain.n_units, bool), ALL, brain, FAST, seed=0)
    assert shape.asymmetry is None
    axis = shape.axes[0]
    assert axis.profile is None
    assert axis.centroid[2] < axis.centroid[0]


def test_hemispheres_differ_only_if_they_do(brain: UnitSpace) -> None:
    rng = np.random.default_rng(5)
    rho = rng.standard_normal((8, 3, brain.n_units)).astype(np.float32)
    where = np.ones(brain.n_units, dtype=bool)
    best = np.zeros(brain.n_units, dtype=np.int64)
    same = find_shape(rho, best, where, ALL, brain, FAST, seed=0).asymmetry
    rho[:, 2, brain.structure == "L"] += 1
    other = find_shape(rho, best, where, ALL, brain, FAST, seed=0).asymmetry
    assert same is not None
    assert other is not None
    assert abs(same.difference.mean()) < 0.2
    assert (other.difference > 0).all()
