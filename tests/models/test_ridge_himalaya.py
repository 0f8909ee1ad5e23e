"""The solver against himalaya's RidgeCV: the same alphas up to ties, the same scores."""

from __future__ import annotations

import numpy as np
import pytest
from himalaya.backend import get_backend, set_backend

from bidsapp.models.himalaya_ridge import himalaya_score_fold
from bidsapp.models.ridge import factorise, score_fold
from bidsapp.stats.folds import Fold, nested_folds

ALPHAS = np.logspace(0, 5, 20)


@pytest.mark.parametrize("centre", ["block", "train"])
@pytest.mark.parametrize("metric", ["correlation", "mse"])
def test_float32_equals_himalaya_in_float64(oracle, metric, centre):
    problem = oracle.make_problem((84, 128, 257), n_features=60, n_units=300, ar=0.9)
    y = problem.y.astype(np.float32)  # himalaya's own float32 is off by 1e-6
    for fold in nested_folds([0, 1, 2]):
        factors = factorise(problem.x, problem.labels, fold, ALPHAS, centre=centre)
        ours = score_fold(factors, problem.x, y, alpha_metric=metric)
        theirs = himalaya_score_fold(factors, problem.x, problem.y, alpha_metric=metric)
        same = ours.alpha_index == theirs.alpha_index
        assert same.mean() > 0.99
        assert np.abs(ours.inner_score - theirs.inner_score).max() < 5e-6
        assert np.abs(ours.r - theirs.r)[:, same].max() < 1e-6


def test_float64_equals_himalaya_with_several_blocks_per_fold(oracle):
    problem = oracle.make_problem((40, 35, 20, 50, 44), n_features=30, n_units=60)
    fold = Fold((1, 4), ((0, 2), (3,)))
    factors = factorise(problem.x, problem.labels, fold, ALPHAS)
    ours = score_fold(factors, problem.x, problem.y)
    theirs = himalaya_score_fold(factors, problem.x, problem.y)
    np.testing.assert_array_equal(ours.alpha_index, theirs.alpha_index)
    np.testing.assert_allclose(ours.r, theirs.r, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        ours.inner_score, theirs.inner_score, rtol=0, atol=2e-9
    )  # its tie break


def test_missing_units_and_the_global_backend(problem):
    y = problem.y.astype(np.float32)
    y[:, 3], y[5, 7] = 1.1, np.nan
    factors = factorise(problem.x, problem.labels, Fold((0,), ((1,), (2,))), ALPHAS)
    before = set_backend("numpy")
    ours, theirs = (f(factors, problem.x, y) for f in (score_fold, himalaya_score_fold))
    assert get_backend() is before
    for scores in (ours, theirs):
        assert np.flatnonzero(np.isnan(scores.r[0])).tolist() == [3, 7]
        assert np.flatnonzero(scores.alpha_index < 0).tolist() == [3, 7]
        assert np.flatnonzero(np.isnan(scores.inner_score)).tolist() == [3, 7]
