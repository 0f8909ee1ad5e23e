"""How well a map of layer scores gives back what was planted: arrays in, numbers out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NEAR = 2


def centroid(scores: Floats) -> Floats:
    """Mean layer number weighted by positive scores; NaN where no score is positive.

    Parameters
    ----------
    scores
        (n_layers, n_units).

    Source: poster, centroid layer.
    """
    weights = np.nan_to_num(np.clip(scores, 0, None))
    total = weights.sum(axis=0)
    numbers = np.arange(1, len(scores) + 1)
    return np.where(total > 0, numbers @ weights / np.where(total > 0, total, 1), np.nan)


def correlation(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Pearson correlation where both are finite; NaN with fewer than three or no variance."""
    a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 3 or a[both].std() == 0 or b[both].std() == 0:
        return float("nan")
    return float(np.corrcoef(a[both], b[both])[0, 1])


def recovery(scores: Floats, layer: Ints, centroids: Floats | None = None) -> dict[str, float]:
    """Compare layer scores with planted layers.

    Parameters
    ----------
    scores
        (n_layers, n_units).
    layer
        (n_units,) planted layer, 1-based, of planted units only.
    centroids
        (n_units,) centroid layers with NaN where undefined; made from `scores` by default.

    Returns
    -------
    dict
        ``centroid_r`` (correlation of centroid and planted layer where defined),
        ``centroid_coverage`` (share of units where it is), ``best_layer_r``,
        ``best_layer_near`` (share of units whose best layer is at most two layers off),
        ``planted_layer_r`` (mean score of the planted layer), ``best_r`` (mean best score).
    """
    centroids = centroid(scores) if centroids is None else centroids
    known = np.isfinite(scores).any(axis=0)
    scores, layer, centroids = scores[:, known], layer[known], centroids[known]
    best = np.nan_to_num(scores, nan=-np.inf).argmax(axis=0) + 1
    own = scores[layer - 1, np.arange(len(layer))]
    return {
        "n_units": int(known.sum()),
        "centroid_r": correlation(centroids, layer),
        "centroid_coverage": float(np.isfinite(centroids).mean()),
        "best_layer_r": correlation(best, layer),
        "best_layer_near": float((np.abs(best - layer) <= _NEAR).mean()),
        "planted_layer_r": float(np.nanmean(own)),
        "best_r": float(np.nanmean(np.nanmax(scores, axis=0))),
    }
