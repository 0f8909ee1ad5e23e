"""Batches of targets meet the features of one outer fold.

`Design`
    the features of one fold on the device, block by block.
`Targets`
    one batch of targets, centred inside each block.
`Moments`
    X'Y of each block, for one design and one batch.
`FoldScorer`
    inner scores, choice of regularisation, outer score.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.models.ridge_factors import Centre, FoldFactors
from bidsapp.models.ridge_scores import SplitTensors, inner_terms, prepare_split, refit_terms
from bidsapp.models.threads import map_single_threaded

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
AlphaMetric = Literal["correlation", "mse"]

TIE = {torch.float32: 1e-6, torch.float64: 1e-12}
"""Inner scores that differ by less are equal to rounding."""


class Design:
    """Working coordinates of the features, block by block.

    Parameters
    ----------
    factors
        From `factorise` on the same features.
    x : array of shape (n_rows, n_features)
        Features.
    dtype, device
        Of the products with targets.
    """

    def __init__(
        self, factors: FoldFactors, x: FloatArray, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.basis = factors.basis
        self.centre: Centre = factors.centre
        self.rows = block_rows(factors.labels)
        kept = factors.labels >= 0
        x = np.asarray(x, dtype=np.float64) - x[kept].mean(axis=0, dtype=np.float64)
        self.coordinates: dict[int, FloatArray] = {}
        self.mean: dict[int, FloatArray] = {}
        self.transposed: dict[int, torch.Tensor] = {}
        basis = torch.from_numpy(np.ascontiguousarray(factors.basis))
        for block, rows in self.rows.items():
            coordinates = (torch.from_numpy(x[rows]) @ basis).numpy()
            self.mean[block] = coordinates.mean(axis=0)
            self.coordinates[block] = coordinates - self.mean[block]
            self.transposed[block] = torch.as_tensor(
                np.ascontiguousarray(self.coordinates[block].T), dtype=dtype, device=device
            )

    def serves(self, factors: FoldFactors) -> bool:
        """Whether `factors` stem from the same features, given that the rows are the same."""
        return self.centre == factors.centre and np.array_equal(self.basis, factors.basis)


class Targets:
    """One batch of targets, centred inside each block.

    Parameters
    ----------
    y : array of shape (n_rows, n_units)
        All targets; only the batch is read.
    rows
        Rows of each block.
    units
        The batch.
    dtype, device
        Of the products.

    Attributes
    ----------
    values : tensors of shape (n_rows_of_block, n_units_of_batch)
        By block, as are the following.
    mean, power : tensors of shape (n_units_of_batch,)
        Mean, and sum of squares about it.
    varies : boolean tensors of shape (n_units_of_batch,)
        False where the target is constant (to rounding) or NaN.
    variance : tensor of shape (n_units_of_batch,)
        About the block means, over all blocks.
    """

    def __init__(
        self,
        y: FloatArray,
        rows: dict[int, IntArray],
        units: slice,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.values: dict[int, torch.Tensor] = {}
        self.mean: dict[int, torch.Tensor] = {}
        self.power: dict[int, torch.Tensor] = {}
        self.varies: dict[int, torch.Tensor] = {}
        rounding = (16 * torch.finfo(dtype).eps) ** 2
        for block, index in rows.items():
            values = torch.tensor(_take(y, index, units), dtype=dtype, device=device)
            self.mean[block] = values.mean(0)
            self.values[block] = values.sub_(self.mean[block])
            self.power[block] = (values * values).sum(0)
            constant = len(values) * rounding * self.mean[block].square()
            self.varies[block] = self.power[block] > constant
        n_rows = sum(index.size for index in rows.values())
        self.variance = torch.stack(list(self.power.values())).sum(0) / n_rows

    def usable(self, train: tuple[int, ...]) -> torch.Tensor:
        """Return where some training block varies and no block at all has NaN."""
        varies = torch.stack([self.varies[block] for block in train]).any(0)
        return varies & ~torch.isnan(self.variance)


class Moments:
    """X'Y of each block, and their sums over training sets."""

    def __init__(self, design: Design, targets: Targets) -> None:
        self.design, self.targets = design, targets
        self.of = {b: rows @ targets.values[b] for b, rows in design.transposed.items()}

    def training(self, train: tuple[int, ...]) -> torch.Tensor:
        """Return moments (n_coordinates, n_units) of the centred training rows."""
        first, *others = (self.of[block] for block in train)
        total = first if not others else first + others[0]
        for moments in others[1:]:
            total += moments
        if self.design.centre == "block":
            return total
        x_means, sizes = self.block_means(train)
        y_means = torch.stack([self.targets.mean[block] for block in train])
        x_means = (x_means - sizes @ x_means / sizes.sum()) * sizes[:, None]
        weights = torch.as_tensor(x_means.T, dtype=total.dtype, device=total.device)
        return torch.addmm(total, weights, y_means)

    def block_means(self, blocks: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
        """Return means of the coordinates (n_blocks, n_coordinates) and rows per block."""
        sizes = np.array([self.design.rows[block].size for block in blocks], dtype=np.float64)
        return np.stack([self.design.mean[block] for block in blocks]), sizes

    def offset_error(self, split: SplitTensors, block: int, b: torch.Tensor) -> torch.Tensor:
        """Return the squared error (n_alphas, n_units) that stems from predicting the mean."""
        x_means, sizes = self.block_means(split.train)
        distance = self.design.mean[block] - sizes @ x_means / sizes.sum()
        direction = split.projection @ torch.as_tensor(distance, dtype=b.dtype, device=b.device)
        predicted = split.table @ (direction[:, None] * b)
        y_means = [
            self.targets.mean[t] * float(n) for t, n in zip(split.train, sizes, strict=True)
        ]
        offset = self.targets.mean[block] - torch.stack(y_means).sum(0) / sizes.sum() - predicted
        error: torch.Tensor = offset.square() * self.design.rows[block].size
        return error


class FoldScorer:
    """One outer fold, ready to score batches.

    Parameters
    ----------
    factors
        From `factorise`.
    design
        The same features.
    dtype, device
        Of the products with targets.
    """

    def __init__(
        self, factors: FoldFactors, design: Design, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.design = design
        self.alphas = torch.as_tensor(factors.alphas, dtype=dtype, device=device)
        self.refit, *self.inner = map_single_threaded(
            lambda split: prepare_split(split, design.coordinates, factors.alphas, dtype, device),
            (factors.refit, *factors.inner),
        )

    def score(
        self, moments: Moments, metric: AlphaMetric
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return r (n_test_blocks, n_units), alpha numbers and inner scores (n_units,)."""
        score = torch.stack([self._inner(split, moments, metric) for split in self.inner]).sum(0)
        score /= sum(len(split.held_out) for split in self.inner)
        best = score.amax(0)
        tied = score >= best - TIE[score.dtype]
        number = torch.arange(len(self.alphas), device=score.device)[:, None]
        chosen = torch.where(tied, number, -1).amax(0)
        chosen = torch.where(moments.targets.usable(self.refit.train), chosen, -1)
        return self._outer(moments, chosen), chosen, torch.where(chosen >= 0, best, torch.nan)

    def _inner(self, split: SplitTensors, moments: Moments, metric: AlphaMetric) -> torch.Tensor:
        """Return the score of all alphas (n_alphas, n_units), summed over held-out blocks."""
        targets = moments.targets
        c_train = moments.training(split.train)
        b = split.projection @ c_train
        total = b.new_zeros(len(self.alphas), b.shape[1])
        for held_out in split.held_out:
            block = held_out.block
            e = split.projection @ moments.of[block]
            covariance, power = inner_terms(split, held_out, b, c_train, e)
            if metric == "correlation":
                r = _correlation(covariance, power, targets.power[block])
                total += torch.where(targets.varies[block], r, 0.0)
                continue
            error = power - 2 * covariance + targets.power[block]
            if self.design.centre == "train":
                error += moments.offset_error(split, block, b)
            total -= error / self.design.rows[block].size / targets.variance
        return total

    def _outer(self, moments: Moments, chosen: torch.Tensor) -> torch.Tensor:
        """Return the correlation in each test block (n_test_blocks, n_units)."""
        if not self.refit.held_out:  # a fold without test blocks chooses and fits
            return chosen.new_empty((0, chosen.numel()), dtype=self.alphas.dtype)
        targets, projection = moments.targets, self.refit.projection
        alpha = torch.where(chosen >= 0, self.alphas[chosen], torch.nan)
        z = projection @ moments.training(self.refit.train)
        z /= self.refit.eigenvalues[:, None] + alpha
        result = []
        for held_out in self.refit.held_out:
            e = projection @ moments.of[held_out.block]
            covariance, power = refit_terms(held_out, z, e)
            r = _correlation(covariance, power, targets.power[held_out.block])
            defined = targets.varies[held_out.block] & (power > 0)
            result.append(torch.where(defined, r, torch.nan))
        return torch.stack(result)


def block_rows(labels: IntArray) -> dict[int, IntArray]:
    """Return the rows of each block, in the order of block numbers."""
    blocks = np.unique(labels[labels >= 0]).tolist()
    return {block: np.flatnonzero(labels == block) for block in blocks}


def _take(y: FloatArray, rows: IntArray, units: slice) -> FloatArray:
    """Read rows of a batch, as a view where they follow one another."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    return y[first:last, units] if last - first == rows.size else y[rows, units]


def _correlation(
    covariance: torch.Tensor, power: torch.Tensor, y_power: torch.Tensor
) -> torch.Tensor:
    """Divide a covariance by the root of both sums of squares, within [-1, 1]."""
    tiny = torch.finfo(covariance.dtype).tiny
    return (covariance * power.clamp(min=tiny).rsqrt() * y_power.rsqrt()).clamp_(-1.0, 1.0)
