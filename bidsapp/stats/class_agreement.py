r"""How much the most probable classes of a reconstruction are those of the clip that was heard.

With the n most probable classes of each, agreement is the size of their intersection over that of
their union; overlap is the size of the intersection over n.

Source: Denk et al. 2025, top-n class agreement (appendix A.1.5, algorithm 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidsapp.stats.clip_exchange import WIDENING, Exchange
from bidsapp.stats.identification import DECIMALS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def top_classes(values: NDArray[np.floating], n: int) -> NDArray[np.bool_]:
    """Mark the n most probable classes of each clip.

    Parameters
    ----------
    values
        (n_clips, n_classes) probabilities or logits.
    n
        How many.

    Returns
    -------
    array, (n_clips, n_classes)
        Of equal values the first.
    """
    order = np.argsort(-np.asarray(values), axis=1, kind="stable")[:, :n]
    marked = np.zeros(values.shape, np.bool_)
    np.put_along_axis(marked, order, values=True, axis=1)
    return marked


def overlaps(reconstructed: NDArray[np.bool_], heard: NDArray[np.bool_]) -> Floats:
    """Share of the n most probable classes that two clips have in common.

    Parameters
    ----------
    reconstructed, heard
        (n_reconstructions, n_classes) and (n_clips, n_classes) from `top_classes`, the same n.

    Returns
    -------
    array, (n_reconstructions, n_clips)
    """
    n = int(heard[0].sum())
    return np.asarray(reconstructed.astype(float) @ heard.astype(float).T / n)


def agreements(reconstructed: NDArray[np.bool_], heard: NDArray[np.bool_]) -> Floats:
    """Intersection over union of the most probable classes; see `overlaps`."""
    share = overlaps(reconstructed, heard)
    return np.asarray(share / (2 - share))


def exchange_agreements(
    reconstructed: NDArray[np.bool_], heard: NDArray[np.bool_], fold: Ints, orders: Ints
) -> Exchange:
    """Compare the mean agreement with that of exchanged clips.

    Parameters
    ----------
    reconstructed, heard
        (n_clips, n_classes) from `top_classes`.
    fold
        (n_clips,) fold that holds each clip out; -1 for clips that are left out.
    orders
        (m, n_clips) the clip whose classes are given to each reconstruction, within its fold.

    Returns
    -------
    Exchange
        Exchanged means are moved away from their mean by the square root of 2 where there are
        several folds (see `bidsapp.stats.clip_exchange`).
    """
    clips = np.flatnonzero(fold >= 0)
    table = agreements(reconstructed, heard)
    given = np.vstack([clips, orders[:, clips]])
    mean = np.round(table[clips, given].mean(axis=1), DECIMALS)
    null = mean[1:]
    if fold.max() > 0 and len(null):
        null = null.mean() + WIDENING * (null - null.mean())
    return Exchange(np.asarray(mean[0]), null)
