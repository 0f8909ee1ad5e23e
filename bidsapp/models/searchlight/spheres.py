"""The data side: columns of a few searchlights, and the ranked RDM of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import Dissimilarity
from bidsapp.models.searchlight.kernels import counted_ranks, signed_ranks, sorted_ranks
from bidsapp.models.searchlight.table import AnyArray, Selection
from bidsapp.models.threads import map_single_threaded

FloatArray = npt.NDArray[np.floating]
Result = TypeVar("Result")
Progress = Callable[[int], None]

COLUMN_BYTES = 2 << 20
MAX_COUNTED = 1 << 19
"""Different products up to which counting beats sorting (the counters stay in cache)."""


class Columns:
    """Data of the members of a few searchlights.

    Attributes
    ----------
    values : float32 array of shape (n_folds, n_items, n_used)
    usable : bool array of shape (n_used,)
        Units without NaN or infinity.
    varies : bool array of shape (n_used,)
        Units that differ between items.
    """

    def __init__(self, data: FloatArray, neighbourhoods: Neighbourhoods) -> None:
        self.units, inverse = np.unique(neighbourhoods.members, return_inverse=True)
        self.rows = inverse.astype(np.int32)
        self.starts = neighbourhoods.starts
        folds = data[None] if data.ndim == 2 else data
        self.values = np.ascontiguousarray(folds[:, :, self.units], dtype=np.float32)
        self.usable = np.asarray(np.isfinite(self.values).all(axis=(0, 1)))
        self.varies = np.asarray((self.values != self.values[:, :1]).any(axis=(0, 1)))

    def n_usable(self, centre: int) -> int:
        """Count the usable members of one searchlight."""
        rows = self.rows[self.starts[centre] : self.starts[centre + 1]]
        return int(np.count_nonzero(self.usable[rows]))

    def members(self, centre: int) -> npt.NDArray[np.int32]:
        """Rows of the usable members of one searchlight; none if nothing varies."""
        rows = self.rows[self.starts[centre] : self.starts[centre + 1]]
        rows = rows[self.usable[rows]]
        return rows if self.varies[rows].any() else rows[:0]


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
    One object serves one thread: it keeps its counters.
    """

    def __init__(self, selection: Selection, dissimilarity: Dissimilarity, ranks: bool) -> None:
        self.selection = selection
        self.dissimilarity = dissimilarity
        self.ranks = ranks
        self._counts = np.zeros(0, dtype=np.int32)
        self._products = torch.empty((selection.n_items,) * 2, dtype=torch.int32)

    def empty(self, n: int) -> AnyArray:
        """Room for `n` vectors, (n, n_selected)."""
        shape = (n, self.selection.size)
        return np.zeros(shape, np.int32) if self.ranks else np.zeros(shape, np.float64)

    def fill(
        self,
        values: npt.NDArray[np.float32],
        members: npt.NDArray[np.int32],
        out: AnyArray,
    ) -> float:
        """Compute the vector of one searchlight.

        Parameters
        ----------
        values : float32 array of shape (n_folds, n_items, n_used)
            From `Columns`.
        members : int32 array of shape (n_members,)
            Columns of `values`.
        out : array of shape (n_selected,)

        Returns
        -------
        float
            Sum of squares of the vector; 0 if the searchlight has no RDM (a pattern without
            variation where the dissimilarity needs one, or nothing but equal dissimilarities).
        """
        if members.size < (2 if self.dissimilarity in {"spearman", "pearson"} else 1):
            return 0
        if self.dissimilarity == "spearman":
            return self._spearman(values[0], members, out)
        if self.dissimilarity == "pearson":
            return self._finish(_pearson_keys(values[0][:, members].T), out)
        return self._finish(_distances(values[:, :, members].transpose(0, 2, 1)), out)

    def _spearman(
        self,
        values: npt.NDArray[np.float32],
        members: npt.NDArray[np.int32],
        out: AnyArray,
    ) -> float:
        products, untied = rank_products(values, members, self._products)
        n = members.size
        largest = n * (n * n - 1) // 3
        if self.ranks and untied and largest < 2 * MAX_COUNTED:
            if self._counts.size <= largest // 2:
                self._counts = np.zeros(largest // 2 + 1, dtype=np.int32)
            first, length = self.selection.first, self.selection.length
            flat = products.reshape(-1)
            return float(counted_ranks(flat, first, length, largest, self._counts, out))
        diagonal = products.diagonal()
        if not diagonal.all():
            return 0
        exact, norms = products.astype(np.float64), diagonal.astype(np.float64)
        keys = -np.sign(exact) * (exact**2 / np.outer(norms, norms))
        if not self.ranks:
            keys = np.sign(keys) * np.sqrt(np.abs(keys))
        return self._finish(keys, out)

    def _finish(self, keys: FloatArray, out: AnyArray) -> float:
        """Rank or centre the selected entries of a matrix of items x items."""
        taken = keys.reshape(-1)[self.selection.index]
        if np.isnan(taken).any() or taken.min() == taken.max():
            return 0
        if self.ranks:
            return float(sorted_ranks(taken, out))
        np.subtract(taken, taken.mean(), out=out)
        return float((out * out).sum())


def rank_products(
    columns: npt.NDArray[np.float32], members: npt.NDArray[np.int32], out: torch.Tensor
) -> tuple[npt.NDArray[np.int32], bool]:
    """Multiply the doubled centred ranks of all items with one another, exactly.

    Parameters
    ----------
    columns : float32 array of shape (n_items, n_used)
    members : int32 array of shape (n_members,)
    out : int32 tensor of shape (n_items, n_items)
        Overwritten.

    Returns
    -------
    products : int32 array of shape (n_items, n_items)
    untied
        Whether no pattern has ties.

    Notes
    -----
    Eight-bit products up to 128 members, float32 up to 369 (all partial sums are integers
    below 2 ** 24), float64 above.

    Raises
    ------
    InputInvalidError
        If there are so many members that a product does not fit 32 bits.
    """
    n = members.size
    if n > 1800:
        msg = (
            f"a searchlight of {n} units; the largest that Spearman dissimilarities allow is 1800"
        )
        raise InputInvalidError(msg)
    ranks = np.empty((len(columns), n), dtype=np.int8 if n <= 128 else np.int16)
    untied = bool(signed_ranks(columns, members, ranks))
    left = torch.from_numpy(ranks)
    if n <= 128:
        torch._int_mm(left, left.T, out=out)
    else:
        wide = left.to(torch.float32 if n <= 369 else torch.float64)
        out.copy_(wide @ wide.T)
    return np.asarray(out.numpy()), untied


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


def check_data(data: FloatArray, n_items: int, units: Neighbourhoods, kind: Dissimilarity) -> None:
    """Refuse data that do not fit models, searchlights or dissimilarity.

    Raises
    ------
    InputInvalidError
        With the shapes.
    """
    n_units = int(units.members.max()) + 1 if units.members.size else 0
    dimensions = 3 if kind == "crossnobis" else 2
    if data.ndim != dimensions or data.shape[-2] != n_items or data.shape[-1] < n_units:
        msg = f"data {data.shape} for {kind} dissimilarities, models of {n_items} items and \
searchlights up to unit {n_units - 1}; give (items, units), for crossnobis (folds, items, units)"
        raise InputInvalidError(msg)
    if dimensions == 3 and len(data) < 2:
        raise InputInvalidError("crossnobis with one fold; give two or more measurements per item")


def chunk_size(neighbourhoods: Neighbourhoods, n_rows: int) -> int:
    """Return how many searchlights to take together so that their columns stay small.

    Parameters
    ----------
    neighbourhoods
        All searchlights.
    n_rows
        Numbers per unit: items times folds times data sets.
    """
    size = max(1, int(neighbourhoods.sizes.max(initial=1)))
    return int(np.clip(COLUMN_BYTES // (4 * size * n_rows), 1, 32))


def over_chunks(
    work: Callable[[slice, Neighbourhoods], Result],
    neighbourhoods: Neighbourhoods,
    size: int,
    *,
    n_threads: int,
    progress: Progress | None,
) -> list[Result]:
    """Work on all searchlights, a chunk per task.

    Parameters
    ----------
    work
        Called with the rows of the chunk and its searchlights.
    neighbourhoods
        All searchlights.
    size
        Searchlights per chunk.
    n_threads
        Tasks at the same time.
    progress
        Called from the working thread with the number of searchlights done.

    Returns
    -------
    list
        Results in order.
    """

    def task(chunk: tuple[slice, Neighbourhoods]) -> Result:
        result = work(*chunk)
        if progress is not None:
            progress(chunk[1].n_centres)
        return result

    return map_single_threaded(task, list(neighbourhoods.slabs(size)), n_workers=n_threads)
