"""Measures of a classification, pooled over folds, and the lines of knowing nothing.

Folds may lack whole classes, so predictions are pooled before they are scored; a class that
never occurs has a recall of NaN and does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from bidsapp.stats.splits import Split

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]

LEAST_STRETCHES = 5
"""With fewer, an interval over stretches means nothing."""


@dataclass(frozen=True, eq=False)
class ClassificationScores:
    """Scores of pooled predictions.

    Attributes
    ----------
    n
        Volumes scored: those with a label and a prediction.
    balanced_accuracy, accuracy, macro_f1
        Shares; balanced accuracy is the mean recall of the classes that occur.
    log_loss
        Mean negative log-probability of the true class, nats.
    calibration_error
        Expected calibration error of the winning class.
    recall, recall_low, recall_high : arrays of shape (n_classes,)
        With a 95 % interval over stretches; see `share_interval`.
    confusion : integer array of shape (n_classes, n_classes)
        True class by predicted class.
    """

    n: int
    balanced_accuracy: float
    accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float
    recall: FloatArray
    recall_low: FloatArray
    recall_high: FloatArray
    confusion: IntArray


def score_predictions(
    labels: IntArray, log_proba: FloatArray, stretch: IntArray | None = None
) -> ClassificationScores:
    """Score pooled predictions.

    Parameters
    ----------
    labels : integer array of shape (n_volumes,)
        -1 where there is none.
    log_proba : array of shape (n_volumes, n_classes)
        Log-probabilities; NaN rows where nothing was predicted.
    stretch : integer array of shape (n_volumes,)
        What is independent: the stretch of one class that a volume lies in, or the participant.
        None: every volume.

    Returns
    -------
    ClassificationScores
        NaN throughout if nothing can be scored.
    """
    used = (labels >= 0) & np.isfinite(log_proba).any(axis=1)
    true, found = labels[used], log_proba[used]
    n_classes = log_proba.shape[1]
    predicted = found.argmax(axis=1) if len(true) else np.zeros(0, np.int64)
    table = confusion_matrix(true, predicted, n_classes)
    per_class, hits = table.sum(axis=1), np.diag(table)
    own = np.arange(len(labels)) if stretch is None else stretch
    ends = [_of_class(true, predicted, own[used], number) for number in range(n_classes)]
    low, high = np.array(ends).reshape(-1, 2).T
    recall = np.where(per_class > 0, hits / np.maximum(per_class, 1), np.nan)
    return ClassificationScores(
        int(used.sum()),
        balanced_accuracy(true, predicted, n_classes),
        float(hits.sum() / len(true)) if len(true) else np.nan,
        _macro_f1(table),
        float(-found[np.arange(len(true)), true].mean()) if len(true) else np.nan,
        calibration_error(true, np.exp(found)),
        recall,
        low,
        high,
        table,
    )


def confusion_matrix(true: IntArray, predicted: IntArray, n_classes: int) -> IntArray:
    """Count true class by predicted class, (n_classes, n_classes)."""
    flat = np.bincount(true * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes)


def balanced_accuracy(true: IntArray, predicted: IntArray, n_classes: int) -> float:
    """Mean recall over the classes that occur in `true`; NaN without any.

    Parameters
    ----------
    true, predicted : integer arrays of shape (n,)
    n_classes
        Number of classes.
    """
    table = confusion_matrix(true, predicted, n_classes)
    per_class = table.sum(axis=1)
    there = per_class > 0
    return float(np.mean(np.diag(table)[there] / per_class[there])) if there.any() else np.nan


def label_stretches(labels: IntArray, series: IntArray) -> IntArray:
    """Give neighbouring volumes of a series that have the same label one number.

    Parameters
    ----------
    labels, series : integer arrays of shape (n_volumes,)
        In the order in which they were measured.

    Returns
    -------
    integer array of shape (n_volumes,)
    """
    changes = (np.diff(labels) != 0) | (np.diff(series) != 0)
    return np.concatenate([[0], np.cumsum(changes)])[: len(labels)].astype(np.int64)


def share_interval(hits: IntArray, n: IntArray, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share of which stretches of volumes, not volumes, are independent.

    Parameters
    ----------
    hits, n : integer arrays of shape (n_stretches,)
        Volumes that were recognised, and volumes, of each stretch.
    level
        Coverage.

    Returns
    -------
    low, high : float
        NaN for fewer than five stretches.

    Notes
    -----
    Wilson's interval with the effective number of volumes: their number divided by how much
    larger the variance over stretches is than that of independent volumes, and Student's t with
    one degree of freedom less than stretches. Where all or none are hits, stretches count as
    volumes. Source: Wilson 1927, J Am Stat Assoc 22, 209-212; Korn and Graubard 1998, Survey
    Methodology 24, 193-201.
    """
    hits, n = hits[n > 0].astype(np.float64), n[n > 0].astype(np.float64)
    k, total = len(n), n.sum()
    if k < LEAST_STRETCHES:
        return np.nan, np.nan
    share = hits.sum() / total
    binomial = share * (1 - share) / total
    over = k / (k - 1) * ((hits - share * n) ** 2).sum() / total**2
    size = float(k) if binomial == 0 else total / max(over / binomial, 1.0)
    z = float(student.ppf(0.5 + level / 2, k - 1))
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _of_class(
    true: IntArray, predicted: IntArray, stretch: IntArray, number: int
) -> tuple[float, float]:
    """Interval of the recall of one class."""
    own = true == number
    _, numbered = np.unique(stretch[own], return_inverse=True)
    n = np.bincount(numbered)
    return share_interval(np.bincount(numbered, predicted[own] == number), n)


def calibration_error(true: IntArray, proba: FloatArray, *, n_bins: int = 10) -> float:
    """Mean distance of confidence and accuracy over equal bins of confidence.

    Parameters
    ----------
    true : integer array of shape (n,)
    proba : array of shape (n, n_classes)
    n_bins
        Bins between 0 and 1, weighted by their counts.

    Returns
    -------
    float
        NaN without volumes.
    """
    if not len(true):
        return np.nan
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == true
    bins = np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)
    surplus = np.bincount(bins, weights=confidence - right, minlength=n_bins)
    return float(np.abs(surplus).sum() / len(true))


def majority_line(labels: IntArray, split: Split, n_classes: int) -> FloatArray:
    """Predict the most frequent training class of each fold.

    Parameters
    ----------
    labels : integer array of shape (n_volumes,)
        -1 where there is none.
    split
        Folds.
    n_classes
        Number of classes.

    Returns
    -------
    array of shape (n_volumes, n_classes)
        Log-probabilities: the training shares, smoothed by one volume per class; the winner is
        the majority class. NaN for volumes that are never tested.
    """
    out = np.full((len(labels), n_classes), np.nan)
    for fold in split.folds:
        out[fold.test] = np.log(_prior(labels[fold.train], n_classes))
    return out


@dataclass(frozen=True)
class PriorLine:
    """Expected scores of drawing each prediction from the training shares."""

    balanced_accuracy: float
    accuracy: float


def prior_line(labels: IntArray, split: Split, n_classes: int) -> PriorLine:
    """Score the drawing of predictions from the training shares, in expectation.

    Parameters
    ----------
    labels, split, n_classes
        As in `majority_line`.

    Returns
    -------
    PriorLine
    """
    shares = np.exp(majority_line(labels, split, n_classes))
    used = (labels >= 0) & np.isfinite(shares).all(axis=1)
    hit = shares[np.flatnonzero(used), labels[used]]
    per_class = np.bincount(labels[used], minlength=n_classes)
    sums = np.bincount(labels[used], weights=hit, minlength=n_classes)
    there = per_class > 0
    recall = sums[there] / per_class[there]
    return PriorLine(
        float(recall.mean()) if there.any() else np.nan,
        float(hit.mean()) if hit.size else np.nan,
    )


def _prior(labels: IntArray, n_classes: int) -> FloatArray:
    counts = np.bincount(labels[labels >= 0], minlength=n_classes) + 1.0
    shares: FloatArray = counts / counts.sum()
    return shares


def _macro_f1(table: IntArray) -> float:
    """Mean F1 over the classes that occur."""
    there = table.sum(axis=1) > 0
    total = table.sum(axis=0) + table.sum(axis=1)
    f1 = 2 * np.diag(table) / np.maximum(total, 1)
    return float(f1[there].mean()) if there.any() else np.nan
