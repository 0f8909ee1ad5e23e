"""The ranked or centred RDM of one searchlight."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.models.rdm import MIN_FEATURES, Dissimilarity
from bidsapp.models.searchlight.counting import count_steps, counted_ranks, panels, tied_pairs
from bidsapp.models.searchlight.patterns import PatternRanks
from bidsapp.models.searchlight.sorting import sorted_ranks
from bidsapp.models.searchlight.table import AnyArray, FloatArray, Selection

MAX_COUNTED = 1 << 19
"""Different products up to which counting beats sorting (the counters stay in cache)."""
MAX_TIED = 1 / 8
"""Share of patterns with ties up to which counting beats sorting."""


class RdmVectors:
    """Makes the centred vector of a data RDM: ranks, or values for Pearson's comparison.

    Parameters
    ----------
    selection
        Pairs that count.
    dissimilarity
        As in `bidsapp.models.rdm.rdm`.
    ranks
        Whether vectors are doubled centred ranks (int32) or centred values (float64).

    Notes
    -----
    One object serves one thread: it keeps its arrays from one searchlight to the next.
    """

    def __init__(self, selection: Selection, dissimilarity: Dissimilarity, ranks: bool) -> None:
        self.selection = selection
        self.dissimilarity = dissimilarity
        self.ranks = ranks
        self._counts = np.zeros(0, dtype=np.int32)
        self._ranks = PatternRanks(selection.n_items)
        self._panels = panels(selection)

    def empty(self, n: int) -> AnyArray:
        """Room for `n` vectors, (n, n_selected)."""
        shape = (n, self.selection.size)
        return np.zeros(shape, np.int32) if self.ranks else np.zeros(shape, np.float64)

    def fill(
        self,
        values: npt.NDArray[np.float32],
        members: npt.NDArray[np.uint32],
        out: AnyArray,
    ) -> float:
        """Compute the vector of one searchlight.

        Parameters
        ----------
        values : float32 array of shape (n_folds, n_items, n_used)
            From `Columns`.
        members : uint32 array of shape (n_members,)
            Columns of `values`.
        out : array of shape (n_selected,)

        Returns
        -------
        float
            Sum of squares of the vector; 0 if the searchlight has no RDM (too few members, a
            pattern without variation where the dissimilarity needs one, or nothing but equal
            dissimilarities).
        """
        if members.size < MIN_FEATURES[self.dissimilarity]:
            return 0
        if self.dissimilarity == "spearman":
            return self._spearman(values[0], members, out)
        if self.dissimilarity == "pearson":
            return self._finish(_pearson_keys(values[0][:, members].T), out)
        return self._finish(_distances(values[:, :, members].transpose(0, 2, 1)), out)

    def _spearman(
        self,
        values: npt.NDArray[np.float32],
        members: npt.NDArray[np.uint32],
        out: AnyArray,
    ) -> float:
        ranks, norms = self._ranks.of(values, members)
        if not norms.all():
            return 0
        n = members.size
        largest = n * (n * n - 1) // 3
        n_tied = np.count_nonzero(norms != largest)
        few = n_tied <= MAX_TIED * self.selection.n_items
        if self.ranks and few and largest < 2 * MAX_COUNTED:
            return self._counted(ranks, norms, largest, out)
        n_items = norms.size
        exact = self._ranks.multiply(ranks, slice(0, n_items)).astype(np.float64)
        exact = exact.reshape(n_items, n_items)
        wide = norms.astype(np.float64)
        keys = exact * exact
        keys /= np.outer(wide, wide)
        if not self.ranks:
            np.sqrt(keys, out=keys)
        return self._finish(np.copysign(keys, -exact, out=keys), out)

    def _counted(
        self, ranks: AnyArray, norms: npt.NDArray[np.int64], largest: int, out: AnyArray
    ) -> float:
        """Rank by counting values, a panel of the upper triangle at a time."""
        if self._counts.size < largest // 2 + 1:
            self._counts = np.zeros(largest // 2 + 1, dtype=np.int32)
        steps, selection = out.view(np.uint32), self.selection
        for panel in self._panels:
            products = self._ranks.multiply(ranks, panel.items)
            runs = panel.first, panel.length
            count_steps(products, *runs, largest, self._counts, steps[panel.pairs])
        places = np.empty(np.count_nonzero(norms != largest) * norms.size, dtype=np.int64)
        keys = np.empty(places.size)
        if places.size:
            selected = selection.first, selection.length
            n = tied_pairs(ranks, norms, largest, *selected, places, keys)
            order = np.argsort(keys[:n])
            places, keys = places[order], keys[order]
        return float(counted_ranks(steps, self._counts, largest, places, keys, out))

    def _finish(self, keys: FloatArray, out: AnyArray) -> float:
        """Rank or centre the selected entries of a matrix of items x items."""
        taken = keys.reshape(-1)[self.selection.index]
        if np.isnan(taken).any() or taken.min() == taken.max():
            return 0
        if self.ranks:
            return float(sorted_ranks(taken, out))
        np.subtract(taken, taken.mean(), out=out)
        return float((out * out).sum())


def _pearson_keys(patterns: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Minus correlation of items from (n_members, n_items); NaN for patterns without variation."""
    x = patterns.astype(np.float64)
    x -= x.mean(axis=0)
    norms = np.sqrt((x * x).sum(axis=0))
    norms[np.ptp(patterns, axis=0) == 0] = np.nan
    x /= norms
    wide = torch.from_numpy(x)
    return np.asarray(-(wide.T @ wide).numpy())


def _distances(patterns: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Distances of items from (n_folds, n_members, n_items): Euclid, or crossnobis of folds."""
    x = torch.from_numpy(patterns.astype(np.float64))
    x -= x[:, :, :1].clone()
    n_folds = len(x)
    total = x.sum(dim=0)
    gram = total.T @ total
    if n_folds > 1:
        for fold in x:
            gram -= fold.T @ fold
        gram /= n_folds * (n_folds - 1) * patterns.shape[1]
    norms = gram.diagonal().clone()
    squared = norms[:, None] + norms[None, :] - 2 * gram
    return np.asarray((squared if n_folds > 1 else squared.clamp_min(0).sqrt()).numpy())
