"""The folds that clips are held out in, and the groups in which they are compared.

Source: Denk et al. 2025, music embedding prediction from fMRI data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.records import Run
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.folds import Fold

_N_INNER = 5


def make_blocks(
    clips: Clips, runs: Sequence[Run], settings: ReconstructSettings, subject: str
) -> tuple[NDArray[np.int64], tuple[Fold, ...]]:
    """Divide the clips into the blocks that are held out together.

    All clips of one sound are in one block, and genres are spread evenly over blocks. The order
    of the sounds' names decides, so that participants who heard the same clips have the same
    blocks.

    Parameters
    ----------
    clips
        To divide.
    runs
        Of the participant, for their tasks.
    settings
        ``n_folds``; ``test_task``: clips heard in it are held out, the others trained on.
    subject
        For messages.

    Returns
    -------
    block
        (n_clips,) from 0.
    folds
        Each holds out one block. Inner folds hold out each of the other blocks.

    Raises
    ------
    InputInvalidError
        There are too few sounds, or no run of the test task.
    """
    pieces = np.array([clip.piece for clip in clips.clips])
    if not settings.test_task:
        block = _deal(pieces, clips.genre, settings.n_folds)
        n_blocks = settings.n_folds
        _check(subject, pieces, block, n_blocks, 2)
        whole = range(n_blocks)
        folds = tuple(Fold((k,), tuple((j,) for j in whole if j != k)) for k in whole)
        return block, folds
    tasks = [{runs[item.run].task for item in own} for own in clips.hearings]
    is_test = np.array([settings.test_task in own for own in tasks])
    is_test = np.isin(pieces, pieces[is_test])
    if not is_test.any() or is_test.all():
        known = ", ".join(sorted(set().union(*tasks)))
        msg = (
            f"sub-{subject}: reconstruct.test_task={settings.test_task!r} must be one of several "
            f"tasks of its runs ({known}); leave it empty for cross-validation"
        )
        raise InputInvalidError(msg)
    block = np.full(len(pieces), _N_INNER)
    genres = [genre for genre, own in zip(clips.genre, is_test, strict=True) if not own]
    block[~is_test] = _deal(pieces[~is_test], genres, _N_INNER)
    _check(subject, pieces, block, _N_INNER + 1, 2)
    return block, (Fold((_N_INNER,), tuple((k,) for k in range(_N_INNER))),)


def _check(
    subject: str, pieces: NDArray[np.str_], block: NDArray[np.int64], n_blocks: int, least: int
) -> None:
    n = min(len(set(pieces[block == k])) for k in range(n_blocks))
    if n < least:
        msg = (
            f"sub-{subject}: {len(set(pieces))} sounds do not fill {n_blocks} folds with {least} "
            "each; lower reconstruct.n_folds, or cut long sounds with reconstruct.clip_s"
        )
        raise InputInvalidError(msg)


def _deal(pieces: NDArray[np.str_], genres: Sequence[str], n_blocks: int) -> NDArray[np.int64]:
    """Deal sounds, sorted by genre and name, into blocks in turn."""
    genre_of = dict(zip(pieces.tolist(), genres, strict=True))
    order = sorted(genre_of, key=lambda piece: (genre_of[piece], piece))
    block_of = {piece: number % n_blocks for number, piece in enumerate(order)}
    return np.array([block_of[piece] for piece in pieces.tolist()], np.int64)


def genre_groups(clips: Clips, fold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the held-out clips of each fold and genre a number.

    Parameters
    ----------
    clips
        With genres.
    fold
        (n_clips,) fold that holds each clip out; -1 for none.

    Returns
    -------
    array, (n_clips,)
        -1 for clips that are never held out or have no genre.
    """
    numbers: dict[tuple[int, str], int] = {}
    return np.array(
        [
            numbers.setdefault((int(own), genre), len(numbers)) if own >= 0 and genre else -1
            for own, genre in zip(fold, clips.genre, strict=True)
        ]
    )
