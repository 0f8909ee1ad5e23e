"""The hidden layer in two dimensions, and whether classes separate in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.stats.label_nulls import label_null
from bidsapp.stats.samples import Samples

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Embedding:
    """Two principal components.

    Attributes
    ----------
    points : array of shape (n, 2)
        The larger loading of each axis is positive, so that signs are determined.
    explained : array of shape (2,)
        Shares of variance.
    """

    points: FloatArray
    explained: FloatArray


def hidden_embedding(hidden: FloatArray) -> Embedding:
    """Project hidden vectors on their first two principal components.

    Parameters
    ----------
    hidden : array of shape (n, n_hidden)
        From `hidden_vectors`; of held-out volumes of one network.

    Returns
    -------
    Embedding

    Raises
    ------
    InputInvalidError
        With fewer than three volumes.
    """
    if len(hidden) < 3:
        msg = f"an embedding needs at least 3 volumes, not {len(hidden)}; test on more volumes"
        raise InputInvalidError(msg)
    centred = hidden - hidden.mean(axis=0)
    left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    largest = axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)]
    points = left[:, :2] * sizes[:2] * np.sign(largest)
    total = float((sizes**2).sum())
    return Embedding(points, sizes[:2] ** 2 / total if total else np.zeros(2))


def silhouette(points: FloatArray, labels: IntArray) -> float:
    """Mean over classes of the mean silhouette of their points.

    Parameters
    ----------
    points : array of shape (n, n_dimensions)
    labels : integer array of shape (n,)
        Rows with -1 are left out; classes with one point score 0.

    Returns
    -------
    float
        From -1 to 1; NaN with fewer than two classes.

    Notes
    -----
    Source: Rousseeuw 1987, J Comput Appl Math 20, 53-65; averaged over classes first, so that
    frequent classes do not decide.
    """
    used = labels >= 0
    points, labels = points[used], labels[used]
    classes, number = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        return np.nan
    squares = (points**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0.0))
    np.fill_diagonal(distance, 0.0)
    member = (number[:, None] == np.arange(len(classes))).astype(np.float64)
    sums, size = distance @ member, member.sum(axis=0)
    own = np.arange(len(labels)), number
    within = sums[own] / np.maximum(size[number] - 1, 1)
    means = sums / size
    means[own] = np.inf
    between = means.min(axis=1)
    larger = np.maximum(within, between)
    score = np.where(larger > 0, (between - within) / np.where(larger > 0, larger, 1.0), 0.0)
    score[size[number] == 1] = 0.0
    return float(np.mean([score[number == k].mean() for k in range(len(classes))]))


def silhouette_null(
    points: FloatArray,
    labels: IntArray,
    samples: Samples,
    n_shifts: int,
    *,
    min_shift: int,
    seed: int,
) -> FloatArray:
    """Silhouettes (n_shifts,) of the classes when labels are shifted within runs.

    Parameters
    ----------
    points : array of shape (n, 2)
        Of held-out volumes: the network has not seen their labels, so it is not refitted.
    labels : integer array of shape (n,)
    samples
        Of these volumes.
    n_shifts, min_shift, seed
        See `bidsapp.stats.label_nulls.label_null`.
    """
    return label_null(
        lambda moved: silhouette(points, moved),
        labels,
        samples,
        n_shifts,
        min_shift=min_shift,
        seed=seed,
    )
