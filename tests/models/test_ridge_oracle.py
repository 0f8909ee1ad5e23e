"""The solver against the closed form, fold by fold and alpha by alpha, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.models.ridge import factorise, ridge_weights, score_fold
from bidsapp.stats.folds import Fold, nested_folds

ALPHAS = np.logspace(-1, 4, 12)


def variance_about_block_means(problem):
    power = sum(
        problem.labels.tolist().count(b) * problem.y[problem.labels == b].var(axis=0)
        for b in np.unique(problem.labels)
    )
    return power / problem.labels.size


@pytest.mark.parametrize("centre", ["block", "train"])
@pytest.mark.parametrize("metric", ["correlation", "mse"])
@pytest.mark.parametrize(
    ("lengths", "n_features"),
    [((28, 37, 51), 12), ((28, 37, 51), 45), ((9, 12, 14, 11), 60), ((20, 25, 6, 18, 31), 8)],
    ids=["primal", "dual-inner", "dual", "five-blocks"],
)
def test_equals_closed_form(oracle, lengths, n_features, metric, centre):
    problem = oracle.make_problem(lengths, n_features)
    groups = [0, 1, 0, 2, 3][: len(lengths)] if len(lengths) > 3 else [0, 1, 2]
    for fold in nested_folds(groups):
        inner, test = oracle.brute_force(problem, fold, ALPHAS, metric, centre)
        factors = factorise(problem.x, problem.labels, fold, ALPHAS, centre=centre)
        scores = score_fold(factors, problem.x, problem.y, alpha_metric=metric, batch_units=32)
        chosen = scores.alpha_index.astype(int)
        units = np.arange(chosen.size)
        scale = 1.0 if metric == "correlation" else variance_about_block_means(problem)
        assert np.abs(scores.inner_score - inner[chosen, units] / scale).max() < 1e-10
        assert np.abs(scores.inner_score - inner.max(axis=0) / scale).max() < 1e-10
        assert np.abs(scores.r - test[chosen, :, units].T).max() < 1e-10


def test_weights_equal_closed_form(oracle, problem):
    fold = nested_folds([0, 1, 2])[1]
    factors = factorise(problem.x, problem.labels, fold, ALPHAS)
    weights = ridge_weights(factors, problem.x, problem.y, np.full(40, 5))
    expected, _, _ = oracle.weights(problem, [0, 2], ALPHAS[5], "block")
    assert np.abs(weights - expected).max() < 1e-10 * np.abs(expected).max()


def test_rows_out_of_every_block_do_not_matter(problem):
    fold = Fold((2,), ((0,), (1,)))
    labels = problem.labels.copy()
    labels[[0, 30, 31, 50]] = -1
    kept = labels >= 0
    x, y = problem.x.copy(), problem.y.copy()
    x[~kept], y[~kept] = np.nan, np.nan
    scores = score_fold(factorise(x, labels, fold, ALPHAS), x, y)
    factors = factorise(x[kept], labels[kept], fold, ALPHAS)
    expected = score_fold(factors, x[kept], y[kept])
    np.testing.assert_allclose(scores.r, expected.r, rtol=0, atol=1e-12)
