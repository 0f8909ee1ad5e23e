r"""Test whether clips are predicted better than other held-out clips.

The decoder is left as it is, and the embeddings of the clips that one fold holds out are exchanged
between them. As the decoder has seen none of them, this is an exact test in each fold, whatever
was chosen in training. Folds depend on each other (a clip is tested in one and trained on in the
others), so that their scores may not be pooled before they are compared with exchanged ones: that
rejects too often. Their p-values are combined instead by a rule that holds for any dependence.

With :math:`A_{ij}` the identification accuracy that prediction i would have if candidate j were
the true clip, an exchange :math:`\pi` scores :math:`\frac{1}{n} \sum_i A_{i \pi(i)}`.

Source: Nichols & Holmes 2002, Human Brain Mapping 15, 1-25; Vovk & Wang 2020, Biometrika 107,
791-808 (e times the geometric mean of p-values is a p-value).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bidsapp.stats.identification import DECIMALS, row_correlations
from bidsapp.stats.nulls import permutation_p

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Exchange:
    """Mean identification accuracy of each fold, observed and with clips exchanged.

    Attributes
    ----------
    observed
        (n_folds, ...).
    null
        (n_folds, m, ...).
    n_clips
        (n_folds,) clips that have several candidates.
    """

    observed: Floats
    null: Floats
    n_clips: Ints

    @property
    def p(self) -> Floats:
        """p-value over folds, (...)."""
        each = [permutation_p(x, null) for x, null in zip(self.observed, self.null, strict=True)]
        return merged_p(np.reshape(each, self.observed.shape))

    @property
    def p_family(self) -> Floats:
        """As `p`, corrected over the last axis by the largest score of each exchange, (...)."""
        each = []
        for observed, null in zip(self.observed, self.null, strict=True):
            largest = np.nan_to_num(null, nan=-np.inf).max(axis=-1)
            each.append(permutation_p(observed, np.broadcast_to(largest[:, None], null.shape)))
        return merged_p(np.reshape(each, self.observed.shape))

    @property
    def accuracy(self) -> Floats:
        """Mean over all clips, (...)."""
        return _weighted(self.observed, self.n_clips)

    @property
    def null_accuracy(self) -> Floats:
        """Mean over all clips under each exchange, (m, ...)."""
        return _weighted(self.null, self.n_clips)


def _weighted(values: Floats, n_clips: Ints) -> Floats:
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    return np.asarray(np.average(values, axis=0, weights=n_clips))


def merged_p(p: ArrayLike) -> Floats:
    """Combine p-values along the first axis, whatever their dependence.

    Parameters
    ----------
    p
        (n, ...).

    Returns
    -------
    array, (...)
        e times the geometric mean, at most 1; for n = 1 the value itself. NaN where any is.
    """
    values = np.asarray(p, np.float64)
    if len(values) < 2:
        return np.asarray(values[0]) if len(values) else np.full(values.shape[1:], np.nan)
    merged = np.e * np.exp(np.log(values).mean(axis=0))
    return np.asarray(np.where(np.isnan(merged), np.nan, np.minimum(merged, 1.0)))


def smallest_merged_p(n_exchanges: int, n_folds: int) -> float:
    """Return the smallest p that `merged_p` can give."""
    return float(merged_p(np.full(n_folds, 1 / (n_exchanges + 1))))


def candidate_accuracy(predicted: ArrayLike, targets: ArrayLike) -> Floats:
    """Identification accuracy of each prediction if each candidate were the true clip.

    Parameters
    ----------
    predicted, targets
        (n_clips, n_dimensions) of candidates for each other.

    Returns
    -------
    array, (n_clips, n_clips)
        Row i: share of the other candidates that prediction i correlates less with than with
        candidate j, ties half. Its diagonal is the observed accuracy.
    """
    r = row_correlations(predicted, targets)
    lower = np.stack([(row[:, None] > row).sum(axis=1) for row in r])
    ties = np.stack([(row[:, None] == row).sum(axis=1) - 1 for row in r])
    return np.asarray((lower + ties / 2) / max(len(r) - 1, 1))


def exchange_clips(
    predicted: ArrayLike, targets: ArrayLike, group: ArrayLike, fold: ArrayLike, orders: Ints
) -> Exchange:
    """Compare the identification of held-out clips with that of exchanged ones.

    Parameters
    ----------
    predicted, targets
        (n_clips, n_dimensions).
    group
        (n_clips,) clips with the same value are candidates for each other; -1 for none. A group
        lies within a fold.
    fold
        (n_clips,) fold that holds each clip out, -1 for none.
    orders
        (m, n_clips) the clip whose embedding is given to each clip, within its group; from
        `bidsapp.stats.identification.permute_within`.

    Returns
    -------
    Exchange
        Arrays without further axes, of the folds in which clips have other candidates.
    """
    predicted, targets = np.asarray(predicted), np.asarray(targets)
    groups, folds = np.asarray(group), np.asarray(fold)
    n_folds = int(folds.max()) + 1
    total, number = np.zeros((n_folds, len(orders) + 1)), np.zeros(n_folds, np.int64)
    for label in np.unique(groups[groups >= 0]):
        clips = np.flatnonzero(groups == label)
        if clips.size < 2:
            continue
        accuracy = candidate_accuracy(predicted[clips], targets[clips])
        place = np.vstack([np.arange(clips.size), np.searchsorted(clips, orders[:, clips])])
        total[folds[clips[0]]] += accuracy[np.arange(clips.size), place].sum(axis=1)
        number[folds[clips[0]]] += clips.size
    kept = number > 0
    mean = np.round(total[kept] / number[kept, None], DECIMALS)
    return Exchange(mean[:, 0], mean[:, 1:], number[kept])


def stacked(parts: Sequence[Exchange]) -> Exchange:
    """Join the scores of several decoders, such as regions, along a new last axis.

    Parameters
    ----------
    parts
        With the same folds and exchanges.
    """
    observed = np.stack([part.observed for part in parts], axis=-1)
    return Exchange(observed, np.stack([part.null for part in parts], axis=-1), parts[0].n_clips)


def averaged(parts: Sequence[Exchange]) -> Exchange:
    """Average participants, whose clips were exchanged alike.

    Parameters
    ----------
    parts
        Of participants, with the same folds and the same exchanges. Missing values of some
        participants are left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        observed = np.nanmean([part.observed for part in parts], axis=0)
        null = np.nanmean([part.null for part in parts], axis=0)
    return Exchange(observed, null, parts[0].n_clips)
