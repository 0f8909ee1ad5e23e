"""Continuous ratings as targets of the same models.

Source: poster, Methods: independent models were fit for each layer to predict emotional ratings,
with the same lags and the same cross-validation as for voxels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.records import Rating, Run
from bidsapp.encoding.rows import Rows
from bidsapp.features.sampling import sample_series
from bidsapp.features.timeline import Timeline
from bidsapp.stats.nulls import permutation_p

_SLOW, _EXTREME = 10, 50


@dataclass(frozen=True)
class RatingScores:
    """How well each layer predicts one rating.

    Attributes
    ----------
    name, rater
        What was rated, and by whom (None: an average).
    r_blocks
        (n_layers, n_blocks) correlation inside each held-out block; NaN where the rating has
        no value.
    p
        (n_layers,) p-value of the mean against refitted displacements of the music.
    null
        (n_copies, n_layers) mean under each displacement.
    """

    name: str
    rater: str | None
    r_blocks: NDArray[np.floating[Any]]
    p: NDArray[np.floating[Any]]
    null: NDArray[np.floating[Any]]


def rating_rows(
    ratings: Sequence[Rating],
    rows: Timeline,
    run_times_s: Sequence[NDArray[np.float64]],
    run_names: Sequence[str],
) -> NDArray[np.float64]:
    """Sample one rating, given in parts (pieces or runs), at every row.

    Parameters
    ----------
    ratings
        Parts of one rating by one rater.
    rows
        Rows of the design.
    run_times_s
        Time of each volume of each run, in run time.
    run_names
        Names of the runs.

    Returns
    -------
    ndarray, (n_rows,)
        NaN where the rating has no value.
    """
    y: NDArray[np.float64] = np.full(rows.n_rows, np.nan)
    for part in ratings:
        if part.reference == "stimulus":
            if part.key not in rows.pieces:
                continue
            mine = np.flatnonzero(rows.piece == rows.pieces.index(part.key))
            times = rows.stim_time_s[mine]
        else:
            if part.key not in run_names:
                continue
            run = run_names.index(part.key)
            mine = np.flatnonzero(rows.run == run)
            times = run_times_s[run][rows.volume[mine]]
        if mine.size:
            values = sample_series(part, times, float(rows.tr_s[mine[0]]))
            y[mine] = np.where(np.isfinite(values), values, y[mine])
    return y


@dataclass(frozen=True)
class RatingTargets:
    """Ratings as targets on the rows of a design.

    Attributes
    ----------
    names
        (rating, rater) of each column; the rater of an average is None.
    y
        (n_rows, n_ratings).
    left_out
        Ratings that miss more than a tenth of the volumes of a block.
    """

    names: tuple[tuple[str, str | None], ...]
    y: NDArray[np.float64]
    left_out: tuple[str, ...] = ()


def rating_targets(rows: Rows, ratings: Sequence[Rating], runs: Sequence[Run]) -> RatingTargets:
    """Sample every rating that covers the rows.

    A rating that misses more than a tenth of a block is left out.
    """
    groups: dict[tuple[str, str | None], list[Rating]] = defaultdict(list)
    for rating in ratings:
        groups[rating.name, rating.rater].append(rating)
    times = [run.volume_times_s for run in runs]
    run_names = [run.name for run in runs]
    names, columns, left_out = [], [], []
    for name, parts in sorted(groups.items(), key=_rating_order):
        y = _fill_gaps(rating_rows(parts, rows.timeline, times, run_names), rows)
        if np.isfinite(y[rows.blocks.label >= 0]).all():
            names.append(name)
            columns.append(np.nan_to_num(y))
        else:
            left_out.append(name[0])
    empty = np.empty((rows.timeline.n_rows, 0))
    every = np.column_stack(columns) if columns else empty
    return RatingTargets(tuple(names), every, tuple(dict.fromkeys(left_out)))


def rating_scores(
    targets: RatingTargets, r: NDArray[Any], null: NDArray[Any]
) -> tuple[RatingScores, ...]:
    """Gather the scores of each rating.

    Parameters
    ----------
    targets
        The ratings, in the order of the last axis of the scores.
    r
        (n_layers, n_blocks, n_ratings).
    null
        (n_copies, n_layers, n_ratings) mean scores of displaced music; p is NaN without any.
    """
    mean = r.mean(axis=1)
    p = permutation_p(mean, null) if len(null) else np.full(mean.shape, np.nan)
    return tuple(
        RatingScores(name, rater, r[:, :, column], p[:, column], null[:, :, column])
        for column, (name, rater) in enumerate(targets.names)
    )


def slow_ratings(targets: RatingTargets, rows: Rows) -> list[str]:
    """Name the ratings that wander over whole pieces, as a random walk does.

    Displacing the music breaks the alignment of courses that come back to their mean several
    times in a piece. A rating whose variance inside blocks is more than a tenth of the rows of a
    block times that of a step counts as slow: .95 at 100 rows as the weight of the value before.
    """
    if not targets.names:
        return []
    y, label = _in_blocks(targets, rows)
    lengths = np.bincount(label)
    means = np.stack([np.bincount(label, column) / lengths for column in y.T], axis=1)
    within = ((y - means[label]) ** 2).mean(axis=0)
    steps = np.diff(y, axis=0)[np.diff(label) == 0]
    slow = within > lengths.mean() / _SLOW * (steps**2).mean(axis=0)
    return _named(targets, slow)


def constant_ratings(targets: RatingTargets, rows: Rows) -> list[str]:
    """Name the ratings that do not vary in a block, and have no score there."""
    y, label = _in_blocks(targets, rows)
    spans = [np.ptp(y[label == block], axis=0) for block in np.unique(label)]
    return _named(targets, (np.array(spans) == 0).any(axis=0))


def extreme_ratings(targets: RatingTargets, rows: Rows) -> list[str]:
    """Name the ratings with values so far from the others that these alone make the scores.

    Farther from the median than fifty times the range from the 5th to the 95th percentile.
    """
    y, _ = _in_blocks(targets, rows)
    low, middle, high = np.quantile(y, [0.05, 0.5, 0.95], axis=0)
    farthest = np.abs(y - middle).max(axis=0)
    return _named(targets, farthest > _EXTREME * (high - low))


def _in_blocks(targets: RatingTargets, rows: Rows) -> tuple[NDArray[Any], NDArray[Any]]:
    """Values (n_kept, n_ratings) of the rows that are used, and the block of each."""
    kept = rows.blocks.label >= 0
    return targets.y[kept], rows.blocks.label[kept]


def _named(targets: RatingTargets, chosen: NDArray[np.bool_]) -> list[str]:
    return list(dict.fromkeys(targets.names[k][0] for k in np.flatnonzero(chosen)))


def _rating_order(item: tuple[tuple[str, str | None], list[Rating]]) -> tuple[str, str]:
    (name, rater), _ = item
    return name, rater or ""


def _fill_gaps(y: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    """Carry the nearest value into gaps of at most 10 % of a block; longer gaps stay NaN."""
    filled: NDArray[np.float64] = y.copy()
    for block in range(rows.n_blocks):
        mine = np.flatnonzero(rows.blocks.label == block)
        known = np.isfinite(y[mine])
        if known.mean() < 0.9:
            return y
        positions = np.arange(mine.size)
        filled[mine] = np.interp(positions, positions[known], y[mine][known])
    return filled
