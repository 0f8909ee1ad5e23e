"""Inner products of searchlights and models; those of integers are exact and release the GIL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

AnyArray = npt.NDArray[Any]
TILE = 1024


@dataclass(frozen=True)
class Products:
    """Inner products of the centred vectors of searchlights with those of models.

    Attributes
    ----------
    rows : array of shape (n_centres, n_models + n_nuisance)
        int64 for ranks, exact; float64 for Pearson's comparison.
    squares : float64 array of shape (n_centres,)
        Of searchlights with themselves; 0 without an RDM.
    n_members : int32 array of shape (n_centres,)
    """

    rows: AnyArray
    squares: npt.NDArray[np.float64]
    n_members: npt.NDArray[np.int32]


@njit(nogil=True)
def _add_four_by_two(
    left: AnyArray, right: AnyArray, i: int, j: int, start: int, end: int, out: AnyArray
) -> None:
    """Add products of four rows with two between two columns, each number read once."""
    a, b = left[i, start:end], left[i + 1, start:end]
    c, d = left[i + 2, start:end], left[i + 3, start:end]
    x, y = right[j, start:end], right[j + 1, start:end]
    ax, bx, cx, dx = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    ay, by, cy, dy = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for p in range(np.uint64(end - start)):
        one, two = np.int64(x[p]), np.int64(y[p])
        ax += np.int64(a[p]) * one
        bx += np.int64(b[p]) * one
        cx += np.int64(c[p]) * one
        dx += np.int64(d[p]) * one
        ay += np.int64(a[p]) * two
        by += np.int64(b[p]) * two
        cy += np.int64(c[p]) * two
        dy += np.int64(d[p]) * two
    out[i, j] += ax
    out[i + 1, j] += bx
    out[i + 2, j] += cx
    out[i + 3, j] += dx
    out[i, j + 1] += ay
    out[i + 1, j + 1] += by
    out[i + 2, j + 1] += cy
    out[i + 3, j + 1] += dy


@njit(nogil=True)
def _product(left: AnyArray, right: AnyArray) -> Any:
    total = np.int64(0)
    for p in range(np.uint64(left.size)):
        total += np.int64(left[p]) * np.int64(right[p])
    return total


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
    fours, twos = left.shape[0] // 4 * 4, right.shape[0] // 2 * 2
    for start in range(0, left.shape[1], TILE):
        end = min(start + TILE, left.shape[1])
        for i in range(0, fours, 4):
            for j in range(0, twos, 2):
                _add_four_by_two(left, right, i, j, start, end, out)
        for i in range(left.shape[0]):
            for j in range(twos if i < fours else 0, right.shape[0]):
                out[i, j] += _product(left[i, start:end], right[j, start:end])
