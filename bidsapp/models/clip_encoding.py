r"""Banded ridge from the embeddings of clips to responses: held-out predictions of every subset.

Each embedding is a band. For every subset of bands, a unit takes the weights of bands and the
penalty with the largest inner score (`bidsapp.models.banded`), and its responses to the held-out
clips are predicted. Weights and penalties are chosen in training clips only.

Source: Denk et al. 2025, encoding (section 4.2) and variance partitioning (A.1.8); Dupre la Tour
et al. 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.banded import Subset, SubsetScores, score_banded
from bidsapp.models.ridge import (
    AlphaMetric,
    FoldFactors,
    FoldScores,
    batch_size,
    factorise,
    ridge_weights,
    scale_columns,
    score_fold,
)
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BandedEncoding:
    """Held-out predictions of every subset of bands, and what was chosen.

    Attributes
    ----------
    predicted
        Subset of bands → (n_clips, n_units) predicted responses, float32; NaN for clips that no
        fold holds out, and for units that are constant.
    share
        (n_bands, n_units) share of the variance of the regressors that each band has in the model
        of all bands, mean over folds.
    log10_penalty
        (n_bands, n_units) log10 of each band's penalty in the model of all bands, mean over the
        folds that use the band; NaN where none does.
    alpha_index
        Band → (n_folds, n_units) number of the penalty of the model of that band alone.
    """

    predicted: Mapping[Subset, Singles]
    share: Floats
    log10_penalty: Floats
    alpha_index: Mapping[int, Ints]


def encode_clips(
    bands: Sequence[Floats],
    responses: NDArray[np.floating],
    block: Ints,
    folds: Sequence[Fold],
    alphas: Sequence[float],
    grid: NDArray[np.floating],
    *,
    metric: AlphaMetric = "mse",
    memory_bytes: int = 1 << 29,
    device: str = "cpu",
) -> BandedEncoding:
    """Predict the responses to every held-out clip by each subset of embeddings.

    Parameters
    ----------
    bands
        (n_clips, n_dimensions) of each embedding.
    responses
        (n_clips, n_units), finite.
    block
        (n_clips,) block of each clip, from 0.
    folds
        Outer folds over blocks.
    alphas
        Increasing penalties; embeddings are scaled to a mean variance of 1 in training clips.
    grid
        (n_points, n_bands) weights of bands, from `bidsapp.models.banded.simplex_grid`.
    metric
        What chooses weights of bands and penalty of each unit in inner folds.
    memory_bytes
        For temporary arrays, without predictions.
    device
        Torch device.

    Returns
    -------
    BandedEncoding

    Raises
    ------
    InputInvalidError
        The grid does not fit the bands.
    """
    y = np.asarray(responses, np.float32)
    n_clips, n_units = y.shape
    n_bands, n_features = len(bands), sum(band.shape[1] for band in bands)
    predicted: dict[Subset, Singles] = {}
    share, penalty = np.zeros((n_bands, n_units)), np.zeros((n_bands, n_units))
    n_used = np.zeros((n_bands, n_units))
    alpha_index = {band: np.full((len(folds), n_units), -1) for band in range(n_bands)}
    at_once = batch_size(memory_bytes, n_clips, n_features, len(alphas), len(set(block.tolist())))
    for number, fold in enumerate(folds):
        designs: list[tuple[FoldFactors, Floats]] = []

        def score(
            factors: FoldFactors,
            x: NDArray[np.floating],
            designs: list[tuple[FoldFactors, Floats]] = designs,
        ) -> FoldScores:
            designs.append((factors, np.asarray(x)))
            return score_fold(
                factors, x, y, alpha_metric=metric, device=device, batch_units=at_once
            )

        best = score_banded(bands, block, fold, alphas, y, grid, score=score, centre="train")
        for subset, chosen in best.items():
            values = predicted.setdefault(subset, np.full((n_clips, n_units), np.nan, np.float32))
            _predict(values, designs, chosen, y, block, fold)
            if len(subset) == 1:
                alpha_index[subset[0]][number] = chosen.alpha_index
        joint = best[tuple(range(n_bands))]
        known = joint.weights_index >= 0
        weights = np.where(known, grid[joint.weights_index].T, np.nan)
        share += weights / len(folds)
        used = known & (weights > 0)
        alpha = np.asarray(alphas)[joint.alpha_index]
        penalty += np.where(used, np.log10(alpha / np.where(used, weights, 1.0)), 0.0)
        n_used += used
    mean = np.where(n_used > 0, penalty / np.maximum(n_used, 1), np.nan)
    return BandedEncoding(predicted, share, mean, alpha_index)


def _predict(
    out: Singles,
    designs: Sequence[tuple[FoldFactors, Floats]],
    chosen: SubsetScores,
    y: Singles,
    block: Ints,
    fold: Fold,
) -> None:
    """Fill the rows of the clips that a fold holds out."""
    test = np.flatnonzero(np.isin(block, fold.test))
    train = np.flatnonzero((block >= 0) & ~np.isin(block, fold.test))
    for point in np.unique(chosen.weights_index[chosen.weights_index >= 0]):
        factors, x = designs[point]
        units = np.flatnonzero(chosen.weights_index == point)
        weights = ridge_weights(factors, x, y[:, units], chosen.alpha_index[units])
        out[np.ix_(test, units)] = (x[test] - x[train].mean(axis=0)) @ weights


def band_weights(
    band: Floats,
    responses: NDArray[np.floating],
    block: Ints,
    folds: Sequence[Fold],
    alphas: Sequence[float],
    alpha_index: Ints,
) -> Floats:
    """Average over folds the weights of the model of one embedding.

    Parameters
    ----------
    band
        (n_clips, n_dimensions).
    responses
        (n_clips, n_units) of the units whose weights are wanted.
    block, folds, alphas
        As for `encode_clips`.
    alpha_index
        (n_folds, n_units) number of each unit's penalty; -1 for none.

    Returns
    -------
    array, (n_units, n_dimensions)
        In responses per unit of the embedding; NaN for units without a penalty.
    """
    total = np.zeros((responses.shape[1], band.shape[1]))
    for number, fold in enumerate(folds):
        train = (block >= 0) & ~np.isin(block, fold.test)
        x = scale_columns(np.asarray(band, np.float64), train)
        sd, scaled_sd = band[train].std(), x[train].std()
        scale = scaled_sd / sd if sd > 0 else 1.0
        factors = factorise(x, block, fold, alphas, centre="train")
        total += scale * ridge_weights(factors, x, responses, alpha_index[number]).T / len(folds)
    return total
