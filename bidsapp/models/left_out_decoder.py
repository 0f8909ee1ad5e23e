"""Decoders of a region that are learnt without some clips, which they predict nevertheless.

The genres of a study are such sets of clips. What depends on the responses alone is computed once
for all sets, what the sets change is taken away from it.

Source: Denk et al. 2025, generalisation beyond the genres of the training data (figure 5a).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.block_ridge import FoldPlan, Metric, predict_nested
from bidsapp.models.region_decoder import ClipRows, region_design
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
_LEAST_INNER, _LEAST_CLIPS = 2, 2


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Clips that no decoder is learnt from, and those that are identified nevertheless.

    Attributes
    ----------
    clips
        (n_clips,) clips that are left out, such as those of a genre. Those among them that a fold
        holds out are predicted, by decoders of the fold that are fitted without any of them.
    """

    clips: NDArray[np.bool_]

    def fold(self, rows: ClipRows, number: int) -> Fold | None:
        """Return a fold without these clips, over the blocks of `Design.split`.

        None where nothing is to be predicted, or fewer than two inner folds are left.
        """
        inside = set(rows.block[self.clips].tolist())
        fold, train = rows.folds[number], self.train(rows, number)
        test = tuple(2 * block + 1 for block in fold.test if block in inside)
        inner = [tuple(2 * block for block in own) for own in inner_folds(rows, train, fold.inner)]
        return Fold(test, tuple(inner)) if test and len(inner) >= _LEAST_INNER else None

    def train(self, rows: ClipRows, number: int) -> NDArray[np.bool_]:
        """(n_clips,) clips that the decoders of a fold are learnt from."""
        return rows.train(number) & ~self.clips


def inner_folds(
    rows: ClipRows, train: NDArray[np.bool_], inner: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return the inner folds that are left where some clips are not learnt from.

    Parameters
    ----------
    rows
        Blocks, and clips near them.
    train
        (n_clips,) clips that are learnt from.
    inner
        Blocks held out of them in turn.

    Returns
    -------
    list of tuple
        Blocks with training clips, of folds that leave two other clips to learn from.
    """
    left = set(rows.block[train].tolist())
    kept = [tuple(block for block in own if block in left) for own in inner]
    return [
        own
        for own in kept
        if own and (train & ~np.isin(rows.block, own) & ~rows.near_to(own)).sum() >= _LEAST_CLIPS
    ]


def decode_without(
    responses: NDArray[np.floating],
    spaces: Sequence[ClipRows],
    each: Sequence[LeftOut],
    wanted: NDArray[np.bool_],
    alphas: Sequence[float],
    *,
    metric: Metric = "mse",
) -> dict[tuple[int, int, int], Floats]:
    """Predict held-out clips from the responses of a region, sets of clips left out in turn.

    Products of the responses are computed once for all sets, and training sets that folds have in
    common are decomposed once.

    Parameters
    ----------
    responses, spaces, alphas, metric
        As for `decode_spaces`.
    each
        Sets of clips.
    wanted
        (n_spaces, n_folds) folds in which an embedding is predicted.

    Returns
    -------
    dict
        (set, space, fold) → (n, n_dimensions) predictions of the clips of the set that the fold
        holds out, in standard deviations of the windows that are trained on. What a fold cannot
        predict is left out.
    """
    used = np.flatnonzero(wanted.any(axis=1)).tolist()
    asked = [spaces[number] for number in used]
    rows = asked[0]
    design = region_design(responses, asked)
    sizes = [own.embedding.shape[2] for own in asked]
    n_windows, parts = rows.n_windows, np.cumsum([0, *sizes])
    variance = _Variance(responses)
    predicted = {}
    for which, left_out in enumerate(each):
        plans, numbers = [], []
        for number in np.flatnonzero(wanted.any(axis=0)).tolist():
            fold = left_out.fold(rows, number)
            if fold is None:
                continue
            train = left_out.train(rows, number)
            test = left_out.clips & np.isin(rows.block, rows.folds[number].test)
            scale = variance.over(np.repeat(train | test, n_windows))
            blocks = sorted({2 * int(block) for block in rows.block[train]})
            targets = np.repeat(wanted[used, number], sizes)
            plans.append(FoldPlan(fold, tuple(blocks), targets, scale))
            numbers.append(number)
        if not plans:
            continue
        parted = design.split(np.repeat(left_out.clips, n_windows))
        nested = predict_nested(parted, plans, alphas, metric=metric)
        for number, windows in zip(numbers, nested.predicted, strict=True):
            of_clips = windows.reshape(-1, n_windows, windows.shape[1]).mean(axis=1)
            train = left_out.train(rows, number)
            for place, space in enumerate(used):
                if wanted[space, number]:
                    _, sd = asked[place].moments(train)
                    values = of_clips[:, parts[place] : parts[place + 1]]
                    predicted[which, space, number] = values / np.where(sd > 0, sd, np.inf)
    return predicted


class _Variance:
    """Mean variance of the responses over some rows, as a share of that over all rows.

    Parameters
    ----------
    responses
        (n_rows, n_units).
    """

    def __init__(self, responses: NDArray[np.floating]) -> None:
        self.x = np.asarray(responses, np.float64)
        self.whole = float(self.x.var(axis=0).mean())

    def over(self, rows: NDArray[np.bool_]) -> float:
        """Return the share; 1 where responses are constant."""
        own = float(self.x[rows].var(axis=0).mean())
        return own / self.whole if own > 0 and self.whole > 0 else 1.0
