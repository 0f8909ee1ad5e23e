"""Write the results of the participant level: maps, tables, regressors, summary."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp import __version__
from bidsapp.audio.io import load_audio, rms_envelope
from bidsapp.features.gram import gram_pca
from bidsapp.features.sampling import sampling_matrix
from bidsapp.recipes.courses import course_rows
from bidsapp.recipes.gradients.distrust import warnings
from bidsapp.recipes.gradients.results import NetworkResult, Results
from bidsapp.recipes.gradients.rows import Rows
from bidsapp.recipes.gradients.summaries import (
    null_rows,
    parcel_rows,
    parcel_summary_rows,
    piece_rows,
    profile_rows,
)
from bidsapp.recipes.inputs import SoundAnalysis
from bidsapp.recipes.writer import ResultWriter, participant_writer
from bidsapp.stats.metrics import best_layer, centroid_layer

_LIBRARIES = ("numpy", "scipy", "torch", "nibabel", "nilearn", "librosa", "soxr")
_MAX_PIECES_IN_MAPS = 10
_N_RECORDED = 3
_AUDIO_HZ = 16_000
_ENVELOPE_HZ = 10.0
Row = dict[str, Any]


def write_results(analysis: SoundAnalysis, results: Results) -> None:
    """Write everything one analysis has found.

    Parameters
    ----------
    analysis
        The job.
    results
        What it found.
    """
    writer = participant_writer(analysis, results.bold.units)
    significant = significant_units(results)
    for result in results.networks:
        _write_maps(writer, result, significant[result.bank.network], analysis)
    for network in dict.fromkeys(result.bank.network for result in results.networks):
        both = [result for result in results.networks if result.bank.network == network]
        _write_tables(writer, both, results, significant[network])
        writer.mask(
            significant[network],
            {"model": network, "desc": "significant"},
            "Units in parcels whose best layer passes the refitted temporal null, family-wise "
            "over layers and parcels (positive lags).",
        )
    if results.ceiling is not None:
        writer.maps(
            results.ceiling,
            ["ceiling"],
            {"stat": "ceiling"},
            "Highest correlation a model can reach with one repeat, from the agreement of "
            "repeated presentations.",
        )
    labels = results.parcels.labels + 1
    names = [f"parcel{number + 1:03d}" for number in range(results.parcels.n_parcels)]
    writer.labels(labels, names, {"desc": "parcels"}, "Parcels of the subject-level test.")
    _write_shared(writer, analysis, results)
    writer.facts(_summary(analysis, results), {"desc": "summary"})


def significant_units(results: Results) -> dict[str, NDArray[np.bool_]]:
    """Return, for each network, the units in parcels that pass at positive lags.

    The corrected p-value of a parcel counts; parcels stand for their units because the null is
    refitted for parcels.
    """
    masks = {}
    for result in results.networks:
        if result.rows.lags == "positive":
            passed = np.append(result.test.p_family < results.significance, False)
            masks[result.bank.network] = passed[results.parcels.labels]
    return masks


def _write_maps(
    writer: ResultWriter,
    result: NetworkResult,
    significant: NDArray[np.bool_],
    analysis: SoundAnalysis,
) -> None:
    lags, model = result.rows.lags, result.bank.network
    layers = [layer.name for layer in result.bank.layers]
    facts = {"LagsSeconds": list(result.rows.lags_s), "Weights": dict(result.bank.weights)}
    r = result.units.mean_r
    text = "Correlation of predicted and measured BOLD inside held-out blocks, averaged."
    writer.maps(r, layers, {"model": model, "stat": "r", "desc": lags}, text, **facts)
    pieces = list(dict.fromkeys(result.rows.block_pieces))
    if len(pieces) <= _MAX_PIECES_IN_MAPS:
        columns = [f"{layer}|{piece}" for layer in layers for piece in pieces]
        values = by_piece(result.units.r, result.rows)
        entities = {"model": model, "stat": "r", "desc": f"{lags}pieces"}
        writer.maps(values.reshape(len(columns), -1), columns, entities, f"{text[:-10]}.", **facts)
    mask = significant if analysis.settings.mask_maps else None
    writer.maps(
        centroid_layer(r, mask=mask),
        ["centroid"],
        {"model": model, "stat": "centroid", "desc": lags},
        "Mean layer number weighted by positive scores; undefined where no layer is significant.",
        **facts,
    )
    writer.labels(
        best_layer(r, mask=mask),
        layers,
        {"model": model, "desc": f"bestlayer{lags}"},
        "Layer with the largest positive score; 0 where no layer is significant.",
    )
    writer.maps(
        result.units.log10_alpha,
        layers,
        {"model": model, "stat": "alpha", "desc": lags},
        "log10 of the ridge penalty, averaged over outer folds.",
        **facts,
    )


def by_piece(r: NDArray[Any], rows: Rows) -> NDArray[Any]:
    """Average scores over the blocks of each piece.

    Parameters
    ----------
    r
        (n_layers, n_blocks, n_units).

    Returns
    -------
    ndarray, (n_layers, n_pieces, n_units)
    """
    names = rows.block_pieces
    groups = [
        [i for i, name in enumerate(names) if name == piece] for piece in dict.fromkeys(names)
    ]
    return np.stack([r[:, group].mean(axis=1) for group in groups], axis=1)


def _write_tables(
    writer: ResultWriter,
    both: list[NetworkResult],
    results: Results,
    significant: NDArray[np.bool_],
) -> None:
    model = both[0].bank.network
    layers = [layer.name for layer in both[0].bank.layers]
    parcels = results.parcels

    def entities(desc: str) -> dict[str, str]:
        return {"model": model, "desc": desc}

    def gather(rows: Any) -> Iterator[Row]:
        for result in both:
            yield from rows(result)

    writer.table(
        gather(lambda x: parcel_rows(x.test, parcels, layers, x.rows.lags)),
        entities("parcels"),
        "Score of each layer in each parcel against the refitted temporal null.",
        p="(b + 1) / (m + 1) over circular shifts",
        q="false discovery rate over layers and parcels",
    )
    writer.table(
        gather(lambda x: parcel_summary_rows(x.test, parcels, layers, x.rows.lags)),
        entities("parcelsummary"),
        "Best and centroid layer of each parcel.",
        p="best layer's score against the null of the best layer's score",
        p_fwe="the same against the maximum over layers and parcels",
        q="false discovery rate over parcels",
    )
    writer.table(
        gather(lambda x: null_rows(x.test, x.rows.lags)),
        entities("null"),
        "Circular shifts: largest and mean score over layers and parcels.",
    )
    writer.table(
        gather(lambda x: piece_rows(x.parcels.r, x.rows.block_pieces, layers, x.rows.lags)),
        entities("pieces"),
        "Score inside each held-out piece.",
    )
    facts = [vars_of(layer) for layer in both[0].bank.layers]
    writer.table(
        gather(
            lambda x: profile_rows(
                x.units.mean_r,
                (x.units.edge_low, x.units.edge_high),
                significant,
                facts,
                x.explained,
                x.rows.lags,
            )
        ),
        entities("profile"),
        "Scores over all units, layer by layer.",
        alpha_edge_low="share of significant units and folds with the smallest penalty",
        alpha_edge_high="share of significant units and folds with the largest penalty",
    )
    if any(result.ratings for result in both):
        writer.table(
            gather(_rating_rows),
            entities("ratings"),
            "Prediction of continuous ratings by each layer.",
            in_space=False,
        )


def vars_of(layer: Any) -> Mapping[str, Any]:
    """Return name, kind and number of features of a layer."""
    return {"name": layer.name, "kind": layer.kind, "n_features": layer.n_features}


def _rating_rows(result: NetworkResult) -> Iterator[Row]:
    names = result.rows.block_pieces
    for rating in result.ratings:
        for index, layer in enumerate(result.bank.layers):
            common = {
                "rating": rating.name,
                "rater": rating.rater,
                "lags": result.rows.lags,
                "layer": layer.name,
                "layer_index": index + 1,
            }
            scores = rating.r_blocks[index]
            yield {**common, "piece": "mean", "r": scores.mean(), "p": rating.p[index]}
            for piece in dict.fromkeys(names):
                mine = [block for block, name in enumerate(names) if name == piece]
                yield {**common, "piece": piece, "r": scores[mine].mean(), "p": np.nan}


def _write_shared(writer: ResultWriter, analysis: SoundAnalysis, results: Results) -> None:
    """Write what does not depend on the network: alignment, folds, waveforms, regressors."""
    first = results.networks[0]
    writer.table(
        analysis.inputs.alignment,
        {"desc": "alignment"},
        "Which sound meets which volumes.",
        in_space=False,
    )
    writer.table(
        fold_rows(first.rows, analysis), {"desc": "folds"}, "Blocks and folds.", in_space=False
    )
    writer.table(
        course_rows(analysis.inputs, results.parcel_means),
        {"desc": "parcelcourses"},
        "Cleaned BOLD of each parcel (mean over units, standardised run by run) for the volumes "
        "that heard a sound.",
        stim_time_s="position in the sound, seconds",
        repeat="1 for the first presentation of the piece",
    )
    writer.table(
        _waveform_rows(analysis),
        {"desc": "waveform"},
        "Root mean square amplitude of each sound, ten values per second.",
        in_space=False,
    )
    _write_recordings(writer, analysis, first)


def fold_rows(rows: Rows, analysis: SoundAnalysis) -> Iterator[Row]:
    """Yield one row per block: what it holds and in which fold it is tested."""
    for block, piece in enumerate(rows.block_pieces):
        mine = np.flatnonzero(rows.blocks.label == block)
        yield {
            "block": block + 1,
            "kind": rows.blocks.kind,
            "fold": rows.fold_of_block[block] + 1,
            "run": analysis.inputs.runs[rows.timeline.run[mine[0]]].name,
            "piece": piece,
            "n_rows": mine.size,
            "first_volume": int(rows.timeline.volume[mine[0]]),
            "last_volume": int(rows.timeline.volume[mine[-1]]),
        }


def _waveform_rows(analysis: SoundAnalysis) -> Iterator[Row]:
    for piece, path in analysis.inputs.sounds:
        envelope = rms_envelope(load_audio(path, _AUDIO_HZ), _AUDIO_HZ, _ENVELOPE_HZ)
        for window, value in enumerate(envelope):
            yield {"piece": piece, "time_s": (window + 0.5) / _ENVELOPE_HZ, "rms": value}


def _write_recordings(
    writer: ResultWriter, analysis: SoundAnalysis, result: NetworkResult
) -> None:
    """Write the first components of every layer on the volumes of each run."""
    bank, rows = result.bank, result.rows.timeline
    everything = np.arange(bank.n_frames)
    scores, columns = [], []
    for index, layer in enumerate(bank.layers):
        pca = gram_pca(bank.gram(index), everything, _N_RECORDED)
        scores.append(pca.scores)
        columns += [f"{layer.name}_pc{number + 1}" for number in range(pca.scores.shape[1])]
    components = np.hstack(scores)
    for number, run in enumerate(analysis.inputs.runs):
        values = np.full((run.n_trs, components.shape[1]), np.nan)
        for piece, name in enumerate(rows.pieces):
            mine = np.flatnonzero((rows.run == number) & (rows.piece == piece))
            frames = np.flatnonzero(bank.frame_piece == bank.pieces.index(name))
            if mine.size:
                operator = sampling_matrix(
                    bank.frame_time_s[frames],
                    rows.stim_time_s[mine],
                    rows.tr_s[mine],
                    reach_s=bank.window_s + bank.hop_s,
                )
                values[rows.volume[mine]] = operator @ components[frames]
        writer.recording(
            run.entities,
            bank.network,
            columns,
            values,
            (1 / run.tr_s, run.start_time_s),
            "First components of each layer's activations, fitted on all pieces, without lag; "
            "the models use components fitted in each training fold.",
        )


def _summary(analysis: SoundAnalysis, results: Results) -> dict[str, Any]:
    inputs, bold, config = analysis.inputs, results.bold, analysis.config
    banks = {result.bank.network: result.bank for result in results.networks}
    first = results.networks[0]
    return {
        "recipe": analysis.recipe,
        "variant": config.variant,
        "version": __version__,
        "subject": inputs.subject,
        "space": inputs.space,
        "settings": vars(analysis.settings),
        "config": {
            "confounds": config.confounds,
            "high_pass_hz": config.high_pass_hz,
            "smoothing_fwhm_mm": config.smoothing_fwhm_mm,
            "solver": config.solver,
            "random_seed": config.random_seed,
            "device": results.device,
            "mem": config.mem,
        },
        "weights": {name: dict(bank.weights) for name, bank in banks.items()},
        "n_units": bold.units.n_units,
        "units_hash": bold.units.identity(),
        "n_constant": bold.n_constant,
        "n_nan": bold.n_nan,
        "n_parcels": results.parcels.n_parcels,
        "n_shifts": analysis.settings.n_shifts,
        "n_folds": len(first.rows.folds),
        "block_kind": first.rows.blocks.kind,
        "n_rows": {item.rows.lags: item.rows.timeline.n_rows for item in results.networks},
        "runs": [
            {
                "name": run.name,
                "n_trs": run.n_trs,
                "tr_s": run.tr_s,
                "confounds": list(names),
                "preprocessed": run.preprocessed,
            }
            for run, names in zip(inputs.runs, bold.confounds, strict=True)
        ],
        "warnings": warnings(analysis, results),
        "python": platform.python_version(),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Versions of the libraries that decide numbers."""
    return {name: version(name) for name in _LIBRARIES}
