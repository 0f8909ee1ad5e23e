"""Scores: correlation by column, and where along the layers a unit responds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]


def pearson(x: FloatArray, y: FloatArray) -> FloatArray:
    """Correlate columns with columns, leaving out rows where either is NaN.

    Parameters
    ----------
    x, y : arrays of shape (n_rows, n_columns)
        Either may have one column or one dimension; it is then paired with all of the other's.

    Returns
    -------
    array of shape (n_columns,)
        NaN where a column is constant or has fewer than two common rows.
    """
    x, y = (np.asarray(a, dtype=np.float64) for a in (x, y))
    x, y = np.broadcast_arrays(*(a[:, None] if a.ndim == 1 else a for a in (x, y)))
    known = ~(np.isnan(x) | np.isnan(y))
    n = np.maximum(np.count_nonzero(known, axis=0), 1)
    x, y = (_deviations(a, known, n) for a in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return np.asarray(np.clip(r, -1.0, 1.0))


def _deviations(x: FloatArray, known: BoolArray, n: IntArray) -> FloatArray:
    """Subtract the mean of the known rows; columns that are constant to rounding become 0."""
    x = np.where(known, x, 0.0)
    mean = x.sum(axis=0) / n
    x = np.where(known, x - mean, 0.0)
    rounding = 16 * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(np.abs(x).max(axis=0, initial=0.0) > rounding, x, 0.0)


def fisher_z(r: FloatArray) -> FloatArray:
    """Return the inverse hyperbolic tangent of correlations, finite at -1 and 1."""
    return np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))


def best_layer(
    scores: FloatArray, *, mask: BoolArray | None = None, competes: BoolArray | None = None
) -> IntArray:
    """Return the number of the layer with the largest positive score.

    Parameters
    ----------
    scores : array of shape (n_layers, n_units)
    mask : array of shape (n_units,), optional
        Units outside are undefined.
    competes : array of shape (n_layers,), optional
        Layers that may be chosen; all by default.

    Returns
    -------
    integer array of shape (n_units,)
        1 to n_layers; 0, the label of "undefined", where no score is positive. The first of
        equal layers counts.
    """
    positive = _positive(scores, mask, competes)
    return np.where(positive.any(axis=0), positive.argmax(axis=0) + 1, 0).astype(np.int64)


def centroid_layer(
    scores: FloatArray, *, mask: BoolArray | None = None, competes: BoolArray | None = None
) -> FloatArray:
    """Return the mean layer number, each layer weighted by its positive score.

    Parameters
    ----------
    scores : array of shape (n_layers, n_units)
    mask : array of shape (n_units,), optional
        Units outside are undefined.
    competes : array of shape (n_layers,), optional
        Layers that are weighted; all by default.

    Returns
    -------
    array of shape (n_units,)
        Between 1 and n_layers; NaN where no score is positive.
    """
    positive = _positive(scores, mask, competes)
    numbers = np.arange(1, positive.shape[0] + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(numbers @ positive / positive.sum(axis=0))


def _positive(
    scores: FloatArray, mask: BoolArray | None, competes: BoolArray | None
) -> FloatArray:
    positive = np.where(np.asarray(scores) > 0, scores, 0.0).astype(np.float64)
    if competes is not None:
        positive[~competes] = 0.0
    return positive if mask is None else np.where(mask, positive, 0.0)
