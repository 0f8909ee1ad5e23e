"""Clips of a genre identified by a decoder that never met the genre.

For each fold and genre, decoders of the regions that the fold's ensemble takes are fitted again
without any clip of the genre: weights, penalties, and the means and deviations by which embeddings
are standardised. Which regions these are was decided with it. Held-out clips of the genre are then
identified among all held-out clips of the fold.

Source: Denk et al. 2025, generalisation beyond the genres of the training data (figure 5a).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.left_out_decoder import LeftOut
from bidsapp.recipes.reconstruct.clips import NO_GENRE, Clips
from bidsapp.recipes.reconstruct.decode import Decoded, Judge, Regions
from bidsapp.recipes.reconstruct.refits import predict_without
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.clip_exchange import CHANCE, WIDENING, Exchange, candidate_accuracy
from bidsapp.stats.identification import DECIMALS

Floats = NDArray[np.float64]
ALL_GENRES = "all genres"
_LEAST_GENRES = 3


def ablation_rows(
    responses: NDArray[np.float32],
    regions: Regions,
    clips: Clips,
    judges: Sequence[Judge],
    decoded: Sequence[Decoded],
    settings: ReconstructSettings,
    *,
    label: str = "",
    quiet: bool = True,
) -> list[list[dict[str, Any]]]:
    """Return one row per genre, and one for all, of the accuracy without the genre.

    Parameters
    ----------
    responses
        (n_units, n_rows) mean responses.
    regions
        What is decoded from.
    clips
        With genres.
    judges, decoded
        Of each embedding: folds and exchanges; which regions each fold takes, and what they give.
    settings
        Penalties.
    label, quiet
        Of the progress bar.

    Returns
    -------
    list of list of dict
        Of each embedding; empty where fewer than three genres are known.
    """
    genre = np.array(clips.genre)
    names = [str(name) for name in np.unique(genre[genre != NO_GENRE])]
    if len(names) < _LEAST_GENRES:
        return [[] for _ in judges]
    each = [LeftOut(genre == name) for name in names]
    predicted = predict_without(
        responses,
        regions,
        [judge.rows for judge in judges],
        [own.chosen for own in decoded],
        each,
        settings,
        label=label,
        quiet=quiet,
    )
    return [
        list(
            _rows(
                judge,
                own,
                dict(zip(names, each, strict=True)),
                {
                    (names[which], fold): values
                    for (which, number, fold), values in predicted.items()
                    if number == space
                },
            )
        )
        for space, (judge, own) in enumerate(zip(judges, decoded, strict=True))
    ]


def _rows(
    judge: Judge,
    decoded: Decoded,
    genres: Mapping[str, LeftOut],
    predicted: Mapping[tuple[str, int], Floats],
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one embedding from its predictions, (genre, fold) → held-out clips."""
    full = judge.identify(decoded.ensemble).accuracy
    sums: dict[str, Floats] = {}
    compared: dict[str, NDArray[np.bool_]] = {}
    for (name, fold), values in predicted.items():
        own = genres[name]
        candidates = np.flatnonzero(judge.fold == fold)
        if candidates.size < 2:
            continue
        test = np.flatnonzero((judge.fold == fold) & own.clips)
        mean, sd = judge.rows.moments(own.train(judge.rows, fold))
        targets = judge.rows.embedding[candidates].mean(axis=1)
        if judge.raw:
            accuracy = candidate_accuracy(values * sd + mean, targets)
        else:
            scale = np.where(sd > 0, sd, np.inf)
            accuracy = candidate_accuracy(values, (targets - mean) / scale)
        given = np.vstack([test, judge.orders[:, test]])
        place = np.searchsorted(candidates, given)
        scores = accuracy[np.arange(test.size), place].sum(axis=1)
        sums[name] = sums.get(name, 0.0) + scores
        compared.setdefault(name, np.zeros(len(full), np.bool_))[test] = True
    known = [name for name in genres if name in sums]
    if not known:
        return
    sums[ALL_GENRES] = np.sum([sums[name] for name in known], axis=0)
    compared[ALL_GENRES] = np.any([compared[name] for name in known], axis=0)
    widening = WIDENING if len(judge.rows.folds) > 1 else 1.0
    for name in [ALL_GENRES, *known]:
        n_clips = int(compared[name].sum())
        mean = np.round(sums[name] / n_clips, DECIMALS)
        exchange = Exchange(mean[0], CHANCE + widening * (mean[1:] - CHANCE))
        yield {
            "genre": name,
            "n_clips": n_clips,
            "identification": float(full[compared[name]].mean()),
            "without_genre": float(mean[0]),
            "p": float(exchange.p) if len(judge.orders) else np.nan,
        }
