"""Intervals over participants cover what they say, with few and with skewed values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bidsapp.stats.bootstrap import FEWEST, bootstrap_interval, resample_counts

N_SETS = 1500
SOURCES: dict[str, tuple[Callable[..., NDArray[np.float64]], float]] = {
    "normal": (lambda rng, size: rng.standard_normal(size), 0.0),
    "skewed": (lambda rng, size: rng.gamma(4.0, 1.0, size), 4.0),
    "exponential": (lambda rng, size: rng.exponential(1.0, size), 1.0),
}


@pytest.mark.parametrize("n", [5, 8, 20, 37])
@pytest.mark.parametrize("source", SOURCES)
def test_coverage(source: str, n: int) -> None:
    draw, mean = SOURCES[source]
    values = draw(np.random.default_rng(n), (n, N_SETS))
    low, high = bootstrap_interval(values, resample_counts(n, 999, seed=n))
    assert np.mean((low <= mean) & (mean <= high)) == pytest.approx(0.945, abs=0.03)


def test_too_few_participants_or_equal_values_have_no_interval() -> None:
    values = np.random.default_rng(0).normal(size=(FEWEST, 3))
    values[0, 0] = np.nan
    values[:, 1] = 0.25
    low, high = bootstrap_interval(values, resample_counts(FEWEST, 499, seed=0))
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, True, False]


def test_missing_participants_are_left_out() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(9, 1))
    with_gap = np.vstack([values, [[np.nan]]])
    alone = bootstrap_interval(values, resample_counts(9, 4000, seed=0))
    gap = bootstrap_interval(with_gap, resample_counts(10, 4000, seed=0))
    np.testing.assert_allclose(np.ravel(gap), np.ravel(alone), atol=0.15)
