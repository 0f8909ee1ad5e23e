"""P-values of a spin null: per map, and over a family of maps.

Source: p = (b + 1) / (n + 1) after Phipson & Smyth (2010), Stat Appl Genet Mol Biol 9(1) 39;
maximum over maps after Westfall & Young (1993); interval after Clopper & Pearson (1934).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.stats.proportions import clopper_pearson
from bidsapp.stats.spins.null import SpinNull

_TIE = 1e-10


@dataclass(frozen=True, eq=False)
class SpinTest:
    """Two-sided results; arrays have shape (n_statistics, n_references, n_maps).

    Attributes
    ----------
    r
        Observed correlation.
    p
        (b + 1) / (n_used + 1), b rotations with a correlation at least as large in size.
    p_low, p_high
        95 % Monte Carlo (Clopper-Pearson) interval of p: what more rotations could change.
    p_fwe
        The same against the largest size over all maps of the rotation, per reference.
    n_used
        Rotations with enough overlap and a defined correlation.
    overlap_min, overlap_median
        Over all rotations, before any was refused.
    """

    r: NDArray[np.float64]
    p: NDArray[np.float64]
    p_low: NDArray[np.float64]
    p_high: NDArray[np.float64]
    p_fwe: NDArray[np.float64]
    n_used: NDArray[np.int64]
    overlap_min: NDArray[np.float64]
    overlap_median: NDArray[np.float64]


def spin_test(null: SpinNull, *, overlap_floor: float = 0.5) -> SpinTest:
    """Two-sided p-values of every map against every reference.

    Parameters
    ----------
    null
        Filled by `bidsapp.stats.spins.null.advance`.
    overlap_floor
        Rotations that leave less than this share of a map's units are refused for it.

    Returns
    -------
    SpinTest
        NaN where a map is constant or empty.
    """
    size, overlap = _usable(null, overlap_floor)
    observed = np.abs(null.observed)
    testable = np.isfinite(observed)
    complete = np.all(np.isfinite(size) | ~testable, axis=-1, keepdims=True)
    largest = np.where(complete, np.where(testable, size, -np.inf), np.nan)
    largest = largest.max(axis=-1, keepdims=True)
    p, b, n_used = _exceedance(observed, size)
    p_fwe, _, _ = _exceedance(observed, largest)
    low, high = clopper_pearson(b, n_used)
    shape = null.observed.shape
    return SpinTest(
        null.observed,
        p,
        np.where(testable, low, np.nan),
        np.where(testable, high, np.nan),
        p_fwe,
        n_used,
        np.broadcast_to(overlap.min(axis=0), shape),
        np.broadcast_to(np.median(overlap, axis=0), shape),
    )


def some_maps(null: SpinNull, maps: Sequence[int]) -> SpinNull:
    """Take some of the maps, by their numbers, as a family of their own."""
    return SpinNull(
        null.observed[..., maps],
        null.correlations[..., maps],
        null.overlap[..., maps],
        null.done,
        null.digest,
    )


def _usable(null: SpinNull, floor: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Sizes of the null correlations, NaN where refused, and the overlap, of what is done."""
    overlap = null.overlap[: null.done, None]
    size = np.abs(null.correlations[: null.done])
    return np.where(overlap >= floor, size, np.nan), overlap


def _exceedance(
    observed: NDArray[np.float64], null: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """P, number of null values at least as large (ties count), and number of null values."""
    b = np.sum(null >= observed - _TIE, axis=0)
    n = np.broadcast_to(np.sum(np.isfinite(null), axis=0), b.shape)
    p = np.where(np.isfinite(observed), (b + 1) / (n + 1), np.nan)
    return p, b, n
