r"""Ridge regression in nested folds over a few blocks of rows, each training set decomposed once.

Outer fold i without its inner fold j trains on the same rows as outer fold j without its inner
fold i; rows near blocks that are held out are left out of both alike. Training sets that occur
several times are decomposed once, and all targets (embeddings of several networks) go through
together.

Decompositions and final predictions are in float64; errors by which penalties are chosen come from
products in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bidsapp.models.ridge_batches import TIE
from bidsapp.models.ridge_designs import Blocks, Design, TrainingSet
from bidsapp.models.threads import map_single_threaded
from bidsapp.stats.folds import Fold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Metric = Literal["correlation", "mse"]
_TINY = float(np.finfo(np.float32).tiny)
_ROUNDING = 16 * float(np.finfo(np.float32).eps)


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
    near = [design.near(plan.fold.test, plan.train) for plan in plans]
    uses: dict[tuple[Blocks, Blocks], list[tuple[int, Blocks]]] = {}
    for number, plan in enumerate(plans):
        for held_out in plan.fold.inner:
            train = plan.without(held_out)
            left_out = design.near((*plan.fold.test, *held_out), train)
            uses.setdefault((train, left_out), []).append((number, tuple(held_out)))

    def score(key: tuple[Blocks, Blocks]) -> list[tuple[int, torch.Tensor]]:
        train, left_out = key
        blocks = tuple(sorted({block for _, held_out in uses[key] for block in held_out}))
        fitted = design.decompose(train, blocks, left_out)
        known: dict[tuple[int, Blocks, float], torch.Tensor] = {}
        wanted = _union([plans[number].wanted for number, _ in uses[key]])

        def score_block(number: int, block: int) -> torch.Tensor:
            scale = plans[number].scale
            if (block, near[number], scale) not in known:
                known[block, near[number], scale] = _scores(
                    fitted,
                    block,
                    design.targets[block],
                    [alpha * scale for alpha in alphas],
                    metric,
                    device,
                    wanted,
                    design.kept(block, near[number]),
                )
            return known[block, near[number], scale]

        return [
            (number, torch.stack([score_block(number, block) for block in held_out]).sum(0))
            for number, held_out in uses[key]
        ]

    totals: dict[int, torch.Tensor] = {}
    for part in map_single_threaded(score, list(uses)):
        for number, values in part:
            totals[number] = totals[number] + values if number in totals else values

    def predict(number: int) -> tuple[Floats, Ints, Floats]:
        plan = plans[number]
        total = totals[number] / sum(len(held_out) for held_out in plan.fold.inner)
        variance, varies = _within(design, plan.train, near[number])
        if plan.wanted is not None:
            varies &= torch.from_numpy(plan.wanted)
        if metric == "mse":
            total = total / torch.where(varies, variance, torch.nan)
        index, inner = _choose(total, varies)
        fitted = design.decompose(plan.train, tuple(plan.fold.test), near[number])
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
    kept: torch.Tensor | None = None,
) -> torch.Tensor:
    """Score of all penalties in one held-out block, (n_alphas, n_targets) float64.

    Targets that are not among those `wanted` have 0, rows that are not `kept` do not count.
    """
    n_targets, seen_rows = targets.shape[1], fitted.held_out[block]
    if kept is not None:
        targets, seen_rows = targets[kept], seen_rows[kept]
    if wanted is not None:
        moments, mean = fitted.moments[:, wanted], fitted.target_mean[wanted]
        fitted = replace(fitted, moments=moments, target_mean=mean)
        targets = targets[:, wanted]

    def single(values: torch.Tensor) -> torch.Tensor:
        return values.to(device=device, dtype=torch.float32)

    seen, moments = single(seen_rows), single(fitted.moments)
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


def _within(design: Design, train: Blocks, left_out: Blocks) -> tuple[torch.Tensor, torch.Tensor]:
    """Variance of targets about the means of training blocks, and whether it is not rounding."""
    places = [design.kept(block, left_out) for block in train]
    each = [design.targets[block] for block in train]
    own = [part if kept is None else part[kept] for part, kept in zip(each, places, strict=True)]
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
