"""Sums by tables against a matrix product in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.stats.signflip import SignFlips, t_from_sum
from bidsapp.stats.signsums import SignTables


def data(n, n_units, seed, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, n_units))
    present = rng.random(values.shape) >= missing
    present[:2] = True
    values = np.where(present, values, 0)
    return values / np.sqrt((values**2).sum(axis=0)), present.sum(axis=0)


def by_matrix_product(signs, values, n, bound, two_sided):
    sums = signs.astype(float) @ values
    sums = np.abs(sums) if two_sided else sums
    t = np.stack([t_from_sum(row, n) for row in sums])
    return (sums >= bound).sum(axis=0), t.max(axis=1)


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(2, 70),
    n_units=st.integers(1, 600),
    seed=st.integers(0, 10**6),
    missing=st.sampled_from([0.0, 0.3]),
    two_sided=st.booleans(),
)
def test_counts_and_maxima_are_those_of_a_matrix_product(n, n_units, seed, missing, two_sided):
    values, counts = data(n, n_units, seed, missing)
    signs = SignFlips(n, n_permutations=120, seed=seed).signs
    observed = values.sum(axis=0)
    bound = (np.abs(observed) if two_sided else observed) - 1e-9 * np.sqrt(counts)
    largest = np.full(len(signs), -np.inf)
    found = SignTables(signs).tally(values, counts, bound, largest, two_sided=two_sided)
    count, maximum = by_matrix_product(signs, values, counts, bound, two_sided)
    assert np.array_equal(found, count)
    assert np.allclose(largest, maximum, rtol=1e-10)


@pytest.mark.parametrize("two_sided", [False, True])
def test_sums_that_single_precision_cannot_tell_apart_are_told_apart(two_sided):
    signs = SignFlips(20, n_permutations=300, seed=1).signs
    base, counts = data(20, 1, 3)
    sums = np.sort(signs.astype(float) @ base[:, 0])
    target = sums[200]
    values = np.repeat(base, 5, axis=1)
    bound = target + np.array([-1e-8, -1e-10, 0.0, 1e-10, 1e-8])
    found = SignTables(signs).tally(
        values, np.repeat(counts, 5), bound, np.full(300, -np.inf), two_sided=two_sided
    )
    expected, _ = by_matrix_product(signs, values, np.repeat(counts, 5), bound, two_sided)
    assert abs(found - expected).tolist()[0::4] == [0, 0]
    assert np.abs(found - expected)[[1, 3]].max() == 0


def test_the_largest_t_does_not_depend_on_the_order_of_tiles():
    values, counts = data(30, 2000, 5, 0.2)
    signs = SignFlips(30, n_permutations=100, seed=2).signs
    tables = SignTables(signs)
    results = []
    for order in (np.arange(2000), np.arange(2000)[::-1]):
        largest = np.full(100, -np.inf)
        for part in np.array_split(order, 3):
            tables.tally(
                values[:, part], counts[part], values[:, part].sum(0), largest, two_sided=True
            )
        results.append(largest)
    assert np.array_equal(*results)
