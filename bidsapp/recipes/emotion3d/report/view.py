"""What the sections of `emotion3d` read: written results of one space, by split and decoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import pandas as pd

from bidsapp.recipes.emotion3d import results as declared
from bidsapp.recipes.emotion3d.names import DECODERS, SplitInfo
from bidsapp.report.sections import space_pairs
from bidsapp.report.tables import rows_of
from bidsapp.report.view import View
from bidsapp.results.read import Results, Space

BALANCED = "balanced_accuracy"
LEVEL = 0.05
"""Of the tests on the pages."""


class EmotionView(View):
    """Results of a participant, or of the group, in one space; there are no networks."""

    @property
    def space(self) -> Space:
        """The space."""
        return self.pair.space

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return tuple(self.summary["classes"])

    @cached_property
    def splits(self) -> tuple[SplitInfo, ...]:
        """Splits in the order of the analysis."""
        return tuple(
            SplitInfo(item["name"], item["note"], tuple(item["folds"]))
            for item in self.summary["splits"]
        )

    @property
    def honest(self) -> tuple[SplitInfo, ...]:
        """Splits whose scores may be believed."""
        return tuple(split for split in self.splits if not split.leaky)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per split, decoder and measure."""
        return self.table(declared.SCORES)

    @cached_property
    def null(self) -> pd.DataFrame:
        """One row per split, decoder and shift of the labels."""
        return self.table(declared.NULL)

    @cached_property
    def recall(self) -> pd.DataFrame:
        """One row per split, decoder and class; of a group also per participant."""
        return self.table(declared.GROUP_RECALL if self.is_group else declared.RECALL)

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """One row per split, decoder and pair of classes; of a group also per participant."""
        return self.table(declared.GROUP_CONFUSION if self.is_group else declared.CONFUSION)

    def pooled(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that are not about a single participant of a group."""
        return table[table["participant"].isna()] if self.is_group else table

    def of_single(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that are about single participants of a group."""
        return table[table["participant"].notna()]

    def decoders(self, split: SplitInfo) -> list[str]:
        """Return the decoders that were scored under a split, in the order of `DECODERS`."""
        there = set(rows_of(self.scores, split=split.name, measure=BALANCED)["decoder"])
        return [name for name in DECODERS if name in there]

    def score(self, split: SplitInfo, decoder: str, measure: str = BALANCED) -> pd.Series | None:
        """Return the row of a score; None when it was not computed."""
        rows = rows_of(self.scores, split=split.name, decoder=decoder, measure=measure)
        return None if rows.empty else rows.iloc[0]

    def above_chance(self, decoder: str) -> bool:
        """Whether a decoder was above its chance (p at most .05) under a split that counts.

        Of a group its test over participants counts as well.
        """
        rows = (self.score(split, decoder) for split in self.honest)
        p = [float(row["p"]) for row in rows if row is not None]
        if self.is_group:
            tests = rows_of(self.table(declared.TESTS), test=f"{decoder} > chance")
            leaky = {split.name for split in self.splits if split.leaky}
            p += [float(x) for x in tests.loc[~tests["split"].isin(leaky), "p"]]
        return any(value <= LEVEL for value in p)

    def nulls(self, split: SplitInfo, decoder: str) -> Sequence[float]:
        """Balanced accuracies with shifted labels; empty without a test."""
        rows = rows_of(self.null, split=split.name, decoder=decoder)
        return [float(value) for value in rows[BALANCED].dropna()]


def views(results: Results) -> list[EmotionView]:
    """Return one view per space."""
    return [EmotionView(results, pair) for pair in space_pairs(results)]
