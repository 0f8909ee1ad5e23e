"""The rows of one set of lags, their blocks and folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bidsapp.features.timeline import Timeline, timeline
from bidsapp.recipes.gradients.settings import GradientsSettings
from bidsapp.recipes.inputs import Inputs
from bidsapp.stats.folds import Blocks, Fold, make_blocks, nested_folds


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
    """

    lags: str
    lags_s: tuple[float, ...]
    timeline: Timeline
    blocks: Blocks
    folds: tuple[Fold, ...]

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.blocks.n_blocks

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
    def fold_of_block(self) -> dict[int, int]:
        """Outer fold (from 0) in which each block is tested."""
        return {block: number for number, fold in enumerate(self.folds) for block in fold.test}


def make_rows(
    inputs: Inputs, lags: str, lags_s: tuple[float, ...], settings: GradientsSettings
) -> Rows:
    """List the rows that all lags can explain and cut them into blocks and folds.

    Raises
    ------
    InputInvalidError
        If there is too little music for nested cross-validation.
    """
    durations: Mapping[str, float] = {
        row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment
    }
    found = timeline(inputs.runs, inputs.presentations, lags_s, durations)
    blocks = make_blocks(
        found.presentation,
        found.run,
        found.piece,
        found.stim_time_s,
        min_block_s=settings.min_block_s,
        purge_s=settings.purge_s,
    )
    folds = nested_folds(
        blocks.group, max_outer=settings.max_outer_folds, max_inner=settings.max_inner_folds
    )
    return Rows(lags, lags_s, found, blocks, folds)
