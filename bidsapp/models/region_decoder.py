r"""Ridge regression from the responses of a region to the embedding of each clip.

clip
    A stretch of sound, of `n_windows` windows; row ``clip * n_windows + w`` of responses and of
    embeddings is its window w.
block
    Clips that are held out together. The regularisation of each dimension of the embedding is
    chosen by holding out each block of the training clips in turn.

A region with more voxels than rows is turned into its principal coordinates first, which changes
no prediction (the dual form).

Source: Denk et al. 2025, section 3.3, equation 1, and appendix on hyperparameter tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.ridge import (
    AlphaMetric,
    batch_size,
    factorise,
    ridge_weights,
    scale_columns,
    score_nested,
)
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClipRows:
    """Embeddings of the windows of clips, and the folds.

    Attributes
    ----------
    embedding
        (n_clips, n_windows, n_dimensions).
    block
        (n_clips,) block of each clip, from 0.
    folds
        Outer folds over blocks.
    """

    embedding: Floats
    block: Ints
    folds: tuple[Fold, ...]

    @property
    def n_windows(self) -> int:
        """Windows of each clip."""
        return int(self.embedding.shape[1])

    @property
    def labels(self) -> Ints:
        """(n_rows,) block of each row."""
        return np.repeat(self.block, self.n_windows)

    @property
    def fold(self) -> Ints:
        """(n_clips,) fold that holds each clip out; -1 for none."""
        held_out = np.full(len(self.block), -1)
        for number, fold in enumerate(self.folds):
            held_out[np.isin(self.block, fold.test)] = number
        return held_out

    def standardised(self, fold: int) -> Floats:
        """Mean embedding of each clip, in standard deviations of the fold's training windows.

        Parameters
        ----------
        fold
            Its number.

        Returns
        -------
        array, (n_clips, n_dimensions)
            0 in dimensions that are constant in training.
        """
        mean, sd = self.training_moments(fold)
        scale = np.where(sd > 0, sd, np.inf)
        return np.asarray((self.embedding.mean(axis=1) - mean) / scale)

    def training_moments(self, fold: int) -> tuple[Floats, Floats]:
        """Mean and standard deviation (n_dimensions,) of the windows that a fold trains on.

        A standard deviation that is rounding is 0.
        """
        train = self.embedding[~np.isin(self.block, self.folds[fold].test)]
        sd = train.std(axis=(0, 1))
        least = 1e-8 * np.abs(train).max(axis=(0, 1))
        return train.mean(axis=(0, 1)), np.where(sd > least, sd, 0.0)


@dataclass(frozen=True, eq=False)
class RegionDecoding:
    """What one region predicts.

    Attributes
    ----------
    predicted
        (n_clips, n_dimensions) prediction of each held-out clip's mean embedding, in standard
        deviations of the training windows; NaN for clips that no fold holds out.
    score
        (n_folds,) mean over dimensions of the score in inner folds, which regions are chosen by:
        correlation, or minus the mean squared error in units of the training blocks' variance.
    alpha_edge_low, alpha_edge_high
        Shares of the regularisations that are the smallest and the largest of the grid.
    """

    predicted: Floats
    score: Floats
    alpha_edge_low: float
    alpha_edge_high: float


def coordinates(responses: NDArray[np.floating]) -> Floats:
    """Scale responses to a mean variance of 1, and rotate them where voxels outnumber rows.

    Parameters
    ----------
    responses
        (n_rows, n_units), finite.

    Returns
    -------
    array, (n_rows, n_units or less)
        With the same differences between rows, up to one factor and a rotation.
    """
    x = scale_columns(np.asarray(responses, np.float64), np.arange(len(responses)))
    if x.shape[1] <= x.shape[0]:
        return np.asarray(x, np.float64)
    x = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values > values[-1] * len(x) * np.finfo(np.float64).eps
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def decode_region(
    responses: NDArray[np.floating],
    rows: ClipRows,
    alphas: Sequence[float],
    *,
    metric: AlphaMetric = "mse",
    memory_bytes: int = 1 << 29,
    device: str = "cpu",
) -> RegionDecoding:
    """Predict the embedding of every held-out clip from the responses of one region.

    Parameters
    ----------
    responses
        (n_rows, n_units), finite; row ``clip * n_windows + w``.
    rows
        Embeddings and folds.
    alphas
        Increasing regularisations; responses are scaled to a mean variance of 1.
    metric
        What chooses the regularisation of each dimension: mean squared error, or correlation,
        in the blocks held out of the training clips.
    memory_bytes
        For temporary arrays.
    device
        Torch device.

    Returns
    -------
    RegionDecoding

    Raises
    ------
    InputInvalidError
        If no block is left to train on.
    """
    x, labels = coordinates(responses), rows.labels
    targets = rows.embedding.reshape(len(x), -1)
    factors = [factorise(x, labels, fold, alphas, centre="train") for fold in rows.folds]
    n_blocks = len(set(labels.tolist()))
    n_alphas = len(alphas)
    scores = score_nested(
        factors,
        [x] * len(factors),
        targets,
        alpha_metric=metric,
        batch_units=batch_size(memory_bytes, len(x), x.shape[1], n_alphas, n_blocks, itemsize=8),
        device=device,
    )
    predicted = np.full((len(rows.block), targets.shape[1]), np.nan)
    for number, fold in enumerate(rows.folds):
        test = np.isin(labels, fold.test)
        weights = ridge_weights(factors[number], x, targets, scores.alpha_index[number])
        windows = (x[test] - x[~test].mean(axis=0)) @ np.nan_to_num(weights)
        of_clips = windows.reshape(-1, rows.n_windows, targets.shape[1]).mean(axis=1)
        _, sd = rows.training_moments(number)
        predicted[rows.fold == number] = of_clips / np.where(sd > 0, sd, np.inf)
    inner = np.asarray(scores.inner_score, np.float64)
    if metric == "mse":
        inner *= _variance_ratio(rows)
    chosen = scores.alpha_index[scores.alpha_index >= 0]
    return RegionDecoding(
        predicted,
        np.nanmean(inner, axis=1),
        float((chosen == 0).mean()),
        float((chosen == n_alphas - 1).mean()),
    )


def _variance_ratio(rows: ClipRows) -> Floats:
    """Variance within all blocks over that within the training blocks, (n_folds, n_dimensions).

    `score_nested` divides errors by the first, which the held-out clips have a part in.
    """
    n_blocks = int(rows.block.max()) + 1
    power = np.stack(
        [
            (own - own.mean(axis=(0, 1))).var(axis=(0, 1)) * own.shape[0]
            for own in (rows.embedding[rows.block == block] for block in range(n_blocks))
        ]
    )
    size = np.bincount(rows.block, minlength=n_blocks)
    overall = power.sum(axis=0) / size.sum()
    training = []
    for fold in rows.folds:
        train = ~np.isin(np.arange(n_blocks), fold.test)
        training.append(power[train].sum(axis=0) / size[train].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(overall / np.stack(training))


def best_regions(scores: Floats, n_best: int) -> NDArray[np.bool_]:
    """Choose the regions with the best inner scores, fold by fold.

    Parameters
    ----------
    scores
        (n_folds, n_regions) from `RegionDecoding.score`: the held-out clips have no part in them.
    n_best
        Regions of each fold, at most as many as there are.

    Returns
    -------
    array, (n_folds, n_regions)
        Whether a region takes part.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :n_best]
    chosen = np.zeros(scores.shape, np.bool_)
    np.put_along_axis(chosen, best, True, axis=1)
    return chosen


def ensemble(predicted: Floats, chosen: NDArray[np.bool_], fold: Ints) -> Floats:
    """Average the predictions of the chosen regions.

    Parameters
    ----------
    predicted
        (n_regions, n_clips, n_dimensions).
    chosen
        (n_folds, n_regions) from `best_regions`.
    fold
        (n_clips,) fold that holds each clip out; -1 for none.

    Returns
    -------
    array, (n_clips, n_dimensions)
        NaN for clips that no fold holds out.
    """
    mean = np.full(predicted.shape[1:], np.nan)
    for number, regions in enumerate(chosen):
        test = fold == number
        mean[test] = predicted[regions][:, test].mean(axis=0)
    return mean
