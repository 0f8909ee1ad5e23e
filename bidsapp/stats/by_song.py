"""Scores of a classification whose windows belong to songs: intervals, chance, comparisons.

Windows of one song are alike, so songs are what is drawn, permuted and exchanged. Everything
follows from one confusion matrix per song.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.stats.bootstrap import resample_counts
from bidsapp.stats.nulls import permutation_p

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

MEASURES = ("macro_f1", "balanced_accuracy", "accuracy")
"""What `measures` returns first; one recall per class follows."""


def song_confusions(true: Ints, predicted: Ints, songs: Ints, n_classes: int) -> Floats:
    """Count true class by predicted class in each song.

    Parameters
    ----------
    true, predicted
        (n,) classes from 0.
    songs
        (n,) song of each window, numbers from 0.
    n_classes
        Number of classes.

    Returns
    -------
    array of shape (n_songs, n_classes, n_classes)
    """
    n_songs = int(songs.max()) + 1 if len(songs) else 0
    cells = (songs * n_classes + true) * n_classes + predicted
    counts = np.bincount(cells, minlength=n_songs * n_classes**2)
    return counts.reshape(n_songs, n_classes, n_classes).astype(np.float64)


def measures(confusions: Floats) -> Floats:
    """Score confusion matrices.

    Parameters
    ----------
    confusions
        (…, n_classes, n_classes).

    Returns
    -------
    array of shape (…, 3 + n_classes)
        `MEASURES`, then the recall of each class; classes that never occur do not count and have
        a recall of NaN.
    """
    right = np.diagonal(confusions, axis1=-2, axis2=-1)
    true, predicted = confusions.sum(axis=-1), confusions.sum(axis=-2)
    there = true > 0
    n_there = there.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(there, 2 * right / np.maximum(true + predicted, 1e-12), 0.0)
        recall = np.where(there, right / true, np.nan)
        rows = [
            f1.sum(axis=-1) / n_there,
            np.nansum(recall, axis=-1) / n_there,
            right.sum(axis=-1) / true.sum(axis=-1),
        ]
    return np.concatenate([np.stack(rows, axis=-1), recall], axis=-1)


def song_intervals(
    confusions: Floats, n_resamples: int, seed: int, *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Bootstrap intervals over songs.

    Parameters
    ----------
    confusions
        (n_songs, n_classes, n_classes).
    n_resamples, seed
        Number of resamples and their name.
    level
        Coverage.

    Returns
    -------
    low, high : arrays of shape (3 + n_classes,)
        Percentiles of what `measures` returns; NaN with fewer than two songs.
    """
    if len(confusions) < 2:
        nothing = np.full(len(MEASURES) + confusions.shape[-1], np.nan)
        return nothing, nothing.copy()
    drawn = _resampled(confusions, n_resamples, seed)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.full((2, drawn.shape[1]), np.nan)
    there = np.isfinite(drawn).any(axis=0)  # recalls of classes that never occur are missing
    low[there], high[there] = np.nanquantile(drawn[:, there], tails, axis=0)
    return low, high


@dataclass(frozen=True)
class Comparison:
    """Difference of two models in one measure, on the same windows and folds.

    Attributes
    ----------
    difference
        First minus second.
    low, high
        Bootstrap interval over songs.
    p
        Two-sided, models exchanged song by song, (b + 1) / (m + 1).
    """

    difference: float
    low: float
    high: float
    p: float


def compare(
    first: Floats,
    second: Floats,
    n_draws: int,
    seed: int,
    *,
    measure: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare two models that predicted the same windows.

    Parameters
    ----------
    first, second
        (n_songs, n_classes, n_classes) of each model.
    n_draws, seed
        Resamples, and exchanges; their name.
    measure
        Position in what `measures` returns.
    level
        Coverage of the interval.

    Returns
    -------
    Comparison
    """

    def difference(a: Floats, b: Floats) -> Floats:
        return np.asarray(measures(a)[..., measure] - measures(b)[..., measure])

    observed = difference(first.sum(axis=0), second.sum(axis=0))
    drawn = (
        _resampled(first, n_draws, seed)[:, measure]
        - _resampled(second, n_draws, seed)[:, measure]
    )
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    stream = np.random.Generator(np.random.Philox(key=[seed, 0x53574150]))
    swap = stream.integers(0, 2, (n_draws, len(first))).astype(np.float64)
    one = np.einsum("ms,sij->mij", 1 - swap, first) + np.einsum("ms,sij->mij", swap, second)
    two = first.sum(axis=0) + second.sum(axis=0) - one
    p = permutation_p(np.abs(observed), np.abs(difference(one, two)))
    return Comparison(float(observed), float(low), float(high), float(p))


def permuted_labels(
    labels: Ints, songs: Ints, folds: Ints, stream: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Give each song the labels of a song of the same fold, shifted circularly in time.

    Parameters
    ----------
    labels, songs, folds
        (n,) class, song and fold of each window; windows of a song are in order and in one fold.
    stream
        Where the permutation is drawn from.

    Returns
    -------
    integer array of shape (n,)
        Labels of a longer or shorter song are read at the same relative time. The shift matters
        where a song has several labels: runs of labels keep their lengths.
    """
    out = np.array(labels, np.int64)
    for fold in np.unique(folds):
        rows = [np.flatnonzero(songs == song) for song in np.unique(songs[folds == fold])]
        rows = [own[folds[own] == fold] for own in rows]
        for own, source in zip(rows, stream.permutation(len(rows)), strict=True):
            other = rows[source]
            places = (np.arange(len(own)) + 0.5) * len(other) / len(own)
            shift = int(stream.integers(len(own)))
            out[own] = np.roll(labels[other[places.astype(np.int64)]], shift)
    return out


def chance_scores(
    true: Ints,
    predicted: Ints,
    songs: Ints,
    folds: Ints,
    n_classes: int,
    n_permutations: int,
    seed: int,
) -> Floats:
    """Score fixed held-out predictions against labels of other songs.

    Parameters
    ----------
    true, predicted, songs, folds
        (n,) of each window.
    n_classes
        Number of classes.
    n_permutations, seed
        Number of permutations and their name.

    Returns
    -------
    array of shape (n_permutations, 3 + n_classes)
        What `measures` returns. Given the training folds, predictions of a fold are fixed, and
        songs without a relation to their labels are exchangeable within the fold.
    """
    out = []
    for number in range(n_permutations):
        stream = np.random.Generator(np.random.Philox(key=[seed, number]))
        labels = permuted_labels(true, songs, folds, stream)
        table = np.bincount(labels * n_classes + predicted, minlength=n_classes**2)
        out.append(measures(table.reshape(n_classes, n_classes).astype(np.float64)))
    return np.stack(out)


def _resampled(confusions: Floats, n_resamples: int, seed: int) -> Floats:
    """Measures (n_resamples, …) of songs drawn with replacement."""
    counts = resample_counts(len(confusions), n_resamples, seed)
    return measures(np.einsum("ms,sij->mij", counts, confusions))
