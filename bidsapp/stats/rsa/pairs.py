"""Which pairs of items are compared, and dissimilarities that have nothing to do with music.

``item``
    a row of a dissimilarity matrix: a volume within a clip, or a clip.
``pairs``
    items i < j in the order of the condensed matrix (row by row of the upper triangle).

Neighbouring volumes are alike in the brain and in the sound, whatever the brain hears; pairs
within a clip, and volumes that still answer to the clip before, carry that likeness into any
correlation of two matrices. Removing pairs is not the same as setting them to zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bidsapp.errors import InputInvalidError

SAME = 0.99
"""Rank correlation from which two nuisance matrices are one."""


def pair_items(n_items: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Items of each pair.

    Parameters
    ----------
    n_items
        Number of items.

    Returns
    -------
    first, second : arrays of shape (n_pairs,)
        first < second.
    """
    first, second = np.triu_indices(n_items, 1)
    return first, second


def pair_mask(clip: NDArray[np.integer[Any]], *, between_clip: bool = True) -> NDArray[np.bool_]:
    """Choose the pairs that are compared.

    Parameters
    ----------
    clip : array of shape (n_items,)
        Clip of each item.
    between_clip
        Only pairs of two clips.

    Returns
    -------
    bool array of shape (n_pairs,)

    Raises
    ------
    InputInvalidError
        No pair is left.
    """
    first, second = pair_items(len(clip))
    mask = np.ones(first.size, dtype=np.bool_)
    if between_clip:
        mask &= np.asarray(clip)[first] != np.asarray(clip)[second]
    if not mask.any():
        n_clips = np.unique(clip).size
        msg = f"no pair of {len(clip)} items of {n_clips} clips is left; allow pairs within clips"
        raise InputInvalidError(msg)
    return mask


def pairs_among(items: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the pairs of some items in the condensed matrix of all.

    Parameters
    ----------
    items : bool array of shape (n_items,)
        Those of which pairs are wanted.

    Returns
    -------
    bool array of shape (n_pairs,)
        A condensed matrix taken there is that of these items alone.
    """
    first, second = pair_items(len(items))
    return np.asarray(items[first] & items[second])


def difference_rdm(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Absolute difference of a number per item: time, place of the clip, loudness, motion.

    Parameters
    ----------
    values : array of shape (n_items,) or (n_repeats, n_items)
        With repeats, differences within a repeat are averaged over repeats; NaN where an item
        was not presented.

    Returns
    -------
    array of shape (n_pairs,)
        In the units of `values`; NaN where no repeat has both items.
    """
    table = np.atleast_2d(np.asarray(values, np.float64))
    first, second = pair_items(table.shape[1])
    total, n = np.zeros(first.size), np.zeros(first.size)
    for row in table:
        difference = np.abs(row[first] - row[second])
        known = np.isfinite(difference)
        total[known] += difference[known]
        n += known
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def varying_rdms(
    rdms: Mapping[str, NDArray[np.float64]], pairs: NDArray[np.bool_]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Stack the nuisance matrices that can be partialled out.

    Parameters
    ----------
    rdms
        Name to condensed matrix (n_pairs,).
    pairs : bool array of shape (n_pairs,)
        Pairs that are compared.

    Returns
    -------
    names
        Those kept: a matrix that is constant over the pairs explains nothing.
    stack : array of shape (n_kept, n_pairs)
        NaN, in pairs no repeat tells about, is replaced by the median over the pairs.
    """
    kept: dict[str, NDArray[np.float64]] = {}
    for name, rdm in rdms.items():
        known = rdm[pairs][np.isfinite(rdm[pairs])]
        if known.size and np.ptp(known) > 0:
            kept[name] = np.where(np.isfinite(rdm), rdm, np.median(known))
    stack = np.array(list(kept.values())).reshape(len(kept), pairs.size)
    return tuple(kept), stack


def different_rdms(
    names: Sequence[str], stack: NDArray[np.float64], pairs: NDArray[np.bool_]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Leave out nuisance matrices that order the pairs as one before them does.

    Parameters
    ----------
    names, stack
        From `varying_rdms`.
    pairs : bool array of shape (n_pairs,)
        Pairs that are compared.

    Returns
    -------
    names, stack
        Without matrices whose rank correlation with one that is kept is `SAME` or more: with
        clips in one order, time and number of clips between items are one nuisance.
    """
    kept: list[int] = []
    ranks = rankdata(stack[:, pairs], axis=1) if len(stack) else stack
    for number in range(len(stack)):
        if all(np.corrcoef(ranks[number], ranks[other])[0, 1] < SAME for other in kept):
            kept.append(number)
    return tuple(names[number] for number in kept), stack[kept]


def lag_profile(
    rdms: NDArray[np.floating[Any]], lag_s: NDArray[np.float64], width_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean dissimilarity by distance in time: how far autocorrelation reaches.

    Parameters
    ----------
    rdms : array of shape (..., n_pairs)
    lag_s : array of shape (n_pairs,)
        Distance of the items in time (s), from `difference_rdm`; NaN is left out.
    width_s
        Width of a bin (s); the first is centred on `width_s`.

    Returns
    -------
    lags : array of shape (n_bins,)
        Centres of the bins that hold pairs (s).
    means : array of shape (..., n_bins)
    n : array of shape (n_bins,)
        Pairs in each bin.
    """
    rdms = np.asarray(rdms, np.float64)
    known = np.isfinite(lag_s)
    bins = np.rint(lag_s[known] / width_s).astype(np.int64)
    present, index, n = np.unique(bins, return_inverse=True, return_counts=True)
    rows = rdms[..., known].reshape(-1, bins.size)
    sums = np.array([np.bincount(index, weights=row, minlength=present.size) for row in rows])
    means = (sums / n).reshape(*rdms.shape[:-1], present.size)
    return np.asarray(present * width_s, np.float64), means, n.astype(np.int64)
