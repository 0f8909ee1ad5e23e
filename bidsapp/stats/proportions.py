"""Exact intervals of proportions: what more draws could change about a p-value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv


def clopper_pearson(
    b: NDArray[Any] | int, n: NDArray[Any] | int, *, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact binomial interval of a probability of which `b` in `n` draws were seen.

    Parameters
    ----------
    b, n : ndarray of int, or int
        Successes and draws.
    confidence
        Coverage of the interval.

    Returns
    -------
    low, high : ndarray
        Limits; 0 and 1 without draws.

    Notes
    -----
    Source: Clopper & Pearson (1934), Biometrika 26, 404-413.
    """
    tail = (1 - confidence) / 2
    b, n = np.asarray(b, float), np.asarray(n, float)
    low = np.where(b > 0, betaincinv(np.maximum(b, 1), n - b + 1, tail), 0.0)
    high = np.where(b < n, betaincinv(b + 1, np.maximum(n - b, 1), 1 - tail), 1.0)
    return low, high
