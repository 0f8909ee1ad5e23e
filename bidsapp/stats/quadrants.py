"""Valence and arousal as quadrants, how alike quadrants are, and how well both are predicted.

``quadrant``
    0 to 3: Q1 both high, Q2 low valence and high arousal, Q3 both low, Q4 high valence and low
    arousal.
``tie``
    a rating that lies on a threshold: it belongs to no quadrant and is counted.

Source: Russell 1980, J Pers Soc Psychol 39, 1161-1178; quadrants as in arXiv 2408.07113.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
TIE, MISSING = -1, -2
CENTRES = np.array([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])
"""Sign of valence and arousal of each quadrant, (4, 2)."""


def quadrants(
    valence: npt.ArrayLike, arousal: npt.ArrayLike, thresholds: tuple[float, float] = (0.0, 0.0)
) -> Ints:
    """Classify ratings.

    Parameters
    ----------
    valence, arousal
        (n,); NaN where missing.
    thresholds
        Of valence and of arousal: the middle of the scale.

    Returns
    -------
    integer array of shape (n,)
        0 to 3; `TIE` on a threshold, `MISSING` without a rating.
    """
    high_valence = np.asarray(valence, np.float64) - thresholds[0]
    high_arousal = np.asarray(arousal, np.float64) - thresholds[1]
    classes = np.where(
        high_arousal > 0, np.where(high_valence > 0, 0, 1), np.where(high_valence > 0, 3, 2)
    )
    classes[(high_valence == 0) | (high_arousal == 0)] = TIE
    classes[~np.isfinite(high_valence + high_arousal)] = MISSING
    return classes.astype(np.int64)


def panel_agreement(
    means: Floats, spreads: Floats, n_raters: npt.ArrayLike, thresholds: tuple[float, float]
) -> float:
    """Share of sounds that a second panel of raters would put into the same quadrant.

    Parameters
    ----------
    means, spreads
        (n, 2) mean and standard deviation over raters of valence and arousal.
    n_raters
        Raters of a panel, (n,) or a number.
    thresholds
        As `quadrants` takes them.

    Returns
    -------
    float
        Mean probability over sounds without ties; NaN where no spread is known.

    Notes
    -----
    The difference of two panel means is normal with a variance of ``2 spread² / n_raters``;
    valence and arousal err independently.
    """
    distance = np.abs(means - np.asarray(thresholds))
    error = spreads * np.sqrt(2.0 / np.broadcast_to(n_raters, len(means)))[:, None]
    known = np.isfinite(distance + error).all(axis=1) & (distance > 0).all(axis=1)
    if not known.any():
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(ndtr(distance[known] / error[known]).prod(axis=1).mean())


def entropy(probabilities: Floats) -> npt.NDArray[np.float64]:
    """Entropy in bits over the last axis."""
    p = np.maximum(probabilities, 1e-300)
    return np.asarray(-(probabilities * np.log2(p)).sum(axis=-1))


def similarity(first: Floats, second: Floats) -> npt.NDArray[np.float64]:
    """Return 1 - Jensen-Shannon distance (base 2) of probabilities over the last axis.

    1 for the same, 0 for distributions without a common class.
    """
    between = entropy((first + second) / 2) - (entropy(first) + entropy(second)) / 2
    return np.asarray(1.0 - np.sqrt(np.clip(between, 0.0, 1.0)))


def r_squared(true: Floats, predicted: Floats) -> float:
    """Return 1 - residual / total sum of squares of (n,) values; NaN if `true` is constant."""
    total = float(np.sum((true - true.mean()) ** 2)) if len(true) else 0.0
    return 1.0 - float(np.sum((true - predicted) ** 2)) / total if total else float("nan")


def concordance(true: Floats, predicted: Floats) -> float:
    """Concordance correlation of (n,) values; NaN if both are constant.

    Source: Lin 1989, Biometrics 45, 255-268.
    """
    if not len(true):
        return float("nan")
    covariance = float(np.mean((true - true.mean()) * (predicted - predicted.mean())))
    scale = float(true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2)
    return 2.0 * covariance / scale if scale else float("nan")
