"""Settings of the group level of `emotion3d`: the poster, and ours."""

from __future__ import annotations

from dataclasses import dataclass

from bidsapp.recipes.base.settings import setting

_CROSS = "poster: Performance generalizes across subjects"
_CODE = "public code of the poster (lungerjo/DeepEmotion)"


@dataclass(frozen=True)
class GroupSettings:
    """What the group level does; the defaults are those of the robust variant."""

    leave_participant_out: bool = setting(
        True,
        paper="one model of all 19 participants, tested on volumes of the same participants",
        source=f"{_CROSS}; {_CODE}",
        why="SAME STIMULUS in training and test: shows shared responses, no new stimulus",
    )
    leave_participant_and_run_out: bool = setting(
        True,
        paper="none",
        source=_CROSS,
        why="new participant and new stimulus at once: the strictest question",
    )
    max_participant_folds: int = setting(
        10,
        paper="none",
        source=_CROSS,
        why="participants are left out in at most this many groups",
    )
    cnn: bool = setting(True, paper="the network of single participants", source=_CROSS)
    n_seeds: int = setting(1, paper="1", source=_CODE)
    epochs: int = setting(20, paper="50", source="poster: Model parameterized by 3DCNN")
    max_shift_voxels: int = setting(
        2,
        paper="no augmentation",
        source=_CODE,
        why="the same response lies up to two voxels apart in two participants",
    )
    n_shifts: int = setting(
        100,
        paper="none: no test",
        source=_CROSS,
        why="labels shifted alike in all participants, linear decoder fitted again",
    )
    n_cnn_shifts: int = setting(
        0,
        paper="none: no test",
        source=_CROSS,
        why="as n_shifts; each costs as much as the network's whole cross-validation",
    )
    n_flips: int = setting(
        5000,
        paper="none",
        source="-",
        why="sign flips of participants; all of them when they are not more than this",
    )
    significance: float = setting(0.05, paper="none", source="-")


VARIANTS = {
    "robust": GroupSettings(),
    "faithful": GroupSettings(epochs=50, max_shift_voxels=0),
}
"""Defaults of both variants."""
