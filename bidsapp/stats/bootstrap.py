"""Bootstrap over participants: intervals of layer profiles, confidence in the best layer.

A resample is a vector of counts, how often each participant was drawn; the means of all
resamples are one product of the counts with the data, and the same counts serve every unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from bidsapp.stats.metrics import best_layer

FEWEST = 5
"""Participants below which no interval is given."""
_NO_SPREAD = 1e-12


def resample_counts(n_participants: int, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each participant is drawn in each resample.

    Parameters
    ----------
    n_participants, n_resamples
        Numbers of both.
    seed
        Names the resamples.

    Returns
    -------
    ndarray, shape (n_resamples, n_participants)
        Rows sum to `n_participants`.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    drawn = generator.integers(0, n_participants, (n_resamples, n_participants))
    rows = np.repeat(np.arange(n_resamples), n_participants)
    counts = np.zeros((n_resamples, n_participants))
    np.add.at(counts, (rows, drawn.ravel()), 1.0)
    return counts


def resampled_means(
    values: NDArray[np.floating[Any]], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over participants of each resample, leaving out missing values.

    Parameters
    ----------
    values : ndarray, shape (n_participants, ...)
    counts : ndarray, shape (n_resamples, n_participants)

    Returns
    -------
    ndarray, shape (n_resamples, ...)
        NaN where a resample holds no value.
    """
    values = np.asarray(values, np.float64)
    flat = values.reshape(len(values), -1)
    present = np.isfinite(flat)
    n = counts @ present
    total = counts @ np.where(present, flat, 0.0)
    means = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return np.asarray(means.reshape(len(counts), *values.shape[1:]))


def bootstrap_interval(
    values: NDArray[np.floating[Any]],
    counts: NDArray[np.float64],
    *,
    confidence: float = 0.95,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Studentised bootstrap interval of the mean over participants.

    Parameters
    ----------
    values : ndarray, shape (n_participants, n_tests)
        Fisher z of participants, say; NaN where missing.
    counts : ndarray, shape (n_resamples, n_participants)
        From `resample_counts`.
    confidence
        Coverage.

    Returns
    -------
    low, high : ndarray, shape (n_tests,)
        NaN where fewer than `FEWEST` participants have a value or all values are equal.

    Notes
    -----
    The distribution of (mean* - mean) / se* over resamples takes the place of Student's t, so
    skewed values are allowed for. Measured coverage of the 95 % interval for 5 to 37 values,
    normal, skewed (gamma, exponential) or heavy-tailed (t with 5 degrees of freedom): .92 to .96.
    The bias-corrected and accelerated interval covers .84 with 5 and .88 with 8 normal values.
    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 12.5.
    """
    values = np.asarray(values, np.float64)
    present = np.isfinite(values)
    filled = np.where(present, values, 0.0)
    n, enough = present.sum(axis=0), present.sum(axis=0) >= FEWEST
    mean = filled.sum(axis=0) / np.maximum(n, 1)
    centred = np.where(present, values - mean, 0.0)
    error = np.sqrt((centred**2).sum(axis=0) / np.maximum(n * (n - 1), 1))
    enough &= error > _NO_SPREAD * np.maximum(np.abs(mean), 1.0)
    drawn = counts @ present
    shift = counts @ centred / np.maximum(drawn, 1)
    spread = counts @ centred**2 / np.maximum(drawn, 1) - shift**2
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = shift / np.sqrt(spread / np.maximum(drawn - 1, 1))
    usable = (drawn >= 2) & (spread > _NO_SPREAD * error**2)
    low, high = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    tails = [(1 + confidence) / 2, (1 - confidence) / 2]
    for k in np.flatnonzero(enough):
        above, below = np.quantile(ratio[usable[:, k], k], tails)
        low[k], high[k] = mean[k] - above * error[k], mean[k] - below * error[k]
    return low, high


def jackknife_interval(
    values: NDArray[np.floating[Any]],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.floating[Any]]],
    *,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the interval of a smooth function of the mean over participants.

    Parameters
    ----------
    values : ndarray, shape (n_participants, n)
        NaN where missing.
    statistic
        Takes means (n, n_means) and returns a number for each, shape (n_means,).
    confidence
        Coverage.

    Returns
    -------
    low, high
        NaN with fewer than `FEWEST` participants, or where the statistic is not defined without
        each of them.

    Notes
    -----
    Student's t with the jackknife's standard error. The 95 % interval of a centroid layer covers
    .949 (``musicotopy-tools calibrate bench --sets 1000 --only bootstrap_layers``).
    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values).any(axis=1)]
    n = len(values)
    if n < FEWEST:
        return np.nan, np.nan
    counts = np.vstack([np.ones(n), 1.0 - np.eye(n)])
    estimate, *without = statistic(resampled_means(values, counts).T)
    error = np.sqrt((n - 1) * np.var(without))
    half = float(stdtrit(n - 1, (1 + confidence) / 2) * error)
    return float(estimate) - half, float(estimate) + half


def best_layer_confidence(
    scores: NDArray[np.floating[Any]],
    counts: NDArray[np.float64],
    competes: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Best layer of the group profile, and how often resampled groups agree on it.

    Parameters
    ----------
    scores : ndarray, shape (n_participants, n_layers, n_units)
        NaN where missing; give a chunk of units at a time to bound memory, which is
        n_resamples × n_layers × n_units × 8 bytes.
    counts
        From `resample_counts`.
    competes : ndarray of bool, shape (n_layers,)
        Layers that may be the best; all by default.

    Returns
    -------
    best : ndarray of int, shape (n_units,)
        1 to n_layers; 0 where no layer has a positive mean score.
    confidence : ndarray, shape (n_units,)
        Share of the resamples with the same best layer; NaN where `best` is 0.
    """
    n_layers, n_units = scores.shape[1:]
    mean = resampled_means(scores, np.ones((1, len(scores))))[0]
    best = best_layer(mean, competes=competes).astype(np.int64)
    means = np.moveaxis(resampled_means(scores, counts), 1, 0).reshape(n_layers, -1)
    agree = best_layer(means, competes=competes).reshape(len(counts), n_units) == best
    return best, np.where(best > 0, agree.mean(axis=0), np.nan)
