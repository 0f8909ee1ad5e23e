"""Linear decoders on the same folds as the networks: what a CNN has to beat.

Everything is fitted inside a fold: standardisation or principal components on its training
rows (labelled or not: they know no labels), regularisation on its inner rows, weights on its
training rows. Projections do not depend on labels, so they are computed once and serve all
refits with shifted labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import LinearSVC

from bidsapp.errors import InputInvalidError
from bidsapp.models.fold_pca import Projection, principal_axes
from bidsapp.models.rows import RowSource
from bidsapp.stats.classification import balanced_accuracy
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import Split

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]


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
        return np.maximum(found, -50.0)


class Decoder(Protocol):
    """Fits weights for one strength of regularisation."""

    def __call__(self, x: FloatArray, y: IntArray, n_classes: int, strength: float) -> LinearModel:
        """Fit standardised `x` (n, n_features) to classes `y` (n,), at least two of them."""


def logistic(x: FloatArray, y: IntArray, n_classes: int, strength: float) -> LinearModel:
    """Multinomial logistic regression with L2 penalty and balanced classes."""
    model = LogisticRegression(C=1 / strength, class_weight="balanced", max_iter=200, tol=1e-3)
    return _linear(model.fit(x, y), n_classes)


def ridge(x: FloatArray, y: IntArray, n_classes: int, strength: float) -> LinearModel:
    """Ridge classifier on ±1 targets, balanced classes; its logits are not calibrated."""
    model = RidgeClassifier(alpha=strength * len(y), class_weight="balanced", solver="cholesky")
    return _linear(model.fit(x, y), n_classes)


def svm(x: FloatArray, y: IntArray, n_classes: int, strength: float) -> LinearModel:
    """Linear support vector machine, one class against the rest; logits are not calibrated."""
    model = LinearSVC(C=1 / strength, class_weight="balanced", dual=True, random_state=0)
    return _linear(model.fit(x, y), n_classes)


DECODERS: dict[str, Decoder] = {"logistic": logistic, "ridge": ridge, "svm": svm}
STRENGTHS: dict[str, tuple[float, ...]] = {
    "logistic": (1.0, 10.0, 100.0, 1000.0),
    "ridge": (0.01, 0.1, 1.0, 10.0),
    "svm": (1e2, 1e3, 1e4),
}
"""Regularisations that the inner fold chooses from, for features of unit variance."""


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows and their features under one projection."""

    train: IntArray
    test: IntArray
    x_train: FloatArray
    x_test: FloatArray
    back: FloatArray


@dataclass(frozen=True, eq=False)
class PreparedFold:
    """Features of a fold under projections fitted on its training rows.

    Attributes
    ----------
    outer, inner
        Training and test rows of the fold, and the same of its inner fold.
    projection
        Of the outer training rows; None without principal components.
    """

    outer: _Part
    inner: _Part
    projection: Projection | None


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
    folds = []
    for fold in split.folds:
        outer, projection = _part(features, fold.train, fold.test, n_components, seed)
        inner, _ = _part(features, fold.inner.train, fold.inner.val, n_components, seed)
        folds.append(PreparedFold(outer, inner, projection))
    return tuple(folds)


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
    """Choose a regularisation on each inner fold, fit, and predict the held-out volumes.

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
    """
    if decoder not in DECODERS:
        msg = f"there is no linear decoder {decoder!r}; choose one of {', '.join(DECODERS)}"
        raise InputInvalidError(msg)
    grid = tuple(strengths or STRENGTHS[decoder])
    fit = DECODERS[decoder]
    out = np.full((len(labels), n_classes), np.nan)
    models = []
    for fold in prepared:
        strength = _choose(fold.inner, labels, fit, n_classes, grid)
        model = _fit_part(fold.outer, labels, fit, n_classes, strength)
        if model is None:
            out[fold.outer.test] = _only_class(labels[fold.outer.train], n_classes)
        else:
            out[fold.outer.test] = model.log_proba(fold.outer.x_test)
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
        x = fold.outer.x_train
        logits = x @ _against_the_others(model)
        logits = logits - logits.mean(axis=0)
        inverse = np.linalg.pinv(logits.T @ logits, rcond=1e-8, hermitian=True)
        inside = (x - x.mean(axis=0)).T @ logits @ inverse
        back = fold.outer.back[:, None] * inside
        whole = back if fold.projection is None else fold.projection.axes @ back
        patterns.append(whole.T)
    if patterns:
        return np.asarray(np.mean(patterns, axis=0))
    first = prepared[0]
    size = len(first.outer.back) if first.projection is None else len(first.projection.mean)
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


def _part(
    features: RowSource, train: IntArray, test: IntArray, n_components: int | None, seed: int
) -> tuple[_Part, Projection | None]:
    projection = None
    x_train: FloatArray
    x_test: FloatArray
    if n_components is None:
        x_train = np.asarray(features[train], np.float64)
        x_test = np.asarray(features[test], np.float64)
        spread = x_train.std(axis=0)
        safe = np.where(spread > 0, spread, 1.0)
    else:
        projection = principal_axes(features, train, n_components, seed=seed)
        x_train, x_test = projection.scores(features, train), projection.scores(features, test)
        spread = np.full(x_train.shape[1], np.sqrt(np.mean(x_train.var(axis=0))))
        safe = np.where(spread > 0, spread, 1.0)
    mean = x_train.mean(axis=0)
    part = _Part(train, test, (x_train - mean) / safe, (x_test - mean) / safe, safe)
    return part, projection


def _choose(
    inner: _Part, labels: IntArray, fit: Decoder, n_classes: int, grid: tuple[float, ...]
) -> float:
    """Strength with the best balanced accuracy on the inner validation rows."""
    used = labels[inner.test] >= 0
    scores = []
    for strength in sorted(grid, reverse=True):
        model = _fit_part(inner, labels, fit, n_classes, strength)
        if model is None or not used.any():
            return float(np.median(grid))
        predicted = model.log_proba(inner.x_test[used]).argmax(axis=1)
        scores.append(balanced_accuracy(labels[inner.test][used], predicted, n_classes))
    return sorted(grid, reverse=True)[int(np.argmax(scores))]


def _fit_part(
    part: _Part, labels: IntArray, fit: Decoder, n_classes: int, strength: float
) -> LinearModel | None:
    """Fit on labelled training rows; None if they hold fewer than two classes."""
    y = labels[part.train]
    used = y >= 0
    if len(np.unique(y[used])) < 2:
        return None
    return fit(part.x_train[used], y[used], n_classes, strength)


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


def _linear(
    model: LogisticRegression | RidgeClassifier | LinearSVC, n_classes: int
) -> LinearModel:
    """Weights and intercepts of all classes, also of those that were not in training."""
    coef, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if len(coef) == 1:
        coef, intercept = np.vstack([-coef, coef]) / 2, np.r_[-intercept, intercept] / 2
    weights = np.zeros((coef.shape[1], n_classes))
    bias = np.full(n_classes, -np.inf)
    weights[:, model.classes_], bias[model.classes_] = coef.T, intercept
    return LinearModel(weights, bias)
