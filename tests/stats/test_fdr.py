from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control

from bidsapp.stats.fdr import benjamini_hochberg


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1)))
def test_equals_scipy(p):
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p), rtol=1e-12)


def test_missing_values_are_not_counted_and_shape_is_kept():
    p = np.array([[0.01, np.nan, 0.04], [np.nan, 0.03, 0.9]])
    q = benjamini_hochberg(p)
    np.testing.assert_array_equal(np.isnan(q), np.isnan(p))
    np.testing.assert_allclose(q[~np.isnan(p)], false_discovery_control(p[~np.isnan(p)]))
    assert np.isnan(benjamini_hochberg(np.full(3, np.nan))).all()


def test_rate_is_held_on_mixed_data():
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(400):
        p = rng.uniform(size=100)
        p[:20] *= 1e-4
        found = benjamini_hochberg(p) <= 0.1
        rates.append(found[20:].sum() / max(found.sum(), 1))
    assert 0.06 < np.mean(rates) < 0.1
