"""Compiled ranking of any values, by sorting; releases the interpreter's lock."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

AnyArray = npt.NDArray[Any]
N_BUCKETS = 1 << 17
INSERTION = 32


@njit(nogil=True)
def _sift(
    keys: npt.NDArray[np.float64], order: npt.NDArray[np.int32], start: int, root: int, size: int
) -> None:
    while 2 * root + 1 < size:
        child = 2 * root + 1
        if child + 1 < size and keys[start + child + 1] > keys[start + child]:
            child += 1
        a, b = start + root, start + child
        if keys[a] >= keys[b]:
            return
        keys[a], keys[b] = keys[b], keys[a]
        order[a], order[b] = order[b], order[a]
        root = child


@njit(nogil=True)
def _sort(
    keys: npt.NDArray[np.float64], order: npt.NDArray[np.int32], start: int, size: int
) -> None:
    """Sort a few keys by insertion, many by heap, equal ones not at all."""
    equal = True
    for i in range(start + 1, start + size):
        equal &= keys[i] == keys[start]
    if equal:
        return
    if size <= INSERTION:
        for i in range(start + 1, start + size):
            key, index, j = keys[i], order[i], i
            while j > start and keys[j - 1] > key:
                keys[j], order[j] = keys[j - 1], order[j - 1]
                j -= 1
            keys[j], order[j] = key, index
        return
    for root in range(size // 2 - 1, -1, -1):
        _sift(keys, order, start, root, size)
    for end in range(size - 1, 0, -1):
        a, b = start, start + end
        keys[a], keys[b] = keys[b], keys[a]
        order[a], order[b] = order[b], order[a]
        _sift(keys, order, start, 0, end)


@njit(nogil=True)
def sorted_ranks(values: AnyArray, out: AnyArray) -> int:
    """Rank any finite values: linear buckets, then a sort within each.

    Parameters
    ----------
    values : float64 array of shape (n,)
    out : int32 array of shape (n,)
        Doubled centred mid-ranks.

    Returns
    -------
    int
        Sum of squared ranks; 0 if all values are equal.
    """
    n, low, high = values.size, values[0], values[0]
    for value in values:
        low, high = min(low, value), max(high, value)
    scale = min((N_BUCKETS - 1) / (high - low), 1e300) if high > low else 0.0
    ends = np.zeros(N_BUCKETS + 1, dtype=np.int32)
    for p in range(n):
        ends[int((values[p] - low) * scale) + 1] += 1
    for bucket in range(N_BUCKETS):
        ends[bucket + 1] += ends[bucket]
    keys, order = np.empty(n), np.empty(n, dtype=np.int32)
    for p in range(n):
        bucket = int((values[p] - low) * scale)
        keys[ends[bucket]], order[ends[bucket]] = values[p], p
        ends[bucket] += 1
    start = 0
    for bucket in range(N_BUCKETS):
        size = ends[bucket] - start
        if size > 1:
            _sort(keys, order, start, size)
        start = ends[bucket]
    square, start = np.int64(0), 0
    while start < n:
        end = start + 1
        while end < n and keys[end] == keys[start]:
            end += 1
        rank = start + end - n
        for p in range(start, end):
            out[order[p]] = rank
        square += np.int64(end - start) * rank * rank
        start = end
    return int(square)
