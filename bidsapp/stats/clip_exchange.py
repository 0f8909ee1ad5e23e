r"""Test whether clips are predicted better than other held-out clips.

The decoder is left as it is, and the embeddings of the clips that one fold holds out are exchanged
between them. With :math:`A_{ij}` the identification accuracy that prediction i would have if
candidate j were the true clip, an exchange :math:`\pi` scores :math:`\frac{1}{n} \sum_i
A_{i \pi(i)}`, whose mean over all exchanges is .5.

With one fold nothing that was chosen in training has a part in it. Exchanges keep most clips that
were heard one after the other together, because slow noise and music are alike in them
(`bidsapp.stats.identification.turn_within`). Several folds train on each other's clips: with a
linear decoder, chance likeness of two clips counts in the fold that tests the one and in the fold
that tests the other. If it counts the same in both, the variance of the mean over folds is twice
that of folds that know nothing of each other, as exchanged ones do; that is the most it can be.
Scores of exchanged clips are therefore moved away from .5 by the square root of 2 where there are
several folds. `bidsapp.results.calibrations.clips` measures the error rate with everything fitted
and chosen anew; without widening it is .10 to .12 instead of .05.

Source: Nichols & Holmes 2002, Human Brain Mapping 15, 1-25 (exchange, largest statistic).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from bidsapp.stats.identification import DECIMALS, row_correlations, unit_rows
from bidsapp.stats.nulls import max_statistic_p, permutation_p

CHANCE = 0.5
WIDENING = float(np.sqrt(2))
"""Factor on deviations from chance where folds train on each other's clips."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Exchange:
    """Mean identification accuracy, observed and with clips exchanged.

    Attributes
    ----------
    observed
        (...); NaN where no clip has other candidates.
    null
        (m, ...), widened where there are several folds.
    """

    observed: Floats
    null: Floats

    @property
    def p(self) -> Floats:
        """One-sided p-value, (...)."""
        return np.asarray(permutation_p(self.observed, self.null), np.float64)

    @property
    def p_family(self) -> Floats:
        """As `p`, corrected over the last axis by the largest score of each exchange."""
        largest = np.nan_to_num(self.null, nan=-np.inf).max(axis=-1)
        return np.asarray(max_statistic_p(self.observed, largest), np.float64)

    def part(self, number: int) -> Exchange:
        """Return one entry of the first axis, such as one of several scores."""
        return Exchange(self.observed[number], self.null[:, number])


def candidate_accuracy(predicted: ArrayLike, targets: ArrayLike) -> Floats:
    """Identification accuracy of each prediction if each candidate were the true clip.

    Parameters
    ----------
    predicted
        (n_predictions, n_dimensions), of some or all of the candidates.
    targets
        (n_clips, n_dimensions) of the candidates.

    Returns
    -------
    array, (n_predictions, n_clips)
        Row i: share of the other candidates that prediction i correlates less with than with
        candidate j, ties half. With predictions of all candidates its diagonal is the observed
        accuracy.
    """
    return _shares(row_correlations(predicted, targets))


def _shares(r: Floats) -> Floats:
    """Share of the other entries of a row that each entry is above, ties half."""
    return np.asarray((rankdata(r, axis=1) - 1) / max(r.shape[1] - 1, 1))


class ClipExchange:
    """Compares the identification of held-out clips with that of exchanged ones.

    What depends on the clips alone is computed once for all predictions.

    Parameters
    ----------
    targets
        (n_clips, n_dimensions).
    group
        (n_clips,) clips with the same value are candidates for each other; -1 for none. A group
        lies within a fold.
    fold
        (n_clips,) fold that holds each clip out, -1 for none.
    orders
        (m, n_clips) the clip whose embedding is given to each clip, within its group; from
        `bidsapp.stats.identification.turn_within`.
    """

    def __init__(
        self, targets: ArrayLike, group: ArrayLike, fold: ArrayLike, orders: Ints
    ) -> None:
        values, groups, folds = np.asarray(targets), np.asarray(group), np.asarray(fold)
        self._m = len(orders)
        self._widening = WIDENING if folds.max() > 0 else 1.0
        self._groups: list[tuple[Ints, torch.Tensor, Ints]] = []
        place_of = np.zeros(groups.size, np.int64)
        for label in np.unique(groups[groups >= 0]):
            clips = np.flatnonzero(groups == label)
            if clips.size > 1:
                place_of[clips] = np.arange(clips.size)
                place = place_of[np.vstack([clips, orders[:, clips]])]
                self._groups.append((clips, torch.from_numpy(unit_rows(values[clips])), place))

    def __call__(self, predicted: ArrayLike) -> Exchange:
        """Return the scores of predictions (n_clips, n_dimensions), without further axes."""
        values = np.asarray(predicted)
        total, number = np.zeros(self._m + 1), 0
        for clips, targets, place in self._groups:
            r = torch.from_numpy(unit_rows(values[clips])) @ targets.T
            accuracy = _shares(np.round(r.numpy(), DECIMALS))
            total += accuracy[np.arange(clips.size), place].sum(axis=1)
            number += clips.size
        mean = np.round(total / number, DECIMALS) if number else np.full(total.shape, np.nan)
        return Exchange(np.asarray(mean[0]), CHANCE + self._widening * (mean[1:] - CHANCE))


def exchange_clips(
    predicted: ArrayLike, targets: ArrayLike, group: ArrayLike, fold: ArrayLike, orders: Ints
) -> Exchange:
    """Compare the identification of held-out clips with that of exchanged ones.

    Parameters
    ----------
    predicted
        (n_clips, n_dimensions).
    targets, group, fold, orders
        As for `ClipExchange`.

    Returns
    -------
    Exchange
        Arrays without further axes.
    """
    return ClipExchange(targets, group, fold, orders)(predicted)


def stacked(parts: Sequence[Exchange]) -> Exchange:
    """Join the scores of several decoders, such as regions, along a new last axis.

    Parameters
    ----------
    parts
        With the same exchanges.
    """
    observed = np.stack([part.observed for part in parts], axis=-1)
    return Exchange(observed, np.stack([part.null for part in parts], axis=-1))


def averaged(parts: Sequence[Exchange]) -> Exchange:
    """Average participants, whose clips were exchanged alike.

    Parameters
    ----------
    parts
        Of participants, with the same exchanges. Where a participant is missing (NaN), the mean
        is over the others.
    """
    return Exchange(
        mean_of_known(np.stack([part.observed for part in parts])),
        mean_of_known(np.stack([part.null for part in parts])),
    )


def difference(first: Exchange, second: Exchange) -> Exchange:
    """Subtract the accuracy of one decoder from that of another, exchange by exchange.

    Parameters
    ----------
    first, second
        With the same exchanges.

    Returns
    -------
    Exchange
        Its null distribution is that of differences between decoders that know nothing; rounded,
        so that equal accuracies differ by 0.
    """
    return Exchange(
        np.round(first.observed - second.observed, DECIMALS - 1),
        np.round(first.null - second.null, DECIMALS - 1),
    )


def shifted_interval(exchange: Exchange, level: float = 0.95) -> tuple[float, float]:
    """Interval of a difference: those true values that its null, moved by them, does not reject.

    Parameters
    ----------
    exchange
        Of a difference, without further axes; with exchanges.
    level
        Share of intervals that cover the true difference.

    Returns
    -------
    low, high
        Observed difference minus the upper and the lower percentile of the exchanged ones.
    """
    tail = 50 * (1 - level)
    low, high = np.percentile(exchange.null, (tail, 100 - tail))
    return float(exchange.observed - high), float(exchange.observed - low)


def mean_of_known(values: Floats) -> Floats:
    """Mean over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    number = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.where(number > 0, total / np.maximum(number, 1), np.nan))
