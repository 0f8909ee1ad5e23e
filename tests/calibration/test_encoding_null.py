"""The error rate of encoding scores on data without signal, and the find on data with it.

Features are smooth and lagged, noise is smooth, and there are three or four pieces, as in
recordings of music. Numbers are printed (``pytest -s``).
"""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.encoding.parcels import parcel_test
from bidsapp.recipes.gradients.displacement import best_beyond
from bidsapp.results.calibrations.acoustics import made, projected
from bidsapp.results.calibrations.encoding import MadeDesigns, score_with_null, smooth
from bidsapp.stats.displacement import displacement_test
from bidsapp.stats.metrics import best_layer, fisher_z
from bidsapp.stats.nulls import permutation_p

LOG10_ALPHA = tuple(map(float, np.linspace(1, 5, 8)))
N_SHIFTS = 39


def lagged_features(rng, lengths, n_components=8, ar=0.9):
    """Three neighbouring lags of smooth components of unequal size."""
    pieces = [smooth(rng, [length + 2], n_components, ar) for length in lengths]
    scale = np.logspace(0, -1, n_components)
    lags = range(3)
    return np.vstack(
        [
            np.hstack([scale * piece[2 - lag : len(piece) - lag] for lag in lags])
            for piece in pieces
        ]
    )


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
    means, rates = [], []
    for seed in range(n_sets):
        rng = np.random.default_rng([seed, int(10 * ar), len(lengths)])
        store = MadeDesigns([lagged_features(rng, lengths)], lengths, LOG10_ALPHA)
        y = smooth(rng, lengths, n_units, ar)
        observed, null = score_with_null(store, y, seed, N_SHIFTS)
        r = observed.mean_r[0]
        p = permutation_p(r, null[:, 0])
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
    lengths = (168, 200, 256)
    rng = np.random.default_rng(0)
    features = [lagged_features(rng, lengths) for _ in range(2)]
    store = MadeDesigns(features, lengths, LOG10_ALPHA)
    n_each = 30
    signal = np.hstack(
        [x @ rng.standard_normal((x.shape[1], n_each)) for x in features]
        + [np.zeros((sum(lengths), n_each))]
    )
    noise = smooth(rng, lengths, 3 * n_each, 0.6)
    y = signal / np.maximum(signal.std(axis=0), 1e-9) + 1.2 * noise / noise.std(axis=0)
    observed, null = score_with_null(store, y, 7, N_SHIFTS)
    r = observed.mean_r
    p_family = parcel_test(r, null).p_family
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


def test_what_a_layer_adds_to_acoustics_is_found():
    """Responses follow acoustics and the second layer's own part."""
    rng = np.random.default_rng(5)
    scores = projected(*made(rng, "acoustics and layer 2"), 1, N_SHIFTS)
    z = fisher_z(scores)
    test = displacement_test(z[0], z[1:])
    assert (test.p_fwe[1] <= 0.05).mean() >= 0.5
    assert (test.p_fwe[[0, 2]] <= 0.05).mean() <= 0.1
    best = best_beyond(test, 0.05, np.ones(3, np.bool_))
    assert (best == 2).sum() >= 3 > (best == 1).sum() + (best == 3).sum()
