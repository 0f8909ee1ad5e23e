"""Two groups of features in one ridge model, each with a weight of its own: what one adds.

The relative weight of both groups is chosen in the inner folds, target by target, together with
the penalty; weights of 0 and 1 are the models of one group alone.

Source: Nunez-Elizalde, Huth and Gallant 2019, NeuroImage 197, 482-492; Dupre la Tour et al. 2022,
NeuroImage 264, 119728.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.encoding.designs import Design, DesignStore
from bidsapp.encoding.encode import Scorer
from bidsapp.models.banded import score_banded
from bidsapp.models.ridge import FoldFactors, FoldScores, scale_columns
from bidsapp.stats.folds import Fold

Array = NDArray[np.floating[Any]]
Member = tuple[DesignStore, int]

SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Shares of the variance of the regressors that the first group has."""
_GRID = np.array([(share, 1.0 - share) for share in SHARES])


@dataclass(frozen=True, eq=False)
class BandScores:
    """Scores of the model of both groups and of each alone.

    Attributes
    ----------
    joint, first, second
        (n_blocks, n_targets) correlation inside each held-out block.
    share
        (n_targets,) share of the first group in the joint model, averaged over outer folds.
    """

    joint: Array
    first: Array
    second: Array
    share: Array

    @property
    def unique_first(self) -> Array:
        """(n_targets,) mean score of the joint model less that of the second group alone."""
        return np.asarray((self.joint - self.second).mean(axis=0))

    @property
    def unique_second(self) -> Array:
        """(n_targets,) mean score of the joint model less that of the first group alone."""
        return np.asarray((self.joint - self.first).mean(axis=0))


def two_bands(
    first: Sequence[Member], second: Sequence[Member], y: NDArray[Any], scorer: Scorer
) -> BandScores:
    """Score two groups of layers together and alone.

    Parameters
    ----------
    first, second
        Layers (store and position) of each group. All stores have the same rows and folds.
    y
        (n_rows, n_targets).
    scorer
        From `bidsapp.encoding.encode.make_scorer`.

    Returns
    -------
    BandScores
        The joint model of a fold has the share whose inner score is largest; ties go to the
        smaller share.
    """
    store = first[0][0]
    n_targets, options = y.shape[1], store.options
    alphas = 10.0 ** np.asarray(options.log10_alpha)
    r = {subset: np.full((store.n_blocks, n_targets), np.nan) for subset in ((0,), (1,), (0, 1))}
    share = np.zeros(n_targets)
    for number, fold in enumerate(store.folds):
        train = (store.blocks.label >= 0) & ~np.isin(store.blocks.label, fold.test)
        bands = [_group(members, number, train) for members in (first, second)]

        def score(factors: FoldFactors, x: Array, fold: Fold = fold) -> FoldScores:
            return scorer(Design(x, factors, np.nan), y, fold)

        best = score_banded(
            bands, store.blocks.label, fold, alphas, y, _GRID, score=score, centre=options.centre
        )
        for subset, values in r.items():
            values[list(fold.test)] = best[subset].r
        chosen = best[0, 1].weights_index
        share += np.where(chosen >= 0, _GRID[chosen, 0], np.nan) / len(store.folds)
    return BandScores(r[0, 1], r[0,], r[1,], share)


def join_bands(parts: Sequence[BandScores]) -> BandScores:
    """Put the scores of several sets of targets side by side.

    Parameters
    ----------
    parts
        With the same blocks, in the order of their targets.
    """
    names = ("joint", "first", "second", "share")
    return BandScores(*(np.concatenate([getattr(p, n) for p in parts], axis=-1) for n in names))


def _group(members: Sequence[Member], fold: int, train: NDArray[np.bool_]) -> Array:
    """Regressors (n_rows, n_features) of a group in one fold, each layer counting the same."""
    parts = [store.design(layer, fold).x for store, layer in members]
    total = sum(part.shape[1] for part in parts)
    weighted = [part * np.sqrt(total / (len(parts) * part.shape[1])) for part in parts]
    return scale_columns(np.hstack(weighted), train)
