"""Calibration of tests over participants: scores that are zero on average, or a known mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidsapp.stats.bootstrap import bootstrap_interval, jackknife_interval, resample_counts
from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.group import GroupMean, cohens_d
from bidsapp.stats.metrics import centroid_layer
from bidsapp.stats.signflip import SignFlips
from bidsapp.stats.tfce import graph_from_pairs, tfce_test

_N_PARTICIPANTS, _N_UNITS, _N_LAYERS, _N_FLIPS, _N_RESAMPLES = 10, 12, 3, 99, 200
_MEAN, _SD = 0.3, 1.0
Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 31))


def _flips(rng: np.random.Generator) -> tuple[SignFlips, Floats, Floats]:
    """Sign flips that have seen null scores, with t and uncorrected p (n_units,)."""
    flips = SignFlips(_N_PARTICIPANTS, n_permutations=_N_FLIPS, seed=_seed(rng))
    tests = flips.add(rng.standard_normal((_N_PARTICIPANTS, _N_UNITS)))
    return flips, tests.t, tests.p


def sign_flip(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p (n_sets,) over units of scores without effect."""
    made = (_flips(rng) for _ in range(n_sets))
    return np.array([flips.family_wise(t).min() for flips, t, _ in made])


def sign_flip_fdr(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest q (n_sets,) over units of scores without effect."""
    made = (_flips(rng) for _ in range(n_sets))
    return np.array([benjamini_hochberg(p).min() for _, _, p in made])


def sign_flip_alignment(rng: np.random.Generator, n_sets: int) -> Floats:
    """Two-sided p (n_sets,) of correlations of participants that are zero on average."""
    return np.array([_flips(rng)[2][0] for _ in range(n_sets)])


def sign_flip_tfce(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p (n_sets,) of enhanced t over the units of a chain."""
    graph = graph_from_pairs(
        np.column_stack([np.arange(_N_UNITS - 1), np.arange(1, _N_UNITS)]), _N_UNITS
    )
    p_values = []
    for _ in range(n_sets):
        values = rng.standard_normal((_N_PARTICIPANTS, _N_UNITS))
        test = tfce_test([lambda v=values: v], graph, n_permutations=_N_FLIPS, seed=_seed(rng))  # type: ignore[misc]
        p_values.append(np.nanmin(test.p))
    return np.array(p_values)


def bootstrap(rng: np.random.Generator, n_sets: int) -> Truths:
    """Whether the interval of a mean covers it, (n_sets,)."""
    truths = []
    for _ in range(n_sets):
        values = rng.normal(_MEAN, _SD, (_N_PARTICIPANTS, 1))
        counts = resample_counts(_N_PARTICIPANTS, _N_RESAMPLES, _seed(rng))
        low, high = bootstrap_interval(values, counts)
        truths.append(low[0] <= _MEAN <= high[0])
    return np.array(truths)


def bootstrap_layers(rng: np.random.Generator, n_sets: int) -> Truths:
    """Whether the interval of a centroid layer covers it, (n_sets,)."""
    profile = np.linspace(1, 2, _N_LAYERS)
    (centroid,) = centroid_layer(profile[:, None])
    truths = []
    for _ in range(n_sets):
        values = rng.normal(profile, _SD / 2, (_N_PARTICIPANTS, _N_LAYERS))
        low, high = jackknife_interval(values, centroid_layer)
        truths.append(low <= centroid <= high)
    return np.array(truths)


def effect_size(rng: np.random.Generator, n_sets: int) -> Truths:
    """Whether the interval of Cohen's d covers it, (n_sets,)."""
    truths = []
    for _ in range(n_sets):
        group = GroupMean((1,))
        for value in rng.normal(_MEAN, _SD, (_N_PARTICIPANTS, 1)):
            group.add(value)
        effect = cohens_d(group)
        truths.append(effect.low[0] <= _MEAN / _SD <= effect.high[0])
    return np.array(truths)
