"""Clips heard in one session identified by decoders that were learnt in another.

Folds are those of the main analysis, so that no clip is learnt from and identified, whichever
sessions it was heard in. Regions are those that the ensemble of the fold takes.

Source: Denk et al. 2025 scanned in several sessions; that decoders generalise across them is a
question of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.decode import Decoded, Regions, decode_part
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.windows import fill_responses, response_weights, response_window
from bidsapp.scratch import Scratch
from bidsapp.stats.clip_exchange import Exchange, exchange_clips
from bidsapp.stats.identification import turn_within

Floats = NDArray[np.float64]
Reader = Callable[[NDArray[np.int64]], NDArray[np.float32]]


def session_rows(
    study: ParticipantStudy,
    clips: Clips,
    rows: ClipRows,
    regions: Regions,
    decoded: Decoded,
    scratch: Scratch,
    name: str,
) -> Iterator[dict[str, Any]]:
    """Yield one row per pair of sessions; nothing where there is one session only.

    Parameters
    ----------
    study
        The participant.
    clips, rows
        Clips; embeddings, blocks, folds.
    regions, decoded
        Regions, and which of them each fold takes.
    scratch, name
        Keeps the responses of the regions taken on disk, under this name.
    """
    settings: ReconstructSettings = study.settings
    runs = study.inputs.runs
    session_of = [run.entities.get("ses", "") for run in runs]
    sessions = sorted(set(session_of))
    if len(sessions) < 2:
        return
    taken = np.flatnonzero(np.isin(regions.label, np.flatnonzero(decoded.chosen.any(axis=0))))
    place = np.full(len(regions.label), -1)
    place[taken] = np.arange(len(taken))
    read: dict[str, Reader] = {}
    heard = {}
    for session in sessions:
        own = [
            tuple(item for item in hearings if session_of[item.run] == session)
            for hearings in clips.hearings
        ]
        weights = response_weights(
            replace(clips, hearings=tuple(own)), runs, **response_window(settings)
        )
        heard[session] = np.diff(weights.indptr).reshape(-1, clips.n_windows).min(axis=1) > 0
        kept = scratch.array(
            f"{name}-{session}",
            (len(taken), weights.shape[0]),
            np.float32,
            partial(fill_responses, weights, study.bold.data, units=taken),
        )
        read[session] = partial(_kept, kept, place)
    for train in sessions:
        for test in sessions:
            exchange, n_clips = between(
                (read[train], read[test]),
                (heard[train], heard[test]),
                regions,
                rows,
                decoded,
                settings,
                seed=study.config.random_seed,
            )
            if n_clips:
                yield {
                    "train": train,
                    "test": test,
                    "n_clips": n_clips,
                    "identification": float(exchange.observed),
                    "p": float(exchange.p) if len(exchange.null) else np.nan,
                }


def between(
    read: tuple[Reader, Reader],
    heard: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    regions: Regions,
    rows: ClipRows,
    decoded: Decoded,
    settings: ReconstructSettings,
    *,
    seed: int,
) -> tuple[Exchange, int]:
    """Identify the held-out clips of one session by decoders learnt in another.

    Parameters
    ----------
    read
        From units to their responses (n_units, n_rows), in the session that is learnt from, and
        in the one that is tested.
    heard
        (n_clips,) clips that were heard in them.
    regions, rows, decoded
        As for `session_rows`.
    seed
        Of the exchanges.
    settings
        As for `bidsapp.recipes.reconstruct.decode.decode_part`.

    Returns
    -------
    exchange
        Identification among the held-out clips of the fold that were heard in the second session.
    n_clips
        Clips with several candidates.
    """
    shape = (len(rows.block), rows.embedding.shape[2])
    predicted, targets = np.full(shape, np.nan), np.full(shape, np.nan)
    for fold in range(len(rows.folds)):
        held_out = rows.fold == fold
        test = held_out & heard[1]
        train = rows.train(fold) & heard[0]
        part = decode_part(
            partial(_mixed, read, regions, np.repeat(held_out, rows.n_windows)),
            rows,
            test,
            train,
            fold,
            decoded.chosen[fold],
            settings=settings,
        )
        if part is not None:
            predicted[test], targets[test] = part[0], part[1][test]
    known = np.isfinite(predicted).all(axis=1)
    group = np.where(known, rows.fold, -1)
    size = np.bincount(group[known], minlength=1) if known.any() else np.zeros(1, int)
    n_clips = int(size[size > 1].sum())
    orders = turn_within(settings.n_exchanges, group, seed, rows.place)
    return exchange_clips(predicted, targets, group, rows.fold, orders), n_clips


def _kept(
    responses: NDArray[np.float32], place: NDArray[np.int64], units: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Read the responses of some units, which lie at their places."""
    return np.asarray(responses[place[units]])


def _mixed(
    read: tuple[Reader, Reader], regions: Regions, tested: NDArray[np.bool_], region: int
) -> NDArray[np.float32]:
    """Responses of a region, (n_units, n_rows): of the second session in the rows tested."""
    units = regions.units(region)
    return np.where(tested, read[1](units), read[0](units))
