"""`gradients`, participant level.

For each layer of the network, 50 principal components of its activations, lagged by 4, 5 and 6 s,
predict every voxel or vertex by ridge regression; the profile of prediction accuracies over layers
gives a best and a centroid layer. Negative lags are the control, continuous ratings are predicted
by the same models, and parcels are tested against responses shifted in time.

Source: Kim, Overath and Sammler, poster, Methods.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.io import load_audio, rms_envelope
from bidsapp.brain.clean import BoldMatrix
from bidsapp.brain.parcels import parcel_means
from bidsapp.encoding.courses import course_rows
from bidsapp.encoding.parcels import Parcels, make_parcels
from bidsapp.encoding.repeats import repeated_rows
from bidsapp.encoding.rows import Rows
from bidsapp.features.sampling import sampling_matrix
from bidsapp.recipes.base.layers import network_facts
from bidsapp.recipes.base.peak import peak_rows
from bidsapp.recipes.base.quality import quality_rows
from bidsapp.recipes.base.scores import (
    Encoder,
    Scores,
    by_piece,
    fold_rows,
    null_arrays,
    parcel_rows,
    profile_rows,
    rating_null_rows,
    rating_rows,
)
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.gradients import cautions, results
from bidsapp.recipes.gradients.delay import delay_rows
from bidsapp.recipes.gradients.displacement import write_beyond
from bidsapp.recipes.gradients.settings import GradientsSettings
from bidsapp.results.write import Output, tidy
from bidsapp.stats.ceilings import repeat_ceiling
from bidsapp.stats.metrics import best_layer, centroid_layer

LOGGER = logging.getLogger("musicotopy")
_MAX_PIECES_IN_MAPS = 10
_N_RECORDED = 3
_AUDIO_HZ = 16_000
_ENVELOPE_HZ = 10.0
Row = dict[str, Any]


def participant(study: ParticipantStudy) -> None:
    """Run the participant level for one participant in one space and write its results."""
    settings: GradientsSettings = study.settings
    bold = study.bold
    durations_s = {row["stim_file"]: float(row["sound_s"]) for row in study.inputs.alignment}
    lag_sets = (("positive", settings.lags_s), ("negative", settings.control_lags_s))
    encoders = [Encoder.at(study, lags, lags_s) for lags, lags_s in lag_sets if lags_s]
    row_sets = [encoder.rows for encoder in encoders]
    parcels = make_parcels(bold.units, ~bold.invalid, settings.n_parcels, study.config.atlas)
    means = parcel_means(bold.data, parcels.labels, parcels.n_parcels)
    out = study.output(bold.units)
    everything: dict[str, list[Scores]] = {}
    for name in settings.networks:
        bank = study.features(study.network(name))
        for encoder in encoders:
            lags = encoder.rows.lags
            LOGGER.info("%s: %s, %s lags", study.label, name, lags)
            tested = lags == "positive"  # the control has no p-values
            scores = encoder.score(bank, parcels, means, tested=tested)
            everything.setdefault(bank.network, []).append(scores)
    for name, both in everything.items():
        write_network(out, name, both, parcels, settings)
        out.write(results.PEAK, peak_rows(both[0], means), network=name)
        out.write(results.DELAY, delay_rows(both[0], parcels, means), network=name)
    positive = {name: both[0] for name, both in everything.items()}
    write_beyond(out, encoders[0], positive, parcels, means)
    ceiling = noise_ceiling(encoders[0])
    if ceiling is not None:
        out.write(results.CEILING, ceiling)
    names = [f"parcel{number + 1:03d}" for number in range(parcels.n_parcels)]
    out.write(results.PARCEL_LABELS, parcels.labels + 1, names=names)
    out.write(results.ALIGNMENT, study.inputs.alignment)
    out.write(results.QUALITY, quality_rows(study.inputs, study.bold.tsnr))
    out.write(results.FOLDS, fold_rows(row_sets[0], study))
    courses = course_rows(study.inputs.runs, study.inputs.presentations, durations_s, means)
    out.write(results.COURSES, courses)
    out.write(results.WAVEFORM, waveform_rows(study))
    first = next(iter(everything.values()))[0]
    write_regressors(out, study, first)
    facts = summary(study, bold, parcels, row_sets, everything)
    out.write(results.SUMMARY, facts)
    bold.remove()


def noise_ceiling(encoder: Encoder) -> NDArray[np.floating[Any]] | None:
    """Return the ceiling (n_units,) from repeats of a sound; None where nothing is repeated."""
    study, rows = encoder.study, encoder.rows
    settings: GradientsSettings = study.settings
    repeats, piece = repeated_rows(rows, study.inputs.presentations)
    if not repeats:
        return None
    at_once = max(256, study.memory_bytes // (4 * 8 * rows.timeline.n_rows))
    min_shift, seed = round(settings.min_shift_s / rows.timeline.tr_s[0]), study.config.random_seed
    return np.concatenate(
        [
            repeat_ceiling(np.stack([y[some] for some in repeats]), piece, min_shift, seed=seed)
            for _, y in encoder.slabs(at_once)
        ]
    )


# ------------------------------------------------------------------ writing


def write_network(
    out: Output,
    network: str,
    both: Sequence[Scores],
    parcels: Parcels,
    settings: GradientsSettings,
) -> None:
    """Write the maps and tables of one network, at all sets of lags."""
    passed = both[0].test.p_family <= settings.significance  # positive lags come first
    significant = np.append(passed, False)[parcels.labels]
    for scores in both:
        write_maps(out, scores, significant if settings.mask_maps else None)
    if len(both[0].test.null):
        out.write(results.SIGNIFICANT, significant, network=network)

    def table(result: Any, rows: Any) -> None:
        each = ({"lags": scores.rows.lags, **row} for scores in both for row in rows(scores))
        out.write(result, each, network=network)

    table(results.PARCELS, lambda scores: parcel_rows(scores, parcels))
    table(results.PARCEL_SUMMARY, lambda scores: parcel_summary_rows(scores, parcels))
    table(results.NULL, null_rows)
    table(results.PIECES, piece_rows)
    out.arrays(
        results.NULL_SCORES, null_arrays(both[0].test.r, both[0].test.null), network=network
    )
    table(results.PROFILE, lambda scores: profile_rows(scores, significant))
    if any(scores.ratings for scores in both):
        table(results.RATINGS, rating_rows)
        table(results.RATINGS_NULL, rating_null_rows)


def write_maps(out: Output, scores: Scores, mask: NDArray[np.bool_] | None) -> None:
    """Write the maps of one network at one set of lags; layer maps inside the mask."""
    lags, network, r = scores.rows.lags, scores.bank.network, scores.units.mean_r
    weights = dict(scores.bank.weights)
    fields: dict[str, Any] = {"LagsSeconds": list(scores.rows.lags_s), "Weights": weights}
    out.write(results.SCORE.of(lags), r, network=network, names=scores.layers, **fields)
    pieces = list(dict.fromkeys(scores.rows.block_pieces))
    if len(pieces) <= _MAX_PIECES_IN_MAPS:
        names = [f"{layer}|{piece}" for layer in scores.layers for piece in pieces]
        values = by_piece(scores.units.r, scores.rows).reshape(len(names), -1)
        out.write(results.SCORE_PIECES.of(lags), values, network=network, names=names, **fields)
    where = "Shown where a layer is significant." if mask is not None else ""
    apart = [layer for layer, may in zip(scores.layers, scores.competes, strict=True) if not may]
    maps: dict[str, Any] = {"network": network, "note": where, "LayersApart": apart}
    centroid = centroid_layer(r, mask=mask, competes=scores.competes)
    out.write(results.CENTROID.of(lags), centroid, **maps, **fields)
    best = best_layer(r, mask=mask, competes=scores.competes)
    out.write(results.BEST_LAYER.of(lags), best, names=scores.layers, **maps)
    alpha = scores.units.log10_alpha
    out.write(results.ALPHA.of(lags), alpha, network=network, names=scores.layers, **fields)


def parcel_summary_rows(scores: Scores, parcels: Parcels) -> Iterator[Row]:
    """Yield one row per parcel: its best layer and how sure one can be that it responds."""
    test, best = scores.test, best_layer(scores.test.r, competes=scores.competes)
    names = [scores.layers[int(layer) - 1] if layer > 0 else None for layer in best]
    yield from tidy(
        {
            **parcels.columns,
            "best_layer": np.array(names, dtype=object),
            "best_layer_index": np.array([int(layer) or None for layer in best], dtype=object),
            "centroid": centroid_layer(test.r, competes=scores.competes),
            "r_max": test.r.max(axis=0),
            "p": test.p_parcel,
            "p_fwe": test.p_family,
            "q": test.q_parcel,
        },
        parcel=range(1, parcels.n_parcels + 1),
    )


def null_rows(scores: Scores) -> Iterator[Row]:
    """Yield one row per circular shift."""
    test = scores.test
    means = np.nanmean(test.null, axis=(1, 2))
    yield from tidy({"max_r": test.null_max, "mean_r": means}, shift=range(1, len(means) + 1))


def piece_rows(scores: Scores) -> Iterator[Row]:
    """Yield one row per piece, layer and parcel."""
    r = by_piece(scores.parcels.r, scores.rows).transpose(1, 0, 2)
    pieces = list(dict.fromkeys(scores.rows.block_pieces))
    yield from tidy({"r": r}, piece=pieces, layer=scores.layers, parcel=range(1, r.shape[2] + 1))


def waveform_rows(study: ParticipantStudy) -> Iterator[Row]:
    """Yield the amplitude of each sound, window by window."""
    for piece, path in study.inputs.sounds:
        envelope = rms_envelope(load_audio(path, _AUDIO_HZ), _AUDIO_HZ, _ENVELOPE_HZ)
        for window, value in enumerate(envelope):
            yield {"piece": piece, "time_s": (window + 0.5) / _ENVELOPE_HZ, "rms": value}


def write_regressors(out: Output, study: ParticipantStudy, scores: Scores) -> None:
    """Write the first components of every layer on the volumes of each run."""
    bank, rows = scores.bank, scores.rows.timeline
    everything = np.arange(bank.n_frames)
    parts, names = [], []
    for index, layer in enumerate(bank.layers):
        pca = bank.components(index, everything, _N_RECORDED)
        parts.append(pca.scores)
        names += [f"{layer.name}_pc{number + 1}" for number in range(pca.scores.shape[1])]
    components = np.hstack(parts)
    for number, run in enumerate(study.inputs.runs):
        values = np.full((run.n_trs, components.shape[1]), np.nan)
        for piece, name in enumerate(rows.pieces):
            own = np.flatnonzero((rows.run == number) & (rows.piece == piece))
            frames = np.flatnonzero(bank.frame_piece == bank.pieces.index(name))
            if own.size:
                operator = sampling_matrix(
                    bank.frame_time_s[frames],
                    rows.stim_time_s[own],
                    rows.tr_s[own],
                    reach_s=bank.window_s + bank.hop_s,
                    what=f"{bank.network}, {name}",
                )
                values[rows.volume[own]] = operator @ components[frames]
        out.recording(
            run.entities,
            bank.network,
            names,
            values,
            (1 / run.tr_s, run.start_time_s),
            "First components of each layer's activations, fitted on all pieces, without lag; "
            "the models use components fitted in each training fold.",
        )


def summary(
    study: ParticipantStudy,
    bold: BoldMatrix,
    parcels: Parcels,
    row_sets: Sequence[Rows],
    everything: Mapping[str, Sequence[Scores]],
) -> Row:
    """Return the content of the summary."""
    networks = {
        name: network_facts(both[0].bank.layers, both[0].bank.weights, study.settings.input_layers)
        for name, both in everything.items()
    }
    return study.summary(
        bold.units,
        networks=networks,
        cautions=cautions.of_participant(study, row_sets[0], everything),
        confounds=bold.confounds,
        n_constant=bold.n_constant,
        n_nan=bold.n_nan,
        n_parcels=parcels.n_parcels,
        n_folds=len(row_sets[0].folds),
        block_kind=row_sets[0].blocks.kind,
        conditions=[rows.lags for rows in row_sets],
        n_rows={rows.lags: rows.n_used for rows in row_sets},
    )
