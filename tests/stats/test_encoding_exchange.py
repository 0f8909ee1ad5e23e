"""Scores of encoding models under exchanges, against slow correlations."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.stats.encoding_exchange import exchange_scores
from bidsapp.stats.identification import turn_within

N_CLIPS, N_UNITS, N_EXCHANGES = 21, 70, 19
CONTRASTS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])


@pytest.mark.parametrize("n_folds", [1, 3])
def test_scores_are_mean_correlations_and_those_of_exchanged_clips(n_folds: int) -> None:
    rng = np.random.default_rng(2)
    fold = np.arange(N_CLIPS) % (n_folds + 1) - 1  # some clips are never held out
    y = rng.standard_normal((N_CLIPS, N_UNITS))
    predicted = [y + 2 * rng.standard_normal(y.shape), rng.standard_normal(y.shape)]
    predicted[0][fold < 0] = np.nan
    orders = turn_within(N_EXCHANGES, fold, seed=1)
    groups = [np.arange(0, 69, 2), np.arange(1, 69, 2)]
    result = exchange_scores(
        lambda units: [values[:, units] for values in predicted],
        y,
        fold,
        orders,
        CONTRASTS,
        groups,
    )

    def slow(order: np.ndarray) -> np.ndarray:
        r = np.empty((2, 69))
        for model, values in enumerate(predicted):
            for unit in range(69):
                r[model, unit] = np.mean(
                    [
                        np.corrcoef(values[fold == k, unit], y[order][fold == k, unit])[0, 1]
                        for k in range(n_folds)
                    ]
                )
        return CONTRASTS @ r

    expected = slow(np.arange(N_CLIPS))
    widening = np.sqrt(2) if n_folds > 1 else 1.0
    null = widening * np.stack([slow(order) for order in orders])
    np.testing.assert_allclose(result.score[:, :69], expected, atol=1e-5)
    assert np.isnan(result.score[:, 69]).all()
    means = [expected[:, units].mean(axis=1) for units in groups]
    np.testing.assert_allclose(result.groups.observed, np.transpose(means), atol=1e-5)
    for number, units in enumerate(groups):
        own = null[:, :, units].mean(axis=2)
        np.testing.assert_allclose(result.groups.null[:, :, number], own, atol=1e-5)
    p = (1 + (null >= expected).sum(axis=0)) / (N_EXCHANGES + 1)
    np.testing.assert_allclose(result.p[:, :69], p, atol=1.01 / (N_EXCHANGES + 1))
    size = np.sqrt((null**2).mean(axis=0))
    largest = (null / size).max(axis=2)
    p_fwe = (1 + (largest[:, :, None] >= expected / size).sum(axis=0)) / (N_EXCHANGES + 1)
    np.testing.assert_allclose(result.p_fwe[:, :69], p_fwe, atol=1.01 / (N_EXCHANGES + 1))


def test_equal_models_do_not_differ_and_constant_ones_predict_nothing() -> None:
    rng = np.random.default_rng(3)
    fold = np.arange(N_CLIPS) % 3
    y = rng.standard_normal((N_CLIPS, 4))
    constant = np.full_like(y, 0.3)
    result = exchange_scores(
        lambda units: [y[:, units], constant[:, units]],
        y,
        fold,
        turn_within(9, fold, seed=1),
        np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0], [0.0, 0.0]]),
        [np.arange(4)],
    )
    np.testing.assert_allclose(result.score[0], 1, atol=1e-6)
    np.testing.assert_array_equal(result.score[1], 0)
    np.testing.assert_array_equal(result.p[3], 1)


def test_without_exchanges_there_is_no_p() -> None:
    y = np.random.default_rng(3).standard_normal((N_CLIPS, 4))
    fold = np.arange(N_CLIPS) % 3
    orders = turn_within(0, fold, seed=1)
    result = exchange_scores(lambda u: [y[:, u]], y, fold, orders, np.eye(1), [np.arange(4)])
    assert np.isnan(result.p).all()
    assert np.isnan(result.p_fwe).all()
