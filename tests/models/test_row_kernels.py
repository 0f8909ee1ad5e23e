"""Ridge from kernels of rows: scikit-learn row by row, himalaya on the same grid, few features."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit

from bidsapp.models.banded import simplex_grid
from bidsapp.models.clip_encoding import encode_clips
from bidsapp.models.ridge import factorise, score_fold
from bidsapp.models.row_kernels import (
    TrainingTargets,
    apply_matrices,
    choose_penalties,
    prediction_matrices,
)
from bidsapp.stats.folds import Fold, nested_folds

N_ROWS, N_BLOCKS, N_UNITS = 48, 4, 30
BLOCK = np.random.default_rng(5).permutation(np.arange(N_ROWS) % N_BLOCKS)
FOLD = nested_folds(np.arange(N_BLOCKS))[1]
TRAIN = ~np.isin(BLOCK, FOLD.test)
ALPHAS = (0.1, 1.0, 10.0, 100.0, 1000.0)
Array = NDArray[np.float64]


def problem(n_features: int, offset: float = 2.0) -> tuple[Array, NDArray[np.float32]]:
    """Features and targets between noise and signal, neither of mean 0."""
    rng = np.random.default_rng(6)
    x = offset + rng.standard_normal((N_ROWS, n_features))
    signal = x @ rng.standard_normal((n_features, N_UNITS)) / np.sqrt(n_features)
    y = offset + np.linspace(0, 3, N_UNITS) * signal + rng.standard_normal((N_ROWS, N_UNITS))
    return x, y.astype(np.float32)


def within_blocks(values: Array) -> Array:
    """Centre the rows of each block."""
    return np.array(values - np.stack([values[own == BLOCK].mean(axis=0) for own in BLOCK]))


@pytest.mark.parametrize("n_features", [5, 80])
def test_matrices_predict_what_ridge_predicts(n_features: int) -> None:
    x, y = problem(n_features)
    train, test = np.flatnonzero(TRAIN), np.flatnonzero(~TRAIN)
    matrices = prediction_matrices(x @ x.T, train, test, ALPHAS)
    for alpha, matrix in zip(ALPHAS, matrices, strict=True):
        ridge = Ridge(alpha, solver="svd").fit(x[train], y[train])
        expected = ridge.predict(x[test]) - y[train].mean(axis=0)
        np.testing.assert_allclose(matrix @ y[train], expected, atol=1e-5)
        np.testing.assert_allclose(matrix.sum(axis=1), 0, atol=1e-9)


@pytest.mark.parametrize("inner", [((0,), (2,), (3,)), ((0, 2), (3,))])
def test_choices_and_scores_are_those_of_moments(inner: tuple[tuple[int, ...], ...]) -> None:
    x, y = problem(60)
    y[:, 3] = 7.0
    fold = Fold(FOLD.test, inner)
    labels = np.where(TRAIN, BLOCK, -1)
    factors = factorise(x, labels, Fold((), inner), ALPHAS, centre="train")
    expected = score_fold(factors, x, y, alpha_metric="mse")
    chosen = choose_penalties(x @ x.T, TrainingTargets.of(y, BLOCK, fold), fold, ALPHAS)
    np.testing.assert_array_equal(chosen.alpha_index, expected.alpha_index)
    np.testing.assert_allclose(chosen.inner_score, expected.inner_score, rtol=2e-4)
    assert chosen.alpha_index[3] == -1
    assert np.isnan(chosen.inner_score[3])
    assert len(set(chosen.alpha_index.tolist())) >= 3


def test_batches_and_held_out_targets_change_nothing() -> None:
    x, y = problem(60)
    kernel = x @ x.T
    whole = choose_penalties(kernel, TrainingTargets.of(y, BLOCK, FOLD), FOLD, ALPHAS)
    y[~TRAIN] = 99.0
    targets = TrainingTargets.of(y, BLOCK, FOLD)
    parts = choose_penalties(kernel, targets, FOLD, ALPHAS, batch_units=7)
    np.testing.assert_array_equal(parts.alpha_index, whole.alpha_index)
    np.testing.assert_allclose(parts.inner_score, whole.inner_score, rtol=1e-5)
    matrices = prediction_matrices(kernel, targets.rows, np.flatnonzero(~TRAIN), ALPHAS)
    units = np.array([20, 4, 29])
    predicted = apply_matrices(matrices, targets, whole.alpha_index[units], units)
    for column, unit in enumerate(units):
        ridge = Ridge(ALPHAS[whole.alpha_index[unit]], solver="svd").fit(x[TRAIN], y[TRAIN, unit])
        expected = ridge.predict(x[~TRAIN]) - y[TRAIN, unit].mean()
        np.testing.assert_allclose(predicted[:, column], expected, atol=1e-4)


def test_bands_are_weighted_as_himalaya_weights_them() -> None:
    """Three bands with more features than rows, one grid: the same penalty of each band.

    Blocks have mean 0, because himalaya does not centre training rows anew in each inner fold.
    """
    himalaya = pytest.importorskip("himalaya.kernel_ridge")
    bands, targets = [], np.zeros((N_ROWS, N_UNITS))
    rng = np.random.default_rng(7)
    for strength in (1.5, 0.7, 0.0):
        band = within_blocks(rng.standard_normal((N_ROWS, 25)))
        bands.append(band)
        targets += strength * band @ rng.standard_normal((25, N_UNITS)) / 5
    y = within_blocks(targets + rng.standard_normal(targets.shape)).astype(np.float32)
    grid = simplex_grid(3, 3)
    fitted = encode_clips(bands, y, BLOCK, [FOLD], ALPHAS, grid)
    test_fold = np.full(TRAIN.sum(), -1)
    for number, held_out in enumerate(FOLD.inner):
        test_fold[np.isin(BLOCK[TRAIN], held_out)] = number
    scaled = [(band / np.sqrt(band[TRAIN].var(axis=0).mean()))[TRAIN] for band in bands]
    deltas, _, _ = himalaya.solve_multiple_kernel_ridge_random_search(
        np.stack([band @ band.T for band in scaled]),
        y[TRAIN].astype(np.float64),
        n_iter=np.maximum(grid, 1e-9),
        alphas=np.array(ALPHAS),
        cv=PredefinedSplit(test_fold),
        progress_bar=False,
        return_weights=None,
        local_alpha=True,
    )
    ours = np.where(fitted.share > 0, -fitted.log10_penalty, -np.inf)
    theirs = np.where(fitted.share > 0, deltas / np.log(10), -np.inf)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert (fitted.share > 0).sum(axis=0).max() > 1
