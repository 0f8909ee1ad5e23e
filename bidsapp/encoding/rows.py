"""The rows of one set of lags, their blocks and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bidsapp.bids.records import Presentation, Run
from bidsapp.features.timeline import Timeline, timeline
from bidsapp.stats.folds import Blocks, Fold, make_blocks, nested_folds

Response = Literal["canonical", "lags"]


@dataclass(frozen=True)
class FoldOptions:
    """How rows are cut into blocks and folds.

    Attributes
    ----------
    min_block_s
        Shortest block in seconds.
    purge_s
        Gap in seconds between parts of a piece that stand on both sides of a fold.
    max_outer_folds, max_inner_folds
        Largest numbers of folds.
    begin_s
        Seconds after the onset of a presentation that are left out.
    response
        See `Rows`.
    """

    min_block_s: float = 40.0
    purge_s: float = 18.0
    max_outer_folds: int = 10
    max_inner_folds: int = 4
    begin_s: float = 0.0
    response: Response = "lags"


@dataclass(frozen=True)
class Rows:
    """The rows of one set of lags, their blocks and folds.

    Attributes
    ----------
    lags, lags_s
        Name (``positive``, ``negative``) and seconds.
    timeline
        Which volume hears which moment.
    blocks, folds
        Partition of the rows.
    response
        What a row hears: ``canonical``, the frames weighted by the canonical response to what was
        heard before (at negative lags: by its mirror image, to what comes after); ``lags``, those
        at each lag.
    """

    lags: str
    lags_s: tuple[float, ...]
    timeline: Timeline
    blocks: Blocks
    folds: tuple[Fold, ...]
    response: Response = "lags"

    @property
    def n_regressors(self) -> int:
        """Regressors that each component of a layer becomes."""
        return 1 if self.response == "canonical" else len(self.lags_s)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.blocks.n_blocks

    @property
    def n_used(self) -> int:
        """Rows that are in a block."""
        return int(np.count_nonzero(self.blocks.label >= 0))

    @property
    def used_pieces(self) -> tuple[str, ...]:
        """Pieces with rows in a block, in order of first presentation."""
        numbers = np.unique(self.timeline.piece[self.blocks.label >= 0])
        return tuple(self.timeline.pieces[number] for number in numbers)

    @property
    def block_pieces(self) -> tuple[str, ...]:
        """What each block is called in tables: its piece, or its run where it holds several."""
        names = []
        for block in range(self.n_blocks):
            row = int(np.argmax(self.blocks.label == block))
            several = self.blocks.piece[block] < 0
            names.append(
                f"run {self.timeline.run[row] + 1}"
                if several
                else self.timeline.pieces[self.timeline.piece[row]]
            )
        return tuple(names)

    @property
    def heard(self) -> tuple[str, ...]:
        """What is heard in each block; blocks that hear the same are displaced alike.

        The piece; its part where pieces are split; all pieces in order where a block holds
        several, because another order is other music.
        """
        names = []
        parts: dict[tuple[int, str], int] = {}
        for block in range(self.n_blocks):
            rows = np.flatnonzero(self.blocks.label == block)
            order = self.timeline.piece[rows]
            changes = np.flatnonzero(np.diff(order, prepend=-1))
            name = " | ".join(self.timeline.pieces[piece] for piece in order[changes])
            key = int(self.timeline.presentation[rows[0]]), name
            parts[key] = parts.get(key, 0) + 1
            names.append(name if parts[key] == 1 else f"{name} part {parts[key]}")
        return tuple(names)

    @property
    def fold_of_block(self) -> dict[int, int]:
        """Outer fold (from 0) in which each block is tested."""
        return {block: number for number, fold in enumerate(self.folds) for block in fold.test}


def make_rows(
    runs: Sequence[Run],
    presentations: Sequence[Presentation],
    durations_s: Mapping[str, float],
    lags: str,
    lags_s: Sequence[float],
    options: FoldOptions,
) -> Rows:
    """List the rows that all lags can explain and cut them into blocks and folds.

    Parameters
    ----------
    runs, presentations
        What was played when.
    durations_s
        Sound file → its length in seconds.
    lags, lags_s
        Name of the set of lags, and the lags in seconds.
    options
        Of blocks and folds.

    Raises
    ------
    InputInvalidError
        If there is too little music for nested cross-validation.
    """
    times = timeline(runs, presentations, tuple(lags_s), durations_s, begin_s=options.begin_s)
    blocks = make_blocks(
        times.presentation,
        times.run,
        times.piece,
        times.stim_time_s,
        min_block_s=options.min_block_s,
        purge_s=options.purge_s,
    )
    folds = nested_folds(
        blocks.group,
        max_outer=options.max_outer_folds,
        max_inner=options.max_inner_folds,
    )
    return Rows(lags, tuple(lags_s), times, blocks, folds, options.response)
