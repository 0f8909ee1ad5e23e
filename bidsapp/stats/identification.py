r"""How well held-out clips are identified by their predicted embeddings.

candidates
    The clips that a prediction is compared with: the held-out clips of the same group (a fold,
    or a genre within a fold), the true one among them.

With :math:`C_{ij}` the Pearson correlation of prediction i with the embedding of candidate j, the
identification accuracy of clip i is the share of the other candidates with
:math:`C_{ij} < C_{ii}`, ties counting half. It compares within the row of the prediction, so
that a constant prediction gives exactly .5.

Source: Denk et al. 2025, appendix on the identification accuracy metric, equations 3 and 4 (which
do not mention ties).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DECIMALS = 10
"""Correlations are rounded to this many decimals before they are compared."""
_PART = 5
"""Clips that exchanges leave together, at most."""


@dataclass(frozen=True, eq=False)
class Identification:
    """Ranks of the true clips; arrays (..., n_clips), NaN where there is one candidate only.

    Attributes
    ----------
    rank
        Mid-rank of the true clip among its candidates, 1 for the best.
    n_candidates
        (n_clips,) candidates, the true clip among them.
    """

    rank: Floats
    n_candidates: Ints

    @property
    def accuracy(self) -> Floats:
        """Identification accuracy of each clip, (..., n_clips)."""
        others = np.maximum(self.n_candidates - 1, 1)
        return np.asarray(1 - (self.rank - 1) / others)

    @property
    def mean(self) -> Floats:
        """Mean accuracy over the clips that have several candidates, (...)."""
        return _mean(self.accuracy)

    def recall(self, k: int) -> Floats:
        """Share of clips whose true candidate is among the best `k`, (...)."""
        known = np.isfinite(self.rank)
        return _mean(np.where(known, (self.rank <= k).astype(float), np.nan))

    @property
    def mean_reciprocal_rank(self) -> Floats:
        """Mean of 1 / rank, (...)."""
        return _mean(1 / self.rank)

    @property
    def median_rank(self) -> Floats:
        """Median rank, (...)."""
        known = np.isfinite(self.rank).all(axis=tuple(range(self.rank.ndim - 1)))
        if not known.any():
            return np.full(self.rank.shape[:-1], np.nan)
        return np.asarray(np.median(self.rank[..., known], axis=-1))


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    total, number = np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1)
    return np.asarray(np.where(number > 0, total / np.maximum(number, 1), np.nan))


def row_correlations(predicted: ArrayLike, targets: ArrayLike) -> Floats:
    """Correlate every prediction with every target over dimensions.

    Parameters
    ----------
    predicted
        (..., n, n_dimensions).
    targets
        (..., m, n_dimensions); leading axes as those of `predicted`.

    Returns
    -------
    array, (..., n, m)
        Rounded to `DECIMALS`; 0 where a row is constant, which correlates with nothing.
    """
    return np.asarray(
        np.round(unit_rows(predicted) @ np.swapaxes(unit_rows(targets), -1, -2), DECIMALS)
    )


def unit_rows(rows: ArrayLike) -> Floats:
    """Centre rows (..., n_dimensions) and scale them to length 1; constant rows become 0."""
    values = np.asarray(rows, np.float64)
    values = values - values.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(values, axis=-1, keepdims=True)
    size = np.finfo(np.float64).eps * np.sqrt(values.shape[-1])
    scale = np.abs(np.asarray(rows)).max(axis=-1, keepdims=True)
    flat = norm <= 8 * size * np.maximum(scale, np.finfo(np.float64).tiny)
    return np.asarray(np.where(flat, 0.0, values / np.where(flat, 1.0, norm)))


def identify(
    predicted: ArrayLike, targets: ArrayLike, group: Sequence[int] | NDArray[np.integer]
) -> Identification:
    """Rank the true clip of each prediction among the clips of its group.

    Parameters
    ----------
    predicted, targets
        (..., n_clips, n_dimensions): predicted and true embedding of each clip.
    group
        (n_clips,) clips with the same value are candidates for each other; -1 for none.

    Returns
    -------
    Identification
    """
    predicted, targets = np.asarray(predicted), np.asarray(targets)
    labels = np.asarray(group)
    rank = np.full(predicted.shape[:-1], np.nan)
    n_candidates = np.ones(labels.size, np.int64)
    for label in np.unique(labels[labels >= 0]):
        clips = np.flatnonzero(labels == label)
        n_candidates[clips] = clips.size
        if clips.size > 1:
            r = row_correlations(predicted[..., clips, :], targets[..., clips, :])
            true = np.diagonal(r, axis1=-2, axis2=-1)[..., None]
            ties = (r == true).sum(axis=-1) - 1
            rank[..., clips] = 1 + (r > true).sum(axis=-1) + ties / 2
    return Identification(rank, n_candidates)


def closest_candidate(
    predicted: ArrayLike, targets: ArrayLike, group: Sequence[int] | NDArray[np.integer]
) -> Ints:
    """Return the candidate that each prediction correlates with most.

    Parameters
    ----------
    predicted, targets
        (n_clips, n_dimensions).
    group
        As in `identify`.

    Returns
    -------
    array, (n_clips,)
        Position of the clip; the first of equal ones.
    """
    labels = np.asarray(group)
    r = row_correlations(predicted, targets)
    return np.asarray(np.where(labels[:, None] == labels, r, -np.inf).argmax(axis=1), np.int64)


def dimension_correlations(predicted: ArrayLike, targets: ArrayLike) -> Floats:
    """Correlate predictions and targets over clips, dimension by dimension.

    Parameters
    ----------
    predicted, targets
        (n_clips, n_dimensions).

    Returns
    -------
    array, (n_dimensions,)
        NaN where either is constant.
    """
    r = (unit_rows(np.asarray(predicted).T) * unit_rows(np.asarray(targets).T)).sum(axis=1)
    flat = (np.ptp(predicted, axis=0) == 0) | (np.ptp(targets, axis=0) == 0)
    return np.asarray(np.where(flat, np.nan, r))


def class_means(
    targets: Floats, classes: Sequence[int] | NDArray[np.integer], train: NDArray[np.bool_]
) -> Floats:
    """Predict each clip by the mean embedding of the training clips of its class.

    It is the oracle that knows the genre of a clip and nothing else of it.

    Parameters
    ----------
    targets
        (n_clips, n_dimensions) embeddings.
    classes
        (n_clips,) class of each clip, such as its genre.
    train
        (n_clips,) clips that means are made of.

    Returns
    -------
    array, (n_clips, n_dimensions)
        The mean of all training clips where a class has none.
    """
    labels = np.asarray(classes)
    overall = targets[train].mean(axis=0)
    predicted = np.empty_like(targets, dtype=np.float64)
    for label in np.unique(labels):
        members = train & (labels == label)
        predicted[labels == label] = targets[members].mean(axis=0) if members.any() else overall
    return predicted


def turn_within(
    n_exchanges: int,
    classes: Sequence[int] | NDArray[np.integer],
    seed: int,
    place: Sequence[int] | NDArray[np.integer] | None = None,
) -> Ints:
    """Draw exchanges of clips of the same class that leave most neighbours together.

    Music and slow noise are alike in clips heard one after the other, and exchanges that tear all
    of them apart would have too narrow a null distribution. The clips of a class are therefore
    moved on along their order by a random number of clips, the last ones to the beginning, cut
    into parts of up to five, and each part is reversed or not; the parts change places.

    Parameters
    ----------
    n_exchanges
        How many.
    classes
        (n_clips,) class of each clip.
    seed
        With the index of an exchange it determines the exchange.
    place
        (n_clips,) place of each clip in the order; that of the clips by default.

    Returns
    -------
    array, (n_exchanges, n_clips)
        Row k: the clip whose embedding is given to each clip.
    """
    labels = np.asarray(classes)
    order = np.arange(labels.size) if place is None else np.argsort(place, kind="stable")
    drawn = np.tile(np.arange(labels.size), (n_exchanges, 1))
    members = [order[labels[order] == label] for label in np.unique(labels)]
    members = [clips for clips in members if clips.size > 1]
    for index, row in enumerate(drawn):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, index))))
        for clips in members:
            moved = clips[(np.arange(clips.size) + rng.integers(clips.size)) % clips.size]
            parts = (
                np.array_split(moved, -(-clips.size // _PART)) if clips.size > _PART else [moved]
            )
            sequence = rng.permutation(len(parts)) if len(parts) > 1 else (0,)
            chosen = (parts[part] for part in sequence)
            row[clips] = np.concatenate([own[::-1] if rng.integers(2) else own for own in chosen])
    return drawn


def n_arrangements(classes: Sequence[int] | NDArray[np.integer]) -> float:
    """Count the orders that exchanges can give the clips, the true one among them.

    One in so many exchanges changes nothing, so that no p-value is much below 1 / n.

    Parameters
    ----------
    classes
        (n_clips,) class of each clip; below 0 for clips that are not judged.

    Returns
    -------
    float
        Product over classes of 2 for two clips and of 2 n for more: moved on and reversed. Classes
        of more than five clips have more than that.

    Examples
    --------
    >>> n_arrangements([0, 0, 1, 1, 1, 2])
    12.0
    """
    labels = np.asarray(classes)
    _, sizes = np.unique(labels[labels >= 0], return_counts=True)
    return float(np.prod([{1: 1.0, 2: 2.0}.get(int(n), 2.0 * n) for n in sizes]))
