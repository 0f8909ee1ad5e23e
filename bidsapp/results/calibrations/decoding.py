"""Calibration of decoders' inferences on autocorrelated noise that knows nothing of the labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bidsapp.models.cnn3d.embedding import silhouette
from bidsapp.models.linear_decoder import decode, prepare
from bidsapp.stats.classification import score_predictions, share_interval
from bidsapp.stats.label_nulls import chance, label_null
from bidsapp.stats.nulls import permutation_p
from bidsapp.stats.prevalence import bayesian_prevalence, minimum_statistic
from bidsapp.stats.samples import Samples
from bidsapp.stats.signflip import sign_flip_test
from bidsapp.stats.splits import leave_run_out

_N_RUNS, _N_VOLUMES, _N_VOXELS, _N_CLASSES = 3, 60, 12, 3
_N_SHIFTS, _N_PEOPLE, _BLOCK = 19, 8, 6
Floats = NDArray[np.float64]
Labels = NDArray[np.integer]
Score = Callable[[Labels], float]
Truths = NDArray[np.bool_]


def _labels(rng: np.random.Generator) -> NDArray[np.int64]:
    """Classes in segments of one length, (n_volumes,)."""
    blocks = rng.integers(_N_CLASSES, size=_N_RUNS * _N_VOLUMES // _BLOCK)
    return np.repeat(blocks, _BLOCK)


def _noise(rng: np.random.Generator, n_columns: int) -> Floats:
    """Autocorrelated noise in each run, (n_volumes, n_columns)."""
    white = rng.standard_normal((_N_RUNS, _N_VOLUMES + 20, n_columns))
    series = lfilter([1.0], [1.0, -0.6], white, axis=1)[:, 20:]
    return np.asarray(series.reshape(-1, n_columns))


def _samples() -> Samples:
    run = np.repeat(np.arange(_N_RUNS), _N_VOLUMES)
    return Samples(run, np.tile(2.0 * np.arange(_N_VOLUMES), _N_RUNS))


def _scorer(rng: np.random.Generator, shared: Floats | float = 0.0, share: float = 0.0) -> Score:
    """Return a function from labels to the balanced accuracy of a decoder of noise.

    Participants who share responses that have nothing to do with the labels have them in
    `shared`, (n_volumes, n_voxels), which are a `share` of their variance.
    """
    noise = np.sqrt(1 - share) * _noise(rng, _N_VOXELS) + np.sqrt(share) * shared
    prepared = prepare(noise, leave_run_out(_samples()), n_components=None)

    def score(labels: Labels) -> float:
        decoded = decode(prepared, labels, "ridge", n_classes=_N_CLASSES, strengths=(1.0,))
        return score_predictions(labels, decoded.log_proba).balanced_accuracy

    return score


def label_shift(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of a linear decoder of noise."""
    samples, p_values = _samples(), []
    for _ in range(n_sets):
        score, labels, seed = _scorer(rng), _labels(rng), int(rng.integers(1 << 31))
        null = label_null(score, labels, samples, _N_SHIFTS, seed=seed)
        p_values.append(chance(score(labels), null).p)
    return np.array(p_values)


def label_shift_hidden(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the silhouette of classes in noise."""
    samples, p_values = _samples(), []
    for _ in range(n_sets):
        points, labels = _noise(rng, 2), _labels(rng)
        seed = int(rng.integers(1 << 31))
        null = label_null(partial(silhouette, points), labels, samples, _N_SHIFTS, seed=seed)
        p_values.append(chance(silhouette(points, labels), null).p)
    return np.array(p_values)


def shared_scores(
    rng: np.random.Generator, n_people: int = 2, n_shifts: int = _N_SHIFTS, share: float = 0.3
) -> tuple[Floats, Floats]:
    """Scores of people who share unknown responses, and with labels shifted alike in all.

    Parameters
    ----------
    rng
        Of responses and labels.
    n_people, n_shifts
        People and shifts.
    share
        Share of variance that all people have in common.

    Returns
    -------
    observed : array of shape (n_people,)
    null : array of shape (n_people, n_shifts)
    """
    labels, seed, shared = _labels(rng), int(rng.integers(1 << 31)), _noise(rng, _N_VOXELS)
    scorers = [_scorer(rng, shared, share) for _ in range(n_people)]
    observed = np.array([score(labels) for score in scorers])
    nulls = [label_null(score, labels, _samples(), n_shifts, seed=seed) for score in scorers]
    return observed, np.stack(nulls)


def label_shift_alike(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the mean score of people who share unknown responses."""
    groups = (shared_scores(rng) for _ in range(n_sets))
    means = ((observed.mean(), null.mean(axis=0)) for observed, null in groups)
    return np.array([float(permutation_p(np.asarray(mean), null)) for mean, null in means])


def stretches(
    rng: np.random.Generator, n_sets: int, n_stretches: int = 20, likeness: float = 0.3
) -> Truths:
    """Whether the interval covers the rate, (n_sets,), where volumes of a stretch are alike.

    Parameters
    ----------
    rng, n_sets
        Of the calibration.
    n_stretches
        Of 4 to 12 volumes each.
    likeness
        Correlation of hits inside a stretch (beta-binomial).
    """
    covered = []
    for rate in rng.uniform(0.15, 0.85, n_sets):
        n = rng.integers(4, 13, n_stretches)
        size = 1 / likeness - 1
        hits = rng.binomial(n, rng.beta(rate * size, (1 - rate) * size, n_stretches))
        low, high = share_interval(hits, n)
        covered.append(low <= rate <= high)
    return np.array(covered)


def _people(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Scores (n_people,) at their own chance, and nulls (n_people, n_shifts) around it."""
    own = rng.uniform(0.15, 0.4, _N_PEOPLE)[:, None]
    scores = own + 0.04 * rng.standard_normal((_N_PEOPLE, 1 + _N_SHIFTS))
    return scores[:, 0], scores[:, 1:]


def sign_flip_scores(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of scores less the participants' own chance."""
    p_values = []
    for _ in range(n_sets):
        observed, null = _people(rng)
        above = observed - null.mean(axis=1)
        test = sign_flip_test(above[:, None], n_permutations=500, seed=0, alternative="greater")
        p_values.append(float(test.p[0]))
    return np.array(p_values)


def minimum_statistic_p(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the global null in people who share unknown responses."""
    tests = (minimum_statistic(*shared_scores(rng), n_second_level=100) for _ in range(n_sets))
    return np.array([test.p_global for test in tests])


def prevalence_density(rng: np.random.Generator, n_sets: int) -> Truths:
    """Whether the interval covers the share, (n_sets,), drawn from its prior."""
    covered = []
    for _ in range(n_sets):
        share, n = rng.uniform(), 20
        n_significant = int(rng.binomial(n, share + 0.05 * (1 - share)))
        found = bayesian_prevalence(n_significant, n)
        covered.append(found.low <= share <= found.high)
    return np.array(covered)
