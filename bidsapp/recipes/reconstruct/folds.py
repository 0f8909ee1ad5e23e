"""The folds that clips are held out in, and the groups in which they are compared.

Responses to clips that follow each other overlap, and so does slow noise. Where a clip is held
out and its neighbours are trained on, its prediction is drawn to theirs. Clips that were heard one
after the other are therefore held out together (decision 0014), and those heard right before or
after them are not trained on (decision 0017).

Source: Denk et al. 2025, music embedding prediction from fMRI data.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.records import Presentation, Run
from bidsapp.errors import InputInvalidError
from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.clips import ROUNDING_S
from bidsapp.recipes.reconstruct.clips import NO_GENRE, Clips, ReconstructInputs
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.folds import Fold
from bidsapp.stats.identification import row_correlations

_N_INNER = 5
_LEAST_LEFT = 1 / 2
"""Share of the clips of other blocks that gaps leave to learn from."""
_MOST = 2 / 3
"""Share of a genre's sounds in one block above which genres were played one after the other."""


def heard_order(runs: Sequence[Run], presentations: Sequence[Presentation]) -> tuple[str, ...]:
    """List the sounds in the order in which they were first heard, run by run."""
    number = {run.name: place for place, run in enumerate(runs)}
    heard = [item for item in presentations if item.run_name in number]
    heard.sort(key=lambda item: (number[item.run_name], item.onset_s))
    return tuple(dict.fromkeys(item.piece for item in heard))


def make_blocks(
    clips: Clips, inputs: ReconstructInputs, settings: ReconstructSettings
) -> tuple[NDArray[np.int64], tuple[Fold, ...]]:
    """Divide the clips into the blocks that are held out together.

    All clips of one sound are in one block. Sounds are cut into blocks in the order in which the
    first participant of the dataset heard them, so that participants who heard the same clips
    have the same blocks. Where most sounds of a genre would thereby fall into one block, as where
    genres were played one after the other, and with ``fold_order`` ``genre``, sounds are dealt in
    the order of genres and names instead, which spreads genres evenly.

    Parameters
    ----------
    clips
        To divide.
    inputs
        Of the participant: tasks of runs, and the order of sounds.
    settings
        ``n_folds``, ``fold_order``; ``test_task``: clips heard in it are held out, the others
        trained on.

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
    subject, runs = inputs.subject, inputs.runs
    pieces = np.array([clip.piece for clip in clips.clips])
    order = inputs.heard or heard_order(runs, inputs.presentations)
    by_time = settings.fold_order == "time"
    if not settings.test_task:
        block = _blocks(pieces, clips.genre, settings.n_folds, order, by_time=by_time)
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
    block[~is_test] = _blocks(pieces[~is_test], genres, _N_INNER, order, by_time=by_time)
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


def _blocks(
    pieces: NDArray[np.str_],
    genres: Sequence[str],
    n_blocks: int,
    order: Sequence[str],
    *,
    by_time: bool,
) -> NDArray[np.int64]:
    """Return the block of each clip, (n_clips,): consecutive sounds, or sounds dealt by genre."""
    genre_of = dict(zip(pieces.tolist(), genres, strict=True))
    place = {piece: number for number, piece in enumerate(order)}
    ordered = sorted(genre_of, key=lambda piece: (place.get(piece, len(place)), piece))
    block_of = {piece: rank * n_blocks // len(ordered) for rank, piece in enumerate(ordered)}
    if not by_time or _in_stretches(genre_of, block_of, n_blocks):
        ordered = sorted(genre_of, key=lambda piece: (genre_of[piece], piece))
        block_of = {piece: rank % n_blocks for rank, piece in enumerate(ordered)}
    return np.array([block_of[piece] for piece in pieces.tolist()], np.int64)


def _in_stretches(genre_of: Mapping[str, str], block_of: Mapping[str, int], n_blocks: int) -> bool:
    """Whether the usual genre has most of its sounds in one block; small genres do not count."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for piece, genre in genre_of.items():
        counts[genre][block_of[piece]] += 1
    largest = [
        max(own.values()) / own.total()
        for genre, own in counts.items()
        if genre != NO_GENRE and own.total() >= n_blocks
    ]
    return len(counts) > 1 and bool(largest) and float(np.median(largest)) > _MOST


def are_consecutive(clips: Clips, inputs: ReconstructInputs, block: NDArray[np.int64]) -> bool:
    """Whether blocks (n_clips,) are consecutive parts of the order of the sounds."""
    block_of = {
        clip.piece: number for clip, number in zip(clips.clips, block.tolist(), strict=True)
    }
    order = inputs.heard or heard_order(inputs.runs, inputs.presentations)
    known = [block_of[piece] for piece in order if piece in block_of]
    return known == sorted(known)


def places(clips: Clips, inputs: ReconstructInputs) -> NDArray[np.int64]:
    """Place (n_clips,) of each clip in the order in which the first participant heard sounds."""
    order = inputs.heard or heard_order(inputs.runs, inputs.presentations)
    number = {piece: place for place, piece in enumerate(order)}
    keys = [
        (number.get(clip.piece, len(number)), clip.piece, clip.start_s) for clip in clips.clips
    ]
    place = np.empty(len(keys), np.int64)
    place[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    return place


def neighbours(clips: Clips) -> NDArray[np.int64]:
    """Return pairs of clips of which one was heard right after the other, (n_pairs, 2)."""
    heard = sorted(
        (item.run, item.onset_s, number)
        for number, own in enumerate(clips.hearings)
        for item in own
    )
    pairs = [
        (first, second)
        for (run, _, first), (next_run, _, second) in pairwise(heard)
        if run == next_run and first != second
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def clips_near(clips: Clips, block: NDArray[np.int64], gap_s: float) -> NDArray[np.bool_]:
    """Find the clips that were heard within some time of those of a block.

    Parameters
    ----------
    clips
        With their presentations.
    block
        (n_clips,) block of each clip.
    gap_s
        Less than which lay between the end of the one and the beginning of the other, in the
        same run.

    Returns
    -------
    array, (n_blocks, n_clips)
        False for the clips of the block.
    """
    heard = [(number, item) for number, own in enumerate(clips.hearings) for item in own]
    clip = np.array([number for number, _ in heard])
    run = np.array([item.run for _, item in heard])
    begin_s = np.array([item.onset_s for _, item in heard])
    end_s = begin_s + [item.length_s for _, item in heard]
    near = np.zeros((int(block.max()) + 1, len(block)), np.bool_)
    for number, own in enumerate(near):
        inside = block[clip] == number
        apart_s = np.maximum(begin_s[:, None] - end_s[inside], begin_s[inside] - end_s[:, None])
        close = (run[:, None] == run[inside]) & (apart_s < gap_s - ROUNDING_S)
        own[clip[close.any(axis=1) & ~inside]] = True
    return near


def allowed_gap(
    near: NDArray[np.bool_], block: NDArray[np.int64], folds: Sequence[Fold]
) -> NDArray[np.bool_] | None:
    """Return the clips near blocks if enough others are left to learn from.

    Parameters
    ----------
    near
        (n_blocks, n_clips) from `clips_near`.
    block
        (n_clips,) block of each clip.
    folds
        Outer and inner folds.

    Returns
    -------
    array, (n_blocks, n_clips)
        As given; None where no clip is near, where an inner fold would learn from less than half
        of the clips that it does not hold out, or where a fold would lose a whole block.
    """
    if not near.any():
        return None
    for fold in folds:
        beside = near[list(fold.test)].any(axis=0)
        for inner in fold.inner:
            outside = ~np.isin(block, (*fold.test, *inner))
            left = outside & ~beside & ~near[list(inner)].any(axis=0)
            held_out = set(block[~beside].tolist())
            if left.sum() < _LEAST_LEFT * outside.sum() or not held_out.issuperset(inner):
                return None
    return near


def n_in_gaps(rows: ClipRows) -> list[int]:
    """Fewest and most clips that a fold leaves out beside those that it holds out."""
    each = [int(rows.near_to(fold.test).sum()) for fold in rows.folds]
    return [min(each), max(each)]


def parted_neighbours(clips: Clips, rows: ClipRows) -> float:
    """Share of held-out clips of which a clip heard right before or after is trained on.

    Parameters
    ----------
    clips
        With their presentations.
    rows
        Blocks, folds, and clips that are left out beside them.
    """
    pairs = neighbours(clips)
    parted = np.zeros(len(rows.block), np.bool_)
    for number in range(len(rows.folds)):
        train = rows.train(number)
        for held_out, other in (pairs.T, pairs[:, ::-1].T):
            parted[held_out[(rows.fold[held_out] == number) & train[other]]] = True
    return float(parted[rows.fold >= 0].mean())


def likeness_of_neighbours(clips: Clips, embedding: NDArray[np.floating]) -> float:
    """Mean correlation of the embeddings of neighbours beyond that of all pairs of clips.

    Parameters
    ----------
    clips
        With their presentations.
    embedding
        (n_clips, n_dimensions) of each clip.

    Returns
    -------
    float
        About 0 where the order of clips is random; NaN without neighbours.
    """
    spread = embedding.std(axis=0)
    r = row_correlations(*2 * [(embedding - embedding.mean(axis=0)) / np.where(spread, spread, 1)])
    first, second = neighbours(clips).T
    if not first.size:
        return float("nan")
    return float(r[first, second].mean() - r[~np.eye(len(r), dtype=bool)].mean())


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
