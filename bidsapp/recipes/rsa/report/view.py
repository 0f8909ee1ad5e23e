"""One network in one space, read back from the written results.

A participant's results and a group's are of the same kinds under a few other declarations: scores
or mean scores, and trained - untrained of one participant or of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.recipes.rsa import results as declared
from bidsapp.report.brain.scales import largest, passing
from bidsapp.report.figures.style import Array
from bidsapp.report.view import View
from bidsapp.results.read import Results


def own_settings(results: Results) -> Mapping[str, Any]:
    """Return the settings of the participant level, of a participant or of a group's."""
    facts = results.facts()
    settings: Mapping[str, Any] = facts["participant_settings" if results.is_group else "settings"]
    return settings


class RsaView(View):
    """Results of one network in one space."""

    @property
    def by_maximum(self) -> bool:
        """Whether significance is by the paper's t of the maximum instead of by permutation."""
        return self.is_group and self.summary["settings"]["test"] == "maximum-t"

    @property
    def is_tested(self) -> bool:
        """Whether there is a test: permutations of clips, or the paper's of the maximum."""
        return self.mask(declared.SIGNIFICANT) is not None

    @property
    def gain_title(self) -> str:
        """Name of the difference from networks with random weights."""
        return "This seed \u2212 other seeds" if self.is_random else declared.DIFFERENCE.title

    @property
    def maxima(self) -> tuple[float, float]:
        """Mean of the largest score over layers, and the same with clips permuted (NaN unknown).

        Of participants' own largest scores where these were tested.
        """
        expected = self.facts["expected_maximum"]
        return self.facts["mean_maximum"], np.nan if expected is None else expected

    @cached_property
    def profile(self) -> pd.DataFrame:
        """One row per layer."""
        return self.table(declared.GROUP_PROFILE if self.is_group else declared.PROFILE)

    @cached_property
    def null(self) -> Array:
        """(n_permutations,) largest score when clips are permuted."""
        return np.asarray(self.table(declared.NULL)["max_rho"].to_numpy(float))

    @cached_property
    def scores(self) -> Array:
        """(n_layers, n_units) scores, means over participants for a group."""
        return self.values(declared.MEAN if self.is_group else declared.SCORE)

    @cached_property
    def largest(self) -> Array:
        """(n_units,) largest score over layers."""
        return largest(self.scores)

    @cached_property
    def raw(self) -> Array | None:
        """(n_layers, n_units) scores of a participant, nuisances not removed."""
        return None if self.is_group else self.values(declared.RAW)

    @cached_property
    def untrained(self) -> Array | None:
        """(n_layers, n_units) mean scores of networks with random weights."""
        return self.maps(declared.UNTRAINED)

    @cached_property
    def gain(self) -> Array | None:
        """(n_layers, n_units) trained - untrained; participants' own scores for a group."""
        if self.is_group:
            return self.maps(declared.DIFFERENCE)
        return None if self.untrained is None else np.asarray(self.scores - self.untrained)

    @cached_property
    def p_fwe(self) -> Array | None:
        """(n_layers, n_units) family-wise p of the permutation of clips."""
        return self.maps(declared.P_FWE)

    @cached_property
    def beyond(self) -> Array | None:
        """(n_layers, n_units) scores beyond acoustics; None where they were not tested."""
        return self.maps(declared.BEYOND)

    @cached_property
    def significant(self) -> Array:
        """(n_units,) bool: some layer is significant; nowhere without a test."""
        passed = self.mask(declared.SIGNIFICANT)
        return np.zeros(self.units.n_units, np.bool_) if passed is None else passed

    @cached_property
    def passing_clips(self) -> Array | None:
        """(n_units,) bool: some layer passes the permutation of clips; None without it."""
        return (
            None if self.p_fwe is None else np.asarray(passing(self.p_fwe, self.level).any(axis=0))
        )

    @cached_property
    def best(self) -> Array:
        """(n_units,) best layer from 1, NaN where there is none."""
        best = self.values(declared.BEST_LAYER)[0]
        return np.where(best > 0, best, np.nan)

    @cached_property
    def centroid(self) -> Array:
        """(n_units,) centroid layer, NaN where there is none."""
        return np.asarray(self.values(declared.CENTROID)[0])
