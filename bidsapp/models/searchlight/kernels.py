"""Compiled steps of the searchlight, on integers.

They release the interpreter's lock; each works for one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

AnyArray = npt.NDArray[Any]
N_BUCKETS = 1 << 17
INSERTION = 32
TILE = 4096


@njit(nogil=True)
def signed_ranks(
    data: npt.NDArray[np.float32], members: npt.NDArray[np.int32], out: AnyArray
) -> bool:
    """Rank members within each item: doubled centred mid-ranks by counting comparisons.

    Parameters
    ----------
    data : float32 array of shape (n_items, n_units)
    members : int32 array of shape (n_members,)
        Columns of `data`.
    out : integer array of shape (n_items, n_members)
        Number of members below minus number above; needs n_members - 1 to fit.

    Returns
    -------
    bool
        Whether there is no tie.
    """
    n = members.size
    row, below = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.int32)
    untied = True
    for item in range(data.shape[0]):
        for b in range(n):
            row[b] = data[item, members[b]]
            below[b] = 0
        for a in range(0, n - n % 4, 4):
            x0, x1, x2, x3 = row[a], row[a + 1], row[a + 2], row[a + 3]
            for b in range(n):
                x = row[b]
                below[b] += (
                    np.int32(x > x0) + np.int32(x > x1) + np.int32(x > x2) + np.int32(x > x3)
                )
        for a in range(n - n % 4, n):
            for b in range(n):
                below[b] += np.int32(row[b] > row[a])
        if below.sum() < n * (n - 1) // 2:
            untied = False
            for a in range(n):
                for b in range(n):
                    out[item, b] = 0 if a == 0 else out[item, b]
                    out[item, b] += np.int8(row[b] > row[a]) - np.int8(row[b] < row[a])
        else:
            for b in range(n):
                out[item, b] = 2 * below[b] - (n - 1)
    return untied


@njit(nogil=True)
def counted_ranks(
    products: npt.NDArray[np.int32],
    first: npt.NDArray[np.int32],
    length: npt.NDArray[np.int32],
    largest: int,
    counts: npt.NDArray[np.int32],
    out: AnyArray,
) -> int:
    """Rank pairs of items from the largest product to the smallest by counting values.

    Parameters
    ----------
    products : int32 array of shape (n_items ** 2,)
        Products of untied patterns: `largest` minus multiples of 4.
    first, length : int32 arrays of shape (n_runs,)
        Runs of selected pairs in `products`.
    largest
        Product of a pattern with itself.
    counts : int32 array of shape (at least largest // 2 + 1,)
        Zeros; zeros again afterwards.
    out : int32 array of shape (n_pairs,)
        Doubled centred mid-ranks of dissimilarities.

    Returns
    -------
    int
        Sum of squared ranks.
    """
    position, low, high = 0, counts.size, 0
    for run in range(first.size):
        start = first[run]
        for k in range(length[run]):
            value = (largest - products[start + k]) >> 2
            out[position + k] = value
            counts[value] += 1
            low = min(low, value)
            high = max(high, value)
        position += length[run]
    before = -position
    for value in range(low, high + 1):
        count = counts[value]
        counts[value] = before + count
        before += 2 * count
    square = np.int64(0)
    for p in range(position):
        rank = np.int64(counts[out[p]])
        out[p] = rank
        square += rank * rank
    counts[low : high + 1] = 0
    return int(square)


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


@njit(nogil=True)
def integer_products(left: AnyArray, right: AnyArray, out: AnyArray) -> None:
    """Multiply rows of integers exactly.

    Parameters
    ----------
    left : int32 array of shape (n_left, n)
    right : int32 array of shape (n_right, n)
    out : int64 array of shape (n_left, n_right)
    """
    out[:] = 0
    for start in range(0, left.shape[1], TILE):
        end = min(start + TILE, left.shape[1])
        for j in range(right.shape[0]):
            b = right[j, start:end]
            for i in range(left.shape[0]):
                a = left[i, start:end]
                total = np.int64(0)
                for p in range(end - start):
                    total += np.int64(a[p]) * np.int64(b[p])
                out[i, j] += total
