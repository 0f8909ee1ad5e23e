"""Clips of a genre identified by a decoder that never met the genre.

For each fold and genre, decoders of the regions that the fold's ensemble takes are fitted again
without any clip of the genre: weights, penalties, and the means and deviations by which embeddings
are standardised. Which regions these are was decided with it. Held-out clips of the genre are then
identified among all held-out clips of the fold.

Source: Denk et al. 2025, generalisation beyond the genres of the training data (figure 5a).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.reconstruct.clips import NO_GENRE, Clips
from bidsapp.recipes.reconstruct.decode import Decoded, Judge, Regions, decode_part
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.clip_exchange import CHANCE, WIDENING, Exchange, candidate_accuracy
from bidsapp.stats.identification import DECIMALS

Floats = NDArray[np.float64]
ALL_GENRES = "all genres"


def ablation_rows(
    responses: NDArray[np.float32],
    regions: Regions,
    clips: Clips,
    judge: Judge,
    decoded: Decoded,
    settings: ReconstructSettings,
) -> Iterator[dict[str, Any]]:
    """Yield one row per genre, and one for all, of the accuracy without the genre.

    Parameters
    ----------
    responses
        (n_units, n_rows) mean responses.
    regions
        What is decoded from.
    clips, judge
        Genres; embeddings, folds and exchanges.
    decoded
        With all genres: which regions each fold takes, and what is compared.
    settings
        Penalties.

    Yields
    ------
    dict
        Nothing where fewer than three genres are known.
    """
    genre = np.array(clips.genre)
    names = [str(name) for name in np.unique(genre[genre != NO_GENRE])]
    if len(names) < 3:
        return
    full = judge.identify(decoded.ensemble).accuracy
    m = len(judge.orders)
    fitted = (decoded, settings)
    sums: dict[str, Floats] = {}
    numbers: dict[str, int] = {}
    compared = {name: np.zeros(len(genre), np.bool_) for name in names}
    for name in names:
        sums[name], numbers[name] = np.zeros(m + 1), 0
        for fold in range(len(judge.rows.folds)):
            test = np.flatnonzero((judge.fold == fold) & (genre == name))
            candidates = np.flatnonzero(judge.fold == fold)
            ablated = genre == name
            predicted = without_genre(responses, regions, judge.rows, ablated, fold, *fitted)
            if predicted is None or candidates.size < 2:
                continue
            values, targets = predicted
            accuracy = candidate_accuracy(values, targets[candidates])
            given = np.vstack([test, judge.orders[:, test]])
            place = np.searchsorted(candidates, given)
            sums[name] += accuracy[np.arange(test.size), place].sum(axis=1)
            numbers[name] += test.size
            compared[name][test] = True
    known = [name for name in names if numbers[name]]
    if not known:
        return
    sums[ALL_GENRES] = np.sum([sums[name] for name in known], axis=0)
    numbers[ALL_GENRES] = sum(numbers[name] for name in known)
    compared[ALL_GENRES] = np.any([compared[name] for name in known], axis=0)
    widening = WIDENING if len(judge.rows.folds) > 1 else 1.0
    for name in [ALL_GENRES, *known]:
        mean = np.round(sums[name] / numbers[name], DECIMALS)
        exchange = Exchange(mean[0], CHANCE + widening * (mean[1:] - CHANCE))
        yield {
            "genre": name,
            "n_clips": numbers[name],
            "identification": float(full[compared[name]].mean()),
            "without_genre": float(mean[0]),
            "p": float(exchange.p) if m else np.nan,
        }


def without_genre(
    responses: NDArray[np.float32],
    regions: Regions,
    rows: ClipRows,
    ablated: NDArray[np.bool_],
    fold: int,
    decoded: Decoded,
    settings: ReconstructSettings,
) -> tuple[Floats, Floats] | None:
    """Predict the held-out clips of a genre by decoders that are fitted without the genre.

    Parameters
    ----------
    responses, regions, rows, fold, decoded, settings
        As for `bidsapp.recipes.reconstruct.decode.decode_part`, which also says what is returned.
    ablated
        (n_clips,) clips of the genre.
    """
    held_out = np.isin(rows.block, rows.folds[fold].test)
    test, train = held_out & ablated, ~held_out & ~ablated
    return decode_part(
        responses,
        regions,
        rows,
        test,
        train,
        fold,
        decoded.chosen[fold],
        settings=settings,
    )
