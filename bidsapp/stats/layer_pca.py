"""Principal components of the layers × units matrix of scores: topographies and loadings.

Units are the observations and layers the variables, so a component has a *loading* on each
layer and a *topography*, its score at each unit.

Source: Kim, Overath & Sammler, Representational gradients of musical information and evoked
emotions revealed by CNN, Methods (principal components of prediction accuracies) and Figure 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LayerPca:
    """Components of a score matrix.

    Attributes
    ----------
    topographies : ndarray, shape (n_components, n_units)
        Component scores; NaN where a layer's score is missing.
    loadings : ndarray, shape (n_layers, n_components)
        Orthonormal; the largest in size of each component is positive.
    explained : ndarray, shape (n_components,)
        Share of the variance over units.
    """

    topographies: NDArray[np.float64]
    loadings: NDArray[np.float64]
    explained: NDArray[np.float64]


def layer_pca(scores: NDArray[np.floating[Any]], n_components: int = 3) -> LayerPca:
    """Decompose layer profiles of scores over units.

    Parameters
    ----------
    scores : ndarray, shape (n_layers, n_units)
        Group scores; each layer is centred over the units that have all layers.
    n_components
        At most n_layers.

    Returns
    -------
    LayerPca

    Raises
    ------
    ValueError
        If fewer complete units than components exist, or `n_components` exceeds the layers.
    """
    scores = np.asarray(scores, np.float64)
    complete = np.isfinite(scores).all(axis=0)
    if not 1 <= n_components <= min(len(scores), complete.sum()):
        msg = (
            f"{n_components} components cannot come from {len(scores)} layers at "
            f"{complete.sum()} complete units"
        )
        raise ValueError(msg)
    centred = scores[:, complete] - scores[:, complete].mean(axis=1, keepdims=True)
    variance, vectors = np.linalg.eigh(centred @ centred.T)
    variance, loadings = variance[::-1][:n_components], vectors[:, ::-1][:, :n_components]
    top = np.abs(loadings.round(12)).argmax(axis=0)
    loadings = loadings * np.sign(loadings[top, np.arange(n_components)])
    topographies = np.full((n_components, scores.shape[1]), np.nan)
    topographies[:, complete] = loadings.T @ centred
    return LayerPca(topographies, loadings, np.maximum(variance, 0) / (centred**2).sum())


def rgb_map(topographies: NDArray[np.float64], percentile: float = 99.0) -> NDArray[np.float64]:
    """Colours of the positive scores of three components.

    Parameters
    ----------
    topographies : ndarray, shape (3, n_units)
        First component red, second green, third blue.
    percentile
        Of the positive scores of each component, that becomes full colour.

    Returns
    -------
    ndarray, shape (n_units, 3)
        0 to 1; negative scores are 0, missing ones NaN.

    Raises
    ------
    ValueError
        If there are not three components.

    Notes
    -----
    Source: Kim, Overath & Sammler, Figure 4 (RGB values indicate scaled positive scores).
    """
    if len(topographies) != 3:
        msg = f"red, green and blue need three components, not {len(topographies)}"
        raise ValueError(msg)
    colours = np.full(topographies.shape, np.nan)
    for colour, row in zip(colours, topographies, strict=True):
        positive = row[row > 0]
        full = np.percentile(positive, percentile) if positive.size else 1.0
        colour[:] = np.clip(row / full, 0.0, 1.0)
    return colours.T
