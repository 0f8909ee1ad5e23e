"""Parcels: groups of neighbouring units, and means over them.

Geometric parcels need no atlas: each structure is halved again and again across the coordinate
axis along which it is widest, until the parcels have the wanted size. Exact, deterministic on
every machine, and balanced: sizes within a structure differ by at most one unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bidsapp.brain.geometry import UnitSpace

_MEAN_BYTES = 32  # per row and unit of a chunk: data, finite flags, float64 copies


def geometric_parcels(
    units: UnitSpace, n_parcels: int, *, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """Divide the units into compact parcels of nearly equal size.

    Parameters
    ----------
    units
        What to divide. A structure without coordinates (see `bidsapp.brain.meshes`) is divided
        into ranges of unit numbers.
    n_parcels
        How many. Structures get their share by size, and at least one parcel each; so there may
        be more when there are more structures than that, fewer when there are too few units.
    valid
        (n_units,) units to use; all when None.

    Returns
    -------
    (n_units,) array
        0, 1, …; -1 outside `valid`. Parcels are numbered structure by structure, in the order
        in which structures first appear.

    Raises
    ------
    ValueError
        `n_parcels` is not positive.
    """
    if n_parcels < 1:
        msg = f"n_parcels must be positive, not {n_parcels}"
        raise ValueError(msg)
    chosen = np.ones(units.n_units, dtype=bool) if valid is None else np.asarray(valid)
    labels = np.full(units.n_units, -1, dtype=np.int32)
    members = _members(units.structure, chosen)
    coordinates = units.coordinates_mm()
    shares = proportional_shares([here.size for here in members], n_parcels)
    number = 0
    for here, share in zip(members, shares, strict=True):
        points = coordinates[here]
        if not np.isfinite(points).all():
            points = here[:, np.newaxis].astype(np.float64)
        labels[here] = number + bisect(points, share)
        number += share
    return labels


def _members(structure: NDArray[np.str_], chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    names, first = np.unique(structure, return_index=True)
    ordered = [names[index] for index in np.argsort(first)]
    members = [np.flatnonzero(chosen & (structure == name)) for name in ordered]
    return [here for here in members if here.size]


def proportional_shares(sizes: Sequence[int], n_parcels: int) -> list[int]:
    """Share parcels out by largest remainder.

    Parameters
    ----------
    sizes
        Units of each structure, all positive.
    n_parcels
        How many parcels there are to give.

    Returns
    -------
    list of int
        At least 1 and at most the number of units for each structure.
    """
    quota = np.asarray(sizes) * n_parcels / max(sum(sizes), 1)
    shares = np.floor(quota).astype(int)
    order = np.argsort(shares - quota, kind="stable")
    shares[order[: max(0, n_parcels - int(shares.sum()))]] += 1
    return [max(1, min(int(share), size)) for share, size in zip(shares, sizes, strict=True)]


def bisect(points: NDArray[np.float64], n_parts: int) -> NDArray[np.int32]:
    """Cut points into compact parts of equal size.

    Parameters
    ----------
    points
        (n, n_dimensions), finite.
    n_parts
        1..n.

    Returns
    -------
    (n,) array
        0..n_parts - 1; each part has ⌊n / n_parts⌋ or one more points.
    """
    labels = np.zeros(len(points), dtype=np.int32)
    stack = [(np.arange(len(points)), 0, n_parts)]
    while stack:
        here, number, parts = stack.pop()
        if parts == 1:
            labels[here] = number
            continue
        size, extra = divmod(here.size, parts)
        half = parts // 2
        cut = size * half + round(extra * half / parts)
        order = here[_order_along_widest(points[here])]
        stack.append((order[:cut], number, half))
        stack.append((order[cut:], number + half, parts - half))
    return labels


def _order_along_widest(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Sort along the axis of greatest variance; ties by the other axes, then by number."""
    axes = np.argsort(points.var(axis=0).round(6), kind="stable")
    return np.lexsort([points[:, axis] for axis in axes])


def parcel_means(
    data: NDArray[np.floating],
    labels: NDArray[np.integer],
    n_parcels: int,
    *,
    memory_bytes: int = 256 << 20,
) -> NDArray[np.float32]:
    """Average the valid units of each parcel.

    Parameters
    ----------
    data
        (n_rows, n_units), may be memory-mapped; NaN is missing.
    labels
        (n_units,); -1 belongs to none.
    n_parcels
        Number of parcels.
    memory_bytes
        Bound on what is held at once.

    Returns
    -------
    (n_rows, n_parcels) array
        NaN where a parcel has no valid unit.
    """
    n_rows, n_units = data.shape
    total = np.zeros((n_rows, n_parcels))
    count = np.zeros((n_rows, n_parcels))
    step = max(1, memory_bytes // (_MEAN_BYTES * n_rows))
    for start in range(0, n_units, step):
        here = np.flatnonzero(labels[start : start + step] >= 0) + start
        if not here.size:
            continue
        block = np.asarray(data[:, start : start + step])[:, here - start].astype(np.float64)
        finite = np.isfinite(block)
        ones = np.ones(here.size)
        pick = csr_array((ones, (np.arange(here.size), labels[here])), (here.size, n_parcels))
        total += np.where(finite, block, 0) @ pick
        count += finite @ pick
    with np.errstate(invalid="ignore"):
        return (total / count).astype(np.float32)
