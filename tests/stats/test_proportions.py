from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from bidsapp.stats.proportions import clopper_pearson


@pytest.mark.parametrize(("b", "n"), [(0, 9), (3, 9), (9, 9), (41, 1000)])
def test_equals_scipy(b, n):
    low, high = clopper_pearson(b, n)
    expected = binomtest(b, n).proportion_ci(method="exact")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_interval_covers_the_truth():
    low, high = clopper_pearson(np.random.default_rng(0).binomial(199, 0.04, 5000), 199)
    assert ((low <= 0.04) & (high >= 0.04)).mean() >= 0.95
