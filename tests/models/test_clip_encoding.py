"""Encoding of clips: predictions against scikit-learn, and nothing of held-out clips in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from bidsapp.models.banded import simplex_grid
from bidsapp.models.clip_encoding import band_weights, encode_clips
from bidsapp.stats.folds import nested_folds

N_CLIPS, N_BLOCKS, N_UNITS = 45, 3, 7
BLOCK = np.arange(N_CLIPS) % N_BLOCKS
FOLDS = nested_folds(np.arange(N_BLOCKS))
ALPHAS = (1.0, 10.0, 100.0)
Array = NDArray[np.float64]


def data() -> tuple[Array, Array, Array]:
    """Two embeddings and responses that follow both."""
    rng = np.random.default_rng(4)
    first, second = 3 + rng.standard_normal((N_CLIPS, 5)), rng.standard_normal((N_CLIPS, 4))
    y = first @ rng.standard_normal((5, N_UNITS)) + second @ rng.standard_normal((4, N_UNITS))
    return first, second, y + 2 * rng.standard_normal(y.shape)


def scaled(band: Array, train: NDArray[np.bool_]) -> Array:
    return band / np.sqrt(band[train].var(axis=0).mean())


def test_predictions_are_those_of_ridge_with_the_chosen_penalties() -> None:
    first, second, y = data()
    fitted = encode_clips([first, second], y, BLOCK, FOLDS, ALPHAS, simplex_grid(2, 2))
    assert set(fitted.predicted) == {(0,), (1,), (0, 1)}
    for number in range(N_BLOCKS):
        test = number == BLOCK
        x = scaled(first, ~test)
        for unit in range(N_UNITS):
            alpha = ALPHAS[fitted.alpha_index[0][number, unit]]
            ridge = Ridge(alpha).fit(x[~test], y[~test, unit])
            expected = ridge.predict(x[test]) - y[~test, unit].mean()
            np.testing.assert_allclose(fitted.predicted[0,][test, unit], expected, atol=1e-3)


def test_penalties_are_those_of_the_bands() -> None:
    first, second, y = data()
    y = np.column_stack([first @ np.ones(5), second @ np.ones(4)])
    fitted = encode_clips([first, second], y, BLOCK, FOLDS, ALPHAS, simplex_grid(2, 2))
    np.testing.assert_allclose(fitted.share, [[1, 0], [0, 1]])
    np.testing.assert_allclose(fitted.log10_penalty, [[0, np.nan], [np.nan, 0]])


def test_responses_to_held_out_clips_have_no_part_in_predictions() -> None:
    first, second, y = data()
    before = encode_clips([first, second], y, BLOCK, FOLDS, ALPHAS, simplex_grid(2, 2))
    changed = y.copy()
    changed[BLOCK == 0] = np.random.default_rng(9).standard_normal(changed[BLOCK == 0].shape)
    after = encode_clips([first, second], changed, BLOCK, FOLDS, ALPHAS, simplex_grid(2, 2))
    for subset, values in before.predicted.items():
        np.testing.assert_array_equal(values[BLOCK == 0], after.predicted[subset][BLOCK == 0])
        assert not np.allclose(values[BLOCK == 1], after.predicted[subset][BLOCK == 1])


def test_clips_that_a_fold_does_not_learn_from_have_no_part() -> None:
    first, second, y = data()
    train = np.arange(N_BLOCKS)[:, None] != BLOCK
    train[0, :9] = False
    grid = simplex_grid(2, 2)
    fitted = encode_clips([first, second], y, BLOCK, FOLDS, ALPHAS, grid, train=train)
    whole = encode_clips([first, second], y, BLOCK, FOLDS, ALPHAS, grid)
    kept = train[0] | (BLOCK == 0)
    parts = [part[kept] for part in (first, second)]
    alone = encode_clips(parts, y[kept], BLOCK[kept], FOLDS[:1], ALPHAS, grid)
    test = BLOCK == 0
    for subset, values in fitted.predicted.items():
        expected = alone.predicted[subset][BLOCK[kept] == 0]
        np.testing.assert_allclose(values[test], expected, atol=1e-4)
        np.testing.assert_array_equal(values[~test], whole.predicted[subset][~test])
        assert not np.allclose(values[test], whole.predicted[subset][test], atol=1e-3)
    np.testing.assert_array_equal(fitted.alpha_index[0][0], alone.alpha_index[0][0])
    index = fitted.alpha_index[0]
    weights = band_weights(first, y, BLOCK, FOLDS[:1], ALPHAS, index[:1], train)
    expected = band_weights(first[kept], y[kept], BLOCK[kept], FOLDS[:1], ALPHAS, index[:1])
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_weights_are_in_units_of_the_embedding() -> None:
    first, _, y = data()
    index = np.ones((N_BLOCKS, N_UNITS), np.int64)
    weights = band_weights(first, y, BLOCK, FOLDS, ALPHAS, index)
    expected = np.zeros((N_UNITS, 5))
    for number in range(N_BLOCKS):
        train = number != BLOCK
        size = np.sqrt(first[train].var(axis=0).mean())
        expected += Ridge(ALPHAS[1]).fit(first[train] / size, y[train]).coef_ / size / N_BLOCKS
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
