"""Settings of the group level of `gradients`: the poster, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bidsapp.recipes.base.settings import setting

_MAPPING = "poster, Methods: representational gradient mapping"


@dataclass(frozen=True)
class GroupSettings:
    """What the group level does; the defaults are those of the robust variant."""

    references: tuple[str, ...] = setting(
        ("gradient1", "gradient2"),
        paper="first functional gradient",
        source=_MAPPING,
        why="the second gradient shows whether the first one is special; files may be given",
    )
    n_rotations: int = setting(10_000, paper="10,000 random rotations", source=_MAPPING)
    n_swapped_rotations: int = setting(
        1000,
        paper="not stated which of the two maps rotates",
        source=_MAPPING,
        why="sensitivity: the layer map rotates instead of the reference",
    )
    spin_statistic: Literal["spearman", "pearson"] = setting(
        "spearman",
        paper="correlation coefficient, kind not stated; Pearson assumed",
        source="Figure 5",
        why="layer numbers are ordinal; p does not depend on how layers are spaced",
    )
    overlap_floor: float = setting(
        0.5,
        paper="not stated",
        source="-",
        why="rotations that leave less than half of a map are refused for it",
    )
    thresholded: Literal["none", "significant"] = setting(
        "none",
        paper="no threshold",
        source=_MAPPING,
        why="the layer map stays and the complete reference rotates, so either is valid",
    )
    best_layer: Literal["positive", "everywhere"] = setting(
        "positive",
        paper="argmax at each vertex",
        source=_MAPPING,
        why="where no layer predicts anything there is no best layer",
    )
    n_flips: int = setting(
        5000,
        paper="none: no test over participants",
        source="-",
        why="sign flips of participants; all of them when they are not more than this",
    )
    alternative: Literal["greater", "two-sided"] = setting(
        "greater",
        paper="none",
        source="-",
        why="for maps and ratings: a negative accuracy is no finding",
    )
    tfce: bool = setting(
        False,
        paper="none",
        source="-",
        why="threshold-free cluster enhancement of t, in addition to single units; minutes more",
    )
    n_tfce_flips: int = setting(
        1000, paper="none", source="-", why="sign flips for TFCE; each enhances a map per layer"
    )
    n_bootstrap: int = setting(
        1000, paper="none", source="-", why="intervals of profiles, over participants"
    )
    significance: float = setting(0.05, paper="p < .05", source="Figure 5")
    min_share: float = setting(
        0.5,
        paper="not stated",
        source="-",
        why="a unit needs values of at least this share of the participants",
    )
    n_pcs: int = setting(3, paper="first 3 principal components", source="Figure 4")
    mni305: bool = setting(
        False,
        paper="not stated",
        source="-",
        why="shifts MNI152 volumes to fsaverage's MNI305 before projection",
    )


VARIANTS = {
    "robust": GroupSettings(),
    "faithful": GroupSettings(
        references=("gradient1",),
        spin_statistic="pearson",
        n_swapped_rotations=0,
        best_layer="everywhere",
        min_share=0.0,
    ),
}
"""Defaults of both variants."""
