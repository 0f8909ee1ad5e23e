"""Which layers the units of each hemisphere follow, and whether the hemispheres differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


def layer_distribution(
    best: NDArray[np.integer[Any]], n_layers: int, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Count the units of each layer.

    Parameters
    ----------
    best : array of shape (..., n_units)
        Best layers, 1 to `n_layers`; 0 for none.
    n_layers
        Number of layers.
    mask : bool array of shape (n_units,), optional
        Units that are counted: a hemisphere, what is significant.

    Returns
    -------
    array of shape (..., n_layers)
    """
    best = np.asarray(best)
    chosen = best if mask is None else best[..., mask]
    return np.stack([(chosen == k + 1).sum(axis=-1) for k in range(n_layers)], axis=-1)


@dataclass(frozen=True, eq=False)
class Asymmetry:
    """Left minus right, participant by participant.

    Attributes
    ----------
    difference : array of shape (n_participants,)
        Of the mean layer, in layers: positive where the left hemisphere is deeper.
    shares : array of shape (n_participants, n_layers)
        Of each layer's share of the units, from 0 to 1.
    """

    difference: NDArray[np.float64]
    shares: NDArray[np.float64]


def hemisphere_asymmetry(
    layer: NDArray[np.floating[Any]],
    best: NDArray[np.integer[Any]],
    left: NDArray[np.bool_],
    right: NDArray[np.bool_],
    n_layers: int,
) -> Asymmetry:
    """Describe by how much one hemisphere has deeper layers than the other.

    There is no test: listeners share responses that no layer knows, and sign flips of
    participants then reject in more than half of the studies without any difference of layers
    (`docs/calibration.md`).

    Parameters
    ----------
    layer : array of shape (n_participants, n_units)
        Centroid layer of each participant; NaN where undefined.
    best : array of shape (n_participants, n_units)
        Best layer of each participant, 0 where undefined.
    left, right : bool arrays of shape (n_units,)
        Units of each hemisphere, chosen without looking at the participants' layers.
    n_layers
        Number of layers.

    Returns
    -------
    Asymmetry
        NaN for a participant without a defined unit in one of the hemispheres.
    """
    difference = _mean(layer[:, left]) - _mean(layer[:, right])
    parts = [layer_distribution(best, n_layers, side).astype(np.float64) for side in (left, right)]
    totals = [part.sum(axis=1, keepdims=True) for part in parts]
    of_left, of_right = (
        np.where(total > 0, part / np.maximum(total, 1), np.nan)
        for part, total in zip(parts, totals, strict=True)
    )
    shares = of_left - of_right
    return Asymmetry(difference, shares)


def _mean(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Mean over units that have a value, NaN where none has."""
    known = np.isfinite(values)
    n = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)
