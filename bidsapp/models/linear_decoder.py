"""Linear decoders on the same folds as the networks: what a CNN has to beat.

Everything is fitted inside a fold: standardisation or principal components on its training
rows (labelled or not: they know no labels), regularisation on its inner rows, weights on its
training rows. Projections do not depend on labels, so they are computed once and serve all
refits with shifted labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from bidsapp.errors import InputInvalidError
from bidsapp.models.class_moments import ClassMoments, Parts
from bidsapp.models.fold_pca import Projection, principal_axes
from bidsapp.models.rows import RowSource
from bidsapp.stats.classification import balanced_accuracy
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import DecodingFold, Split

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]

_LEAST = -50.0  # log-probability of a class that cannot be


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Logits = x @ weights + intercept.

    Attributes
    ----------
    weights : array of shape (n_features, n_classes)
    intercept : array of shape (n_classes,)
        Minus infinity for classes that were never seen.
    """

    weights: FloatArray
    intercept: FloatArray

    def log_proba(self, x: FloatArray) -> FloatArray:
        """Log-probabilities (n, n_classes); finite, unseen classes near zero probability."""
        found: FloatArray = log_softmax(x @ self.weights + self.intercept, axis=1)
        return np.maximum(found, _LEAST)


class Decoder(Protocol):
    """Fits weights for several strengths of regularisation."""

    def __call__(
        self, x: FloatArray, y: IntArray, n_classes: int, strengths: Sequence[float]
    ) -> list[LinearModel]:
        """Fit standardised `x` (n, n_features) to classes `y` (n,), at least two of them."""


def logistic(
    x: FloatArray, y: IntArray, n_classes: int, strengths: Sequence[float]
) -> list[LinearModel]:
    """Multinomial logistic regression with L2 penalty and balanced classes."""
    models = (
        LogisticRegression(C=1 / strength, class_weight="balanced", max_iter=200, tol=1e-3)
        for strength in strengths
    )
    return [_linear(model.fit(x, y), n_classes) for model in models]


def ridge(
    x: FloatArray, y: IntArray, n_classes: int, strengths: Sequence[float]
) -> list[LinearModel]:
    """Ridge regression of ±1 targets, balanced classes; one product for all strengths.

    Source: as `sklearn.linear_model.RidgeClassifier` with an alpha of strength times rows.
    """
    seen, number, counts = np.unique(y, return_inverse=True, return_counts=True)
    weight = len(y) / (len(seen) * counts[number])
    targets = np.where(number[:, None] == np.arange(len(seen)), 1.0, -1.0)
    x_mean, y_mean = weight @ x / len(y), weight @ targets / len(y)
    root = np.sqrt(weight)[:, None]
    a, b = (x - x_mean) * root, (targets - y_mean) * root
    is_wide = a.shape[1] > len(a)
    product = a @ a.T if is_wide else a.T @ a
    known = b if is_wide else a.T @ b
    models = []
    for strength in strengths:
        penalised = product + strength * len(y) * np.eye(len(product))
        solved = scipy.linalg.solve(penalised, known, assume_a="pos")
        weights = np.zeros((x.shape[1], n_classes))
        intercept = np.full(n_classes, -np.inf)
        weights[:, seen] = a.T @ solved if is_wide else solved
        intercept[seen] = y_mean - x_mean @ weights[:, seen]
        models.append(LinearModel(weights, intercept))
    return models


def svm(
    x: FloatArray, y: IntArray, n_classes: int, strengths: Sequence[float]
) -> list[LinearModel]:
    """Linear support vector machine, one class against the rest."""
    models = (
        LinearSVC(C=1 / strength, class_weight="balanced", dual=True, random_state=0)
        for strength in strengths
    )
    return [_linear(model.fit(x, y), n_classes) for model in models]


_PartFit = Callable[[int, Sequence[float]], list[LinearModel] | None]
DECODERS: dict[str, Decoder] = {"logistic": logistic, "ridge": ridge, "svm": svm}
STRENGTHS: dict[str, tuple[float, ...]] = {
    "logistic": (1.0, 10.0, 1e2, 1e3, 1e4),
    "ridge": (0.1, 1.0, 10.0, 100.0, 1000.0),
    "svm": (1e2, 1e3, 1e4),
}
"""Regularisations that the inner folds choose from, for features of unit variance."""
_SCALES = np.logspace(-1, 5, 31)
"""Factors of logits that the inner folds choose from."""


@dataclass(frozen=True, eq=False)
class PreparedFold:
    """Features of a fold under a projection fitted on its training rows.

    Attributes
    ----------
    train, test
        Rows of the fold.
    inners
        Divisions of the training rows: places in `train` to learn from, and to validate on.
    x_train, x_test
        (n_rows, n_features) projected, standardised by the training rows.
    back
        (n_features,) what they were divided by.
    projection
        None without principal components.
    """

    train: IntArray
    test: IntArray
    inners: tuple[tuple[IntArray, IntArray], ...]
    x_train: FloatArray
    x_test: FloatArray
    back: FloatArray
    projection: Projection | None

    @cached_property
    def parts(self) -> Parts:
        """Training rows of the inner folds, and all of them."""
        n_rows = len(self.train)
        learnt = [rows for rows, _ in self.inners]
        return Parts.of([*learnt, np.arange(n_rows)], n_rows)


def prepare(
    features: RowSource, split: Split, *, n_components: int | None = 100, seed: int = 0
) -> tuple[PreparedFold, ...]:
    """Project the features of every fold; labels are not needed.

    Parameters
    ----------
    features : array of shape (n_volumes, n_features)
        Voxels, parcels, confounds or probes; memory maps are read in chunks.
    split
        Folds.
    n_components
        Principal components of the training rows; None: the features themselves, standardised.
    seed
        For the randomised components of more than 4,000 rows.

    Returns
    -------
    tuple of PreparedFold
    """
    return tuple(_prepared(features, fold, n_components, seed) for fold in split.folds)


@dataclass(frozen=True, eq=False)
class Decoded:
    """Predictions of a linear decoder.

    Attributes
    ----------
    log_proba : array of shape (n_volumes, n_classes)
        NaN where never tested.
    models
        Weights of each fold in its projected features, or None.
    """

    log_proba: FloatArray
    models: tuple[LinearModel | None, ...]


def decode(
    prepared: Sequence[PreparedFold],
    labels: IntArray,
    decoder: str = "logistic",
    *,
    n_classes: int,
    strengths: Sequence[float] | None = None,
) -> Decoded:
    """Choose a regularisation on inner folds, fit, and predict the held-out volumes.

    Parameters
    ----------
    prepared
        From `prepare`.
    labels : integer array of shape (n_volumes,)
        -1 where there is none: not trained on, but predicted.
    decoder
        Of `DECODERS`.
    n_classes
        Number of classes.
    strengths
        Regularisations; by default those of `STRENGTHS`. The strongest wins ties.

    Returns
    -------
    Decoded

    Raises
    ------
    InputInvalidError
        For an unknown decoder.

    Notes
    -----
    The strength has the best mean balanced accuracy over the inner folds; there, too, logits are
    multiplied by what makes their probabilities most likely, which changes no prediction.
    Source: Guo et al. (2017), ICML (temperature scaling).
    """
    if decoder not in DECODERS:
        msg = f"there is no linear decoder {decoder!r}; choose one of {', '.join(DECODERS)}"
        raise InputInvalidError(msg)
    grid = sorted(strengths or STRENGTHS[decoder], reverse=True)
    out = np.full((len(labels), n_classes), np.nan)
    models: list[LinearModel | None] = []
    for fold in prepared:
        y = labels[fold.train]
        fit = _fits(fold, y, decoder, n_classes)
        strength, scale = _choose(fold, y, fit, n_classes, grid)
        fitted = fit(len(fold.inners), [strength])
        if fitted is None:
            out[fold.test] = _only_class(y, n_classes)
            models.append(None)
            continue
        model = LinearModel(scale * fitted[0].weights, scale * fitted[0].intercept)
        out[fold.test] = model.log_proba(fold.x_test)
        models.append(model)
    return Decoded(out, tuple(models))


def haufe_patterns(prepared: Sequence[PreparedFold], decoded: Decoded) -> FloatArray:
    """Activation patterns of the weights, averaged over folds.

    Parameters
    ----------
    prepared
        From `prepare`, with principal components or without.
    decoded
        From `decode` on them.

    Returns
    -------
    array of shape (n_classes, n_features)
        Change of each feature with each class's logit; NaN if no fold was fitted.

    Notes
    -----
    Pattern = cov(x) W cov(s)⁺ with s = x W the logits, W less its mean over classes (a direction
    in which logits say nothing). Of x only what the projection keeps takes part.
    Source: Haufe et al. 2014, NeuroImage 87, 96-110.
    """
    n_classes = decoded.log_proba.shape[1]
    patterns = []
    for fold, model in zip(prepared, decoded.models, strict=True):
        if model is None:
            continue
        x = fold.x_train
        logits = x @ _against_the_others(model)
        logits = logits - logits.mean(axis=0)
        inverse = np.linalg.pinv(logits.T @ logits, rcond=1e-8, hermitian=True)
        inside = (x - x.mean(axis=0)).T @ logits @ inverse
        back = fold.back[:, None] * inside
        whole = back if fold.projection is None else fold.projection.axes @ back
        patterns.append(whole.T)
    if patterns:
        return np.asarray(np.mean(patterns, axis=0))
    first = prepared[0]
    size = len(first.back) if first.projection is None else len(first.projection.mean)
    return np.full((n_classes, size), np.nan)


def time_probe(samples: Samples, *, spacing_s: float = 30.0) -> FloatArray:
    """Features that know only the time in the run: smooth bumps, (n_volumes, n_bumps)."""
    centres = np.arange(0.0, samples.time_s.max() + spacing_s, spacing_s)
    bumps: FloatArray = np.exp(-0.5 * ((samples.time_s[:, None] - centres) / spacing_s) ** 2)
    return bumps


def run_probe(samples: Samples) -> FloatArray:
    """Features that know only the run: one column per run of each participant."""
    series = samples.series
    one_hot: FloatArray = (series[:, None] == np.arange(int(series.max()) + 1)).astype(np.float64)
    return one_hot


def _prepared(
    features: RowSource, fold: DecodingFold, n_components: int | None, seed: int
) -> PreparedFold:
    projection = None
    x_train: FloatArray
    x_test: FloatArray
    if n_components is None:
        x_train = np.asarray(features[fold.train], np.float64)
        x_test = np.asarray(features[fold.test], np.float64)
        spread = x_train.std(axis=0)
    else:
        projection, x_train = principal_axes(features, fold.train, n_components, seed=seed)
        x_test = projection.scores(features, fold.test)
        spread = np.full(x_train.shape[1], np.sqrt(np.mean(x_train.var(axis=0))))
    safe = np.where(spread > 0, spread, 1.0)
    mean = x_train.mean(axis=0)
    inners = tuple(
        (np.searchsorted(fold.train, part.train), np.searchsorted(fold.train, part.val))
        for part in fold.inners
    )
    x_train, x_test = (x_train - mean) / safe, (x_test - mean) / safe
    return PreparedFold(fold.train, fold.test, inners, x_train, x_test, safe, projection)


def _fits(fold: PreparedFold, y: IntArray, decoder: str, n_classes: int) -> _PartFit:
    """Return what fits a part of the training rows: an inner fold's, or last all of them.

    It gives None where fewer than two classes have rows.
    """

    def plain(part: int, strengths: Sequence[float]) -> list[LinearModel] | None:
        rows = fold.parts.rows(part)
        rows = rows[y[rows] >= 0]
        if len(np.unique(y[rows])) < 2:
            return None
        return DECODERS[decoder](fold.x_train[rows], y[rows], n_classes, strengths)

    n_features = fold.x_train.shape[1]
    if decoder != "ridge" or n_features > min([len(y), *(len(rows) for rows, _ in fold.inners)]):
        return plain
    moments = ClassMoments.of(fold.x_train, y, n_classes, fold.parts)

    def shared(part: int, strengths: Sequence[float]) -> list[LinearModel] | None:
        if n_features > moments.n_rows(part):
            return plain(part, strengths)
        fits = moments.ridge(part, strengths)
        return None if fits is None else [LinearModel(*values) for values in fits]

    return shared


def _choose(
    fold: PreparedFold, y: IntArray, fit: _PartFit, n_classes: int, grid: Sequence[float]
) -> tuple[float, float]:
    """Strength and scale of the logits that do best on the inner validation rows."""
    accuracy, logits, truth = [], [], []
    for part, (_, validated) in enumerate(fold.inners):
        models = fit(part, grid)
        used = validated[y[validated] >= 0]
        if models is None or not used.size:
            continue
        x = fold.x_train[used]
        made = np.stack([x @ model.weights + model.intercept for model in models])
        chosen = made.argmax(axis=2)
        accuracy.append([balanced_accuracy(y[used], row, n_classes) for row in chosen])
        logits.append(made)
        truth.append(y[used])
    if not accuracy:
        return float(np.median(grid)), 1.0
    best = int(np.argmax(np.mean(accuracy, axis=0)))
    at_best = np.concatenate([made[best] for made in logits])
    rows, right = np.arange(len(at_best)), np.concatenate(truth)
    likelihood = [
        np.maximum(log_softmax(scale * at_best, axis=1), _LEAST)[rows, right].mean()
        for scale in _SCALES
    ]
    return grid[best], float(_SCALES[int(np.argmax(likelihood))])


def _against_the_others(model: LinearModel) -> FloatArray:
    """Weights less their mean over the classes seen in training."""
    seen = np.isfinite(model.intercept)
    weights = np.zeros_like(model.weights)
    weights[:, seen] = model.weights[:, seen] - model.weights[:, seen].mean(axis=1, keepdims=True)
    return weights


def _only_class(labels: IntArray, n_classes: int) -> FloatArray:
    counts = np.bincount(labels[labels >= 0], minlength=n_classes) + 1.0
    prior: FloatArray = np.log(counts / counts.sum())
    return prior


def _linear(model: LogisticRegression | LinearSVC, n_classes: int) -> LinearModel:
    """Weights and intercepts of all classes, also of those that were not in training."""
    coef, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if len(coef) == 1:
        coef, intercept = np.vstack([-coef, coef]) / 2, np.r_[-intercept, intercept] / 2
    weights = np.zeros((coef.shape[1], n_classes))
    bias = np.full(n_classes, -np.inf)
    weights[:, model.classes_], bias[model.classes_] = coef.T, intercept
    return LinearModel(weights, bias)
