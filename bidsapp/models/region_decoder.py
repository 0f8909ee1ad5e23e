r"""Ridge regression from the responses of a region to the embedding of each clip.

clip
    A stretch of sound, of `n_windows` windows; row ``clip * n_windows + w`` of responses and of
    embeddings is its window w.
block
    Clips that are held out together. Blocks are the folds: the regularisation of each dimension
    is chosen by holding out each block of the training clips in turn.

A region with more voxels than rows is turned into its principal coordinates first, which changes
no prediction (the dual form).

Embeddings may be exchanged between clips, many times at once: decompositions depend on the
responses only and are shared. Regularisations are those that were chosen for the observed
embeddings.

Source: Denk et al. 2025, section 3.3, equation 1, and appendix on hyperparameter tuning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.models.ridge import AlphaMetric, batch_size, factorise, scale_columns, score_nested
from bidsapp.models.ridge_factors import centred
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

    def test_clips(self, fold: int) -> Ints:
        """Positions of the clips that a fold holds out."""
        return np.flatnonzero(np.isin(self.block, self.folds[fold].test))

    def train_clips(self, fold: int) -> Ints:
        """Positions of the clips that a fold trains on."""
        return np.flatnonzero(~np.isin(self.block, self.folds[fold].test))


@dataclass(frozen=True, eq=False)
class Tuning:
    """What inner folds chose for one region.

    Attributes
    ----------
    alpha
        (n_folds, n_dimensions) regularisation; NaN where an embedding dimension is constant.
    inner_score
        (n_folds, n_dimensions) score of the chosen regularisation in inner folds: correlation, or
        minus the mean squared error in units of the variance within the training blocks.
    edge
        Share of the choices that are the largest or smallest regularisation.
    """

    alpha: Floats
    inner_score: Floats
    edge: float

    @property
    def score(self) -> Floats:
        """Mean inner score over dimensions, (n_folds,): what regions are chosen by."""
        return np.asarray(np.nanmean(self.inner_score, axis=1))


def coordinates(responses: NDArray[np.floating]) -> Floats:
    """Scale responses to a mean variance of 1, and rotate them where voxels outnumber rows.

    Parameters
    ----------
    responses
        (n_rows, n_units), finite.

    Returns
    -------
    array, (n_rows, min(n_rows, n_units))
        With the same Gram matrix over rows, up to one factor.
    """
    x = scale_columns(np.asarray(responses, np.float64), np.arange(len(responses)))
    if x.shape[1] <= x.shape[0]:
        return x
    x = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values > values[-1] * len(x) * np.finfo(np.float64).eps
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def tune(
    x: Floats,
    rows: ClipRows,
    alphas: Sequence[float],
    *,
    metric: AlphaMetric = "mse",
    memory_bytes: int = 1 << 29,
) -> Tuning:
    """Choose the regularisation of each dimension in inner folds over blocks of clips.

    Parameters
    ----------
    x
        (n_rows, n_coordinates) from `coordinates`.
    rows
        Embeddings and folds.
    alphas
        Increasing regularisations.
    metric
        What chooses: mean squared error, or correlation, in the blocks held out.
    memory_bytes
        For temporary arrays.

    Returns
    -------
    Tuning
    """
    labels = rows.labels
    targets = rows.embedding.reshape(len(x), -1)
    factors = [factorise(x, labels, fold, alphas, centre="train") for fold in rows.folds]
    batch = batch_size(memory_bytes, *x.shape, len(alphas), len(set(labels.tolist())))
    scores = score_nested(
        factors, [x] * len(factors), targets, alpha_metric=metric, batch_units=batch
    )
    grid = np.asarray(alphas, np.float64)
    chosen = scores.alpha_index
    alpha = np.where(chosen >= 0, grid[chosen], np.nan)
    edge = float(np.isin(chosen[chosen >= 0], (0, len(grid) - 1)).mean())
    inner = np.asarray(scores.inner_score, np.float64)
    return Tuning(alpha, inner * (_variance_ratio(rows) if metric == "mse" else 1.0), edge)


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


def predictions(
    x: Floats,
    rows: ClipRows,
    tuning: Tuning,
    exchange: Ints,
    *,
    device: str = "cpu",
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Predict the mean embedding of the held-out clips, with embeddings exchanged between clips.

    Parameters
    ----------
    x
        (n_rows, n_coordinates) from `coordinates`.
    rows
        Embeddings and folds.
    tuning
        From `tune`.
    exchange
        (m, n_clips) the clip whose embedding is given to each clip; ``arange`` for the observed
        ones.
    device
        Torch device of the products, which are in float32.

    Yields
    ------
    fold
        Its number.
    predicted
        (m, n_test_clips, n_dimensions) difference from the training mean, in the units of the
        embedding; 0 in dimensions without a regularisation.
    """
    centre = rows.embedding - rows.embedding.mean(axis=(0, 1))
    embedding = torch.as_tensor(centre, dtype=torch.float32, device=device)
    order = torch.as_tensor(exchange, device=device)
    labels, n_dimensions = rows.labels, embedding.shape[2]
    for number, fold in enumerate(rows.folds):
        factors = factorise(x, labels, Fold(fold.test, ()), [1.0], centre="train")
        train, test = rows.train_clips(number), rows.test_clips(number)
        in_train, in_test = np.isin(labels, factors.refit.train), np.isin(labels, fold.test)
        axes = factors.basis @ factors.refit.projection.T
        seen = centred(x[in_train], labels[in_train], "train") @ axes
        held_out = (x[in_test] - x[in_train].mean(axis=0)) @ axes
        of_clips = held_out.reshape(len(test), rows.n_windows, -1).mean(axis=1)
        shrink = 1 / (factors.refit.eigenvalues[:, None] + tuning.alpha[number])
        shrink = torch.as_tensor(np.nan_to_num(shrink), dtype=torch.float32, device=device)
        left = torch.as_tensor(seen.T.copy(), dtype=torch.float32, device=device)
        right = torch.as_tensor(of_clips, dtype=torch.float32, device=device)
        exchanged = embedding[order[:, train]]  # (m, n_train, n_windows, n_dimensions)
        exchanged = exchanged.flatten(1, 2).transpose(0, 1).reshape(left.shape[1], -1)
        moments = (left @ exchanged).view(len(left), -1, n_dimensions) * shrink[:, None]
        predicted = (right @ moments.flatten(1)).view(len(test), -1, n_dimensions)
        yield number, predicted.transpose(0, 1).cpu().numpy()


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and standard deviation of the training clips' embeddings, for each exchange.

    Attributes
    ----------
    mean, sd
        (m, n_dimensions) over the windows of the training clips; sd is 1 where it is 0.
    """

    mean: Floats
    sd: Floats


def training_standard(rows: ClipRows, fold: int, exchange: Ints) -> Standard:
    """Return mean and standard deviation of the embeddings that a fold trains on.

    Parameters
    ----------
    rows
        Embeddings and folds.
    fold
        Its number.
    exchange
        (m, n_clips) as in `predictions`.
    """
    member = np.zeros((len(exchange), len(rows.block)))
    train = rows.train_clips(fold)
    np.put_along_axis(member, exchange[:, train], 1.0, axis=1)
    overall = rows.embedding.mean(axis=(0, 1))
    values = rows.embedding - overall
    n = len(train) * rows.n_windows
    mean = member @ values.sum(axis=1) / n
    variance = member @ (values**2).sum(axis=1) / n - mean**2
    sd = np.sqrt(np.maximum(variance, 0))
    least = 1e-8 * np.abs(rows.embedding).max(axis=(0, 1)).clip(1e-30)
    return Standard(overall + mean, np.where(sd > least, sd, 1.0))
