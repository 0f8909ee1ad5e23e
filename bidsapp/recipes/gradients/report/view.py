"""One network in one space, as sections of `gradients` see it; of a participant."""

from __future__ import annotations

from functools import cached_property
from typing import Self, TypeVar

import numpy as np
import pandas as pd

from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.results import LAGS
from bidsapp.report.figures.style import Array
from bidsapp.report.html import plural
from bidsapp.report.sections import Pair, pairs
from bidsapp.report.tables import rows_of
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


class ParticipantView(GradientsView):
    """A participant's results of one network in one space."""

    def scores(self, lags: str) -> Array | None:
        """(n_layers, n_units) scores; None where these lags were not analysed."""
        return self.maps(declared.SCORE.of(lags))

    @cached_property
    def positive(self) -> Array:
        """Scores of layers at positive lags, (n_layers, n_units)."""
        return self.values(declared.SCORE.of(POSITIVE))

    @cached_property
    def significant(self) -> Array:
        """Voxels or vertices in significant parcels, (n_units,) bool."""
        return np.asarray(self.values(declared.SIGNIFICANT)[0] > 0)

    @cached_property
    def parcels(self) -> pd.DataFrame:
        """One row per parcel and set of lags."""
        return self.table(declared.PARCEL_SUMMARY)

    @cached_property
    def passed(self) -> pd.DataFrame:
        """Rows of the parcels that are significant at positive lags."""
        rows = rows_of(self.parcels, lags=POSITIVE)
        return rows[rows["p_fwe"] <= self.level]

    @cached_property
    def profile(self) -> pd.DataFrame:
        """One row per layer and set of lags."""
        return self.table(declared.PROFILE)

    @property
    def chosen(self) -> Array:
        """(n_units,) bool: significant ones; all of them where none is significant."""
        return self.significant if self.significant.any() else np.ones_like(self.significant)

    @property
    def chosen_words(self) -> str:
        """Say which voxels or vertices are `chosen`."""
        if not self.significant.any():
            return f"all {self.words}, because no parcel is significant"
        n = plural(int(self.significant.sum()), self.word, self.words)
        return f"the {n} in significant parcels"
