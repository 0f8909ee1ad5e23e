"""Layers along the superior temporal gyrus, from its posterior to its anterior end.

The gyrus runs obliquely, so the axis is the direction in which its units spread most (the first
principal axis of their coordinates), turned towards the front. The published profile is deep,
shallow, deep: planum temporale, Heschl's gyrus, planum polare: a curvature above zero. It is not
tested: one layer everywhere whose scores are strongest in the middle of the gyrus bends the
profile as well, and sign flips of participants take that for a shape (`docs/calibration.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError
from bidsapp.stats.bootstrap import bootstrap_interval, resample_counts


def axis_position(coordinates_mm: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Place of each unit along the posterior-anterior axis of a region.

    Parameters
    ----------
    coordinates_mm : array of shape (n_units, 3)
        RAS coordinates of the units of one hemisphere's region.

    Returns
    -------
    array of shape (n_units,)
        From 0 (posterior end) to 1 (anterior end); NaN where coordinates are.

    Raises
    ------
    InputInvalidError
        Fewer than two different places.
    """
    xyz = np.asarray(coordinates_mm, np.float64)
    known = np.isfinite(xyz).all(axis=1)
    centred = xyz[known] - xyz[known].sum(axis=0) / max(known.sum(), 1)
    if not (np.abs(centred) > 1e-9).any():
        msg = f"{known.sum()} units with coordinates have no axis; widen the region"
        raise InputInvalidError(msg)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    along = centred @ (axis if axis[1] >= 0 else -axis)
    position = np.full(len(xyz), np.nan)
    position[known] = (along - along.min()) / np.ptp(along)
    return position


@dataclass(frozen=True, eq=False)
class AxisProfile:
    """A measure in bins along the axis.

    Attributes
    ----------
    position : array of shape (n_bins,)
        Centres of the bins, from 0 to 1.
    n_units : array of shape (n_bins,)
        Units in each bin.
    participants : array of shape (n_participants, n_bins)
        Mean over the units of the bin, NaN where none has a value.
    mean, low, high : arrays of shape (n_bins,)
        Mean over participants and its bootstrap interval.
    slope, curvature : arrays of shape (n_participants,)
        Linear and quadratic coefficient of each participant's profile: positive where the measure
        rises to the front, and where it is higher at both ends; NaN for fewer than four bins.
    """

    position: NDArray[np.float64]
    n_units: NDArray[np.int64]
    participants: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    slope: NDArray[np.float64]
    curvature: NDArray[np.float64]


def axis_profile(
    values: NDArray[np.floating[Any]],
    position: NDArray[np.float64],
    *,
    n_bins: int = 10,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> AxisProfile:
    """Profile of a measure (the centroid layer, say) along the axis, and its shape.

    Parameters
    ----------
    values : array of shape (n_participants, n_units)
        NaN where undefined.
    position : array of shape (n_units,)
        From `axis_position`; NaN units are left out.
    n_bins
        Bins of equal width.
    n_resamples, seed
        Of the bootstrap over participants.

    Returns
    -------
    AxisProfile

    Raises
    ------
    InputInvalidError
        Fewer than two participants.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        msg = f"a profile over {len(values)} participant has no interval; give at least 2"
        raise InputInvalidError(msg)
    inside = np.isfinite(position)
    bins = np.minimum((position[inside] * n_bins).astype(np.int64), n_bins - 1)
    member = np.zeros((bins.size, n_bins))
    member[np.arange(bins.size), bins] = 1
    known = np.isfinite(values[:, inside])
    n = known @ member
    total = np.where(known, values[:, inside], 0.0) @ member
    participants = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    centres = (np.arange(n_bins) + 0.5) / n_bins
    low, high = bootstrap_interval(participants, resample_counts(len(values), n_resamples, seed))
    present = np.isfinite(participants)
    mean = np.where(present, participants, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    mean = np.where(present.any(axis=0), mean, np.nan)
    slope, curvature = _shapes(participants, centres)
    n_units = member.sum(axis=0).astype(np.int64)
    return AxisProfile(centres, n_units, participants, mean, low, high, slope, curvature)


def _shapes(
    participants: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and curvature (n_participants,) of a parabola fitted to each profile."""
    x = 2 * centres - 1
    design = np.stack([np.ones_like(x), x, x**2 - np.mean(x**2)], axis=1)
    coefficients = np.full((len(participants), 3), np.nan)
    for row, profile in enumerate(participants):
        known = np.isfinite(profile)
        if known.sum() > 3:
            coefficients[row] = np.linalg.lstsq(design[known], profile[known], rcond=None)[0]
    return coefficients[:, 1], coefficients[:, 2]
