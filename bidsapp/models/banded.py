r"""Banded ridge: one regularisation for each of a few feature spaces (bands), and what each adds.

Features of band b are scaled by :math:`\sqrt{\gamma_b}`, with :math:`\gamma` on a grid of the
simplex, and one ridge is fitted for each grid point by `bidsapp.models.ridge`, all regularisations
at once. A target takes the grid point and the regularisation of its largest inner score. A grid
point with :math:`\gamma_b = 0` is a model without band b, so the best models of *all* subsets of
bands come out of the same pass: unique and shared parts cost nothing more.

Source: Nunez-Elizalde, Huth and Gallant (2019), NeuroImage 197, 482-492; Dupre la Tour et al.
(2022), NeuroImage 264, 119728. The grid is deterministic where they
draw at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.models.ridge import (
    AlphaMetric,
    Centre,
    FoldFactors,
    FoldScores,
    factorise,
    scale_columns,
    score_fold,
)
from bidsapp.stats.folds import Fold

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
Subset = tuple[int, ...]
ScoreFold = Callable[[FoldFactors, FloatArray], FoldScores]


@dataclass(frozen=True, eq=False)
class SubsetScores:
    """Scores of the best model that may use some of the bands, in one outer fold.

    Attributes
    ----------
    r : array of shape (n_test_blocks, n_units)
        Correlation inside each test block, in the order of `Fold.test`.
    inner_score : array of shape (n_units,)
        By which the model was chosen.
    weights_index : integer array of shape (n_units,)
        Row of the grid; -1 where the target is constant or NaN.
    alpha_index : integer array of shape (n_units,)
        Regularisation; -1 likewise.
    """

    r: FloatArray
    inner_score: FloatArray
    weights_index: IntArray
    alpha_index: IntArray


def simplex_grid(n_bands: int, n_steps: int) -> FloatArray:
    """Return all weights of bands that are multiples of 1 / n_steps and add up to 1.

    Parameters
    ----------
    n_bands, n_steps
        At least 1; 3 bands in 4 steps make 15 points.

    Returns
    -------
    array of shape (n_points, n_bands)
        In lexicographic order, so that results do not depend on a draw.
    """

    def parts(n: int, total: int) -> Iterator[tuple[int, ...]]:
        if n == 1:
            yield (total,)
            return
        for first in range(total + 1):
            for rest in parts(n - 1, total - first):
                yield (first, *rest)

    return np.array(list(parts(n_bands, n_steps)), dtype=np.float64) / n_steps


def score_banded(
    bands: Sequence[FloatArray],
    labels: IntArray,
    fold: Fold,
    alphas: Sequence[float] | FloatArray,
    y: FloatArray,
    grid: FloatArray,
    *,
    score: ScoreFold | None = None,
    centre: Centre = "block",
    alpha_metric: AlphaMetric = "correlation",
) -> dict[Subset, SubsetScores]:
    """Choose weights of bands and a regularisation for each target; score all subsets of bands.

    Parameters
    ----------
    bands : sequence of arrays of shape (n_rows, n_features_b)
        Each is scaled to mean variance 1 over the training rows, so that weights of bands
        compare.
    labels : array of shape (n_rows,)
        Block of each row, -1 for rows to leave out.
    fold
        Test blocks and inner folds.
    alphas : array of shape (n_alphas,)
        Increasing, in the units of X'X.
    y : array of shape (n_rows, n_units)
        Targets.
    grid : array of shape (n_points, n_bands)
        From `simplex_grid`; needs a point for every subset that is of interest.
    score
        Scores factors and regressors against `y`; `bidsapp.models.ridge.score_fold` if None.
    centre, alpha_metric
        As in `bidsapp.models.ridge.factorise` and `score_fold`.

    Returns
    -------
    dict
        Subset of bands (sorted numbers) → scores of the best model whose weights are zero
        elsewhere. Subsets without a grid point are absent.

    Raises
    ------
    InputInvalidError
        If the grid does not have one column for each band.
    """
    if grid.ndim != 2 or grid.shape[1] != len(bands):
        msg = f"a grid of shape {grid.shape} does not fit {len(bands)} bands"
        raise InputInvalidError(msg)
    rows = np.flatnonzero((labels >= 0) & ~np.isin(labels, fold.test))
    scaled = [scale_columns(np.asarray(band, np.float64), rows) for band in bands]

    def fit(number: int) -> SubsetScores:
        used = bands_used(grid[number])
        x = np.hstack([scaled[band] * np.sqrt(grid[number, band]) for band in used])
        factors = factorise(x, labels, fold, alphas, centre=centre)
        scores = (
            score_fold(factors, x, y, alpha_metric=alpha_metric)
            if score is None
            else score(factors, x)
        )
        index = np.where(scores.alpha_index >= 0, number, -1)
        return SubsetScores(scores.r, scores.inner_score, index, scores.alpha_index)

    return best_subsets(grid, fit)


def best_subsets(
    grid: FloatArray, fit: Callable[[int], SubsetScores]
) -> dict[Subset, SubsetScores]:
    """Go through a grid of weights of bands, and keep the best model of each subset.

    Parameters
    ----------
    grid : array of shape (n_points, n_bands)
        From `simplex_grid`.
    fit
        Scores the model of a row of the grid.

    Returns
    -------
    dict
        As from `score_banded`.
    """
    best: dict[Subset, SubsetScores] = {}
    for number, weights in enumerate(grid):
        scores = fit(number)
        for subset in _supersets(bands_used(weights), len(weights)):
            best[subset] = _better(best[subset], scores) if subset in best else scores
    return best


def bands_used(weights: FloatArray) -> Subset:
    """Return the bands whose weight is not zero."""
    return tuple(int(band) for band in np.flatnonzero(weights > 0))


def _supersets(used: Subset, n_bands: int) -> Iterator[Subset]:
    """Yield the subsets of bands that a model with these bands belongs to."""
    others = [band for band in range(n_bands) if band not in used]
    for size in range(len(others) + 1):
        for more in combinations(others, size):
            yield tuple(sorted({*used, *more}))


def _better(before: SubsetScores, now: SubsetScores) -> SubsetScores:
    """Return, target by target, the scores of the model with the larger inner score."""
    wins = now.inner_score > before.inner_score
    return SubsetScores(
        np.where(wins, now.r, before.r),
        np.where(wins, now.inner_score, before.inner_score),
        np.where(wins, now.weights_index, before.weights_index),
        np.where(wins, now.alpha_index, before.alpha_index),
    )


@dataclass(frozen=True, eq=False)
class Partition:
    """Variance explained by two or three bands, alone and together; arrays (n_units,).

    Attributes
    ----------
    total
        Of the model with all bands.
    unique
        Band → what is lost without it.
    shared
        Pair of bands, or all three → what they explain alike and no other band does.
    """

    total: FloatArray
    unique: Mapping[int, FloatArray]
    shared: Mapping[Subset, FloatArray]


def partition(explained: Mapping[Subset, FloatArray]) -> Partition:
    """Divide explained variance among two or three bands.

    Parameters
    ----------
    explained
        Every non-empty subset of bands → (n_units,) explained variance of its best model.

    Returns
    -------
    Partition
        The parts add up to the total. Shared parts may be negative, where bands explain more
        together than the sum of each alone.

    Raises
    ------
    InputInvalidError
        If a subset is missing, or there are not two or three bands.

    Notes
    -----
    Source: Lescroart, Stansbury and Gallant (2015), Front Comput Neurosci 9, 135 (inclusion and
    exclusion).
    """
    everything = max(explained, key=len)
    bands = tuple(sorted(everything))
    needed = {s for size in range(1, len(bands) + 1) for s in combinations(bands, size)}
    if len(bands) not in (2, 3) or needed - set(explained):
        msg = f"a partition of {len(bands)} bands needs the scores of {sorted(needed)}"
        raise InputInvalidError(msg)
    total = np.asarray(explained[bands], np.float64)
    without = {b: np.asarray(explained[tuple(x for x in bands if x != b)]) for b in bands}
    unique = {b: total - without[b] for b in bands}
    shared: dict[Subset, FloatArray] = {}
    if len(bands) == 2:
        shared[bands] = total - sum(unique.values())
        return Partition(total, unique, shared)
    for pair in combinations(bands, 2):
        (other,) = set(bands) - set(pair)
        alone = np.asarray(explained[(other,)], np.float64)
        shared[pair] = total - alone - unique[pair[0]] - unique[pair[1]]
    shared[bands] = total - sum(unique.values()) - sum(shared[pair] for pair in list(shared))
    return Partition(total, unique, shared)
