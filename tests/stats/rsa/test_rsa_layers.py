from __future__ import annotations

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.stats.rsa.axis import axis_position, axis_profile
from bidsapp.stats.rsa.layers import hemisphere_asymmetry, layer_distribution


def test_distribution_counts_units_of_each_layer():
    best = np.array([[0, 1, 3, 3], [2, 2, 2, 0]])
    np.testing.assert_array_equal(layer_distribution(best, 3), [[1, 0, 2], [0, 3, 0]])
    mask = np.array([True, True, False, False])
    np.testing.assert_array_equal(layer_distribution(best[0], 3, mask), [1, 0, 0])


def hemispheres(rng, shift, n=10, n_units=40):
    """Layers of participants whose left hemisphere is deeper by `shift`."""
    left = np.arange(n_units) < n_units // 2
    layer = 5 + rng.standard_normal((n, 1)) + rng.standard_normal((n, n_units))
    layer[:, left] += shift + 0.3 * rng.standard_normal((n, 1))
    layer = np.clip(layer, 1, 10)
    return layer, np.rint(layer).astype(int), left


def test_asymmetry_is_found():
    layer, best, left = hemispheres(np.random.default_rng(0), 1.0)
    found = hemisphere_asymmetry(layer, best, left, ~left, 10)
    assert found.difference.mean() == pytest.approx(1.0, abs=0.3)
    np.testing.assert_allclose(found.shares.sum(axis=1), 0, atol=1e-12)


def test_a_participant_without_a_hemisphere_is_missing():
    layer, best, left = hemispheres(np.random.default_rng(0), 1.0)
    layer[0, left], best[0, left] = np.nan, 0
    found = hemisphere_asymmetry(layer, best, left, ~left, 10)
    assert np.isnan(found.difference[0])
    assert np.isnan(found.shares[0]).all()
    assert np.isfinite(found.difference[1:]).all()


def gyrus(rng, n=300):
    """Points along an oblique tube that runs forwards and down."""
    along = rng.random(n)
    forward = np.array([0.1, 0.9, -0.4])
    return along, along[:, None] * 70 * forward + rng.standard_normal((n, 3)) * 2


def test_the_axis_runs_from_the_back_to_the_front():
    along, xyz = gyrus(np.random.default_rng(0))
    xyz[3] = np.nan
    position = axis_position(xyz)
    assert np.isnan(position[3])
    known = np.isfinite(position)
    assert np.corrcoef(position[known], along[known])[0, 1] > 0.99
    assert (np.nanmin(position), np.nanmax(position)) == (0, 1)
    mirrored = axis_position(xyz * [-1, 1, 1])
    np.testing.assert_allclose(mirrored[known], position[known], atol=1e-9)


def test_a_point_has_no_axis():
    for xyz in (np.ones((4, 3)), np.full((4, 3), np.nan)):
        with pytest.raises(InputInvalidError, match="axis"):
            axis_position(xyz)


def test_a_profile_high_at_both_ends_is_found():
    rng = np.random.default_rng(1)
    along, xyz = gyrus(rng)
    layer = 4 + 4 * (2 * along - 1) ** 2 + 0.5 * rng.standard_normal((8, along.size))
    layer[0, :5] = np.nan
    found = axis_profile(layer, axis_position(xyz), n_bins=8)
    assert found.n_units.sum() == along.size
    assert found.mean[0] > found.mean[4] + 2 < found.mean[-1] + 1
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    assert (found.curvature > 2).all()
    assert abs(found.slope.mean()) < 0.5


def test_coefficients_are_those_of_each_participant():
    position = (np.arange(40) + 0.5) / 40
    x = 2 * position - 1
    layer = np.stack([5 + x, 5 - 2 * x + 3 * x**2])
    found = axis_profile(layer, position, n_bins=20, n_resamples=20)
    np.testing.assert_allclose(found.slope, [1, -2], atol=1e-9)
    np.testing.assert_allclose(found.curvature, [0, 3], atol=1e-9)
    few = axis_profile(layer, position, n_bins=3, n_resamples=20)
    assert np.isnan(few.curvature).all()


def test_bins_without_units_are_missing():
    position = np.array([0.05, 0.5, 0.95, 1.0, np.nan])
    found = axis_profile(np.arange(10.0).reshape(2, 5), position, n_bins=10, n_resamples=20)
    np.testing.assert_array_equal(np.flatnonzero(found.n_units), [0, 5, 9])
    assert np.isnan(found.mean[1])
    with pytest.raises(InputInvalidError):
        axis_profile(np.zeros((1, 5)), position)
