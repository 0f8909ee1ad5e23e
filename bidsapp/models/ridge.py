r"""Cross-validated ridge regression for very many targets, exact and without predictions.

For one outer fold, in three steps:

1. `factorise` decomposes the features (`bidsapp.models.ridge_factors`; no targets).
2. Moments :math:`C_b = X_b' Y_b` of every block: time is touched once.
3. Every training set is a sum of blocks. Inner scores of all regularisations and the outer
   score of the chosen one follow from moments (`bidsapp.models.ridge_scores`).

Targets go through in batches that never meet, each on one thread, so that results depend
neither on the batch size (beyond rounding) nor on the number of threads (at all).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.errors import InputInvalidError
from bidsapp.models.ridge_factors import (
    Centre,
    FloatArray,
    FoldFactors,
    IntArray,
    centred,
    factorise,
)
from bidsapp.models.ridge_scores import SplitTensors, inner_terms, prepare_split, refit_terms

__all__ = [
    "AlphaMetric",
    "Centre",
    "FoldFactors",
    "FoldScores",
    "NestedScores",
    "batch_size",
    "factorise",
    "ridge_weights",
    "scale_columns",
    "score_fold",
    "score_nested",
]

AlphaMetric = Literal["correlation", "mse"]


@dataclass(frozen=True)
class FoldScores:
    """Scores of one outer fold.

    Attributes
    ----------
    r : array of shape (n_test_blocks, n_units)
        Correlation inside each test block, in the order of `Fold.test`; NaN where the target
        is constant or NaN.
    alpha_index : integer array of shape (n_units,)
        Chosen regularisation; -1 where the target is constant or NaN.
    inner_score : array of shape (n_units,)
        Mean score of the chosen regularisation over inner folds: correlation, or minus the
        mean squared error in units of the target's variance.
    """

    r: FloatArray
    alpha_index: IntArray
    inner_score: FloatArray


@dataclass(frozen=True)
class NestedScores:
    """Scores of all outer folds.

    Attributes
    ----------
    r : array of shape (n_blocks, n_units)
        Correlation inside each block when it was held out; NaN for blocks that never were.
    alpha_index : integer array of shape (n_folds, n_units)
    inner_score : array of shape (n_folds, n_units)
    """

    r: FloatArray
    alpha_index: IntArray
    inner_score: FloatArray


def score_fold(
    factors: FoldFactors,
    x: FloatArray,
    y: FloatArray,
    *,
    alpha_metric: AlphaMetric = "correlation",
    device: str = "cpu",
    batch_units: int = 1024,
) -> FoldScores:
    r"""Choose a regularisation for each target in inner folds and score it in the outer one.

    Parameters
    ----------
    factors
        From `factorise` on the same `x`.
    x : array of shape (n_rows, n_features)
        Features, lags included.
    y : array of shape (n_rows, n_units)
        Targets. Products are in float32, or in float64 if `y` is. A memory map is read batch
        by batch.
    alpha_metric
        What chooses the regularisation: mean over inner folds of the mean correlation inside
        held-out blocks, or of the mean squared error.
    device
        ``cpu``, ``cuda``, ``cuda:1``.
    batch_units
        Targets worked on together; see `batch_size`.

    Returns
    -------
    FoldScores

    Raises
    ------
    InputInvalidError
        If `x`, `y` and `factors` do not have the same rows.

    Notes
    -----
    Regularisations whose inner score is equal to rounding are tied; the largest is chosen.
    A block in which a target is constant does not take part in that target's choice.
    Source: nested cross-validation with one regularisation per target, as in voxelwise
    encoding models (Huth et al. 2016; Dupre la Tour et al. 2022).
    """
    _check_rows(factors, x, y)
    fold = _FoldTensors(factors, x, y.dtype, device)
    n_units = y.shape[1]
    scores = FoldScores(
        np.full((len(factors.refit.test), n_units), np.nan, dtype=fold.numpy_dtype),
        np.full(n_units, -1, dtype=np.int16),
        np.full(n_units, np.nan, dtype=fold.numpy_dtype),
    )

    def work(start: int) -> None:
        units = slice(start, min(start + batch_units, n_units))
        r, index, inner = fold.score(fold.load(y, units), alpha_metric)
        scores.r[:, units] = r.cpu().numpy()
        scores.alpha_index[units] = index.cpu().numpy()
        scores.inner_score[units] = inner.cpu().numpy()

    _for_each(work, range(0, n_units, batch_units), device)
    return scores


def score_nested(
    factors: Sequence[FoldFactors],
    designs: Sequence[FloatArray],
    y: FloatArray,
    *,
    alpha_metric: AlphaMetric = "correlation",
    device: str = "cpu",
    batch_units: int = 1024,
) -> NestedScores:
    """Run `score_fold` over all outer folds.

    Parameters
    ----------
    factors
        One for each outer fold.
    designs
        Features (n_rows, n_features) of each outer fold: they differ where a projection is
        fitted inside the fold.
    y : array of shape (n_rows, n_units)
        Targets.
    alpha_metric, device, batch_units
        As in `score_fold`.

    Returns
    -------
    NestedScores
    """
    folds = [
        score_fold(f, x, y, alpha_metric=alpha_metric, device=device, batch_units=batch_units)
        for f, x in zip(factors, designs, strict=True)
    ]
    n_blocks = int(factors[0].labels.max()) + 1
    r = np.full((n_blocks, y.shape[1]), np.nan, dtype=folds[0].r.dtype)
    for factor, fold in zip(factors, folds, strict=True):
        r[list(factor.refit.test)] = fold.r
    return NestedScores(
        r,
        np.stack([fold.alpha_index for fold in folds]),
        np.stack([fold.inner_score for fold in folds]),
    )


def ridge_weights(
    factors: FoldFactors, x: FloatArray, y: FloatArray, alpha_index: IntArray
) -> FloatArray:
    """Return the weights of the outer training set for given regularisations.

    Parameters
    ----------
    factors
        From `factorise` on the same `x`.
    x : array of shape (n_rows, n_features)
    y : array of shape (n_rows, n_units)
    alpha_index : integer array of shape (n_units,)
        Number of the regularisation of each target; -1 gives NaN.

    Returns
    -------
    array of shape (n_features, n_units)
        Weights of the features as given; targets are predicted up to their mean. float64.
    """
    _check_rows(factors, x, y)
    split = factors.refit
    rows = np.isin(factors.labels, split.train)
    labels = factors.labels[rows]
    coordinates = centred(x[rows].astype(np.float64), labels, factors.centre) @ factors.basis
    moments = coordinates.T @ centred(y[rows].astype(np.float64), labels, factors.centre)
    alpha = np.where(alpha_index >= 0, factors.alphas[alpha_index], np.nan)
    shrunk = split.projection @ moments / (split.eigenvalues[:, None] + alpha[None, :])
    return np.asarray(factors.basis @ (split.projection.T @ shrunk))


def scale_columns(x: FloatArray, rows: npt.NDArray[np.bool_] | IntArray) -> FloatArray:
    """Scale all features by one number so that their mean variance over `rows` is 1.

    It makes regularisations comparable between layers and changes nothing else.

    Parameters
    ----------
    x : array of shape (n_rows, n_features)
    rows
        Training rows, as a mask or as indices.

    Returns
    -------
    array of shape (n_rows, n_features)
        float64; unchanged if all features are constant over `rows`.
    """
    variance = float(np.var(x[rows], axis=0, dtype=np.float64).mean())
    return np.asarray(x / np.sqrt(variance) if variance > 0 else x, dtype=np.float64)


def batch_size(
    memory_bytes: int,
    n_rows: int,
    n_features: int,
    n_alphas: int,
    n_blocks: int,
    *,
    itemsize: int = 4,
    n_workers: int | None = None,
) -> int:
    """Return how many targets fit into a memory budget, at most 2048 and at least 32.

    Parameters
    ----------
    memory_bytes
        For temporary arrays of `score_fold`; not for features, targets and results.
    n_rows, n_features, n_alphas, n_blocks
        Of the problem.
    itemsize
        4 for float32, 8 for float64.
    n_workers
        Batches at the same time; by default the number of torch threads.
    """
    n_coordinates = min(n_features, n_rows)
    workers = n_workers or torch.get_num_threads()
    numbers = 2 * n_rows + (n_blocks + 20) * n_coordinates + 8 * n_alphas
    fitting = memory_bytes // (numbers * itemsize * workers)
    return int(np.clip(fitting // 32 * 32, 32, 2048))


class _FoldTensors:
    """Features of one outer fold on the device, ready to meet batches of targets."""

    def __init__(
        self, factors: FoldFactors, x: FloatArray, y_dtype: npt.DTypeLike, device: str
    ) -> None:
        double = np.dtype(y_dtype) == np.float64
        self.numpy_dtype = np.dtype(np.float64 if double else np.float32)
        self.dtype = torch.float64 if double else torch.float32
        self.device = torch.device(device)
        self.centre = factors.centre
        x = np.asarray(x, dtype=np.float64)
        x = x - x[factors.labels >= 0].mean(axis=0)
        self.rows, design, self.x_mean = {}, {}, {}
        for block in np.unique(factors.labels[factors.labels >= 0]).tolist():
            self.rows[block] = np.flatnonzero(factors.labels == block)
            coordinates = x[self.rows[block]] @ factors.basis
            self.x_mean[block] = coordinates.mean(axis=0)
            design[block] = coordinates - self.x_mean[block]
        self.design = {block: self._tensor(rows.T) for block, rows in design.items()}
        self.refit, *self.inner = (
            prepare_split(split, design, factors.alphas, self.dtype, self.device)
            for split in (factors.refit, *factors.inner)
        )
        self.alphas = self._tensor(factors.alphas)

    def _tensor(self, array: FloatArray) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=self.dtype, device=self.device)

    def load(self, y: FloatArray, units: slice) -> dict[int, torch.Tensor]:
        """Copy one batch of targets block by block to the device."""
        batch = {}
        for block, rows in self.rows.items():
            first, last = int(rows[0]), int(rows[-1]) + 1
            whole = last - first == rows.size
            part = y[first:last, units] if whole else y[rows, units]
            batch[block] = torch.tensor(part, dtype=self.dtype, device=self.device)
        return batch

    def score(
        self, y: dict[int, torch.Tensor], metric: AlphaMetric
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Score one batch of targets, which is centred in place."""
        batch = _Batch(self, y)
        total = sum(self._inner_score(split, batch, metric) for split in self.inner)
        assert isinstance(total, torch.Tensor)
        score = total / len(self.inner)
        best = score.amax(0)
        tied = score >= best - 32 * torch.finfo(self.dtype).eps
        steps = torch.arange(len(self.alphas), device=self.device)[:, None]
        index = torch.where(tied, steps, -1).amax(0)
        index = torch.where(batch.usable(self.refit.train), index, -1)
        best = torch.where(index >= 0, best, torch.nan)
        return self._refit_score(batch, index), index, best

    def _inner_score(
        self, split: SplitTensors, batch: _Batch, metric: AlphaMetric
    ) -> torch.Tensor:
        """Return the score of all alphas (n_alphas, n_units) in one inner fold."""
        c_train = batch.training_moments(split.train)
        b = split.projection @ c_train
        total = torch.zeros(len(self.alphas), b.shape[1], dtype=self.dtype, device=self.device)
        n_rows = sum(self.rows[held_out.block].size for held_out in split.held_out)
        for held_out in split.held_out:
            block = held_out.block
            e = split.projection @ batch.moments[block]
            covariance, power = inner_terms(split, held_out, b, c_train, e)
            if metric == "correlation":
                r = _correlation(covariance, power, batch.power[block])
                total += torch.where(batch.varies[block], r, 0.0) / len(split.held_out)
            else:
                error = power - 2 * covariance + batch.power[block]
                error += self._offset_error(split, block, batch, b)
                total -= error / n_rows / batch.variance
        return total

    def _offset_error(
        self, split: SplitTensors, block: int, batch: _Batch, b: torch.Tensor
    ) -> torch.Tensor | float:
        """Return the squared error that stems from predicting a block's mean."""
        if self.centre == "block":
            return 0.0
        sizes = np.array([self.rows[number].size for number in split.train], dtype=np.float64)
        weights = sizes / sizes.sum()
        x_mean = sum(w * self.x_mean[n] for w, n in zip(weights, split.train, strict=True))
        y_mean = sum(w * batch.mean[n] for w, n in zip(weights, split.train, strict=True))
        direction = split.projection @ self._tensor(self.x_mean[block] - x_mean)
        predicted = split.table @ (direction[:, None] * b)
        offset: torch.Tensor = batch.mean[block] - y_mean - predicted
        return offset.square() * self.rows[block].size

    def _refit_score(self, batch: _Batch, index: torch.Tensor) -> torch.Tensor:
        """Return the correlation in each test block (n_test_blocks, n_units)."""
        alpha = torch.where(index >= 0, self.alphas[index], torch.nan)
        z = self.refit.projection @ batch.training_moments(self.refit.train)
        z /= self.refit.eigenvalues[:, None] + alpha
        result = []
        for held_out in self.refit.held_out:
            e = self.refit.projection @ batch.moments[held_out.block]
            covariance, power = refit_terms(held_out, z, e)
            r = _correlation(covariance, power, batch.power[held_out.block])
            defined = batch.varies[held_out.block] & (power > 0)
            result.append(torch.where(defined, r, torch.nan))
        return torch.stack(result)


class _Batch:
    """Moments of one batch of targets.

    Attributes
    ----------
    moments, mean, power
        For each block: X'Y (n_coordinates, n_units), the mean (n_units,) and the sum of
        squares about it (n_units,).
    varies
        For each block: whether the target is neither constant nor NaN (n_units,).
    variance
        Over all blocks (n_units,).
    """

    def __init__(self, fold: _FoldTensors, y: dict[int, torch.Tensor]) -> None:
        self.fold = fold
        self.moments, self.mean, self.power, self.varies = {}, {}, {}, {}
        rounding = (16 * torch.finfo(fold.dtype).eps) ** 2
        for block, values in y.items():
            self.mean[block] = values.mean(0)
            values.sub_(self.mean[block])
            self.moments[block] = fold.design[block] @ values
            self.power[block] = values.square_().sum(0)
            least = len(values) * rounding * self.mean[block].square()
            self.varies[block] = self.power[block] > least
        n_rows = sum(len(values) for values in y.values())
        self.variance = torch.stack(list(self.power.values())).sum(0) / n_rows

    def usable(self, train: tuple[int, ...]) -> torch.Tensor:
        """Return where some training block varies and no block at all has NaN."""
        varies = torch.stack([self.varies[block] for block in train]).any(0)
        return varies & ~torch.isnan(self.variance)

    def training_moments(self, train: tuple[int, ...]) -> torch.Tensor:
        """Sum moments over blocks, and add those between block means for ``train``."""
        first, *others = (self.moments[block] for block in train)
        total = first if not others else first + others[0]
        for moments in others[1:]:
            total += moments
        if self.fold.centre == "block":
            return total
        sizes = np.array([self.fold.rows[block].size for block in train], dtype=np.float64)
        x_means = np.stack([self.fold.x_mean[block] for block in train])
        x_means = (x_means - sizes @ x_means / sizes.sum()) * sizes[:, None]
        y_means = torch.stack([self.mean[block] for block in train])
        return total + self.fold._tensor(x_means.T) @ y_means


def _correlation(
    covariance: torch.Tensor, power: torch.Tensor, y_power: torch.Tensor
) -> torch.Tensor:
    """Divide a covariance by the root of both sums of squares, within [-1, 1]."""
    tiny = torch.finfo(covariance.dtype).tiny
    return (covariance * power.clamp(min=tiny).rsqrt() * y_power.rsqrt()).clamp_(-1.0, 1.0)


def _check_rows(factors: FoldFactors, x: FloatArray, y: FloatArray) -> None:
    if not len(x) == len(y) == factors.labels.size or x.shape[1] != factors.basis.shape[0]:
        msg = f"features {x.shape} and targets {y.shape} do not fit factors of \
{factors.labels.size} rows and {factors.basis.shape[0]} features; factorise these features"
        raise InputInvalidError(msg)


def _for_each(work: Callable[[int], None], starts: Sequence[int], device: str) -> None:
    """Call `work` for each batch: in single-threaded workers on the CPU, else in turn."""
    n_threads = torch.get_num_threads()
    if device != "cpu" or n_threads == 1:
        for start in starts:
            work(start)
        return
    try:
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            list(pool.map(work, starts))
    finally:
        torch.set_num_threads(n_threads)
