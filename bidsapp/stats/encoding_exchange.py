r"""Correlation of predicted and measured responses to clips, and the same with clips exchanged.

The score of a unit is the correlation over the clips that a fold holds out, averaged over folds.
An exchange gives each clip the response to another held-out clip of its fold, the same in all
units and models; the models are left as they were. As in `bidsapp.stats.clip_exchange`, folds
train on each other's clips: with a linear model a chance likeness of two clips counts in the fold
that tests the one and in the fold that tests the other, so that exchanged scores are moved away
from 0 by the square root of 2 where there are several folds.

Differences of models are scored under the same exchanges.

Source: Nichols & Holmes 2002, Human Brain Mapping 15, 1-25 (exchange, largest statistic).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidsapp.stats.clip_exchange import WIDENING, Exchange
from bidsapp.stats.nulls import max_statistic_p, permutation_p

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
_TILE = 64
"""Units worked on together, so that their clips stay in the cache."""


@dataclass(frozen=True, eq=False)
class EncodingExchange:
    """Scores of models and of their differences; without exchanges, p-values are NaN.

    Attributes
    ----------
    score
        (n_scores, n_units).
    p, p_fwe
        (n_scores, n_units) one-sided; corrected by the largest effect over units: scores in root
        mean squares of their own exchanged ones, as differences of like models vary less.
    groups
        Mean score of each group of units: observed (n_scores, n_groups), null
        (m, n_scores, n_groups).
    """

    score: Floats
    p: Floats
    p_fwe: Floats
    groups: Exchange


def standardised(values: NDArray[np.floating], fold: Ints) -> Singles:
    """Scale (n_clips, n_units) so that products sum to the mean correlation over folds.

    Parameters
    ----------
    values
        Responses or predictions.
    fold
        (n_clips,) fold that holds each clip out; -1 for none.

    Returns
    -------
    array, (n_clips, n_units)
        In each fold of mean 0 and sum of squares 1 / n_folds; 0 where a unit is constant in a
        fold, which correlates with nothing, and in clips that no fold holds out.
    """
    out = np.zeros(values.shape, np.float32)
    labels = np.unique(fold[fold >= 0])
    for label in labels:
        clips = np.flatnonzero(fold == label)
        part = np.asarray(values[clips], np.float64)
        centred = part - part.mean(axis=0)
        norm = np.linalg.norm(centred, axis=0)
        flat = ~(norm > 1e-6 * np.abs(part).max(axis=0))
        scale = np.where(flat, np.inf, norm * np.sqrt(len(labels)))
        out[clips] = np.nan_to_num(centred) / scale
    return out


def exchange_scores(
    predicted: Callable[[Ints], Sequence[NDArray[np.floating]]],
    responses: NDArray[np.floating],
    fold: Ints,
    orders: Ints,
    contrasts: Floats,
    groups: Sequence[Ints],
    *,
    memory_bytes: int = 1 << 28,
) -> EncodingExchange:
    """Score models and differences of models, and compare them with exchanged clips.

    Parameters
    ----------
    predicted
        From numbers of units to (n_clips, n_units) predictions of each model; asked for group by
        group, in order.
    responses
        (n_clips, n_units) measured.
    fold
        (n_clips,) fold that holds each clip out; -1 for none.
    orders
        (m, n_clips) the clip whose response is given to each clip, within its fold; from
        `bidsapp.stats.identification.turn_within`.
    contrasts
        (n_scores, n_models): 1 for a model, 1 and -1 for a difference.
    groups
        Units of each group (region); units of no group are not scored.
    memory_bytes
        For exchanged scores: units of a group are gone through in as many parts as it asks for.

    Returns
    -------
    EncodingExchange
        NaN for units of no group, and units with constant responses have a score of 0.
    """
    n_scores, n_units, m = len(contrasts), responses.shape[1], len(orders)
    score = np.full((n_scores, n_units), np.nan)
    p, effect = np.full((n_scores, n_units), np.nan), np.full((n_scores, n_units), np.nan)
    largest = np.full((m, n_scores), -np.inf)
    observed, null_of_groups = np.full((n_scores, len(groups)), np.nan), []
    widening = WIDENING if fold.max() > 0 else 1.0
    held_out = np.flatnonzero(fold >= 0)
    place = np.full(len(fold), -1)
    place[held_out] = np.arange(held_out.size)
    sources = place[np.vstack([np.arange(len(fold)), orders])[:, held_out]]
    at_once = max(_TILE, memory_bytes // (8 * (m + 1) * (2 * contrasts.shape[1] + 3 * n_scores)))
    for number, of_group in enumerate(groups):
        sums = np.zeros((m, n_scores))
        for start in range(0, len(of_group), at_once):
            units = of_group[start : start + at_once]
            target = standardised(responses[:, units], fold)[held_out]
            each = [
                _exchanged(standardised(values, fold)[held_out], target, sources)
                for values in predicted(units)
            ]
            values = np.tensordot(contrasts, np.stack(each), axes=1)  # n_scores, 1 + m, n_units
            score[:, units] = values[:, 0]
            null = widening * np.moveaxis(values[:, 1:], 1, 0)
            sums += null.sum(axis=-1)
            if m:
                p[:, units] = permutation_p(values[:, 0], null)
                size = np.sqrt(np.square(null).mean(axis=0))
                scale = np.where(size > 0, size, np.inf)
                effect[:, units] = values[:, 0] / scale
                largest = np.maximum(largest, (null / scale).max(axis=-1))
        observed[:, number] = score[:, of_group].mean(axis=-1)
        null_of_groups.append(sums / len(of_group))
    p_fwe = np.full_like(p, np.nan)
    for row in range(n_scores if m else 0):
        p_fwe[row] = max_statistic_p(effect[row], largest[:, row])
    of_groups = Exchange(observed, np.stack(null_of_groups, axis=-1))
    return EncodingExchange(score, p, p_fwe, of_groups)


def _exchanged(predicted: Singles, target: Singles, sources: Ints) -> Floats:
    """Sum products over clips for each row of sources, (n_rows, n_units)."""
    out = np.empty((len(sources), target.shape[1]), np.float32)
    for start in range(0, target.shape[1], _TILE):
        tile = slice(start, start + _TILE)
        part = np.empty((len(sources), target[:, tile].shape[1]), np.float32)
        _sum_products(
            np.ascontiguousarray(predicted[:, tile]),
            np.ascontiguousarray(target[:, tile]),
            sources,
            part,
        )
        out[:, tile] = part
    return out.astype(np.float64)


@njit(nogil=True, fastmath={"nnan", "nsz", "contract"})
def _sum_products(predicted: Singles, target: Singles, sources: Ints, out: Singles) -> None:
    n_clips, n_units = predicted.shape
    for row in range(sources.shape[0]):
        for unit in range(n_units):
            out[row, unit] = 0.0
        for clip in range(n_clips):
            source = sources[row, clip]
            for unit in range(n_units):
                out[row, unit] += predicted[clip, unit] * target[source, unit]
