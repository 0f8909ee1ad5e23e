"""Ranks of the members of a searchlight within each item, and their exact products."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numba import njit

from bidsapp.errors import InputInvalidError

AnyArray = npt.NDArray[Any]

MAX_EIGHT_BIT = 128
"""Members whose doubled centred ranks fit eight bits."""


class PatternRanks:
    """Ranks of members within items and their exact products; keeps its arrays.

    Parameters
    ----------
    n_items
        Number of patterns.
    """

    def __init__(self, n_items: int) -> None:
        self._n_items = n_items
        self._keys = np.zeros(0, dtype=np.int64)
        self._ranks = np.zeros(0, dtype=np.int16)
        self._products = np.zeros(0, dtype=np.int32)

    def of(
        self, columns: npt.NDArray[np.float32], members: npt.NDArray[np.uint32]
    ) -> tuple[AnyArray, npt.NDArray[np.int64]]:
        """Rank the members within each item.

        Parameters
        ----------
        columns : float32 array of shape (n_items, n_used)
            Finite, without negative zeros.
        members : uint32 array of shape (n_members,)

        Returns
        -------
        ranks : int8 or int16 array of shape (n_items, n_members)
            Doubled, centred; overwritten by the next call.
        norms : int64 array of shape (n_items,)
            Product of each pattern with itself; 0 if it does not vary.

        Raises
        ------
        InputInvalidError
            If there are so many members that a product does not fit 32 bits.
        """
        n = members.size
        if n > 1800:
            msg = f"a searchlight of {n} units; the largest that Spearman dissimilarities allow \
is 1800"
            raise InputInvalidError(msg)
        if self._keys.size < self._n_items * n:
            self._keys = np.empty(self._n_items * n, dtype=np.int64)
            self._ranks = np.empty(self._n_items * n, dtype=np.int16)
        keys = self._keys[: self._n_items * n].reshape(self._n_items, n)
        dtype = np.int8 if n <= MAX_EIGHT_BIT else np.int16
        ranks = self._ranks.view(dtype)[: self._n_items * n].reshape(keys.shape)
        sort_keys(columns.view(np.int32), members, keys)
        keys.sort(axis=1)
        norms = np.empty(self._n_items, dtype=np.int64)
        signed_ranks(keys, ranks, norms)
        return ranks, norms

    def multiply(self, ranks: AnyArray, items: slice) -> npt.NDArray[np.int32]:
        """Multiply the ranks of some items with those of these and all later ones, exactly.

        Parameters
        ----------
        ranks : integer array of shape (n_items, n_members)
        items
            Consecutive items.

        Returns
        -------
        int32 array of shape (len(items) * (n_items - items.start),)
            Overwritten by the next call.

        Notes
        -----
        Eight-bit products up to 128 members where the processor makes them without saturation,
        float32 up to 369 (all partial sums are integers below 2 ** 24), float64 above.
        """
        n_items, n_members = ranks.shape
        height, width = items.stop - items.start, n_items - items.start
        if self._products.size < height * width:
            self._products = np.empty(height * width, dtype=np.int32)
        flat = self._products[: height * width]
        left = torch.from_numpy(ranks[items])
        right = torch.from_numpy(ranks[items.start :].T)
        out = torch.from_numpy(flat.reshape(height, width))
        if ranks.dtype == np.int8 and eight_bit_products_are_exact():
            torch._int_mm(left, right, out=out)
        else:
            dtype = torch.float32 if n_members <= 369 else torch.float64
            out.copy_(left.to(dtype) @ right.to(dtype))
        return flat


@cache
def eight_bit_products_are_exact() -> bool:
    """Tell whether 8-bit matrix products of this processor are exact.

    Returns
    -------
    bool
        False where pairs of products are added in 16 bits, that saturate (processors without
        instructions for 8-bit dot products).
    """
    extreme = torch.full((32, MAX_EIGHT_BIT), 127, dtype=torch.int8)
    extreme[::2] = -127
    wide = extreme.to(torch.float32)
    return torch.equal(torch._int_mm(extreme, extreme.T), (wide @ wide.T).to(torch.int32))


@njit(nogil=True)
def sort_keys(bits: npt.NDArray[np.int32], members: AnyArray, out: npt.NDArray[np.int64]) -> None:
    """Make integers that sort like the members within each item and remember their member.

    Parameters
    ----------
    bits : int32 array of shape (n_items, n_units)
        Finite float32 values without negative zero, their bits read as integers.
    members : uint32 array of shape (n_members,)
        Columns of `bits`.
    out : int64 array of shape (n_items, n_members)
    """
    for item in range(np.uint64(out.shape[0])):
        row, keys = bits[item], out[item]
        for b in range(np.uint64(members.size)):
            value = np.int64(row[members[b]])
            value ^= (value >> np.int64(31)) & np.int64(0x7FFFFFFF)
            keys[b] = (value << np.int64(32)) | np.int64(b)


@njit(nogil=True)
def signed_ranks(keys: npt.NDArray[np.int64], out: AnyArray, norms: npt.NDArray[np.int64]) -> None:
    """Rank members within each item: doubled centred mid-ranks.

    Parameters
    ----------
    keys : int64 array of shape (n_items, n_members)
        From `sort_keys`, sorted within items.
    out : integer array of shape (n_items, n_members)
        Number of members below minus number above; needs n_members - 1 to fit.
    norms : int64 array of shape (n_items,)
        Sum of squares of each item's ranks.
    """
    n, value, member = np.int64(keys.shape[1]), np.int64(32), np.int64(0xFFFFFFFF)
    for item in range(np.uint64(keys.shape[0])):
        row, ranks = keys[item], out[item]
        for r in range(n):
            ranks[np.uint64(row[r] & member)] = 2 * r - (n - 1)
        norms[item] = n * (n * n - 1) // 3
        n_equal = np.int64(0)
        for r in range(1, n):
            n_equal += np.int64((row[r] >> value) == (row[r - 1] >> value))
        start = 0
        while n_equal > 0 and start < n:
            end = start + 1
            while end < n and row[end] >> value == row[start] >> value:
                end += 1
            for r in range(start, end):
                ranks[np.uint64(row[r] & member)] = start + end - n
            size = np.int64(end - start)
            norms[item] -= size * (size * size - 1) // 3
            start = end
