"""The data side: columns of a few searchlights, and work on many of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import Dissimilarity
from bidsapp.models.threads import map_single_threaded

FloatArray = npt.NDArray[np.floating]
Result = TypeVar("Result")
Progress = Callable[[int], None]

COLUMN_BYTES = 3 << 20


class Columns:
    """Data of the members of a few searchlights.

    Attributes
    ----------
    values : float32 array of shape (n_folds, n_items, n_used)
        Without negative zeros.
    usable : bool array of shape (n_used,)
        Units without NaN or infinity.
    varies : bool array of shape (n_used,)
        Units that differ between items.
    """

    def __init__(self, data: FloatArray, neighbourhoods: Neighbourhoods) -> None:
        units, inverse = np.unique(neighbourhoods.members, return_inverse=True)
        self._rows = inverse.astype(np.uint32)
        self._starts = neighbourhoods.starts.tolist()
        folds = data[None] if data.ndim == 2 else data
        self.values = np.empty((*folds.shape[:2], units.size), dtype=np.float32)
        self.usable, self.varies = np.ones(units.size, bool), np.zeros(units.size, bool)
        _gather(folds, units, self.values, self.usable, self.varies)
        self._complete = bool(self.usable.all() and self.varies.all())

    def n_usable(self, centre: int) -> int:
        """Count the usable members of one searchlight."""
        return int(np.count_nonzero(self.usable[self._members(centre)]))

    def members(self, centre: int) -> npt.NDArray[np.uint32]:
        """Rows of the usable members of one searchlight; none if nothing varies."""
        rows = self._members(centre)
        if self._complete:
            return rows
        rows = rows[self.usable[rows]]
        return rows if self.varies[rows].any() else rows[:0]

    def _members(self, centre: int) -> npt.NDArray[np.uint32]:
        return self._rows[self._starts[centre] : self._starts[centre + 1]]


@njit(nogil=True)
def _gather(
    folds: FloatArray,
    units: npt.NDArray[np.int32],
    values: npt.NDArray[np.float32],
    usable: npt.NDArray[np.bool_],
    varies: npt.NDArray[np.bool_],
) -> None:
    """Copy columns, adding zero so that none is negative, and look at what they hold."""
    for fold in range(folds.shape[0]):
        for item in range(folds.shape[1]):
            source, row, first = folds[fold, item], values[fold, item], values[fold, 0]
            for u in range(np.uint64(units.size)):
                row[u] = np.float32(source[np.uint64(units[u])]) + np.float32(0)
            for u in range(np.uint64(units.size)):
                usable[u] &= np.isfinite(row[u])
                varies[u] |= row[u] != first[u]


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


class Pool(Generic[Result]):
    """Objects that serve one thread at a time and are used again.

    Parameters
    ----------
    make
        Makes one more.
    """

    def __init__(self, make: Callable[[], Result]) -> None:
        self._make = make
        self._idle: list[Result] = []

    @contextmanager
    def one(self) -> Iterator[Result]:
        """Lend an object."""
        try:
            lent = self._idle.pop()
        except IndexError:
            lent = self._make()
        yield lent
        self._idle.append(lent)


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
