from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from bidsapp.errors import InputInvalidError
from bidsapp.stats.rsa.pairs import (
    difference_rdm,
    lag_profile,
    pair_items,
    pair_mask,
    varying_rdms,
)


@given(st.integers(2, 12))
def test_pairs_are_in_the_order_of_scipy(n):
    first, second = pair_items(n)
    square = squareform(np.arange(first.size))
    np.testing.assert_array_equal(square[first, second], np.arange(first.size))


@given(st.lists(st.integers(0, 3), min_size=3, max_size=12))
def test_masks_leave_out_pairs_within_a_clip(clips):
    clip = np.array([*clips, 4])
    np.testing.assert_array_equal(squareform(pair_mask(clip)), clip[:, None] != clip)
    assert pair_mask(clip, between_clip=False).all()


def test_masks_that_leave_nothing_are_refused():
    with pytest.raises(InputInvalidError, match="no pair"):
        pair_mask(np.zeros(5, int))


def test_differences_equal_scipy_and_average_over_repeats():
    values = np.random.default_rng(0).standard_normal((3, 7))
    expected = np.array([pdist(row[:, None], "cityblock") for row in values])
    np.testing.assert_allclose(difference_rdm(values[0]), expected[0])
    np.testing.assert_allclose(difference_rdm(values), expected.mean(axis=0))


def test_differences_leave_out_what_was_not_presented():
    rdm = difference_rdm(np.array([[0.0, 1.0, np.nan], [4.0, np.nan, np.nan]]))
    np.testing.assert_array_equal(rdm, [1.0, np.nan, np.nan])


def test_constant_nuisance_is_dropped_and_unknown_pairs_are_neutral():
    pairs = np.array([True, True, True, False])
    rdms = {
        "lag": np.array([1.0, 2.0, np.nan, 9.0]),
        "run": np.array([1.0, 1.0, 1.0, 0.0]),
        "none": np.full(4, np.nan),
    }
    names, stack = varying_rdms(rdms, pairs)
    assert names == ("lag",)
    np.testing.assert_array_equal(stack, [[1.0, 2.0, 1.5, 9.0]])
    assert varying_rdms({}, pairs)[1].shape == (0, 4)


def test_lag_profile_of_a_matrix_that_is_its_own_lag():
    time = np.arange(20) * 1.5
    lag = difference_rdm(time)
    lags, means, n = lag_profile(np.stack([lag, 2 * lag]), lag, 1.5)
    np.testing.assert_allclose(lags, 1.5 * np.arange(1, 20))
    np.testing.assert_allclose(means, [lags, 2 * lags])
    np.testing.assert_array_equal(n, np.arange(19, 0, -1))
