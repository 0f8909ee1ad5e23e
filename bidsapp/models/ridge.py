r"""Cross-validated ridge regression for very many targets, exact and without predictions.

For one outer fold, in three steps:

1. `factorise` decomposes the features (`bidsapp.models.ridge_factors`; no targets).
2. Moments :math:`C_b = X_b' Y_b` of every block: time is touched once.
3. Every training set is a sum of blocks. Inner scores of all regularisations and the outer
   score of the chosen one follow from moments (`bidsapp.models.ridge_scores`,
   `bidsapp.models.ridge_batches`).

Targets go through in batches that never meet, each on one thread
(`bidsapp.models.threads`): results depend neither on the batch size, beyond rounding, nor on
the number of threads, at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.errors import InputInvalidError
from bidsapp.models.ridge_batches import (
    AlphaMetric,
    Design,
    FoldScorer,
    Moments,
    Targets,
    block_rows,
)
from bidsapp.models.ridge_factors import (
    Centre,
    FloatArray,
    FoldFactors,
    IntArray,
    centred,
    factorise,
)
from bidsapp.models.threads import map_single_threaded

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
        Score of the chosen regularisation, averaged over the blocks held out in inner folds:
        correlation, or minus the mean squared error in units of the target's variance.
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
        What chooses the regularisation: correlation inside a block held out in an inner fold,
        averaged over all these blocks, or their mean squared error.
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
    In float64, scores equal the closed form to 1e-10. In float32 they are off by about 1e-6,
    and by up to 5e-5 when features hardly change from row to row (autocorrelation .99).
    A block in which a target is constant does not take part in that target's choice.
    Source: nested cross-validation with one regularisation per target, as in voxelwise
    encoding models (Huth et al. 2016; Dupre la Tour et al. 2022).
    """
    scores = score_nested(
        [factors], [x], y, alpha_metric=alpha_metric, device=device, batch_units=batch_units
    )
    r = scores.r[list(factors.refit.test)]
    return FoldScores(r, scores.alpha_index[0], scores.inner_score[0])


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
    for factor, x in zip(factors, designs, strict=True):
        _check_rows(factor, x, y)
    dtype = torch.float64 if y.dtype == np.float64 else torch.float32
    where = torch.device(device)
    scorers = _scorers(factors, designs, dtype, where)
    rows = block_rows(factors[0].labels)
    numpy_dtype = np.float64 if dtype == torch.float64 else np.float32
    n_folds, n_units = len(scorers), y.shape[1]
    scores = NestedScores(
        np.full((int(factors[0].labels.max()) + 1, n_units), np.nan, dtype=numpy_dtype),
        np.full((n_folds, n_units), -1, dtype=np.int16),
        np.full((n_folds, n_units), np.nan, dtype=numpy_dtype),
    )

    def work(start: int) -> None:
        units = slice(start, min(start + batch_units, n_units))
        targets = Targets(y, rows, units, dtype, where)
        moments = None
        for fold, (scorer, factor) in enumerate(zip(scorers, factors, strict=True)):
            if moments is None or moments.design is not scorer.design:
                moments = Moments(scorer.design, targets)
            r, chosen, inner = scorer.score(moments, alpha_metric)
            scores.r[list(factor.refit.test), units] = r.cpu().numpy()
            scores.alpha_index[fold, units] = chosen.cpu().numpy()
            scores.inner_score[fold, units] = inner.cpu().numpy()

    n_workers = None if where.type == "cpu" else 1
    map_single_threaded(work, range(0, n_units, batch_units), n_workers=n_workers)
    return scores


def _scorers(
    factors: Sequence[FoldFactors],
    designs: Sequence[FloatArray],
    dtype: torch.dtype,
    device: torch.device,
) -> list[FoldScorer]:
    """Prepare all folds; consecutive folds with the same features share their design."""
    scorers: list[FoldScorer] = []
    for number, (factor, x) in enumerate(zip(factors, designs, strict=True)):
        shared = scorers and x is designs[number - 1] and scorers[-1].design.serves(factor)
        design = scorers[-1].design if shared else Design(factor, x, dtype, device)
        scorers.append(FoldScorer(factor, design, dtype, device))
    return scorers


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


def _check_rows(factors: FoldFactors, x: FloatArray, y: FloatArray) -> None:
    if not len(x) == len(y) == factors.labels.size or x.shape[1] != factors.basis.shape[0]:
        msg = f"features {x.shape} and targets {y.shape} do not fit factors of \
{factors.labels.size} rows and {factors.basis.shape[0]} features; factorise these features"
        raise InputInvalidError(msg)
