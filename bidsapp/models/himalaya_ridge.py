"""The same cross-validated ridge regression through himalaya: a second opinion.

himalaya makes predictions for every regularisation and costs an order of magnitude more; it is
kept as a selectable solver and as the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from himalaya.backend import get_backend, set_backend
from himalaya.ridge import RidgeCV
from himalaya.scoring import correlation_score, l2_neg_loss
from sklearn.model_selection import check_cv

from bidsapp.models.ridge import AlphaMetric, FoldFactors, FoldScores
from bidsapp.models.ridge_factors import FloatArray, IntArray, centred

SplitList = list[tuple[IntArray, IntArray]]


def himalaya_score_fold(
    factors: FoldFactors,
    x: FloatArray,
    y: FloatArray,
    *,
    alpha_metric: AlphaMetric = "correlation",
    device: str = "cpu",
    batch_units: int = 2000,
) -> FoldScores:
    """Do what `bidsapp.models.ridge.score_fold` does, with `himalaya.ridge.RidgeCV`.

    Parameters
    ----------
    factors
        From `factorise`; only blocks, folds, alphas and the way of centring are used.
    x : array of shape (n_rows, n_features)
        Features, lags included.
    y : array of shape (n_rows, n_units)
        Targets.
    alpha_metric
        What chooses the regularisation.
    device
        ``cpu`` or ``cuda``.
    batch_units
        himalaya's ``n_targets_batch``.

    Returns
    -------
    FoldScores
        As from `score_fold`; ties between regularisations may be broken otherwise.

    Notes
    -----
    himalaya's global backend is set for the call and restored after it.
    Source: Dupre la Tour et al. 2022, NeuroImage 264:119728 (himalaya).
    """
    labels, split = factors.labels, factors.refit
    known = ~np.isnan(y[labels >= 0]).any(axis=0)
    train = np.isin(labels, split.train)
    known &= np.any([np.ptp(y[labels == block], axis=0) > 0 for block in split.train], axis=0)
    dtype = np.float64 if y.dtype == np.float64 else np.float32
    x = x.astype(np.float64)
    targets: FloatArray = y[:, known].astype(np.float64)
    if factors.centre == "block":
        x, targets = centred(x, labels, "block"), centred(targets, labels, "block")
    with _backend("torch" if device == "cpu" else "torch_cuda"):
        model = RidgeCV(
            alphas=factors.alphas.astype(dtype),
            fit_intercept=factors.centre == "train",
            cv=check_cv(_splits(factors, labels[train])),
            solver_params={
                "score_func": correlation_score if alpha_metric == "correlation" else l2_neg_loss,
                "n_targets_batch": batch_units,
                "warn": False,
            },
        ).fit(x[train].astype(dtype), targets[train].astype(dtype))
        backend = get_backend()
        weights = backend.to_numpy(model.coef_)
        best = backend.to_numpy(model.best_alphas_)
        inner = backend.to_numpy(model.cv_scores_).reshape(-1)
    if alpha_metric == "mse":
        inner = inner / (centred(targets, labels, "block")[labels >= 0] ** 2).mean(axis=0)
    index = np.abs(np.log(best)[None, :] - np.log(factors.alphas)[:, None]).argmin(axis=0)
    r = [_test_scores(x, targets, labels == block, weights) for block in split.test]
    return FoldScores(
        _scatter(np.stack(r), known, np.nan, dtype),
        _scatter(index, known, -1, np.int16),
        _scatter(inner, known, np.nan, dtype),
    )


def _splits(factors: FoldFactors, labels: IntArray) -> SplitList:
    """Return training and validation rows for each held-out block of each inner fold."""
    return [
        (np.flatnonzero(np.isin(labels, split.train)), np.flatnonzero(labels == block))
        for split in factors.inner
        for block in split.test
    ]


def _test_scores(
    x: FloatArray, y: FloatArray, rows: npt.NDArray[np.bool_], weights: FloatArray
) -> FloatArray:
    prediction = x[rows] @ weights
    prediction -= prediction.mean(axis=0)
    observed = y[rows] - y[rows].mean(axis=0)
    constant = np.ptp(y[rows], axis=0) == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (prediction * observed).sum(axis=0) / np.sqrt(
            (prediction**2).sum(axis=0) * (observed**2).sum(axis=0)
        )
    return np.where(constant, np.nan, r)


def _scatter(
    values: npt.NDArray[Any], known: npt.NDArray[np.bool_], missing: float, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Put the values of known units at their places among all units."""
    result = np.full((*values.shape[:-1], known.size), missing, dtype=dtype)
    result[..., known] = values
    return result


@contextmanager
def _backend(name: str) -> Iterator[None]:
    before = get_backend()
    set_backend(name)
    try:
        yield
    finally:
        set_backend(before)
