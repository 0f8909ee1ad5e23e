"""Predictions of embeddings against closed-form ridge, fitted from scratch for every exchange."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.models.region_decoder import (
    ClipRows,
    coordinates,
    predictions,
    training_standard,
    tune,
)
from bidsapp.stats.folds import nested_folds

ALPHAS = tuple(np.logspace(-1, 5, 7))
N_CLIPS, N_WINDOWS, N_BLOCKS = 20, 3, 4


def study(n_units: int, noise: float = 1.0) -> tuple[np.ndarray, ClipRows]:
    """Responses (n_rows, n_units) that carry three of five dimensions."""
    rng = np.random.default_rng(7)
    clip = rng.standard_normal((N_CLIPS, 1, 5))
    embedding = 4 + clip + 0.3 * rng.standard_normal((N_CLIPS, N_WINDOWS, 5))
    weights = rng.standard_normal((5, n_units)) * np.array([1, 1, 1, 0, 0])[:, None]
    responses = embedding.reshape(-1, 5) @ weights
    responses += noise * rng.standard_normal(responses.shape)
    folds = nested_folds(np.arange(N_BLOCKS))
    return responses, ClipRows(embedding, np.arange(N_CLIPS) % N_BLOCKS, folds)


def closed_form(x: np.ndarray, y: np.ndarray, test: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Predicted differences from the training mean, by the normal equations."""
    mean_x, mean_y = x[~test].mean(axis=0), y[~test].mean(axis=0)
    gram = (x[~test] - mean_x).T @ (x[~test] - mean_x)
    moments = (x[~test] - mean_x).T @ (y[~test] - mean_y)
    columns = [
        np.linalg.solve(gram + a * np.eye(len(gram)), moments[:, k]) for k, a in enumerate(alpha)
    ]
    return (x[test] - mean_x) @ np.column_stack(columns)


@pytest.mark.parametrize("n_units", [6, 100])
def test_predictions_are_closed_form_ridge_for_every_exchange(n_units: int) -> None:
    responses, rows = study(n_units)
    x = coordinates(responses)
    assert x.shape[1] == min(n_units, len(responses) - 1)
    tuning = tune(x, rows, ALPHAS)
    rng = np.random.default_rng(0)
    exchange = np.vstack([np.arange(N_CLIPS), rng.permutation(N_CLIPS)])
    scale = np.sqrt(responses.var(axis=0).mean())
    for fold, predicted in predictions(x, rows, tuning, exchange):
        test = np.isin(rows.labels, rows.folds[fold].test)
        for k, order in enumerate(exchange):
            y = rows.embedding[order].reshape(len(x), -1)
            expected = closed_form(responses / scale, y, test, tuning.alpha[fold])
            expected = expected.reshape(-1, N_WINDOWS, 5).mean(axis=1)
            np.testing.assert_allclose(predicted[k], expected, atol=2e-5)
            standard = training_standard(rows, fold, exchange)
            np.testing.assert_allclose(standard.mean[k], y[~test].mean(axis=0))
            np.testing.assert_allclose(standard.sd[k], y[~test].std(axis=0))


def test_penalties_are_chosen_within_the_training_clips() -> None:
    responses, rows = study(12)
    tuning = tune(coordinates(responses), rows, ALPHAS)
    held_out = rows.test_clips(2)
    changed = rows.embedding.copy()
    changed[held_out] = np.random.default_rng(1).standard_normal(changed[held_out].shape)
    other = tune(coordinates(responses), ClipRows(changed, rows.block, rows.folds), ALPHAS)
    np.testing.assert_array_equal(tuning.alpha[2], other.alpha[2])
    np.testing.assert_allclose(tuning.inner_score[2], other.inner_score[2], rtol=1e-4)
    assert not np.array_equal(tuning.alpha, other.alpha)


def test_what_is_planted_is_preferred_and_what_is_not_is_shrunk() -> None:
    responses, rows = study(12, noise=0.5)
    tuning = tune(coordinates(responses), rows, ALPHAS)
    penalty = np.log10(tuning.alpha).mean(axis=0)
    assert penalty[3:].min() > penalty[:3].max() + 1
    noise = tune(np.random.default_rng(2).standard_normal((len(responses), 12)), rows, ALPHAS)
    assert (tuning.score > noise.score).all()
    assert 0 <= tuning.edge <= 1


def test_constant_dimensions_are_not_predicted() -> None:
    responses, rows = study(8)
    embedding = rows.embedding.copy()
    embedding[..., 1] = 2.0
    flat = ClipRows(embedding, rows.block, rows.folds)
    tuning = tune(coordinates(responses), flat, ALPHAS)
    assert np.isnan(tuning.alpha[:, 1]).all()
    order = np.arange(N_CLIPS)[None]
    for fold, predicted in predictions(coordinates(responses), flat, tuning, order):
        assert (predicted[..., 1] == 0).all()
        assert training_standard(flat, fold, order).sd[0, 1] == 1.0
