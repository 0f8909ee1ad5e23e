"""Folds over windows of songs: whole songs held out, or single windows as the paper did.

Windows of one song are near-duplicates. Where they stand on both sides of a fold, a model can
recognise the song instead of the emotion; such folds say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from bidsapp.errors import InputInvalidError

Ints = npt.NDArray[np.int64]


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
    InputInvalidError
        There are fewer songs than folds, or too few to set some aside.
    """
    n_songs = len(np.unique(songs))
    if n_songs < max(n_folds, 3):
        msg = f"{n_songs} songs are too few for {n_folds} folds; ask for fewer folds or add songs"
        raise InputInvalidError(msg)
    folds = []
    for number, (rest, test) in enumerate(_divide(classes, songs, n_folds, seed, by_song)):
        inner = min(9, len(np.unique(songs[rest])))
        train, validation = next(
            iter(_divide(classes[rest], songs[rest], inner, seed + 1 + number, by_song))
        )
        folds.append(SongFold(rest[train], rest[validation], test))
    return tuple(folds)


def _divide(
    classes: Ints, songs: Ints, n_folds: int, seed: int, by_song: bool
) -> list[tuple[Ints, Ints]]:
    kind = StratifiedGroupKFold if by_song else StratifiedKFold
    least = int(np.bincount(classes)[np.unique(classes)].min())
    if not by_song and least < n_folds:
        msg = f"a quadrant has {least} windows, fewer than {n_folds} folds; ask for fewer folds"
        raise InputInvalidError(msg)
    if len(np.unique(songs)) < 2:
        msg = "a training fold has one song only; add songs"
        raise InputInvalidError(msg)
    splitter = kind(n_folds, shuffle=True, random_state=seed)
    with np.errstate(all="ignore"):
        return [(np.sort(a), np.sort(b)) for a, b in splitter.split(classes, classes, songs)]
