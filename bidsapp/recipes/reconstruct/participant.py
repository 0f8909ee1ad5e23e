"""`reconstruct`, participant level.

Responses averaged over windows of clips predict the embedding of each window by ridge regression,
region by region, in folds over clips. The predictions of the best regions, chosen in inner folds,
are averaged; held-out clips are identified by them among all held-out clips and among those of
their genre, and compared with exchanged clips.

Source: Denk et al. 2025, Nature Communications, Brain2Music.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.excerpts import excerpt_mp3
from bidsapp.errors import UsageError
from bidsapp.features.courses import CourseBank
from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.reconstruct import cautions, results
from bidsapp.recipes.reconstruct.clips import Clips, make_blocks, make_clips
from bidsapp.recipes.reconstruct.decode import (
    Decoded,
    Judge,
    Regions,
    decode,
    decode_chosen,
    make_judge,
    make_regions,
    region_exchange,
)
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.windows import (
    embedding_layer,
    fill_responses,
    response_weights,
    window_embeddings,
)
from bidsapp.results.write import Output, tidy
from bidsapp.scratch import Scratch
from bidsapp.stats.clip_exchange import Exchange
from bidsapp.stats.identification import (
    Identification,
    closest_candidate,
    dimension_correlations,
    row_correlations,
)

LOGGER = logging.getLogger("musicotopy")
_PERCENTILES = (2.5, 97.5)
_N_SHOWN = 3
"""Candidates of each example."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """Decoding of one embedding space.

    Attributes
    ----------
    bank, layer
        Frames of the network, and the position of the layer that is the embedding.
    judge
        True embeddings, and how predictions are compared with them.
    decoded
        Predictions.
    overall, within
        Identification by the ensemble, among all clips and within genres.
    exchange, exchange_within, regions
        Their null distributions, and those of the regions; None without exchanges.
    curve
        Rows of the table of response windows.
    """

    bank: CourseBank
    layer: int
    judge: Judge
    decoded: Decoded
    overall: Identification
    within: Identification
    exchange: Exchange
    exchange_within: Exchange
    regions: Exchange
    curve: list[dict[str, Any]]

    @property
    def layer_name(self) -> str:
        """Name of the embedding layer."""
        return self.bank.layers[self.layer].name


def participant(study: ParticipantStudy) -> None:
    """Run the participant level for one participant in one space and write its results."""
    settings: ReconstructSettings = study.settings
    clips, rows_of = held_out_clips(study)
    bold = study.bold
    regions = make_regions(bold.units, ~bold.invalid, settings, study.config.atlas)
    scratch = Scratch.of(
        study.scratch,
        "reconstruct",
        study.configuration_hash,
        study.inputs.identity(),
        bold.units.identity(),
        label=study.label,
        quiet=study.config.quiet,
    )
    spaces = {}
    for name in settings.networks:
        bank = study.courses(study.network(name))
        spaces[bank.network] = decode_space(study, bank, clips, rows_of, regions, scratch)
    if settings.embedding_layer and all(
        space.layer_name != settings.embedding_layer for space in spaces.values()
    ):
        known = "; ".join(
            f"{name}: {', '.join(layer.name for layer in space.bank.layers)}"
            for name, space in spaces.items()
        )
        msg = f"reconstruct.embedding_layer={settings.embedding_layer!r}: known are {known}"
        raise UsageError(msg)
    out = study.output(bold.units)
    for name, space in spaces.items():
        write_space(out, name, space, clips, regions)
        write_examples(out, study, name, space, clips)
    out.write(results.REGION_LABELS, regions.label + 1, names=regions.names)
    out.write(results.FOLDS, fold_rows(clips, next(iter(spaces.values())).judge.fold))
    out.write(results.ALIGNMENT, study.inputs.alignment)
    facts = study.summary(
        bold.units,
        networks={
            name: {
                "layers": [space.layer_name],
                "weights": dict(space.bank.weights),
                "n_dimensions": space.bank.layers[space.layer].n_channels,
                "n_dual": space.decoded.n_dual,
            }
            for name, space in spaces.items()
        },
        cautions=cautions.of_participant(study, clips, regions, spaces),
        confounds=bold.confounds,
        n_constant=bold.n_constant,
        n_nan=bold.n_nan,
        n_clips=len(clips.clips),
        n_held_out=int((next(iter(spaces.values())).judge.fold >= 0).sum()),
        n_windows=clips.n_windows,
        n_genres=len(set(clips.genre) - {""}),
        n_folds=len(rows_of.folds),
        n_regions=len(regions.names),
        n_best=min(settings.n_best, len(regions.names)),
        n_repeats=[min(map(len, clips.hearings)), max(map(len, clips.hearings))],
    )
    out.write(results.SUMMARY, facts)
    scratch.remove()
    bold.remove()


def held_out_clips(study: ParticipantStudy) -> tuple[Clips, ClipRows]:
    """Return the clips whose responses were scanned, and their blocks without embeddings."""
    settings: ReconstructSettings = study.settings
    clips = make_clips(study.inputs, settings)
    weights = response_weights(clips, study.inputs.runs, **response_window(settings))
    scanned = np.diff(weights.indptr).reshape(-1, clips.n_windows).min(axis=1) > 0
    if not scanned.all():
        clips = clips.take(scanned, "its response was not scanned to the end")
    block, folds = make_blocks(clips, study.inputs.runs, settings, study.inputs.subject)
    return clips, ClipRows(np.empty((len(block), clips.n_windows, 0)), block, folds)


def response_window(
    settings: ReconstructSettings, shift_s: float | None = None, length_s: float | None = None
) -> dict[str, float]:
    """Return the arguments of `response_weights`; those of the settings where left out."""
    window_s = settings.embedding_window_s
    return {
        "window_s": window_s,
        "shift_s": settings.shift_s if shift_s is None else shift_s,
        "length_s": window_s if length_s is None else length_s,
    }


def decode_space(
    study: ParticipantStudy,
    bank: CourseBank,
    clips: Clips,
    rows_of: ClipRows,
    regions: Regions,
    scratch: Scratch,
) -> Space:
    """Decode the embedding of one network from every region, and judge the predictions.

    Parameters
    ----------
    study
        The participant.
    bank
        Frames of the network.
    clips, rows_of
        Clips; blocks and folds.
    regions
        What is decoded from.
    scratch
        Keeps responses on disk.
    """
    settings: ReconstructSettings = study.settings
    layer = embedding_layer(bank.layers, settings.embedding_layer)
    embedding = window_embeddings(bank, layer, clips, settings.embedding_window_s)
    rows = ClipRows(embedding, rows_of.block, rows_of.folds)
    judge = make_judge(rows, clips, settings, study.config.random_seed)
    weights = response_weights(clips, study.inputs.runs, **response_window(settings))
    shape = (study.bold.units.n_units, weights.shape[0])
    fill = partial(fill_responses, weights, study.bold.data)
    responses = scratch.array("responses", shape, np.float32, fill)
    decoded = decode(
        responses,
        regions,
        rows,
        settings,
        memory_bytes=study.memory_bytes // 4,
        device=study.device,
        label=f"{study.label} {bank.network}: regions",
        quiet=study.config.quiet,
    )
    LOGGER.info(
        "%s %s: %d regions, %d in the dual form",
        study.label,
        bank.network,
        len(regions.names),
        decoded.n_dual,
    )
    return Space(
        bank,
        layer,
        judge,
        decoded,
        judge.identify(decoded.ensemble),
        judge.identify(decoded.ensemble, within_genre=True),
        judge.exchange(decoded.ensemble),
        judge.exchange(decoded.ensemble, within_genre=True),
        region_exchange(judge, decoded),
        list(curve_rows(study, clips, rows, regions, decoded, judge)),
    )


def curve_rows(
    study: ParticipantStudy,
    clips: Clips,
    rows: ClipRows,
    regions: Regions,
    decoded: Decoded,
    judge: Judge,
) -> Iterator[dict[str, Any]]:
    """Yield the identification accuracy of other response windows.

    Regions are those that the ensemble took in the same folds; penalties are chosen again.
    """
    settings: ReconstructSettings = study.settings
    window_s = settings.embedding_window_s
    wanted = [("shift", shift_s, window_s) for shift_s in settings.curve_shifts_s]
    wanted += [("length", settings.shift_s, length_s) for length_s in settings.curve_lengths_s]
    taken = np.flatnonzero(decoded.chosen.any(axis=0))
    units = [regions.units(region) for region in taken]
    data = np.asarray(study.bold.data[:, np.concatenate(units)], np.float64) if wanted else None
    ends = np.cumsum([len(own) for own in units])[:-1]
    for varied, shift_s, length_s in wanted:
        window = response_window(settings, shift_s, length_s)
        weights = response_weights(clips, study.inputs.runs, **window)
        accuracy = np.nan
        if np.diff(weights.indptr).min() > 0:
            parts = np.split((weights @ data).T.astype(np.float32), ends)
            predicted = decode_chosen(parts, decoded.chosen[:, taken], rows, settings)
            accuracy = float(judge.identify(predicted).mean)
        yield {
            "varied": varied,
            "shift_s": shift_s,
            "length_s": length_s,
            "identification": accuracy,
        }


def write_space(out: Output, network: str, space: Space, clips: Clips, regions: Regions) -> None:
    """Write the maps and tables of one embedding space."""
    write = partial(out.write, network=network)
    facts = {"Weights": dict(space.bank.weights), "Layer": space.layer_name}
    exchange = space.regions
    accuracy = np.array([float(space.judge.identify(own).mean) for own in space.decoded.regions])
    write(results.MAP, regions.on_units(accuracy - 0.5), **facts)
    n_exchanges = len(exchange.null)
    tested = n_exchanges > 0
    nothing = np.full(len(accuracy), np.nan)
    p, p_fwe = (exchange.p, exchange.p_family) if tested else (nothing, nothing)
    if tested:
        write(results.P_MAP, regions.on_units(p_fwe), NumberOfExchanges=n_exchanges)
    columns = {
        "n_units": [len(regions.units(k)) for k in range(len(regions.names))],
        "n_chosen": space.decoded.chosen.sum(axis=0),
        "inner_score": space.decoded.scores.mean(axis=0),
        "identification": accuracy,
        "p": p,
        "p_fwe": p_fwe,
    }
    write(results.REGIONS, tidy(columns, region=regions.names))
    write(results.DECODING, decoding_rows(space))
    write(results.CLIPS, clip_rows(space, clips))
    if space.curve:
        write(results.CURVE, space.curve)
    held_out = space.judge.fold >= 0
    moments = [space.judge.rows.training_moments(k) for k in range(len(space.judge.rows.folds))]
    arrays = {
        "ensemble": space.decoded.ensemble[held_out].astype(np.float32),
        "target": space.judge.target[held_out].astype(np.float32),
        "mean": np.stack([mean for mean, _ in moments]).astype(np.float32),
        "sd": np.stack([sd for _, sd in moments]).astype(np.float32),
    }
    out.arrays(results.EMBEDDINGS, arrays, network=network)
    parts = {
        "ensemble": space.exchange,
        "within_genre": space.exchange_within,
        "regions": space.regions,
    }
    nulls = {}
    for name, part in parts.items():
        nulls[f"{name}_observed"] = part.observed
        nulls[f"{name}_null"] = part.null
    out.arrays(results.EXCHANGES, nulls, network=network)


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
    """Return mean, interval and p of a comparison with exchanged clips; nothing without any."""
    if not len(exchange.null):
        return {}
    low, high = np.percentile(exchange.null, _PERCENTILES)
    return {
        "null_mean": float(exchange.null.mean()),
        "null_low": float(low),
        "null_high": float(high),
        "p": float(exchange.p),
    }


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


def write_examples(
    out: Output, study: ParticipantStudy, network: str, space: Space, clips: Clips
) -> None:
    """Write the first held-out clip of each genre and the candidates most like its prediction.

    They are not chosen by how well they are identified.
    """
    judge, settings = space.judge, study.settings
    first: dict[str, int] = {}
    for clip in np.flatnonzero(judge.fold >= 0):
        first.setdefault(clips.genre[clip] or clips.clips[clip].piece, int(clip))
    chosen = [first[key] for key in sorted(first)][: settings.n_players]
    if not chosen:
        return
    predicted, target = judge.compared(space.decoded.ensemble), judge.compared(judge.target)
    paths = dict(study.inputs.sounds)
    rows, sounds = [], {}
    for number, clip in enumerate(chosen, start=1):
        candidates = np.flatnonzero(judge.fold == judge.fold[clip])
        r = row_correlations(predicted[clip][None], target[candidates])[0]
        best = candidates[np.argsort(-r, kind="stable")[:_N_SHOWN]]
        for place, other in enumerate([clip, *best]):
            item = clips.clips[other]
            sounds[f"sound{len(rows)}"] = np.frombuffer(
                excerpt_mp3(paths[item.piece], item.start_s, settings.clip_s), np.uint8
            )
            rows.append(
                {
                    "example": number,
                    "place": place,
                    "clip": item.name,
                    "genre": clips.genre[other],
                    "r": float(r[candidates == other][0]),
                }
            )
    out.write(results.EXAMPLES, rows, network=network)
    out.arrays(results.SOUNDS, sounds, network=network)


def fold_rows(clips: Clips, fold: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Yield one row per clip."""
    columns = {
        "piece": [clip.piece for clip in clips.clips],
        "start_s": [clip.start_s for clip in clips.clips],
        "genre": list(clips.genre),
        "fold": fold + 1,
        "n_repeats": [len(own) for own in clips.hearings],
    }
    yield from tidy(columns, clip=[clip.name for clip in clips.clips])
