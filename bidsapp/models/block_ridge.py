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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.models.ridge_batches import TIE, block_rows
from bidsapp.models.threads import map_single_threaded
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
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
        rows = block_rows(labels)
        mean = x[labels >= 0].mean(axis=0)
        self.x = {block: torch.from_numpy(x[own] - mean) for block, own in rows.items()}
        self.targets = {block: torch.from_numpy(y[own]) for block, own in rows.items()}
        self._x_mean = {block: own.mean(0) for block, own in self.x.items()}
        self._y_mean = {block: own.mean(0) for block, own in self.targets.items()}
        self._gram, self._moments = {}, {}
        for block in rows:
            centred = self.x[block] - self._x_mean[block]
            self._gram[block] = centred.T @ centred
            self._moments[block] = centred.T @ (self.targets[block] - self._y_mean[block])

    def decompose(self, train: Blocks, held_out: Blocks) -> TrainingSet:
        """Decompose the Gram matrix of the training rows, about their mean."""
        sizes = torch.tensor([float(len(self.x[block])) for block in train], dtype=torch.float64)
        x_means = torch.stack([self._x_mean[block] for block in train])
        y_means = torch.stack([self._y_mean[block] for block in train])
        x_mean, y_mean = (sizes @ means / sizes.sum() for means in (x_means, y_means))
        between = x_means - x_mean
        weighted = (between * sizes[:, None]).T
        gram = torch.stack([self._gram[block] for block in train]).sum(0) + weighted @ between
        moments = torch.stack([self._moments[block] for block in train]).sum(0)
        moments += weighted @ (y_means - y_mean)
        values, vectors = _eigenvectors(gram)
        seen = {block: (self.x[block] - x_mean) @ vectors for block in held_out}
        return TrainingSet(values, vectors.T @ moments, seen, y_mean)


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
        self.rows = block_rows(labels)
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


def predict_nested(
    design: Design,
    folds: Sequence[Fold],
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
        Outer folds over blocks, with inner folds.
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
    blocks = set(design.targets)
    uses: dict[Blocks, list[tuple[int, Blocks]]] = {}
    for number, fold in enumerate(folds):
        for held_out in fold.inner:
            train = tuple(sorted(blocks - set(fold.test) - set(held_out)))
            uses.setdefault(train, []).append((number, tuple(held_out)))

    def score(train: Blocks) -> list[tuple[int, torch.Tensor]]:
        wanted = tuple(sorted({block for _, held_out in uses[train] for block in held_out}))
        fitted = design.decompose(train, wanted)
        of_block = {
            block: _scores(fitted, block, design.targets[block], alphas, metric, device)
            for block in wanted
        }
        return [
            (number, torch.stack([of_block[block] for block in held_out]).sum(0))
            for number, held_out in uses[train]
        ]

    totals: dict[int, torch.Tensor] = {}
    for part in map_single_threaded(score, list(uses)):
        for number, values in part:
            totals[number] = totals[number] + values if number in totals else values

    def predict(number: int) -> tuple[Floats, Ints, Floats]:
        fold = folds[number]
        train = tuple(sorted(blocks - set(fold.test)))
        total = totals[number] / sum(len(held_out) for held_out in fold.inner)
        variance, varies = _within(design, train)
        if metric == "mse":
            total = total / torch.where(varies, variance, torch.nan)
        index, inner = _choose(total, varies)
        fitted = design.decompose(train, tuple(fold.test))
        alpha = torch.tensor(list(alphas), dtype=torch.float64)[index.clamp(min=0)]
        shrunk = fitted.moments / (fitted.eigenvalues[:, None] + alpha)
        shrunk[:, index < 0] = 0.0
        rows = torch.cat([fitted.held_out[block] for block in fold.test])
        return (rows @ shrunk).numpy(), index.numpy(), inner.numpy()

    each = map_single_threaded(predict, range(len(folds)))
    predicted, index, inner = zip(*each, strict=True)
    return NestedPredictions(predicted, np.stack(index), np.stack(inner))


def _scores(
    fitted: TrainingSet,
    block: int,
    targets: torch.Tensor,
    alphas: Sequence[float],
    metric: Metric,
    device: str,
) -> torch.Tensor:
    """Score of all penalties in one held-out block, (n_alphas, n_targets) float64."""

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
    return out


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
