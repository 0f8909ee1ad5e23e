r"""Ridge regression in nested folds over a few blocks of rows, each training set decomposed once.

Outer fold i without its inner fold j trains on the same rows as outer fold j without its inner
fold i. Training sets that occur several times are decomposed once, and all targets (embeddings of
several networks) go through together.

With few features the Gram matrix of a training set is the sum of those of its blocks, about the
mean of the training rows. With more features than rows the kernel of the rows takes its place (the
dual form). Either way a training set is held as eigenvalues e, the targets' moments B on the
eigenvectors, and held-out rows S on the eigenvectors, and a penalty predicts
:math:`S \, diag(1 / (e + \alpha)) \, B`, relative to the mean of the training targets.

Decompositions and final predictions are in float64; errors by which penalties are chosen come from
products in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.models.ridge_batches import TIE, block_rows
from bidsapp.models.threads import map_single_threaded
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.integer[Any]]
Blocks = tuple[int, ...]
Metric = Literal["correlation", "mse"]
_TINY = float(np.finfo(np.float32).tiny)
_ROUNDING = 16 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """One decomposed training set.

    Attributes
    ----------
    eigenvalues : tensor (n_components,)
        Those that are not zero to rounding.
    moments : tensor (n_components, n_targets)
        X'Y on the eigenvectors.
    held_out
        Block → tensor (n_rows_of_block, n_components): its features less the training mean, on
        the eigenvectors.
    target_mean : tensor (n_targets,)
        Over the training rows.
    """

    eigenvalues: torch.Tensor
    moments: torch.Tensor
    held_out: dict[int, torch.Tensor]
    target_mean: torch.Tensor


class Design(Protocol):
    """Features and targets, ready to be decomposed."""

    targets: dict[int, torch.Tensor]

    def decompose(self, train: Blocks, held_out: Blocks) -> TrainingSet:
        """Decompose the rows of some blocks for the prediction of others."""

    def split(self, inside: NDArray[np.bool_]) -> Design:
        """Part the blocks into rows outside, block 2 b, and inside, block 2 b + 1, of a set."""


class FeatureDesign:
    """Sums over the rows of each block, where there are fewer features than rows.

    Parameters
    ----------
    x
        (n_rows, n_features).
    y
        (n_rows, n_targets).
    labels
        (n_rows,) block of each row, -1 for rows to leave out.
    """

    def __init__(self, x: Floats, y: Floats, labels: Ints) -> None:
        self.rows: Mapping[int, Rows] = block_rows(labels)
        mean = x[labels >= 0].mean(axis=0)
        self.x = {block: torch.from_numpy(x[own] - mean) for block, own in self.rows.items()}
        self.targets = {block: torch.from_numpy(y[own]) for block, own in self.rows.items()}
        self._sums = {block: _Sums.of(self.x[block], self.targets[block]) for block in self.rows}

    def decompose(self, train: Blocks, held_out: Blocks) -> TrainingSet:
        """Decompose the Gram matrix of the training rows, about their mean."""
        sums = _Sums.joined([self._sums[block] for block in train])
        values, vectors = _eigenvectors(sums.gram)
        seen = {block: (self.x[block] - sums.x_mean) @ vectors for block in held_out}
        return TrainingSet(values, vectors.T @ sums.moments, seen, sums.y_mean)

    def split(self, inside: NDArray[np.bool_]) -> FeatureDesign:
        """Part the blocks; only the sums over rows inside are computed.

        Parameters
        ----------
        inside
            (n_rows,) rows of the set.
        """
        parted = copy(self)
        parted.rows = _split_rows(self.rows, inside)
        parted.x, parted.targets, parted._sums = {}, {}, {}
        for block, rows in self.rows.items():
            own = torch.from_numpy(inside[rows])
            for number, kept in ((2 * block, ~own), (2 * block + 1, own)):
                if kept.any():
                    parted.x[number] = self.x[block][kept]
                    parted.targets[number] = self.targets[block][kept]
            both = [number for number in (2 * block, 2 * block + 1) if number in parted.x]
            if len(both) == 1:
                parted._sums[both[0]] = self._sums[block]
                continue
            rest, own_number = both
            sums = _Sums.of(parted.x[own_number], parted.targets[own_number])
            parted._sums[own_number] = sums
            parted._sums[rest] = self._sums[block].without(sums)
        return parted


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over some rows.

    Attributes
    ----------
    n
        Rows.
    x_mean, y_mean : tensors (n_features,), (n_targets,)
        Means.
    gram, moments : tensors (n_features, n_features), (n_features, n_targets)
        Products of the features with themselves and with the targets, both less their means.
    """

    n: int
    x_mean: torch.Tensor
    y_mean: torch.Tensor
    gram: torch.Tensor
    moments: torch.Tensor

    @classmethod
    def of(cls, x: torch.Tensor, y: torch.Tensor) -> _Sums:
        """Sum over rows of features and targets."""
        x_mean, y_mean = x.mean(0), y.mean(0)
        centred = x - x_mean
        return cls(len(x), x_mean, y_mean, centred.T @ centred, centred.T @ (y - y_mean))

    @classmethod
    def joined(cls, parts: Sequence[_Sums]) -> _Sums:
        """Sum over the rows of all parts."""
        sizes = torch.tensor([float(part.n) for part in parts], dtype=torch.float64)
        x_means = torch.stack([part.x_mean for part in parts])
        y_means = torch.stack([part.y_mean for part in parts])
        x_mean, y_mean = (sizes @ means / sizes.sum() for means in (x_means, y_means))
        between = x_means - x_mean
        weighted = (between * sizes[:, None]).T
        gram, moments = weighted @ between, weighted @ (y_means - y_mean)
        for part in parts:
            gram += part.gram
            moments += part.moments
        return cls(sum(part.n for part in parts), x_mean, y_mean, gram, moments)

    def without(self, part: _Sums) -> _Sums:
        """Take the rows of a part away."""
        n = self.n - part.n
        x_mean = (self.n * self.x_mean - part.n * part.x_mean) / n
        y_mean = (self.n * self.y_mean - part.n * part.y_mean) / n
        apart = (part.x_mean - x_mean) * (n * part.n / self.n)
        gram = self.gram - part.gram - torch.outer(apart, part.x_mean - x_mean)
        moments = self.moments - part.moments - torch.outer(apart, part.y_mean - y_mean)
        return _Sums(n, x_mean, y_mean, gram, moments)


class KernelDesign:
    """Products of all rows with each other, where there are more features than rows.

    Parameters
    ----------
    kernel
        (n_rows, n_rows), of features that need not be centred.
    y
        (n_rows, n_targets).
    labels
        (n_rows,) block of each row, -1 for rows to leave out.
    """

    def __init__(self, kernel: Floats, y: Floats, labels: Ints) -> None:
        self.rows: Mapping[int, Rows] = block_rows(labels)
        self.kernel = kernel
        self.targets = {block: torch.from_numpy(y[own]) for block, own in self.rows.items()}

    def decompose(self, train: Blocks, held_out: Blocks) -> TrainingSet:
        """Decompose the kernel of the training rows, centred."""
        rows = np.concatenate([self.rows[block] for block in train])
        own = torch.from_numpy(self.kernel[np.ix_(rows, rows)])
        mean = own.mean(0)
        values, vectors = _eigenvectors(own - mean - mean[:, None] + mean.mean())
        y = torch.cat([self.targets[block] for block in train])
        y_mean = y.mean(0)
        seen = {}
        for block in held_out:
            other = torch.from_numpy(self.kernel[np.ix_(self.rows[block], rows)])
            # the eigenvectors sum to 0, so that means over columns need not be taken away
            seen[block] = (other - mean) @ vectors
        return TrainingSet(values, vectors.T @ (y - y_mean), seen, y_mean)

    def split(self, inside: NDArray[np.bool_]) -> KernelDesign:
        """Part the blocks; see `FeatureDesign.split`."""
        parted = copy(self)
        parted.rows = _split_rows(self.rows, inside)
        parted.targets = {}
        for block, rows in self.rows.items():
            for number, kept in ((2 * block, ~inside[rows]), (2 * block + 1, inside[rows])):
                if kept.any():
                    parted.targets[number] = self.targets[block][torch.from_numpy(kept)]
        return parted


def _split_rows(rows: Mapping[int, Rows], inside: NDArray[np.bool_]) -> dict[int, Rows]:
    """Rows of the blocks 2 b, outside of a set, and 2 b + 1, inside; empty ones are left out."""
    parts = {}
    for block, own in rows.items():
        parts[2 * block], parts[2 * block + 1] = own[~inside[own]], own[inside[own]]
    return {block: own for block, own in parts.items() if own.size}


def _eigenvectors(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the eigenvalues that are not zero to rounding, and their eigenvectors (columns)."""
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > values[-1].clamp(min=0.0) * len(matrix) * np.finfo(np.float64).eps
    return values[kept], vectors[:, kept]


@dataclass(frozen=True, eq=False)
class NestedPredictions:
    """Penalties and predictions of all outer folds.

    Attributes
    ----------
    predicted
        For each fold (n_test_rows, n_targets), the rows of its test blocks in the order of
        `Fold.test`, relative to the mean of the training targets; 0 for targets without penalty.
    alpha_index
        (n_folds, n_targets) number of the penalty; -1 for targets that are constant in training.
    inner_score
        (n_folds, n_targets) score of that penalty, mean over the blocks held out in inner folds:
        correlation, or minus the mean squared error in variances of the target within training
        blocks; NaN for targets without penalty.
    """

    predicted: tuple[Floats, ...]
    alpha_index: Ints
    inner_score: Floats


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """An outer fold that does not train on all other blocks, or not for all targets.

    Attributes
    ----------
    fold
        Test blocks, and blocks held out in inner folds.
    train
        Blocks that are trained on, those held out in inner folds among them.
    wanted
        (n_targets,) targets that are predicted; None for all.
    scale
        Factor on the penalties.
    """

    fold: Fold
    train: Blocks
    wanted: NDArray[np.bool_] | None = None
    scale: float = 1.0

    @classmethod
    def of(cls, fold: Fold, design: Design, wanted: NDArray[np.bool_] | None = None) -> FoldPlan:
        """Train on all blocks that the fold does not test."""
        return cls(fold, tuple(sorted(set(design.targets) - set(fold.test))), wanted)

    def without(self, held_out: Blocks) -> Blocks:
        """Training blocks of an inner fold."""
        return tuple(block for block in self.train if block not in held_out)


def predict_nested(
    design: Design,
    folds: Sequence[Fold | FoldPlan],
    alphas: Sequence[float],
    *,
    metric: Metric = "mse",
    device: str = "cpu",
) -> NestedPredictions:
    """Choose the penalty of each target in inner folds, and predict the test blocks.

    Parameters
    ----------
    design
        Features and targets.
    folds
        Outer folds over blocks, with inner folds; those without a plan train on all blocks that
        they do not test.
    alphas
        Increasing penalties.
    metric
        What chooses them.
    device
        Torch device of the products in float32.

    Returns
    -------
    NestedPredictions
        Of penalties whose scores are equal to rounding the largest is chosen.
    """
    plans = [fold if isinstance(fold, FoldPlan) else FoldPlan.of(fold, design) for fold in folds]
    uses: dict[Blocks, list[tuple[int, Blocks]]] = {}
    for number, plan in enumerate(plans):
        for held_out in plan.fold.inner:
            uses.setdefault(plan.without(held_out), []).append((number, tuple(held_out)))

    def score(train: Blocks) -> list[tuple[int, torch.Tensor]]:
        asked = [(plans[number], held_out) for number, held_out in uses[train]]
        blocks = tuple(sorted({block for _, held_out in asked for block in held_out}))
        fitted = design.decompose(train, blocks)
        known: dict[tuple[int, float], torch.Tensor] = {}
        wanted = _union([plan.wanted for plan, _ in asked])
        for plan, held_out in asked:
            for block in held_out:
                if (block, plan.scale) not in known:
                    known[block, plan.scale] = _scores(
                        fitted,
                        block,
                        design.targets[block],
                        [alpha * plan.scale for alpha in alphas],
                        metric,
                        device,
                        wanted,
                    )
        return [
            (number, torch.stack([known[block, plans[number].scale] for block in held_out]).sum(0))
            for number, held_out in uses[train]
        ]

    totals: dict[int, torch.Tensor] = {}
    for part in map_single_threaded(score, list(uses)):
        for number, values in part:
            totals[number] = totals[number] + values if number in totals else values

    def predict(number: int) -> tuple[Floats, Ints, Floats]:
        plan = plans[number]
        total = totals[number] / sum(len(held_out) for held_out in plan.fold.inner)
        variance, varies = _within(design, plan.train)
        if plan.wanted is not None:
            varies &= torch.from_numpy(plan.wanted)
        if metric == "mse":
            total = total / torch.where(varies, variance, torch.nan)
        index, inner = _choose(total, varies)
        fitted = design.decompose(plan.train, tuple(plan.fold.test))
        alpha = plan.scale * torch.tensor(list(alphas), dtype=torch.float64)[index.clamp(min=0)]
        shrunk = fitted.moments / (fitted.eigenvalues[:, None] + alpha)
        shrunk[:, index < 0] = 0.0
        rows = torch.cat([fitted.held_out[block] for block in plan.fold.test])
        return (rows @ shrunk).numpy(), index.numpy(), inner.numpy()

    each = map_single_threaded(predict, range(len(plans)))
    predicted, index, inner = zip(*each, strict=True)
    return NestedPredictions(predicted, np.stack(index), np.stack(inner))


def _union(masks: Sequence[NDArray[np.bool_] | None]) -> torch.Tensor | None:
    """Numbers of the targets that any of several masks holds; None for all."""
    known = [mask for mask in masks if mask is not None]
    if len(known) < len(masks) or all(mask.all() for mask in known):
        return None
    return torch.from_numpy(np.flatnonzero(np.any(known, axis=0)))


def _scores(
    fitted: TrainingSet,
    block: int,
    targets: torch.Tensor,
    alphas: Sequence[float],
    metric: Metric,
    device: str,
    wanted: torch.Tensor | None = None,
) -> torch.Tensor:
    """Score of all penalties in one held-out block, (n_alphas, n_targets) float64.

    Targets that are not among those `wanted` have 0.
    """
    n_targets = targets.shape[1]
    if wanted is not None:
        moments, mean = fitted.moments[:, wanted], fitted.target_mean[wanted]
        fitted = replace(fitted, moments=moments, target_mean=mean)
        targets = targets[:, wanted]

    def single(values: torch.Tensor) -> torch.Tensor:
        return values.to(device=device, dtype=torch.float32)

    seen, moments = single(fitted.held_out[block]), single(fitted.moments)
    eigenvalues = single(fitted.eigenvalues)[:, None]
    measured = single(targets - fitted.target_mean)
    centred = measured - measured.mean(0)
    size = centred.square().sum(0).sqrt()
    varies = centred.abs().amax(0) > _ROUNDING * single(targets.abs().amax(0))
    out = torch.empty(len(alphas), targets.shape[1], dtype=torch.float64)
    for number, alpha in enumerate(alphas):
        predicted = seen @ (moments / (eigenvalues + alpha))
        if metric == "mse":
            out[number] = -(predicted - measured).square_().mean(0).cpu()
            continue
        predicted -= predicted.mean(0)
        scale = (predicted.square().sum(0).sqrt() * size).clamp(min=_TINY)
        r = ((predicted * centred).sum(0) / scale).clamp(-1.0, 1.0)
        out[number] = torch.where(varies, r, 0.0).cpu()
    if wanted is None:
        return out
    return torch.zeros(len(alphas), n_targets, dtype=out.dtype).index_copy_(1, wanted, out)


def _within(design: Design, train: Blocks) -> tuple[torch.Tensor, torch.Tensor]:
    """Variance of targets about the means of training blocks, and whether it is not rounding."""
    own = [design.targets[block] for block in train]
    power = torch.stack([(part - part.mean(0)).square().sum(0) for part in own]).sum(0)
    variance = power / sum(len(part) for part in own)
    largest = torch.stack([part.abs().amax(0) for part in own]).amax(0)
    return variance, variance.sqrt() > 1e-8 * largest


def _choose(score: torch.Tensor, varies: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the number of the best penalty and its score, (n_targets,)."""
    best = score.amax(0)
    number = torch.arange(len(score))[:, None]
    tied = score >= best - TIE[torch.float32]
    index = torch.where(varies, torch.where(tied, number, -1).amax(0), -1)
    return index, torch.where(index >= 0, best, torch.nan)
