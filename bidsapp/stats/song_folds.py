"""Folds over windows of songs: whole songs held out, or single windows as the paper did.

Windows of one song are near-duplicates. Where they stand on both sides of a fold, a model can
recognise the song instead of the emotion; such folds say so.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from bidsapp.errors import InputInvalidError, UsageError

Ints = npt.NDArray[np.int64]

_INNER_FOLDS = 9
"""A ninth of the training songs is set aside."""


@dataclass(frozen=True, eq=False)
class SongFold:
    """One fold: sorted rows.

    Attributes
    ----------
    train
        Learned from.
    validation
        Part of the training songs, set aside to stop or to choose a regularisation.
    test
        Held out.
    """

    train: Ints
    validation: Ints
    test: Ints


def song_folds(
    classes: Ints, songs: Ints, n_folds: int, seed: int, *, by_song: bool = True
) -> tuple[SongFold, ...]:
    """Divide windows so that each fold has about the same share of each class.

    Parameters
    ----------
    classes, songs
        (n,) class and song of each window.
    n_folds
        Number of folds.
    seed
        Of the division.
    by_song
        Hold out whole songs; otherwise single windows, which leaks.

    Returns
    -------
    tuple of SongFold

    Raises
    ------
    UsageError
        Fewer than two folds.
    InputInvalidError
        There are fewer songs than folds, too few windows of every class, too few songs to set
        some aside, or a training part has one class only.
    """
    if n_folds < 2:
        msg = f"{n_folds} fold leaves nothing to hold out; ask for two or more"
        raise UsageError(msg)
    n_songs = len(np.unique(songs))
    if n_songs < max(n_folds, 3):
        msg = f"{n_songs} songs are too few for {n_folds} folds; ask for fewer folds or add songs"
        raise InputInvalidError(msg)
    folds = []
    for number, (rest, test) in enumerate(_divide(classes, songs, n_folds, seed, by_song)):
        inner = min(_INNER_FOLDS, len(np.unique(songs[rest])), max(2, _largest(classes[rest])))
        if not by_song:
            inner = min(inner, max(2, _rarest(classes[rest])))
        train, validation = next(
            iter(_divide(classes[rest], songs[rest], inner, seed + 1 + number, by_song))
        )
        if len(np.unique(classes[rest[train]])) < 2:
            msg = f"fold {number + 1} has one quadrant to learn from; add songs of the others"
            raise InputInvalidError(msg)
        folds.append(SongFold(rest[train], rest[validation], test))
    return tuple(folds)


def _divide(
    classes: Ints, songs: Ints, n_folds: int, seed: int, by_song: bool
) -> list[tuple[Ints, Ints]]:
    kind = StratifiedGroupKFold if by_song else StratifiedKFold
    rarest = _rarest(classes)
    if not by_song and rarest < n_folds:
        msg = f"a quadrant has {rarest} windows, fewer than {n_folds} folds; ask for fewer folds"
        raise InputInvalidError(msg)
    if _largest(classes) < n_folds:
        msg = (
            f"no quadrant has more than {_largest(classes)} windows, too few for {n_folds} folds; "
            "ask for fewer folds or add songs"
        )
        raise InputInvalidError(msg)
    if len(np.unique(songs)) < 2:
        msg = "a training fold has one song only; add songs"
        raise InputInvalidError(msg)
    splitter = kind(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # rare quadrants are absent from some folds
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = list(splitter.split(classes, classes, songs if by_song else None))
    return [(np.sort(train), np.sort(test)) for train, test in parts]


def _largest(classes: Ints) -> int:
    """Count the members of the largest class."""
    return int(np.unique(classes, return_counts=True)[1].max())


def _rarest(classes: Ints) -> int:
    """Count the members of the smallest class that occurs."""
    return int(np.unique(classes, return_counts=True)[1].min())
