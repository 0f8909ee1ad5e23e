"""Which layers may be the best: a confidence set of layers instead of a single one.

Source: multiple comparisons with the best (Hsu 1981, Annals of Statistics 9, 1026-1034), with the
scores of displaced music as the distribution of the noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bidsapp.stats.nulls import permutation_p

FloatArray = npt.NDArray[np.floating]


def layer_sets(
    scores: FloatArray,
    null: FloatArray,
    *,
    level: float = 0.05,
    competes: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.bool_]:
    """Return the layers whose score is not worse than that of the best layer.

    Parameters
    ----------
    scores : array of shape (n_layers, n_parcels)
    null : array of shape (m, n_layers, n_parcels)
        Scores of displaced music; centred layer by layer they stand for the noise of layers that
        are equally good.
    level
        1 - coverage of the layer that is truly best.
    competes : bool array of shape (n_layers,)
        Layers that may be the best; all by default.

    Returns
    -------
    bool array of shape (n_layers, n_parcels)
        A layer is left out if the best layer exceeds it by more than the best of equally good
        layers exceeds one of them in all but a share `level` of the copies. Nothing is in the set
        where scores are missing.
    """
    among = np.ones(len(scores), np.bool_) if competes is None else competes
    sets = np.zeros(np.shape(scores), np.bool_)
    scores = np.asarray(scores, np.float64)[among]
    noise = np.asarray(null, np.float64)[:, among]
    noise = noise - noise.mean(axis=0)
    behind = scores.max(axis=0) - scores
    by_chance = noise.max(axis=1, keepdims=True) - noise
    p = permutation_p(behind, by_chance)
    sets[among] = np.isfinite(scores) & (p > level)
    return sets
