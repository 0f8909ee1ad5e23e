"""Tests of representational similarity over participants: the paper's, and one that holds.

``faithful``
    the maximum over layers of each participant, tested against zero. The maximum of several
    correlations is above zero without any effect, so this test rejects everywhere; it is here
    to reproduce published maps, next to what it would show on noise.
``robust``
    the mean over participants against its distribution under permutations of clips, with the
    maximum over units and layers for family-wise error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import stdtr
from scipy.stats import norm

from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.group import GroupMean
from bidsapp.stats.nulls import max_statistic_p

#: Permuted scores this close below an observed one reach it: they come from float32 tables.
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, eq=False)
class FaithfulTest:
    """The paper's test; arrays of shape (n_units,), NaN where not testable.

    Attributes
    ----------
    mean_max
        Mean over participants of the largest correlation over layers.
    mean_layer
        Mean over participants of the number of that layer (1 to n_layers).
    t, p, q
        One-sample t of the maxima, its right-sided p, and its false discovery rate over units.
    significant
        q under the threshold.
    q_threshold
        0.05 divided by the number of layers.
    """

    mean_max: NDArray[np.float64]
    mean_layer: NDArray[np.float64]
    t: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    significant: NDArray[np.bool_]
    q_threshold: float


def faithful_test(rho: NDArray[np.floating[Any]], *, level: float = 0.05) -> FaithfulTest:
    """Test the maximum over layers as in the paper.

    Parameters
    ----------
    rho : array of shape (n_participants, n_layers, n_units)
        Correlations of each layer's matrix with the brain's; NaN where missing.
    level
        Divided by the number of layers, the false discovery rate that is allowed.

    Returns
    -------
    FaithfulTest

    Notes
    -----
    Source: statistical analysis of the paper that the `rsa` recipe follows: one-sample
    right-sided t of the maximum, FDR q = 0.05 / 10, averages over participants of the maximum
    and of its layer number.
    """
    rho = np.asarray(rho, np.float64)
    known = np.isfinite(rho).any(axis=1)
    filled = np.where(np.isfinite(rho), rho, -np.inf)
    largest = np.where(known, filled.max(axis=1), np.nan)
    number = np.where(known, filled.argmax(axis=1) + 1.0, np.nan)
    group, layers = GroupMean(largest.shape[1:]), GroupMean(largest.shape[1:])
    for participant, layer in zip(largest, number, strict=True):
        group.add(participant)
        layers.add(layer)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = group.mean / group.sd * np.sqrt(group.n)
    p = np.where(np.isnan(t), np.nan, stdtr(np.maximum(group.n - 1.0, 1.0), -t))
    q = np.asarray(benjamini_hochberg(p), np.float64)
    threshold = level / rho.shape[1]
    return FaithfulTest(group.mean, layers.mean, t, p, q, q <= threshold, threshold)


@dataclass(frozen=True)
class MaximumOfNoise:
    """What the faithful test sees without any effect.

    Attributes
    ----------
    mean, sd
        Of the maximum over layers, in standard deviations of one layer's correlation.
    t
        Expected t of the maximum over participants.
    """

    mean: float
    sd: float
    t: float


def maximum_of_noise(
    n_layers: int, n_participants: int, correlation: float = 0.0
) -> MaximumOfNoise:
    """Distribution of the largest of several layers when none has an effect.

    Parameters
    ----------
    n_layers, n_participants
        Numbers of both.
    correlation
        Between the layers' scores over units or participants, from 0 to 1.

    Returns
    -------
    MaximumOfNoise
        For normal scores with equal variances and equal correlations. Ten layers and eight
        participants: t = 7.4 for independent layers, 3.8 at a correlation of .5.
    """
    first, second = (
        quad(lambda x, k=k: x**k * n_layers * norm.pdf(x) * norm.cdf(x) ** (n_layers - 1), -9, 9)[
            0
        ]
        for k in (1, 2)
    )
    correlation = float(np.clip(correlation, 0.0, 1.0))
    mean = np.sqrt(1 - correlation) * first
    sd = np.sqrt(correlation + (1 - correlation) * (second - first**2))
    return MaximumOfNoise(float(mean), float(sd), float(mean / sd * np.sqrt(n_participants)))


@dataclass(frozen=True, eq=False)
class ClipTest:
    """Test by clip permutation; arrays of shape (n_layers, n_units), NaN where not testable.

    Attributes
    ----------
    p
        Uncorrected, right-sided.
    p_fwe
        Against the largest score over all units and layers of each permutation.
    q
        False discovery rate over units and layers.
    significant
        Units with a layer under the level, family-wise, shape (n_units,).
    """

    p: NDArray[np.float64]
    p_fwe: NDArray[np.float64]
    q: NDArray[np.float64]
    significant: NDArray[np.bool_]


def clip_test(
    observed: NDArray[np.floating[Any]],
    exceed_count: NDArray[np.integer[Any]],
    null_maximum: NDArray[np.floating[Any]],
    *,
    level: float = 0.05,
) -> ClipTest:
    """Turn the counts of a clip permutation null into p-values.

    Parameters
    ----------
    observed : array of shape (n_layers, n_units)
        Group mean (or one participant's) correlation or Fisher z, as it was permuted.
    exceed_count : array of shape (n_layers, n_units)
        Permutations whose score reached the observed one.
    null_maximum : array of shape (n_permutations,)
        Largest permuted score over all layers and units, all slabs of centres together.
    level
        Family-wise error rate.

    Returns
    -------
    ClipTest
    """
    observed = np.asarray(observed, np.float64)
    missing = np.isnan(observed)
    p = np.where(missing, np.nan, (np.asarray(exceed_count) + 1.0) / (len(null_maximum) + 1))
    p_fwe = np.asarray(max_statistic_p(observed - _ROUNDING, null_maximum), np.float64)
    q = np.asarray(benjamini_hochberg(p), np.float64)
    significant = np.asarray((p_fwe <= level).any(axis=0))
    return ClipTest(p, p_fwe, q, significant)
