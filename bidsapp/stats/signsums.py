"""Signed sums of all units under all sign flips, counted and maximised without storing them.

Participants come in groups of a few; the sums of a group under each of its sign patterns are a
small table, so a flip costs one addition per group instead of one per participant. Sums are made
in single precision, and every sum too close to what it is compared with is made again in double
precision, participant by participant: results are those of double precision, whatever the chunks.

Source of the tables: Arlazarov, Dinic, Kronrod & Faradzhev (1970), Soviet Math Dokl 11, 1209-1210.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

_GROUPS = 6  # added in one pass
_MOST_BITS = 7  # 128 patterns: the tables of a tile fit into the cache
_TILE = 256
_TIE = 1e-9


class SignTables:
    """Sign flips, coded for look-up.

    Parameters
    ----------
    signs : ndarray of int8, shape (n_flips, n_participants)
        +1 and -1.
    """

    def __init__(self, signs: NDArray[np.int8]) -> None:
        n_flips, n = signs.shape
        self._bits = min(_MOST_BITS, math.ceil(n / _GROUPS))
        self._groups = max(_GROUPS, math.ceil(n / self._bits))
        self.signs = signs
        places = np.zeros((n_flips, self._groups * self._bits), np.uint8)
        places[:, :n] = signs < 0
        weights = 1 << np.arange(self._bits)
        self._codes = (places.reshape(n_flips, -1, self._bits) @ weights).astype(np.uint8)
        patterns = np.arange(1 << self._bits)[:, None] >> np.arange(self._bits)
        self._patterns = (1 - 2 * (patterns & 1)).astype(np.float32)
        # rounding of values, limits and every addition, with sum |y| <= sqrt(n) for sum y² = 1
        self._error = (self._bits + self._groups + 4) * 2.0**-24 * math.sqrt(n)

    def tally(
        self,
        values: NDArray[np.float64],
        n: NDArray[np.int64],
        bound: NDArray[np.float64],
        largest: NDArray[np.float64],
        *,
        two_sided: bool,
    ) -> NDArray[np.int64]:
        """Count the flips whose sum reaches the bound of a unit; raise the largest t of each flip.

        Parameters
        ----------
        values : ndarray, shape (n_participants, n_units)
            Scaled to sum y² = 1 in each unit; zero where missing.
        n : ndarray, shape (n_units,)
            Values that are not missing, at least two.
        bound : ndarray, shape (n_units,)
            What a sum is compared with.
        largest : ndarray, shape (n_flips,)
            Raised in place to the largest t over these units.
        two_sided
            Whether the size of sums counts.

        Returns
        -------
        ndarray, shape (n_units,)
        """
        count = np.zeros(values.shape[1], np.int64)
        for units in _tiles(n):
            exact = np.ascontiguousarray(values[:, units].T)
            counted = np.zeros(len(units), np.int32)
            _tally(
                self._sums(exact),
                self._codes,
                self.signs,
                exact,
                float(n[units[0]]),
                bound[units],
                self._error,
                two_sided,
                counted,
                largest,
            )
            count[units] = counted
        return count

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the sums (n_groups, n_patterns, n_units) of the participants of each group."""
        n_units, n = values.shape
        padded = np.zeros((self._groups * self._bits, n_units), np.float32)
        padded[:n] = values.T
        return np.ascontiguousarray(
            self._patterns @ padded.reshape(self._groups, self._bits, n_units)
        )


def _tiles(n: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Yield few units at a time, all with the same number of values."""
    order = np.argsort(n, kind="stable")
    edges = np.flatnonzero(np.diff(n[order])) + 1
    for same in np.split(order, edges):
        for start in range(0, len(same), _TILE):
            yield same[start : start + _TILE]


@njit(nogil=True, error_model="numpy")
def _tally(  # type: ignore[no-untyped-def]  # noqa: PLR0917
    sums, codes, signs, values, n, bound, error, two_sided, count, largest
):
    """Go through the flips of one tile; see `SignTables.tally`."""
    n_units = len(bound)
    low, high = (bound - error).astype(np.float32), (bound + error).astype(np.float32)
    row = np.empty(n_units, np.float32)
    for flip in range(len(codes)):
        _fill(row, sums, codes[flip], two_sided)
        limit = np.float32(_sum_from_t(largest[flip], n) - error)
        close, over = _screen(row, low, high, limit, count)
        if close:
            for u in range(n_units):
                if low[u] <= row[u] < high[u]:
                    count[u] -= _sum(signs[flip], values[u], two_sided) < bound[u]
        if over:
            for u in range(n_units):
                if row[u] >= limit:
                    t = _t_from_sum(_sum(signs[flip], values[u], two_sided), n)
                    if t > largest[flip]:
                        largest[flip] = t
                        limit = np.float32(_sum_from_t(t, n) - error)


@njit(nogil=True, fastmath={"nnan", "nsz"})
def _fill(row, sums, code, two_sided):  # type: ignore[no-untyped-def]
    """Add the groups of a flip."""
    a, b, c = sums[0, code[0]], sums[1, code[1]], sums[2, code[2]]
    d, e, f = sums[3, code[3]], sums[4, code[4]], sums[5, code[5]]
    for u in range(len(row)):
        row[u] = ((a[u] + b[u]) + (c[u] + d[u])) + (e[u] + f[u])
    for group in range(6, len(code)):
        more = sums[group, code[group]]
        for u in range(len(row)):
            row[u] += more[u]
    if two_sided:
        for u in range(len(row)):
            row[u] = abs(row[u])


@njit(nogil=True, fastmath={"nnan", "nsz"})
def _screen(row, low, high, limit, count):  # type: ignore[no-untyped-def]
    """Count sums at or over `low`; return how many are below `high`, and how many over `limit`."""
    close, over = np.int32(0), np.int32(0)
    for u in range(len(row)):
        reached = row[u] >= low[u]
        count[u] += reached
        close += np.int32(reached) - np.int32(row[u] >= high[u])
        over += np.int32(row[u] >= limit)
    return close, over


@njit(nogil=True, inline="always")
def _sum(signs, values, two_sided):  # type: ignore[no-untyped-def]
    """Sum in double precision, in the order of participants."""
    total = 0.0
    for who in range(len(signs)):
        total += signs[who] * values[who]
    return abs(total) if two_sided else total


@njit(nogil=True, inline="always")
def _t_from_sum(s, n):  # type: ignore[no-untyped-def]
    room = n - s * s
    if room <= _TIE * n:
        return np.inf if s > 0 else -np.inf
    return s * np.sqrt((n - 1) / room)


@njit(nogil=True, inline="always")
def _sum_from_t(t, n):  # type: ignore[no-untyped-def]
    if np.isinf(t):
        return np.sqrt(n) if t > 0 else -np.sqrt(n)
    return t * np.sqrt(n / (n - 1 + t * t))
