"""Group means and effect sizes that stream over participants.

A group map is built by adding one participant's map after the other, so memory does not grow
with the number of participants. A participant whose unit is NaN is left out of that unit, and N
is kept per unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, nctdtrinc

from bidsapp.stats.metrics import fisher_z


class GroupMean:
    """Running mean and variance of participants' values, unit by unit (Welford's recurrence).

    Parameters
    ----------
    shape
        Of one participant's values, for instance (n_layers, n_units).

    Attributes
    ----------
    n : ndarray of int, `shape`
        Participants that have a value.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.n = np.zeros(shape, np.int64)
        self._mean = np.zeros(shape)
        self._squares = np.zeros(shape)

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        """Add one participant.

        Parameters
        ----------
        values : ndarray, the shape given to the constructor
            NaN where missing.
        """
        values = np.asarray(values, np.float64)
        present = np.isfinite(values)
        self.n += present
        step = np.where(present, values - self._mean, 0.0)
        self._mean += step / np.maximum(self.n, 1)
        self._squares += step * np.where(present, values - self._mean, 0.0)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over participants; NaN where there is none."""
        return np.where(self.n > 0, self._mean, np.nan)

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation over participants (n - 1); NaN for fewer than two."""
        variance = self._squares / np.maximum(self.n - 1, 1)
        return np.where(self.n > 1, np.sqrt(variance), np.nan)


class FisherMean:
    """Group mean of correlations, averaged as Fisher z and given back as r.

    Parameters
    ----------
    shape
        Of one participant's correlations, for instance (n_layers, n_units).

    Attributes
    ----------
    z
        Mean, SD and N of the Fisher z values.

    Notes
    -----
    Source: Fisher (1921), Metron 1, 3-32; Silver & Dunlap (1987), J Appl Psychol 72, 146-148,
    on the smaller bias of averaging z.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.z = GroupMean(shape)

    def add(self, r: NDArray[np.floating[Any]]) -> None:
        """Add one participant's correlations; NaN where missing."""
        self.z.add(fisher_z(np.asarray(r, np.float64)))

    @property
    def mean_r(self) -> NDArray[np.float64]:
        """Back-transformed mean; NaN where no participant has a value."""
        return np.asarray(np.tanh(self.z.mean))


@dataclass(frozen=True, eq=False)
class EffectSize:
    """Cohen's d of a mean against zero, its confidence interval; NaN for N < 2."""

    d: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def cohens_d(group: GroupMean, *, confidence: float = 0.95) -> EffectSize:
    """Standardised mean d = mean / SD with its exact interval.

    Parameters
    ----------
    group
        Values whose population mean of interest is zero (Fisher z of correlations, say).
    confidence
        Coverage of the interval for normal values.

    Returns
    -------
    EffectSize
        Arrays of the group's shape; NaN where the standard deviation is zero.

    Notes
    -----
    t = d sqrt(n) is noncentral t with noncentrality delta sqrt(n); the interval inverts its
    distribution function. Source: Cumming & Finch (2001), Educ Psychol Meas 61, 532-574.
    """
    root_n = np.sqrt(np.maximum(group.n, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(group.sd > 0, group.mean / group.sd, np.nan)
        tail = (1 - confidence) / 2
        low, high = (nctdtrinc(group.n - 1.0, q, d * root_n) / root_n for q in (1 - tail, tail))
    defined = np.isfinite(d)
    return EffectSize(d, np.where(defined, low, np.nan), np.where(defined, high, np.nan))


def hedges_correction(n: NDArray[np.integer[Any]] | int) -> NDArray[np.float64]:
    """Return the factor that makes Cohen's d of n values an unbiased Hedges' g.

    Parameters
    ----------
    n
        Number of values, any shape.

    Returns
    -------
    array of the shape of `n`
        NaN for n < 3, where d has no finite mean.

    Notes
    -----
    J = Gamma(df / 2) / (sqrt(df / 2) Gamma((df - 1) / 2)) with df = n - 1 (one-sample d).
    Source: Hedges (1981), J Educ Stat 6, 107-128.

    Examples
    --------
    >>> hedges_correction(np.array([2, 5, 30])).round(3)
    array([  nan, 0.798, 0.974])
    """
    df = np.asarray(n, dtype=np.float64) - 1
    safe = np.where(df > 1, df, 2.0)
    factor = np.exp(gammaln(safe / 2) - gammaln((safe - 1) / 2)) / np.sqrt(safe / 2)
    return np.asarray(np.where(df > 1, factor, np.nan))
