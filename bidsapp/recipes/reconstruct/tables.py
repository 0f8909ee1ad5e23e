"""Rows of the tables of one participant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.recipes.reconstruct import results
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.decode import Judge
from bidsapp.recipes.reconstruct.space import Space
from bidsapp.results.write import tidy
from bidsapp.stats.clip_exchange import Exchange
from bidsapp.stats.identification import (
    closest_candidate,
    dimension_correlations,
    row_correlations,
)

_PERCENTILES = (2.5, 97.5)
Floats = NDArray[np.float64]


def decoding_rows(space: Space) -> Iterator[dict[str, Any]]:
    """Yield one row per decoder and set of candidates."""
    judge, decoded = space.judge, space.decoded
    predictions = {
        results.ENSEMBLE: decoded.ensemble,
        results.WHOLE: decoded.whole,
        results.ORACLE: judge.oracle,
    }
    for decoder, predicted in predictions.items():
        if predicted is None:
            continue
        for candidates, within in ((results.ALL, False), (results.SAME_GENRE, True)):
            found = judge.identify(predicted, within_genre=within)
            known = np.isfinite(found.rank)
            if not known.any():
                continue
            row = {
                "decoder": decoder,
                "candidates": candidates,
                "n_clips": int(known.sum()),
                "n_candidates": float(found.n_candidates[known].mean()),
                "identification": float(found.mean),
                **{f"recall{k}": float(found.recall(k)) for k in (1, 5, 10)},
                "mrr": float(found.mean_reciprocal_rank),
                "median_rank": float(found.median_rank),
                "r": mean_correlation(predicted, judge),
            }
            if decoder != results.ORACLE:
                exchange = judge.exchange(predicted, within_genre=within)
                row |= null_columns(exchange)
            yield row


def null_columns(exchange: Exchange) -> dict[str, float]:
    """Return mean, interval and p of a comparison with exchanged clips; NaN without any."""
    if not len(exchange.null):
        return dict.fromkeys(("null_mean", "null_low", "null_high", "p"), float("nan"))
    low, high = np.percentile(exchange.null, _PERCENTILES)
    return {
        "null_mean": float(exchange.null.mean()),
        "null_low": float(low),
        "null_high": float(high),
        "p": float(exchange.p),
    }


def p_of_regions(exchange: Exchange) -> tuple[Floats, Floats]:
    """Return p of each region and p corrected over them, (n_regions,); NaN without exchanges."""
    if len(exchange.null):
        return exchange.p, exchange.p_family
    nothing = np.full(exchange.observed.shape, np.nan)
    return nothing, nothing


def mean_correlation(predicted: Floats, judge: Judge) -> float:
    """Mean over folds and dimensions of the correlation over held-out clips."""
    each = []
    for number in range(len(judge.rows.folds)):
        test = judge.fold == number
        each.append(dimension_correlations(predicted[test], judge.target[test]))
    values = np.concatenate(each)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def clip_rows(space: Space, clips: Clips) -> Iterator[dict[str, Any]]:
    """Yield one row per held-out clip."""
    judge = space.judge
    predicted, target = judge.compared(space.decoded.ensemble), judge.compared(judge.target)
    held_out = np.flatnonzero(judge.fold >= 0)
    closest = closest_candidate(predicted[held_out], target[held_out], judge.fold[held_out])
    r = np.diag(row_correlations(predicted[held_out], target[held_out]))
    for place, clip in enumerate(held_out):
        candidate = held_out[closest[place]]
        yield {
            "clip": clips.clips[clip].name,
            "genre": clips.genre[clip],
            "fold": judge.fold[clip] + 1,
            "identification": space.overall.accuracy[clip],
            "within_genre": space.within.accuracy[clip],
            "rank": space.overall.rank[clip],
            "n_candidates": space.overall.n_candidates[clip],
            "decoded_as": clips.clips[candidate].name,
            "decoded_genre": clips.genre[candidate],
            "r": r[place],
        }


def fold_rows(clips: Clips, fold: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Yield one row per clip."""
    columns: dict[str, Any] = {
        "piece": [clip.piece for clip in clips.clips],
        "start_s": [clip.start_s for clip in clips.clips],
        "genre": list(clips.genre),
        "fold": fold + 1,
        "n_repeats": [len(own) for own in clips.hearings],
    }
    yield from tidy(columns, clip=[clip.name for clip in clips.clips])
