"""Bootstrap over participants: intervals of layer profiles, confidence in the best layer.

A resample is a vector of counts, how often each participant was drawn; the means of all
resamples are one product of the counts with the data, and the same counts serve every unit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bidsapp.stats.metrics import best_layer


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
    """Bias-corrected and accelerated interval of the mean over participants.

    Parameters
    ----------
    values : ndarray, shape (n_participants, n_tests)
        Layer profiles of participants, say; NaN where missing.
    counts
        From `resample_counts`.
    confidence
        Coverage.

    Returns
    -------
    low, high : ndarray, shape (n_tests,)
        NaN where fewer than two participants have a value or all values are equal.

    Notes
    -----
    Source: Efron (1987), J Am Stat Assoc 82, 171-185.
    """
    values = np.asarray(values, np.float64)
    means = resampled_means(values, counts)
    low, high = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    for k, column in enumerate(values.T):
        sample, drawn = column[np.isfinite(column)], means[:, k]
        drawn = drawn[np.isfinite(drawn)]
        if len(sample) < 2 or np.ptp(sample) == 0:
            continue
        below = np.mean(drawn < sample.mean()) + np.mean(drawn == sample.mean()) / 2
        shift, bend = ndtri(below), _acceleration(sample)
        z = ndtri([(1 - confidence) / 2, (1 + confidence) / 2]) + shift
        low[k], high[k] = np.quantile(drawn, ndtr(shift + z / (1 - bend * z)))
    return low, high


def best_layer_confidence(
    scores: NDArray[np.floating[Any]], counts: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Best layer of the group profile, and how often resampled groups agree on it.

    Parameters
    ----------
    scores : ndarray, shape (n_participants, n_layers, n_units)
        NaN where missing; give a chunk of units at a time to bound memory, which is
        n_resamples × n_layers × n_units × 8 bytes.
    counts
        From `resample_counts`.

    Returns
    -------
    best : ndarray of int, shape (n_units,)
        1 to n_layers; 0 where no layer has a positive mean score.
    confidence : ndarray, shape (n_units,)
        Share of the resamples with the same best layer; NaN where `best` is 0.
    """
    n_layers, n_units = scores.shape[1:]
    best = best_layer(resampled_means(scores, np.ones((1, len(scores))))[0]).astype(np.int64)
    means = np.moveaxis(resampled_means(scores, counts), 1, 0).reshape(n_layers, -1)
    agree = best_layer(means).reshape(len(counts), n_units) == best
    return best, np.where(best > 0, agree.mean(axis=0), np.nan)


def _acceleration(sample: NDArray[np.float64]) -> float:
    """Return a sixth of the skewness of the jackknife means."""
    deviation = sample - sample.mean()
    return float((deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5))
