"""Blocks and folds: what may stand on the two sides of a cross-validation.

presentation
    One sound played during one run; *piece* is the sound itself.
block
    An atomic stretch of rows that is centred and scored together.
group
    Blocks that share a piece. A group stands on one side of a fold as a whole.

There is no shuffled split here: neighbouring volumes are alike, and a split that separates
neighbours scores that likeness (mean r = .1 to .6 on data without any signal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
BlockKind = Literal["presentation", "run", "clips", "split"]

LEAST_FREEDOM = 3
"""Least degrees of freedom that the rows of a run keep beside its nuisance and constants."""


@dataclass(frozen=True)
class Fold:
    """One outer fold.

    Attributes
    ----------
    test
        Blocks that are tested; all other blocks are trained on.
    inner
        For each inner fold, the blocks held out of the training blocks.
    """

    test: tuple[int, ...]
    inner: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Blocks:
    """How rows are cut into blocks.

    Attributes
    ----------
    label : array of shape (n_rows,)
        Block of each row, numbered from 0 in order of appearance; -1 for rows left out.
    group : array of shape (n_blocks,)
        Blocks with the same group share a piece.
    presentation, run, piece : arrays of shape (n_blocks,)
        As given to `make_blocks`; -1 where a block holds several.
    kind
        ``presentation``: one presentation is one block. ``run``: presentations are short, one
        run is one block. ``clips``: presentations are short and runs share pieces, one set of
        pieces within one run is one block (neighbours of different sets are not purged: their
        features have nothing in common). ``split``: pieces are few, parts of a piece are
        blocks, with purged rows between them.
    n_short, n_purged
        Rows left out because their presentation is too short, or for the purge.
    """

    label: IntArray
    group: IntArray
    presentation: IntArray
    run: IntArray
    piece: IntArray
    kind: BlockKind
    n_short: int = 0
    n_purged: int = 0

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return int(self.group.size)

    @property
    def lengths(self) -> IntArray:
        """Rows in each block, shape (n_blocks,)."""
        return np.bincount(self.label[self.label >= 0], minlength=self.n_blocks)


def make_blocks(
    presentation: IntArray,
    run: IntArray,
    piece: IntArray,
    time_s: FloatArray,
    *,
    min_block_s: float = 30.0,
    min_groups: int = 3,
    purge_s: float = 18.0,
    max_block_s: float = 180.0,
) -> Blocks:
    """Cut rows into blocks, whole presentations whenever these suffice.

    Parameters
    ----------
    presentation, run, piece : integer arrays of shape (n_rows,)
        What each row belongs to.
    time_s : array of shape (n_rows,)
        Position of each row in its sound, in seconds, so that repeats of a piece are cut at
        the same places.
    min_block_s
        Shorter presentations are pooled when they are the rule. When they are the exception those
        of less than half of this are left out.
    min_groups
        Groups needed; nested cross-validation needs three.
    purge_s
        Gap between neighbouring parts of a piece: longest lag plus 12 s.
    max_block_s
        Length that parts of a piece aim at when pieces are split.

    Returns
    -------
    Blocks

    Raises
    ------
    InputInvalidError
        If no cut yields `min_groups` groups.

    Notes
    -----
    Source: rule of the design notes (score whole pieces; purge of longest lag + 12 s where a
    piece must be split, because the haemodynamic response carries over).
    """
    rows = [np.asarray(column) for column in (presentation, run, piece)]
    time_s = np.asarray(time_s, dtype=np.float64)
    if any(column.shape != time_s.shape for column in rows) or time_s.size == 0:
        msg = f"rows of presentation, run, piece and time differ or are none: \
{[column.size for column in rows]} and {time_s.size}"
        raise InputInvalidError(msg)
    durations = _durations(rows[0], time_s)
    if np.median(list(durations.values())) < min_block_s:
        return _pooled(rows, durations, min_groups)
    seconds = np.array([durations[int(number)] for number in rows[0]])
    whole = _number(np.where(seconds >= min_block_s, rows[0], -1), rows, "presentation")
    if np.unique(whole.group).size >= min_groups:
        return _number(np.where(seconds >= min_block_s / 2, rows[0], -1), rows, "presentation")
    return _split(rows, time_s, whole, min_groups, min_block_s, purge_s, max_block_s)


def nested_folds(
    block_group: Sequence[int] | IntArray, *, max_outer: int = 10, max_inner: int = 5
) -> tuple[Fold, ...]:
    """Leave out each group once; inside the training groups, leave out each once again.

    Parameters
    ----------
    block_group : array of shape (n_blocks,)
        Blocks with the same value stand on the same side of every fold.
    max_outer, max_inner
        With more groups than this, groups are dealt into as many folds (at least three outer
        and two inner ones), in order of their first block.

    Returns
    -------
    tuple of Fold

    Raises
    ------
    InputInvalidError
        If there are fewer than three groups.

    Examples
    --------
    >>> nested_folds([0, 1, 2])[0]
    Fold(test=(0,), inner=((1,), (2,)))
    """
    groups = np.asarray(block_group)
    order = list(dict.fromkeys(groups.tolist()))
    if len(order) < 3:
        msg = f"nested cross-validation needs at least 3 groups of blocks and there are \
{len(order)}; add pieces or let pieces be split"
        raise InputInvalidError(msg)
    folds = []
    for held_out in _deal(order, max(max_outer, 3)):
        inner = _deal([group for group in order if group not in held_out], max(max_inner, 2))
        folds.append(
            Fold(_blocks_of(groups, held_out), tuple(_blocks_of(groups, part) for part in inner))
        )
    return tuple(folds)


def _deal(items: list[int], n_hands: int) -> list[list[int]]:
    n_hands = min(n_hands, len(items))
    return [items[hand::n_hands] for hand in range(n_hands)]


def _blocks_of(groups: IntArray, chosen: list[int]) -> tuple[int, ...]:
    return tuple(int(block) for block in np.flatnonzero(np.isin(groups, chosen)))


def _durations(presentation: IntArray, time_s: FloatArray) -> dict[int, float]:
    """Seconds covered by each presentation, one sampling interval per row."""
    durations = {}
    for number in np.unique(presentation):
        times = np.sort(time_s[presentation == number])
        step = float(np.median(np.diff(times))) if times.size > 1 else 0.0
        durations[int(number)] = float(times[-1] - times[0]) + step
    return durations


def _number(key: IntArray, rows: Sequence[IntArray], kind: BlockKind) -> Blocks:
    """Give numbers to the distinct keys (-1: none) as blocks and join those that share a piece."""
    kept = key >= 0
    names = list(dict.fromkeys(key[kept].tolist()))
    number = {name: block for block, name in enumerate(names)}
    label = np.array([number.get(name, -1) for name in key.tolist()], dtype=np.int64)
    presentation, run, piece = (
        _only([column[label == block] for block in range(len(names))]) for column in rows
    )
    group = _join([set(rows[2][label == block].tolist()) for block in range(len(names))])
    n_short = int(np.count_nonzero(~kept))
    return Blocks(label, group, presentation, run, piece, kind, n_short)


def _only(members: Sequence[IntArray]) -> IntArray:
    """Return the one value that each block holds, -1 where it holds several."""
    return np.array(
        [int(np.unique(m)[0]) if np.unique(m).size == 1 else -1 for m in members], dtype=np.int64
    )


def _join(members: list[set[int]]) -> IntArray:
    """Give one number to sets that are linked by common members."""
    group = list(range(len(members)))
    for one in range(len(members)):
        for other in range(one):
            if members[one] & members[other] and group[one] != group[other]:
                low, high = sorted((group[one], group[other]))
                group = [low if number == high else number for number in group]
    return np.unique(np.array(group, dtype=np.int64), return_inverse=True)[1].astype(np.int64)


def _pooled(rows: Sequence[IntArray], durations: dict[int, float], min_groups: int) -> Blocks:
    """One run is one block; or, if runs share pieces, one set of pieces within one run."""
    _, run, piece = rows
    by_run = _number(np.unique(run, return_inverse=True)[1].astype(np.int64), rows, "run")
    if np.unique(by_run.group).size >= min_groups:
        return by_run
    pieces = list(dict.fromkeys(piece.tolist()))
    if len(pieces) < min_groups:
        msg = f"{len(pieces)} pieces of {max(durations.values()):.0f} s at most are too few for \
{min_groups} groups that share no piece; add pieces or runs"
        raise InputInvalidError(msg)
    n_sets = min(len(pieces), max(min_groups, 5))
    set_of = {name: index * n_sets // len(pieces) for index, name in enumerate(pieces)}
    piece_set = np.array([set_of[name] for name in piece.tolist()])
    key = np.unique(run, return_inverse=True)[1] * n_sets + piece_set
    return _number(key.astype(np.int64), rows, "clips")


def _split(
    rows: Sequence[IntArray],
    time_s: FloatArray,
    whole: Blocks,
    min_groups: int,
    min_block_s: float,
    purge_s: float,
    max_block_s: float,
) -> Blocks:
    """Cut each piece at fixed positions of the sound; rows near a cut are purged."""
    kept = whole.label >= 0
    pieces = [kept & (rows[2] == piece) for piece in np.unique(rows[2][kept])]
    spans = [(float(time_s[mine].min()), float(time_s[mine].max())) for mine in pieces]
    lengths = np.array([stop - start for start, stop in spans])
    n_parts = _parts(lengths, min_groups, min_block_s + purge_s, max_block_s)
    if sum(n_parts) < min_groups:
        msg = f"{len(pieces)} pieces can be cut into {sum(n_parts)} parts of {min_block_s:.0f} s \
with {purge_s:.0f} s between them, and {min_groups} are needed; add pieces, or lower min_block_s"
        raise InputInvalidError(msg)
    part = np.full(time_s.shape, -1, dtype=np.int64)
    for mine, (start, stop), n, first in zip(
        pieces, spans, n_parts, np.cumsum([0, *n_parts[:-1]]), strict=True
    ):
        cuts = np.linspace(start, stop, n + 1)[1:-1]
        gap = np.abs(time_s[:, None] - cuts).min(axis=1, initial=np.inf)
        inside = mine & (gap >= purge_s / 2)
        part[inside] = first + np.searchsorted(cuts, time_s[inside])
    return _number_parts(rows, time_s, whole, part, min_block_s)


def _parts(lengths_s: FloatArray, min_groups: int, least_s: float, aim_s: float) -> list[int]:
    """Return into how many parts each piece is cut; the longest parts are cut further first."""
    most = [max(1, int(length // least_s)) for length in lengths_s]
    parts = [
        min(limit, max(1, round(length / aim_s)))
        for limit, length in zip(most, lengths_s.tolist(), strict=True)
    ]
    while sum(parts) < min_groups:
        open_ = [piece for piece, limit in enumerate(most) if parts[piece] < limit]
        if not open_:
            break
        parts[max(open_, key=lambda piece: lengths_s[piece] / parts[piece])] += 1
    return parts


def _number_parts(
    rows: Sequence[IntArray],
    time_s: FloatArray,
    whole: Blocks,
    part: IntArray,
    min_block_s: float,
) -> Blocks:
    """Give numbers to parts; drop what a shortened presentation leaves over."""
    key = np.unique(rows[0], return_inverse=True)[1] * (part.max() + 1) + part
    key = np.where(part >= 0, key, -1)
    durations = _durations(key, time_s)
    scraps = [name for name, seconds in durations.items() if seconds < min_block_s / 2]
    cut = _number(np.where(np.isin(key, scraps), -1, key), rows, "split")
    group = np.array([part[cut.label == block][0] for block in range(cut.n_blocks)])
    n_purged = int(np.count_nonzero((whole.label >= 0) & (cut.label < 0)))
    return replace(cut, group=group, n_short=whole.n_short, n_purged=n_purged)
