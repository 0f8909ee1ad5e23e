"""A small problem with three pieces, and the slow way to solve it."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import lfilter

from bidsapp.models.ridge import scale_columns


@dataclass(frozen=True)
class Problem:
    x: np.ndarray
    y: np.ndarray
    labels: np.ndarray


def smooth(rng: np.random.Generator, n_rows: int, n_columns: int, ar: float) -> np.ndarray:
    noise = rng.standard_normal((n_rows + 100, n_columns))
    return lfilter([1.0], [1.0, -ar], noise, axis=0)[100:]


def make_problem(
    lengths=(28, 37, 51), n_features=12, n_units=40, ar=0.8, seed=0, decay=2.0
) -> Problem:
    """Smooth, unequally scaled features; targets between pure noise and pure signal."""
    rng = np.random.default_rng(seed)
    n_rows = sum(lengths)
    x = smooth(rng, n_rows, n_features, ar) * np.logspace(0, -decay, n_features)
    x = scale_columns(x, slice(None)) + 3.0
    signal = x @ rng.standard_normal((n_features, n_units))
    signal /= signal.std(axis=0)
    y = smooth(rng, n_rows, n_units, 0.5) + np.linspace(0, 3, n_units) * signal - 2.0
    labels = np.repeat(np.arange(len(lengths)), lengths)
    return Problem(x, y, labels)


@pytest.fixture
def problem() -> Problem:
    return make_problem()


@pytest.fixture(scope="session")
def oracle() -> SimpleNamespace:
    """Test modules cannot import this file; they get its functions here."""
    return SimpleNamespace(
        make_problem=make_problem,
        brute_force=brute_force,
        weights=brute_force_weights,
        smooth=smooth,
    )


def _centre(x, labels, centre):
    x = x.astype(np.float64)
    if centre == "train":
        return x - x.mean(axis=0), x.mean(axis=0)
    for block in np.unique(labels):
        x[labels == block] -= x[labels == block].mean(axis=0)
    return x, np.zeros(x.shape[1])


def brute_force_weights(problem, train, alpha, centre):
    rows = np.isin(problem.labels, train)
    x, x_mean = _centre(problem.x[rows], problem.labels[rows], centre)
    y, y_mean = _centre(problem.y[rows], problem.labels[rows], centre)
    weights = np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ y)
    return weights, x_mean, y_mean


def brute_force_block(problem, block, fit, metric, centre):
    """Score of one held-out block (n_units,), with predictions made row by row."""
    weights, x_mean, y_mean = fit
    rows = problem.labels == block
    y, prediction = problem.y[rows], (problem.x[rows] - x_mean) @ weights + y_mean
    if metric == "correlation" or centre == "block":
        y, prediction = y - y.mean(axis=0), prediction - prediction.mean(axis=0)
    if metric == "mse":
        return -((y - prediction) ** 2).mean(axis=0)
    scale = np.sqrt((y**2).sum(axis=0) * (prediction**2).sum(axis=0))
    return (y * prediction).sum(axis=0) / scale


def brute_force(problem, fold, alphas, metric="correlation", centre="block"):
    """Inner scores (n_alphas, n_units) and test scores (n_alphas, n_test, n_units)."""
    blocks = set(np.unique(problem.labels[problem.labels >= 0]).tolist())
    train = blocks - set(fold.test)
    inner, test = [], []
    for alpha in alphas:
        scores = []
        for held_out in fold.inner:
            fit = brute_force_weights(problem, list(train - set(held_out)), alpha, centre)
            scores += [brute_force_block(problem, b, fit, metric, centre) for b in held_out]
        inner.append(np.mean(scores, axis=0))
        fit = brute_force_weights(problem, list(train), alpha, centre)
        test.append([brute_force_block(problem, b, fit, "correlation", centre) for b in fold.test])
    return np.array(inner), np.array(test)
