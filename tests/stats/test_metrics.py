from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from bidsapp.stats.metrics import (
    best_layer,
    centroid_layer,
    fisher_z,
    pearson,
)


def test_pearson_equals_scipy_on_common_rows():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 30, 4)) + 100
    x[3, 1], y[7, 1], y[:, 2], x[:29, 3] = np.nan, np.nan, 0.1, np.nan
    r = pearson(x, y)
    assert r[0] == pytest.approx(pearsonr(x[:, 0], y[:, 0])[0])
    known = ~np.isnan(x[:, 1] + y[:, 1])
    assert r[1] == pytest.approx(pearsonr(x[known, 1], y[known, 1])[0])
    assert np.isnan(r[2:]).all()


def test_pearson_pairs_one_column_with_all():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(20), rng.standard_normal((20, 3))
    np.testing.assert_allclose(pearson(x, y), [np.corrcoef(x, c)[0, 1] for c in y.T])


def test_constant_columns_far_from_zero_are_missing():
    assert np.isnan(pearson(np.full((50, 1), 1e6 + 0.1), np.arange(50.0)))[0]


def test_fisher_z_is_finite_and_inverse_of_tanh():
    r = np.array([-1.0, -0.3, 0.0, 0.8, 1.0, np.nan])
    z = fisher_z(r)
    np.testing.assert_allclose(np.tanh(z), r, atol=1e-12)
    assert np.isfinite(z[:5]).all()


def test_layers_of_units():
    scores = np.array(
        [
            [0.1, -0.1, np.nan, 0.0, 0.3, 0.2],
            [0.3, -0.2, np.nan, 0.0, 0.3, np.nan],
            [0.0, -0.3, np.nan, -0.1, -0.6, 0.2],
        ]
    )
    assert best_layer(scores).tolist() == [2, 0, 0, 0, 1, 1]
    np.testing.assert_allclose(centroid_layer(scores), [1.75, np.nan, np.nan, np.nan, 1.5, 2.0])
    mask = np.array([True, True, True, True, False, True])
    assert best_layer(scores, mask=mask)[4] == 0
    assert np.isnan(centroid_layer(scores, mask=mask)[4])
