"""How a participant's volumes are divided into training and test."""

from __future__ import annotations

from bidsapp.errors import InputInvalidError
from bidsapp.recipes.emotion3d.labels import LabelledVolumes
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.stats.splits import SPLITTERS, Split

N_PARTS = 5
"""Folds of the splits that do not hold out whole runs."""


def split_names(n_runs: int, settings: Emotion3dSettings) -> tuple[str, ...]:
    """Return the split that counts and, if asked for, the leaky one."""
    name = settings.split
    if name == "auto":
        name = "leave_run_out" if n_runs > 1 else "blocked"
    return (name, "shuffled") if settings.shuffled else (name,)


def n_folds(name: str, n_runs: int) -> int:
    """Return how many folds a split has."""
    return n_runs if name == "leave_run_out" else N_PARTS


def make_splits(
    labelled: LabelledVolumes, n_runs: int, settings: Emotion3dSettings, seed: int
) -> tuple[Split, ...]:
    """Divide volumes.

    Parameters
    ----------
    labelled
        Run, time and place in the stimulus of each volume.
    n_runs
        Whole runs are held out when there are several.
    settings
        Split and embargo.
    seed
        Of the leaky split.

    Returns
    -------
    tuple of Split
        The one that counts comes first.

    Raises
    ------
    InputInvalidError
        Runs are too few or too short, or all share one stimulus.
    """
    names = split_names(n_runs, settings)
    try:
        return tuple(
            SPLITTERS[name](
                labelled.samples, embargo_s=settings.embargo_s, n_folds=N_PARTS, seed=seed
            )
            for name in names
        )
    except InputInvalidError as error:
        hint = "(emotion3d.purge_stimulus=false keeps the same stimulus in training and test)"
        msg = f"{error} {hint}" if "stimulus" in str(error) else str(error)
        raise InputInvalidError(msg) from error
