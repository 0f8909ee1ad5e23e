"""Principal components fitted on the training rows of a fold.

Up to `EXACT_ROWS` training rows the components come from the Gram matrix and are exact; beyond,
from randomised subspace iteration, which touches the data in chunks of rows.

Source: Halko, Martinsson & Tropp (2011), SIAM Rev 53, 217-288.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.models.rows import RowSource

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]

EXACT_ROWS = 4000
_ROWS_AT_ONCE = 512
_OVERSAMPLING, _POWER_ITERATIONS = 10, 3


@dataclass(frozen=True, eq=False)
class Projection:
    """Centre and principal axes of training rows.

    Attributes
    ----------
    mean : array of shape (n_features,)
    axes : array of shape (n_features, n_components)
        Orthonormal columns, largest variance first.
    """

    mean: FloatArray
    axes: FloatArray

    def scores(self, x: RowSource, rows: IntArray) -> FloatArray:
        """Project rows; (n_rows, n_components) float64."""
        parts = [part @ self.axes for part in _chunks(x, rows, self.mean)]
        return np.concatenate(parts) if parts else np.zeros((0, self.axes.shape[1]))


def principal_axes(
    x: RowSource, rows: IntArray, n_components: int, *, seed: int = 0
) -> tuple[Projection, FloatArray]:
    """Fit principal components.

    Parameters
    ----------
    x : array of shape (n_rows_in_all, n_features)
        Float of any width; NaN is not allowed.
    rows
        Training rows.
    n_components
        At most; never more than the rank of the centred rows.
    seed
        For the randomised method.

    Returns
    -------
    Projection
    scores : array of shape (n_rows, n_components)
        Of the training rows.
    """
    rows = np.asarray(rows)
    total = sum(part.sum(axis=0, dtype=np.float64) for part in _chunks(x, rows, None))
    mean = np.asarray(total) / len(rows)
    k = max(1, min(n_components, len(rows) - 1, x.shape[1]))
    if len(rows) <= EXACT_ROWS:
        centred = np.concatenate([*_chunks(x, rows, mean)])
        axes = _exact_axes(centred, k)
        return Projection(mean, axes), centred @ axes
    axes, scores = _random_axes(x, rows, mean, k, seed)
    return Projection(mean, axes), scores


def _exact_axes(centred: FloatArray, k: int) -> FloatArray:
    if centred.shape[1] <= centred.shape[0]:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        found = _above_rounding(values[::-1][:k])
        return np.ascontiguousarray(vectors[:, ::-1][:, :k][:, found])
    values, vectors = np.linalg.eigh(centred @ centred.T)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    found = _above_rounding(values)
    axes: FloatArray = centred.T @ (vectors[:, found] / np.sqrt(values[found]))
    return axes


def _random_axes(
    x: RowSource, rows: IntArray, mean: FloatArray, k: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Find axes, in single precision, and scores.

    Products with the data are in single precision, bases and variances in double.
    """
    rng = np.random.default_rng([seed, 0x9CA])
    centre = mean.astype(np.float32)
    axes = rng.standard_normal((x.shape[1], min(k + _OVERSAMPLING, x.shape[1])))
    for _ in range(_POWER_ITERATIONS):
        single = np.linalg.qr(axes)[0].astype(np.float32)
        axes = np.zeros_like(axes)
        for part in _chunks(x, rows, centre):
            axes += part.T @ (part @ single)
    basis = np.linalg.qr(axes)[0]
    single = basis.astype(np.float32)
    parts = [part @ single for part in _chunks(x, rows, centre)]
    scores = np.concatenate(parts).astype(np.float64)
    values, vectors = np.linalg.eigh(scores.T @ scores)
    found = _above_rounding(values[::-1][:k])
    best = vectors[:, ::-1][:, :k][:, found]
    return (basis @ best).astype(np.float32), scores @ best


def _above_rounding(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Components to keep; the first one always, so that there is one."""
    keep: npt.NDArray[np.bool_] = values > 1e-10 * max(float(values[0]), 1e-300)
    keep[0] = values[0] > 0
    return keep


def _chunks(x: RowSource, rows: IntArray, mean: FloatArray | None) -> Iterator[FloatArray]:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        kind = np.float64 if mean is None else mean.dtype
        part = np.asarray(x[rows[start : start + _ROWS_AT_ONCE]], kind)
        yield part if mean is None else part - mean
