"""Settings of the group level of `rsa`: the paper of Thielen and colleagues, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bidsapp.recipes.base.settings import setting

_STATISTICS = "Methods: Statistical Analysis"


@dataclass(frozen=True)
class GroupSettings:
    """What the group level does; the defaults are those of the robust variant."""

    test: Literal["clip-permutation", "maximum-t"] = setting(
        "clip-permutation",
        paper="one-sample right-sided t of each participant's maximum over layers",
        source=_STATISTICS,
        why="the maximum of several correlations is above zero without any effect; what clips "
        "permuted in the models leave standing is no effect of the models",
    )
    n_permutations: int = setting(
        5000,
        paper="none",
        source="-",
        why="orders of the clips, the same for all participants; all of them when they are not "
        "more than this; 0 for no test",
    )
    significance: float = setting(
        0.05,
        paper="q = .05 / 10",
        source=_STATISTICS,
        why="family-wise over units and layers; maximum-t: false discovery rate over units, "
        "divided by the number of layers",
    )
    ceiling_above_zero: bool = setting(
        True,
        paper="no noise ceiling",
        source="-",
        why="where participants do not agree there is no best layer of the group",
    )
    min_share: float = setting(
        0.8,
        paper="not stated",
        source="-",
        why="a searchlight needs data of at least this share of the participants",
    )
    n_bootstrap: int = setting(
        1000, paper="none", source="-", why="how often redrawn participants agree on a best layer"
    )
    n_flips: int = setting(
        10_000,
        paper="none",
        source="-",
        why="sign flips of participants: hemispheres, and the superior temporal gyrus",
    )
    axis_bins: int = setting(
        10,
        paper="maps along the superior temporal gyrus, no bins",
        source="Results",
        why="bins from the posterior to the anterior end",
    )


VARIANTS = {
    "robust": GroupSettings(),
    "faithful": GroupSettings(
        test="maximum-t",
        n_permutations=1000,
        ceiling_above_zero=False,
    ),
}
"""Defaults of both variants."""
