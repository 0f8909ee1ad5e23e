"""Ranks of dissimilarities from their small number of different values, compiled.

The product of two untied patterns is the largest product minus a multiple of 4, so that ranks of
all pairs of them come from counting these steps. Pairs with a tied pattern have values between
the steps: they are few where data are continuous, are sorted on their own and are merged in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from bidsapp.models.searchlight.table import Selection

AnyArray = npt.NDArray[Any]

N_PANELS, PANEL_ITEMS = 4, 64
"""Panels of the upper triangle, and items in the smallest."""


@dataclass(frozen=True)
class Panel:
    """Some rows of the upper triangle of items x items, from their first item's column on.

    Attributes
    ----------
    items : slice
        The rows.
    pairs : slice
        The pairs that count in these rows.
    first, length : int64 arrays of shape (n_runs,)
        Runs of these pairs in the flat panel.
    """

    items: slice
    pairs: slice
    first: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]


def panels(selection: Selection) -> list[Panel]:
    """Cut the upper triangle into panels that spare most of the lower one.

    Parameters
    ----------
    selection
        Pairs that count.

    Returns
    -------
    list of Panel
        Those with pairs that count, in their order.
    """
    n = selection.n_items
    height = max(PANEL_ITEMS, -(-n // N_PANELS))
    row, column = np.divmod(selection.first.astype(np.int64), n)
    ends = np.cumsum(selection.length, dtype=np.int64)
    found = []
    for start in range(0, n, height):
        begin, end = (int(run) for run in np.searchsorted(row, (start, start + height)))
        if begin < end:
            runs = slice(begin, end)
            pairs = slice(int(ends[begin] - selection.length[begin]), int(ends[end - 1]))
            first = (row[runs] - start) * (n - start) + column[runs] - start
            length = selection.length[runs].astype(np.int64)
            found.append(Panel(slice(start, min(start + height, n)), pairs, first, length))
    return found


@njit(nogil=True)
def count_steps(
    products: npt.NDArray[np.int32],
    first: npt.NDArray[np.int64],
    length: npt.NDArray[np.int64],
    largest: int,
    counts: npt.NDArray[np.int32],
    out: npt.NDArray[np.uint32],
) -> None:
    """Turn products of selected pairs of items into steps below the largest, and count them.

    Parameters
    ----------
    products : int32 array of shape (n,)
    first, length : int64 arrays of shape (n_runs,)
        Runs of selected pairs in `products`.
    largest
        Product of an untied pattern with itself.
    counts : int32 array of shape (at least largest // 2 + 1,)
        Occurrences of each step are added.
    out : uint32 array of shape (n_pairs,)
        Steps of 4 below `largest`; too small by a part of a step where a pattern has ties.

    Notes
    -----
    Unsigned indices spare the check for negative ones, and separate loops vectorise: together
    twice as fast as one loop with signed indices.
    """
    top, position = np.int32(largest), np.int64(0)
    for run in range(first.size):
        size = length[run]
        source, steps = products[first[run] : first[run] + size], out[position : position + size]
        for k in range(np.uint64(size)):
            steps[k] = np.uint32(top - source[k]) >> np.uint32(2)
        for k in range(np.uint64(size)):
            counts[steps[k]] += np.int32(1)
        position += size


@njit(nogil=True)
def tied_pairs(
    ranks: AnyArray,
    norms: npt.NDArray[np.int64],
    largest: int,
    first: npt.NDArray[np.int32],
    length: npt.NDArray[np.int32],
    places: npt.NDArray[np.int64],
    keys: npt.NDArray[np.float64],
) -> int:
    """Find the selected pairs with a tied pattern.

    Parameters
    ----------
    ranks : integer array of shape (n_items, n_members)
    norms : int64 array of shape (n_items,)
        Product of each pattern with itself.
    largest
        The same of an untied pattern.
    first, length : int32 arrays of shape (n_runs,)
        Runs of selected pairs in the flat matrix of items x items.
    places, keys : arrays of shape (n_tied_items * n_items,)
        Filled with the position of each pair among the selected and minus its signed squared
        correlation, a correctly rounded ratio of integers.

    Returns
    -------
    int
        Number of these pairs.
    """
    tied = np.flatnonzero(norms != largest)
    found, position = 0, np.int64(0)
    for run in range(first.size):
        i, column = first[run] // norms.size, first[run] % norms.size
        if norms[i] != largest:
            others = np.arange(column, column + length[run])
        else:
            others = tied[(tied >= column) & (tied < column + length[run])]
        for j in others:
            product = np.int64(0)
            for b in range(ranks.shape[1]):
                product += np.int64(ranks[i, b]) * np.int64(ranks[j, b])
            places[found] = position + j - column
            keys[found] = _key(product, norms[i] * norms[j])
            found += 1
        position += length[run]
    return found


@njit(nogil=True)
def _key(product: Any, norm: Any) -> float:
    squared = float(product) * float(product) / float(norm)
    return squared if product < 0 else -squared


@njit(nogil=True)
def _step_of(key: float, largest: int) -> Any:
    """First step whose key is not below this one."""
    correlation = -np.sqrt(-key) if key < 0 else np.sqrt(key)
    step = int((largest + correlation * largest) / 4)
    norm = largest * largest
    while step > 0 and _key(largest - 4 * (step - 1), norm) >= key:
        step -= 1
    while _key(largest - 4 * step, norm) < key:
        step += 1
    return step


@njit(nogil=True)
def _count(counts: AnyArray, start: Any, end: Any, rank: Any) -> Any:
    """Replace counts by doubled centred mid-ranks; return the doubled rank that follows."""
    before = np.int32(rank)
    for step in range(np.uint64(start), np.uint64(end)):
        count = counts[step]
        before += count
        counts[step] = before
        before += count
    return np.int64(before)


@njit(nogil=True)
def counted_ranks(
    steps: npt.NDArray[np.uint32],
    counts: npt.NDArray[np.int32],
    largest: int,
    places: npt.NDArray[np.int64],
    keys: npt.NDArray[np.float64],
    out: npt.NDArray[np.int32],
) -> Any:
    """Rank pairs of items from the largest product to the smallest.

    Parameters
    ----------
    steps : uint32 array of shape (n_pairs,)
    counts : int32 array of shape (at least largest // 2 + 1,)
        Both from `count_steps`; `counts` becomes zeros.
    largest
        Product of an untied pattern with itself.
    places, keys : arrays of shape (n_tied,)
        From `tied_pairs`, in ascending order of keys; `keys` becomes their ranks.
    out : int32 array of shape (n_pairs,)
        Doubled centred mid-ranks of dissimilarities; may share the memory of `steps`.

    Returns
    -------
    int
        Sum of squared ranks.
    """
    first: Any = np.int64(0)
    last: Any = np.int64(largest // 2 + 1)
    for place in places:
        counts[steps[place]] -= np.int32(1)
    rank: Any = -np.int64(steps.size)
    start = 0
    while start < places.size:
        end = start + 1
        while end < places.size and keys[end] == keys[start]:
            end += 1
        n_equal: Any = np.int64(end - start)
        bound = min(max(_step_of(keys[start], largest), first), last)
        rank = _count(counts, first, bound, rank)
        first = bound
        if bound < last and _key(largest - 4 * bound, largest * largest) == keys[start]:
            n_equal += np.int64(counts[bound])
            counts[bound] = rank + n_equal
            first = bound + 1
        keys[start:end] = rank + n_equal
        rank += 2 * n_equal
        start = end
    _count(counts, first, last, rank)
    for p in range(np.uint64(steps.size)):
        out[p] = counts[steps[p]]
    counts[:last] = 0
    for k in range(places.size):
        out[places[k]] = np.int32(keys[k])
    square: Any = np.int64(0)
    for value in out:
        square += np.int64(value) * np.int64(value)
    return square
