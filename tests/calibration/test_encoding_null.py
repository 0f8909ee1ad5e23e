"""The error rate of encoding scores on data without signal, and the find on data with it.

Features are smooth and lagged, noise is smooth, and there are three or four pieces, as in
recordings of music. Numbers are printed (``pytest -s``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.signal import lfilter

from bidsapp.models.ridge import factorise, scale_columns, score_nested
from bidsapp.stats.folds import nested_folds
from bidsapp.stats.metrics import best_layer
from bidsapp.stats.nulls import circular_shifts, max_statistic_p, permutation_p, refit_null

ALPHAS = np.logspace(1, 5, 8)
MIN_SHIFT = 8  # 15 s at a TR of 2 s
N_SHIFTS = 39


def smooth(rng, n_rows, n_columns, ar):
    noise = rng.standard_normal((n_rows + 100, n_columns))
    return lfilter([1.0], [1.0, -ar], noise, axis=0)[100:]


def lagged_features(rng, n_rows, n_components=8, ar=0.9):
    """Three neighbouring lags of smooth components of unequal size."""
    components = smooth(rng, n_rows + 2, n_components, ar) * np.logspace(0, -1, n_components)
    x = np.hstack([components[2 - lag : 2 - lag + n_rows] for lag in range(3)])
    return scale_columns(x, slice(None))


@dataclass(frozen=True)
class Encoder:
    """The nested cross-validation of one layer, as a function of targets."""

    x: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        folds = nested_folds(np.arange(self.labels.max() + 1))
        factors = [factorise(self.x, self.labels, fold, ALPHAS) for fold in folds]
        object.__setattr__(self, "factors", factors)

    def __call__(self, y):
        designs = [self.x] * len(self.factors)
        return score_nested(self.factors, designs, y.astype(np.float32)).r.mean(axis=0)


def refit_p(encoder, y, seed):
    lengths = np.bincount(encoder.labels)
    shifts = circular_shifts(lengths, N_SHIFTS, MIN_SHIFT, seed)
    null = np.array(list(refit_null(encoder, y, encoder.labels, shifts)))
    observed = encoder(y)
    return observed, permutation_p(observed, null), null


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lengths", "ar"), [((90, 120, 170), 0.6), ((90, 120, 170), 0.9), ((80, 95, 110, 140), 0.9)]
)
def test_null_data(lengths, ar):
    """Scores are centred on zero, and 5 % of p values are at most .05.

    Units of one data set share features, so data sets are what is counted: the standard error
    is taken over them.
    """
    n_sets, n_units = 80, 25
    labels = np.repeat(np.arange(len(lengths)), lengths)
    means, rates = [], []
    for seed in range(n_sets):
        rng = np.random.default_rng([seed, int(10 * ar), len(lengths)])
        encoder = Encoder(lagged_features(rng, labels.size), labels)
        r, p, _ = refit_p(encoder, smooth(rng, labels.size, n_units, ar), seed)
        means.append(r.mean())
        rates.append((p <= 0.05).mean())
    error = np.std(rates) / np.sqrt(n_sets)
    print(
        f"\n{len(lengths)} pieces, AR {ar}: mean r {np.mean(means):+.4f}, "
        f"false positives {np.mean(rates):.4f} +- {error:.4f} of .05"
    )
    assert abs(np.mean(means)) < 0.02
    assert error < 0.01
    assert 0.03 < np.mean(rates) < 0.08


def test_planted_truth_is_found():
    """Two layers, units that follow the first, the second or neither; noise as in the null."""
    labels = np.repeat(np.arange(3), (168, 200, 256))
    rng = np.random.default_rng(0)
    encoders = [Encoder(lagged_features(rng, labels.size), labels) for _ in range(2)]
    n_each = 30
    signal = np.hstack(
        [e.x @ rng.standard_normal((e.x.shape[1], n_each)) for e in encoders]
        + [np.zeros((labels.size, n_each))]
    )
    noise = smooth(rng, labels.size, 3 * n_each, 0.6)
    y = signal / np.maximum(signal.std(axis=0), 1e-9) + 1.2 * noise / noise.std(axis=0)
    tested = [refit_p(encoder, y, seed=7) for encoder in encoders]
    r = np.stack([observed for observed, _, _ in tested])
    null_max = np.max([null.max(axis=1) for _, _, null in tested], axis=0)
    p_family = max_statistic_p(r, null_max).min(axis=0)
    best = best_layer(r)
    truth = np.repeat([1, 2], n_each)
    planted = np.arange(2 * n_each)
    oracle = [np.corrcoef(signal[:, unit], y[:, unit])[0, 1] for unit in planted]
    reached = r[truth - 1, planted] / oracle
    print(
        f"\nlayer right {np.mean(best[planted] == truth):.3f}, of the ceiling "
        f"{np.median(reached):.3f}, found (family-wise) {np.mean(p_family[planted] <= 0.05):.3f}, "
        f"false {np.mean(p_family[2 * n_each :] <= 0.05):.3f}"
    )
    assert np.mean(best[planted] == truth) > 0.95
    assert np.median(reached) > 0.7
    assert np.mean(p_family[planted] <= 0.05) > 0.9
    assert np.mean(p_family[2 * n_each :] <= 0.05) < 0.05
