"""Threshold-free cluster enhancement on any graph of neighbouring units, exactly.

For a map t and a unit u, the integral over heights h from 0 to t(u)

    TFCE(u) = ∫ e(h)^E h^H dh,

where e(h) is the number of units in the cluster of u above h. Clusters change only at the values
of the map, so the integral is a sum over the tree in which clusters merge: units are taken from
the largest value down and joined with their neighbours. No step size has to be chosen, and a map
of 20,484 vertices takes milliseconds.

Source: Smith & Nichols (2009), NeuroImage 44, 83-98 (E = 0.5, H = 2); the maximum over units
and layers under sign flips as in `bidsapp.stats.signflip`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidsapp.stats.signflip import Alternative, SignFlips, t_from_sum

EXTENT, HEIGHT = 0.5, 2.0
_FLIPS_AT_ONCE = 16
_TIE = 1e-9


@dataclass(frozen=True, eq=False)
class Graph:
    """Neighbours of each unit, as compressed rows.

    Attributes
    ----------
    starts
        (n_units + 1,) the neighbours of unit u are ``neighbours[starts[u]:starts[u + 1]]``.
    neighbours
        Unit numbers; every pair is there in both directions.
    """

    starts: NDArray[np.int64]
    neighbours: NDArray[np.int32]


def graph_from_pairs(pairs: NDArray[np.integer[Any]], n_units: int) -> Graph:
    """Make a graph from pairs of neighbours.

    Parameters
    ----------
    pairs : ndarray, shape (n_pairs, 2)
        In any order, each pair once or more often.
    n_units
        How many units.

    Returns
    -------
    Graph
    """
    both = np.concatenate([pairs, pairs[:, ::-1]]).astype(np.int64)
    rows, columns = np.divmod(np.unique(both[:, 0] * n_units + both[:, 1]), n_units)
    starts = np.searchsorted(rows, np.arange(n_units + 1))
    return Graph(starts.astype(np.int64), columns.astype(np.int32))


def tfce(
    values: NDArray[np.floating[Any]],
    graph: Graph,
    *,
    extent: float = EXTENT,
    height: float = HEIGHT,
) -> NDArray[np.float64]:
    """Enhance the positive part of a map.

    Parameters
    ----------
    values : ndarray, shape (n_units,)
        For instance t; NaN is outside of every cluster, infinite counts as the largest finite.
    graph
        Which units touch.
    extent, height
        The exponents E and H.

    Returns
    -------
    ndarray, shape (n_units,)
        0 where the map is not positive, NaN where it is NaN.
    """
    values = np.asarray(values, np.float64)
    finite = np.isfinite(values)
    largest = float(values[finite].max(initial=0.0))
    usable = np.where(np.isposinf(values), largest, np.where(finite, values, 0.0))
    order = np.argsort(-usable, kind="stable")
    order = order[: int(np.count_nonzero(usable > 0))]
    found = _enhance(usable, order, graph.starts, graph.neighbours, extent, height)
    return np.where(np.isnan(values), np.nan, found)


@dataclass(frozen=True, eq=False)
class TfceTest:
    """Enhanced means and their family-wise p; arrays of shape (n_layers, n_units).

    Attributes
    ----------
    score
        TFCE of t; negative for negative t when the test is two-sided.
    p
        Against the largest score of each flip over all layers and units.
    n_flips, exact
        How many flips, and whether they are all there are.
    """

    score: NDArray[np.float64]
    p: NDArray[np.float64]
    n_flips: int
    exact: bool


def tfce_test(
    layers: Iterable[Callable[[], NDArray[np.floating[Any]]]],
    graph: Graph,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    alternative: Alternative = "two-sided",
    min_participants: int = 2,
) -> TfceTest:
    """Test enhanced means against zero, corrected over units and layers.

    Parameters
    ----------
    layers
        Functions that return the values (n_participants, n_units) of a layer, NaN where
        missing; one layer is in memory at a time.
    graph
        Of the units.
    n_permutations, seed, alternative, min_participants
        As for `bidsapp.stats.signflip.SignFlips`: the same seed gives the same flips.

    Returns
    -------
    TfceTest
    """
    flips: SignFlips | None = None
    scores: list[NDArray[np.float64]] = []
    largest = np.empty(0)
    for load in layers:
        values = load()
        if flips is None:
            flips = SignFlips(
                len(values),
                n_permutations=n_permutations,
                seed=seed,
                alternative=alternative,
                min_participants=min_participants,
            )
            largest = np.zeros(len(flips.signs))
        maps = _FlippedMaps(values, flips.min_participants)
        scores.append(_two(maps.t(np.ones((1, len(values)), np.int8))[0], graph, alternative))
        for start in range(0, len(flips.signs), _FLIPS_AT_ONCE):
            part = slice(start, start + _FLIPS_AT_ONCE)
            for flip, t in enumerate(maps.t(flips.signs[part]), start=start):
                score = np.nan_to_num(_two(t, graph, alternative))
                size = score if alternative == "greater" else np.abs(score)
                largest[flip] = max(largest[flip], size.max(initial=0.0))
    assert flips is not None
    score = np.stack(scores)
    return TfceTest(score, _p(score, largest, flips), len(flips.signs), flips.exact)


def _p(
    score: NDArray[np.float64], largest: NDArray[np.float64], flips: SignFlips
) -> NDArray[np.float64]:
    """Share of flips whose largest score reaches the observed one."""
    ordered, size = np.sort(largest), np.abs(score)
    reached = len(ordered) - np.searchsorted(ordered, size * (1 - _TIE))
    p = (reached + (not flips.exact)) / (len(ordered) + (not flips.exact))
    return np.where(np.isnan(score), np.nan, p)


class _FlippedMaps:
    """Maps of t under sign flips; NaN where too few have a value."""

    def __init__(self, values: NDArray[np.floating[Any]], least: int) -> None:
        values = np.asarray(values, np.float64)
        present = np.isfinite(values)
        self._n = present.sum(axis=0)
        filled = np.where(present, values, 0.0)
        norm = np.sqrt((filled**2).sum(axis=0))
        self._testable = (self._n >= least) & (norm > 0)
        self._unit = filled[:, self._testable] / norm[self._testable]

    def t(self, signs: NDArray[np.int8]) -> NDArray[np.float64]:
        """(n_flips, n_units)."""
        maps = np.full((len(signs), len(self._n)), np.nan)
        n = self._n[self._testable]
        maps[:, self._testable] = t_from_sum(signs.astype(np.float64) @ self._unit, n)
        return maps


def _two(t: NDArray[np.float64], graph: Graph, alternative: Alternative) -> NDArray[np.float64]:
    """Enhance the sides that count."""
    up = tfce(t, graph) if alternative != "less" else np.where(np.isnan(t), np.nan, 0.0)
    return up if alternative == "greater" else up - tfce(-t, graph)


@njit(nogil=True, error_model="numpy")
def _enhance(values, order, starts, neighbours, extent, height):  # type: ignore[no-untyped-def]
    """Join units from the largest value down.

    The root of a cluster holds its size, the height down to which its integral is done, and the
    integral; every other unit holds the difference of its own integral from that of its parent.
    """
    n = len(values)
    parent = np.full(n, -1, np.int64)
    size, done, total = np.ones(n), np.zeros(n), np.zeros(n)
    power = height + 1
    for u in order:
        parent[u] = u
        done[u] = values[u] ** power
        for place in range(starts[u], starts[u + 1]):
            v = neighbours[place]
            if parent[v] < 0:
                continue
            one, other = _root(parent, u), _root(parent, v)
            if one == other:
                continue
            _down_to(values[u] ** power, one, size, done, total, extent, power)
            _down_to(values[u] ** power, other, size, done, total, extent, power)
            if size[one] < size[other]:
                one, other = other, one
            parent[other] = one
            total[other] -= total[one]
            size[one] += size[other]
    for u in order:
        if parent[u] == u:
            _down_to(0.0, u, size, done, total, extent, power)
    found = np.zeros(n)
    for u in order:
        v = u
        value = total[u]
        while parent[v] != v:
            v = parent[v]
            value += total[v]
        found[u] = value
    return found


@njit(nogil=True, inline="always")
def _root(parent, u):  # type: ignore[no-untyped-def]
    while parent[u] != u:
        u = parent[u]
    return u


@njit(nogil=True, inline="always")
def _down_to(level, root, size, done, total, extent, power):  # type: ignore[no-untyped-def]
    """Integrate a cluster down to the height whose power is `level`."""
    total[root] += size[root] ** extent * (done[root] - level) / power
    done[root] = level
