r"""Banded ridge from the embeddings of clips to responses: held-out predictions of every subset.

Each embedding is a band. For every subset of bands, a unit takes the weights of bands and the
penalty with the smallest squared error in inner folds (`bidsapp.models.banded`), and its
responses to the held-out clips are predicted. Weights and penalties are chosen in training clips
only.

Source: Denk et al. 2025, encoding (section 4.2) and variance partitioning (A.1.8); Dupre la Tour
et al. 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError
from bidsapp.models.banded import Subset, SubsetScores, bands_used, best_subsets
from bidsapp.models.ridge import (
    FoldFactors,
    batch_size,
    factorise,
    ridge_weights,
    scale_columns,
    score_fold,
)
from bidsapp.models.row_kernels import (
    TrainingTargets,
    apply_matrices,
    choose_penalties,
    prediction_matrices,
)
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
_FEATURE_COST = 6
"""Multiplications per squared feature, target and inner fold of `bidsapp.models.ridge`, with what
is not a matrix product counted by its time (540 clips, 80 to 400 features)."""


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
    train: NDArray[np.bool_] | None = None,
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
    train
        (n_folds, n_clips) clips that each fold learns from; by default those it does not test.
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
    n_bands = len(bands)
    if grid.ndim != 2 or grid.shape[1] != n_bands:
        msg = f"a grid of shape {grid.shape} does not fit {n_bands} bands"
        raise InputInvalidError(msg)
    predicted: dict[Subset, Singles] = {}
    share, penalty = np.zeros((n_bands, n_units)), np.zeros((n_bands, n_units))
    n_used = np.zeros((n_bands, n_units))
    alpha_index = {band: np.full((len(folds), n_units), -1) for band in range(n_bands)}
    for number, fold in enumerate(folds):
        learnt = training_blocks(block, fold, None if train is None else train[number])
        models = _Models(
            bands, y, block, learnt, fold, alphas, grid, memory_bytes=memory_bytes, device=device
        )
        best = best_subsets(grid, models.scores)
        for subset, chosen in best.items():
            predicted.setdefault(subset, np.full((n_clips, n_units), np.nan, np.float32))
            if len(subset) == 1:
                alpha_index[subset[0]][number] = chosen.alpha_index
        models.predict(predicted, best)
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


def training_blocks(block: Ints, fold: Fold, train: NDArray[np.bool_] | None = None) -> Ints:
    """Block (n_clips,) of each clip that a fold learns from, -1 for the others.

    Parameters
    ----------
    block
        (n_clips,) of each clip.
    fold
        Whose test blocks are not learnt from.
    train
        (n_clips,) others that are not have False.
    """
    learnt = ~np.isin(block, fold.test)
    return np.where(learnt if train is None else learnt & train, block, -1)


class _Models:
    """Models of one outer fold, one for each row of the grid of weights.

    Models of many features work with kernels of clips (`bidsapp.models.row_kernels`), others with
    features: which one costs less depends on the design only, and both give the same.
    """

    def __init__(
        self,
        bands: Sequence[Floats],
        y: Singles,
        block: Ints,
        learnt: Ints,
        fold: Fold,
        alphas: Sequence[float],
        grid: NDArray[np.floating],
        *,
        memory_bytes: int,
        device: str,
    ) -> None:
        self.y, self.alphas, self.grid, self.device = y, alphas, grid, device
        self.memory_bytes = memory_bytes
        self.test = np.flatnonzero(np.isin(block, fold.test))
        self.block = learnt
        self.fold = Fold((), fold.inner)  # chooses and fits; held-out clips are predicted apart
        train = self.block >= 0
        self.train = np.flatnonzero(train)
        self.bands = [scale_columns(np.asarray(band, np.float64), train) for band in bands]
        centred = [band - band[train].mean(axis=0) for band in self.bands]
        self.kernels = [band @ band.T for band in centred]
        self.targets = TrainingTargets.of(y, self.block, self.fold)
        self.factors: dict[int, tuple[FoldFactors, Floats]] = {}

    def is_wide(self, number: int) -> bool:
        """Whether kernels cost less: many features, short held-out blocks."""
        used = bands_used(self.grid[number])
        n_features = sum(int(self.bands[band].shape[1]) for band in used)
        n_train, n_inner = len(self.train), len(self.fold.inner)
        n_held_out = n_train / n_inner
        by_kernels = len(self.alphas) * n_held_out * (n_train - n_held_out)
        return _FEATURE_COST * min(n_features, n_train) ** 2 > by_kernels

    def kernel(self, number: int) -> Floats:
        """Weighted sum of the kernels of bands, (n_clips, n_clips)."""
        weighted = zip(self.grid[number], self.kernels, strict=True)
        return np.asarray(sum(weight * kernel for weight, kernel in weighted))

    def scores(self, number: int) -> SubsetScores:
        """Choose the penalty of each unit for one row of the grid."""
        n_alphas, n_blocks = len(self.alphas), len(self.fold.inner)
        if self.is_wide(number):
            at_once = batch_size(self.memory_bytes, len(self.y), len(self.y), n_alphas, n_blocks)
            chosen = choose_penalties(
                self.kernel(number),
                self.targets,
                self.fold,
                self.alphas,
                device=self.device,
                batch_units=at_once,
            )
            index: Ints = chosen.alpha_index
            inner: NDArray[np.floating] = chosen.inner_score
        else:
            used = bands_used(self.grid[number])
            x = np.hstack([self.bands[band] * np.sqrt(self.grid[number, band]) for band in used])
            factors = factorise(x, self.block, self.fold, self.alphas, centre="train")
            self.factors[number] = factors, x
            n_rows, n_features = x.shape
            at_once = batch_size(self.memory_bytes, n_rows, n_features, n_alphas, n_blocks)
            fitted = score_fold(
                factors,
                x,
                self.y,
                alpha_metric="mse",
                device=self.device,
                batch_units=at_once,
            )
            index, inner = fitted.alpha_index.astype(np.int64), fitted.inner_score
        weights_index = np.where(index >= 0, number, -1)
        return SubsetScores(np.empty((0, len(index))), inner, weights_index, index)

    def predict(self, out: Mapping[Subset, Singles], best: Mapping[Subset, SubsetScores]) -> None:
        """Fill the rows of the clips that the fold holds out, for every subset of bands."""
        for number in range(len(self.grid)):
            matrices = None
            for subset, chosen in best.items():
                units = np.flatnonzero(chosen.weights_index == number)
                index = chosen.alpha_index[units].astype(np.int64)
                if not units.size:
                    continue
                if not self.is_wide(number):
                    factors, x = self.factors[number]
                    weights = ridge_weights(factors, x, self.y[:, units], index)
                    values = (x[self.test] - x[self.train].mean(axis=0)) @ weights
                else:
                    if matrices is None:
                        matrices = prediction_matrices(
                            self.kernel(number), self.targets.rows, self.test, self.alphas
                        )
                    values = apply_matrices(
                        matrices, self.targets, index, units, device=self.device
                    )
                out[subset][np.ix_(self.test, units)] = values


def band_weights(
    band: Floats,
    responses: NDArray[np.floating],
    block: Ints,
    folds: Sequence[Fold],
    alphas: Sequence[float],
    alpha_index: Ints,
    train: NDArray[np.bool_] | None = None,
) -> Floats:
    """Average over folds the weights of the model of one embedding.

    Parameters
    ----------
    band
        (n_clips, n_dimensions).
    responses
        (n_clips, n_units) of the units whose weights are wanted.
    block, folds, alphas, train
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
        learnt = training_blocks(block, fold, None if train is None else train[number])
        own = learnt >= 0
        x = scale_columns(np.asarray(band, np.float64), own)
        sd, scaled_sd = band[own].std(), x[own].std()
        scale = scaled_sd / sd if sd > 0 else 1.0
        factors = factorise(x, learnt, Fold((), fold.inner), alphas, centre="train")
        total += scale * ridge_weights(factors, x, responses, alpha_index[number]).T / len(folds)
    return total
