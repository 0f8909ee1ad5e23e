"""Shifts stay inside blocks and away from the truth; p values are those of counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.stats.nulls import apply_shifts, max_statistic_p, permutation_p


def test_apply_shifts_rolls_each_block():
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, -1, 1, 1, 1, 1, 0, -1])
    y = rng.standard_normal((10, 3)).astype(np.float32)
    shifts = np.array([[1, 2], [3, 1]])
    shifted = apply_shifts(y, labels, shifts)
    assert shifted.shape == (10, 6)
    assert shifted.dtype == np.float32
    for copy in range(2):
        part = shifted[:, 3 * copy : 3 * copy + 3]
        np.testing.assert_array_equal(part[labels < 0], y[labels < 0])
        for block in range(2):
            expected = np.roll(y[labels == block], shifts[copy, block], axis=0)
            np.testing.assert_array_equal(part[labels == block], expected)


def test_permutation_p_counts():
    null = np.array([[0.1, 0.5], [0.2, np.nan], [0.3, 0.5]])
    p = permutation_p(np.array([0.2, 0.6]), null)
    np.testing.assert_allclose(p, [3 / 4, 2 / 4])
    assert np.isnan(permutation_p(np.array([np.nan]), null[:, :1]))[0]
    assert permutation_p(np.array([9.0]), null[:, :1])[0] == 1 / 4


@given(st.integers(0, 1000))
def test_max_statistic_equals_permutation_p_of_the_maximum(seed):
    rng = np.random.default_rng(seed)
    observed, null = rng.integers(0, 9, (4, 3)) / 4, rng.integers(0, 9, 30) / 4
    observed[0, 0] = np.nan
    expected = permutation_p(observed, np.broadcast_to(null[:, None, None], (30, 4, 3)))
    np.testing.assert_allclose(max_statistic_p(observed, null), expected)


def test_p_values_of_exchangeable_scores_hold_their_level():
    """With m = 99 copies, exactly 5 in 100 exchangeable scores reach p <= .05."""
    scores = np.random.default_rng(0).standard_normal((100, 20000))
    p = permutation_p(scores[0], scores[1:])
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.005)
