"""Which units belong to which searchlight, in compressed rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

__all__ = ["Neighbourhoods"]


@dataclass(frozen=True)
class Neighbourhoods:
    """Searchlights: a centre and its members, as columns of an items x units matrix.

    Attributes
    ----------
    members : int32 array of shape (n_total,)
        Units of the searchlights, one searchlight after the other, ascending within each.
    starts : int64 array of shape (n_centres + 1,)
        Members of searchlight `i` are ``members[starts[i]:starts[i + 1]]``.
    centres : int32 array of shape (n_centres,)
        Unit at the centre of each searchlight.
    radius_mm : float32 array of shape (n_centres,)
        Distance from the centre to the farthest member (mm).

    Raises
    ------
    InputInvalidError
        If the arrays do not fit together, or members are not ascending.
    """

    members: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    centres: npt.NDArray[np.int32]
    radius_mm: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        starts, n_centres = self.starts, self.centres.size
        sizes = np.diff(starts)
        fits = starts.shape == (n_centres + 1,) and self.radius_mm.shape == (n_centres,)
        if not fits or starts[0] != 0 or starts[-1] != self.members.size or (sizes < 0).any():
            msg = f"{n_centres} centres, {starts.size} starts, {self.radius_mm.size} radii and \
{self.members.size} members do not form searchlights; give n + 1 starts from 0 to the members' end"
            raise InputInvalidError(msg)
        ascending = np.diff(self.members) > 0
        borders = starts[1:-1] - 1
        ascending[borders[(borders >= 0) & (borders < ascending.size)]] = True
        if not ascending.all():
            msg = f"{np.count_nonzero(~ascending)} members of searchlights are repeated or out of \
order; sort the members of each searchlight"
            raise InputInvalidError(msg)

    @classmethod
    def from_lists(
        cls,
        members: Iterable[npt.ArrayLike],
        centres: npt.ArrayLike,
        radius_mm: npt.ArrayLike,
    ) -> Neighbourhoods:
        """Build from one list of members per centre, in any order.

        Parameters
        ----------
        members
            Units of each searchlight.
        centres : array of shape (n_centres,)
        radius_mm : array of shape (n_centres,)
            In mm; NaN where unknown.

        Returns
        -------
        Neighbourhoods
        """
        rows = [np.sort(np.asarray(row, dtype=np.int32)) for row in members]
        starts = np.concatenate([[0], np.cumsum([row.size for row in rows])]).astype(np.int64)
        return cls(
            np.concatenate([*rows, np.empty(0, dtype=np.int32)]),
            starts,
            np.asarray(centres, dtype=np.int32),
            np.asarray(radius_mm, dtype=np.float32),
        )

    @property
    def n_centres(self) -> int:
        """Number of searchlights."""
        return self.centres.size

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Number of members of each searchlight, (n_centres,)."""
        return np.diff(self.starts)

    def of(self, centre: int) -> npt.NDArray[np.int32]:
        """Members of the searchlight in row `centre`, ascending."""
        return self.members[self.starts[centre] : self.starts[centre + 1]]

    def subset(self, rows: slice) -> Neighbourhoods:
        """Searchlights of consecutive rows, without copying members.

        Parameters
        ----------
        rows
            A slice with step 1.

        Returns
        -------
        Neighbourhoods
        """
        first, last, step = rows.indices(self.n_centres)
        if step != 1:
            msg = f"a slab of searchlights with step {step}; take consecutive rows"
            raise InputInvalidError(msg)
        last = max(first, last)
        starts = self.starts[first : last + 1]
        return Neighbourhoods(
            self.members[starts[0] : starts[-1]],
            starts - starts[0],
            self.centres[first:last],
            self.radius_mm[first:last],
        )

    def slabs(self, size: int) -> Iterator[tuple[slice, Neighbourhoods]]:
        """Go through all searchlights in runs of at most `size` centres.

        Parameters
        ----------
        size
            Centres per slab, at least 1.

        Yields
        ------
        rows, searchlights
            The rows of the slab and its searchlights.
        """
        for first in range(0, self.n_centres, size):
            rows = slice(first, min(first + size, self.n_centres))
            yield rows, self.subset(rows)
