"""Correlation of parcellated maps with references, against surrogates of the references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_TIE = 1e-10


@dataclass(frozen=True, eq=False)
class SurrogateTest:
    """Two-sided results, each (n_references, n_maps).

    Attributes
    ----------
    r
        Observed correlation over parcels.
    p
        (b + 1) / (n_draws + 1).
    p_fwe
        The same against the largest size over the maps, per reference.
    """

    r: NDArray[np.float64]
    p: NDArray[np.float64]
    p_fwe: NDArray[np.float64]


def surrogate_test(
    references: NDArray[np.floating[Any]],
    drawn: NDArray[np.floating[Any]],
    maps: NDArray[np.floating[Any]],
    *,
    statistic: Literal["spearman", "pearson"] = "spearman",
) -> SurrogateTest:
    """Test maps against surrogates of references.

    Parameters
    ----------
    references
        (n_references, n_parcels) finite.
    drawn
        (n_draws, n_references, n_parcels) surrogates of them.
    maps
        (n_maps, n_parcels) finite; they stay.
    statistic
        ``spearman`` (midranks) or ``pearson``.

    Returns
    -------
    SurrogateTest
        NaN where a map or reference is constant.

    Notes
    -----
    Source: p = (b + 1) / (n + 1) after Phipson and Smyth (2010).
    """
    fixed, observed, null = (_standardised(x, statistic) for x in (maps, references, drawn))
    r = observed @ fixed.T
    size = np.abs(null @ fixed.T)
    testable = np.isfinite(r)
    b = (size >= np.abs(r) - _TIE).sum(axis=0)
    largest = np.where(testable, size, -np.inf).max(axis=-1, keepdims=True)
    b_fwe = (largest >= np.abs(r) - _TIE).sum(axis=0)
    n = len(drawn)
    return SurrogateTest(
        r,
        np.where(testable, (b + 1) / (n + 1), np.nan),
        np.where(testable, (b_fwe + 1) / (n + 1), np.nan),
    )


def _standardised(values: NDArray[np.floating[Any]], statistic: str) -> NDArray[np.float64]:
    """Rank (Spearman), centre and scale the last axis to length 1; NaN where constant."""
    scores = np.asarray(values, dtype=np.float64)
    if statistic == "spearman":
        scores = rankdata(scores, axis=-1)
    scores = scores - scores.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(scores, axis=-1, keepdims=True)
    return np.asarray(scores / np.where(length > 0, length, np.nan))
