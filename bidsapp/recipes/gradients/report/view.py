"""What the pages of a participant and of a group of `gradients` call and read alike."""

from __future__ import annotations

from functools import cached_property
from typing import Self, TypeVar

from bidsapp.recipes.gradients.results import LAGS
from bidsapp.report.sections import Pair, pairs
from bidsapp.report.view import View
from bidsapp.results.read import Results

BASELINE = "baseline"
POSITIVE, NEGATIVE = LAGS


class GradientsView(View):
    """Results of one network in one space."""

    @cached_property
    def baseline(self) -> Self | None:
        """The acoustic baseline in the same space; None without one, and for itself."""
        space = self.pair.space
        if self.pair.network == BASELINE or BASELINE not in self.results.networks(space):
            return None
        return type(self)(self.results, Pair(space, BASELINE, BASELINE, ""))


V = TypeVar("V", bound=GradientsView)


def views(results: Results, kind: type[V]) -> list[V]:
    """Return the networks of each space; the baseline only where it stands alone."""
    alone = all(set(results.networks(space)) == {BASELINE} for space in results.spaces)
    left_out = () if alone else (BASELINE,)
    return [kind(results, pair) for pair in pairs(results, leave_out=left_out)]
