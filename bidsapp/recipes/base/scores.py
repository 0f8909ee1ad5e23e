"""Scores of a network's layers for one participant, and the tables that encoding recipes share.

Source: Kim, Overath and Sammler, poster, Methods: encoding models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.clean import BoldMatrix
from bidsapp.encoding.designs import DesignOptions, DesignStore
from bidsapp.encoding.encode import Encoding, Scorer, encode, encode_with_null, make_scorer
from bidsapp.encoding.parcels import Parcels, ParcelTest, parcel_test
from bidsapp.encoding.ratings import RatingScores, rating_scores, rating_targets
from bidsapp.encoding.rows import Rows
from bidsapp.features.extract import FeatureBank
from bidsapp.models.run_filter import RunFilter, make_run_filter
from bidsapp.recipes.base.layers import competing
from bidsapp.recipes.base.settings import EncodingSettings
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.base.used_rows import rows_of
from bidsapp.results.write import tidy
from bidsapp.stats.displacement import piece_shifts
from bidsapp.stats.metrics import best_layer

Row = dict[str, Any]


@dataclass(frozen=True)
class Scores:
    """What one network gives at one set of lags.

    Attributes
    ----------
    bank
        The network's frames.
    rows
        Rows, blocks and folds.
    units, parcels
        Scores of voxels or vertices, and of parcel means.
    test
        Parcels against their temporal null.
    explained
        Variance in the components of each layer.
    ratings
        Scores of the ratings.
    competes
        (n_layers,) layers that may be the best one.
    """

    bank: FeatureBank
    rows: Rows
    units: Encoding
    parcels: Encoding
    test: ParcelTest
    explained: tuple[float, ...]
    ratings: tuple[RatingScores, ...]
    competes: NDArray[np.bool_]

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""
        return [layer.name for layer in self.bank.layers]


def sound_lengths(study: ParticipantStudy) -> dict[str, float]:
    """Sound file → its length in seconds."""
    return {row["stim_file"]: float(row["sound_s"]) for row in study.inputs.alignment}


def row_set(study: ParticipantStudy, lags: str, lags_s: Sequence[float]) -> Rows:
    """List the volumes that a set of lags can explain, their blocks and folds."""
    return rows_of(study.inputs, study.settings, lags, lags_s)


def score(
    study: ParticipantStudy,
    bank: FeatureBank,
    rows: Rows,
    parcels: Parcels,
    means: NDArray[np.float32],
    *,
    tested: bool = True,
) -> Scores:
    """Score units, parcels (with their null) and ratings with every layer of a network.

    Parameters
    ----------
    study
        The participant.
    bank
        Frames and Gram matrices of the network's layers.
    rows
        Of one set of lags.
    parcels
        Parcels of the units with data.
    means
        (n_trs_total, n_parcels) cleaned BOLD averaged over parcels.
    tested
        Displace the music; without, nothing has a p-value.
    """
    settings: EncodingSettings = study.settings
    run_filter = filter_of(study, rows)
    store = design_store(study, bank, rows, run_filter)
    quiet, label = study.config.quiet, f"{bank.network} {rows.lags}"
    scorer = scorer_of(study)
    per_column = 12 * rows.timeline.n_rows + 16 * len(settings.log10_alpha)
    at_once = max(256, study.memory_bytes // 4 // per_column)
    volumes = volumes_of(study.bold, rows)
    n_units = study.bold.units.n_units
    slabs = unit_slabs(study.bold, volumes, at_once, run_filter)
    units = encode(store, slabs, n_units, scorer, label=label, quiet=quiet)
    with_null = partial(
        encode_with_null,
        shifts=displacements(study, rows)[: None if tested else 0],
        scorer=scorer,
        columns_at_once=at_once,
        label=f"{label} null",
        quiet=quiet,
    )
    of_parcels, null = with_null(store, filtered(means[volumes], run_filter))
    ratings = rating_targets(rows, study.inputs.ratings, study.inputs.runs)
    of_ratings: tuple[RatingScores, ...] = ()
    if ratings.names:  # nobody's head moves in a rating, no blood flows: features as they are
        plain = design_store(study, bank, replace(rows, response="lags"), None)
        seen, moved = with_null(plain, ratings.y.astype(np.float32))
        of_ratings = rating_scores(ratings, seen.r, moved)
    return Scores(
        bank=bank,
        rows=rows,
        units=units,
        parcels=of_parcels,
        test=parcel_test(of_parcels.mean_r, null),
        explained=store.explained_variance(),
        ratings=of_ratings,
        competes=competing(bank.layers, settings.input_layers),
    )


def displacements(study: ParticipantStudy, rows: Rows) -> NDArray[np.integer]:
    """Draw by how many rows each block is displaced, (n_shifts, n_blocks)."""
    settings: EncodingSettings = study.settings
    min_shift = round(settings.min_shift_s / float(rows.timeline.tr_s.min()))
    seed = study.config.random_seed
    return piece_shifts(rows.heard, rows.blocks.lengths, min_shift, settings.n_shifts, seed)


def filter_of(study: ParticipantStudy, rows: Rows) -> RunFilter | None:
    """Return the projection that cleans the runs on the rows of a design; None if it is off."""
    settings: EncodingSettings = study.settings
    if not settings.filter_features:
        return None
    return run_filter_of(study, rows, study.bold.nuisance)


def run_filter_of(
    study: ParticipantStudy, rows: Rows, nuisance: Sequence[NDArray[np.float64]]
) -> RunFilter:
    """Return the projection that takes regressors (n_trs, k) of each run out of the rows."""
    settings: EncodingSettings = study.settings
    times, label = rows.timeline, rows.blocks.label
    centred = label if settings.centre == "block" else np.where(label >= 0, times.run, -1)
    names = [run.name for run in study.inputs.runs]
    return make_run_filter(times.run, times.volume, centred, nuisance, names)


def filtered(y: NDArray[np.float32], run_filter: RunFilter | None) -> NDArray[np.float32]:
    """Return responses (n_rows, n_targets) as the features of a design are filtered."""
    return y if run_filter is None else run_filter(y)


def design_store(
    study: ParticipantStudy,
    bank: FeatureBank,
    rows: Rows,
    run_filter: RunFilter | None,
    options: DesignOptions | None = None,
) -> DesignStore:
    """Return the designs of a network's layers, as the settings say or with other options.

    They are kept for other participants where these share them: without a filter, or where only
    slow drifts are removed, which are the same in runs of one length.
    """
    settings: EncodingSettings = study.settings
    options = options or DesignOptions(
        settings.n_components, settings.log10_alpha, settings.pca_fit, settings.centre
    )
    return DesignStore(
        bank,
        rows.timeline,
        rows.blocks,
        rows.folds,
        rows.lags_s,
        options,
        study.scratch,
        response=rows.response,
        run_filter=run_filter,
        keep=run_filter is None or study.config.confounds == "none",
    )


def scorer_of(study: ParticipantStudy) -> Scorer:
    """Return the function that scores one fold."""
    settings: EncodingSettings = study.settings
    return make_scorer(
        study.config.solver,
        settings.alpha_metric,
        len(settings.log10_alpha),
        study.device,
        study.memory_bytes // 4,
    )


def volumes_of(bold: BoldMatrix, rows: Rows) -> NDArray[np.integer]:
    """Return the row of the time × units matrix behind each row of a design, (n_rows,)."""
    return np.asarray(bold.run_start)[rows.timeline.run] + rows.timeline.volume


def unit_slabs(
    bold: BoldMatrix,
    volumes: NDArray[np.integer],
    at_once: int,
    run_filter: RunFilter | None = None,
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the rows' BOLD in slabs of units that fit into memory, filtered as the features."""
    for start in range(0, bold.units.n_units, at_once):
        columns = slice(start, min(start + at_once, bold.units.n_units))
        yield columns, filtered(np.asarray(bold.data[volumes, columns]), run_filter)


def by_piece(r: NDArray[Any], rows: Rows) -> NDArray[Any]:
    """Average scores (n_layers, n_blocks, n_units) over blocks: (n_layers, n_pieces, n_units)."""
    names = np.array(rows.block_pieces)
    pieces = dict.fromkeys(rows.block_pieces)
    return np.stack([r[:, names == piece].mean(axis=1) for piece in pieces], axis=1)


def parcel_rows(scores: Scores, parcels: Parcels) -> Iterator[Row]:
    """Yield one row per parcel and layer."""
    test, n_layers = scores.test, len(scores.layers)
    places = {name: np.asarray(column)[:, None] for name, column in parcels.columns.items()}
    values = {"r": test.r.T, "p": test.p.T, "q": test.q.T}
    numbers = range(1, parcels.n_parcels + 1)
    index = np.arange(1, n_layers + 1)
    columns = {"layer_index": index, **places, **values}
    yield from tidy(columns, parcel=numbers, layer=scores.layers)


def profile_rows(scores: Scores, significant: NDArray[np.bool_]) -> Iterator[Row]:
    """Yield one row per layer: how it does over all units, and over significant ones."""
    r = scores.units.mean_r
    valid = np.asarray(np.isfinite(r).all(axis=0))
    responding = valid & significant
    best = best_layer(np.where(responding, r, np.nan), competes=scores.competes)

    def over(some: NDArray[np.bool_], value: Any, of: NDArray[Any] = r) -> NDArray[Any]:
        return np.array([value(row[some]) if some.any() else np.nan for row in of])

    index = np.arange(1, len(r) + 1)
    yield from tidy(
        {
            "layer_index": index,
            "kind": [layer.kind for layer in scores.bank.layers],
            "n_features": [layer.n_features for layer in scores.bank.layers],
            "explained_variance": scores.explained,
            "mean_r": over(valid, np.mean),
            "median_r": over(valid, np.median),
            "p95_r": over(valid, lambda values: np.quantile(values, 0.95)),
            "mean_r_significant": over(responding, np.mean),
            "n_units": int(valid.sum()),
            "n_best": [int((best == layer).sum()) for layer in index],
            "alpha_edge_low": over(responding, np.mean, scores.units.edge_low),
            "alpha_edge_high": over(responding, np.mean, scores.units.edge_high),
        },
        layer=scores.layers,
    )


def rating_rows(scores: Scores) -> Iterator[Row]:
    """Yield one row per rating, layer and piece, the mean over blocks first."""
    names = np.array(scores.rows.block_pieces)
    for rating in scores.ratings:
        for index, layer in enumerate(scores.layers):
            common = {
                "rating": rating.name,
                "rater": rating.rater,
                "layer": layer,
                "layer_index": index + 1,
            }
            r = rating.r_blocks[index]
            yield {**common, "piece": "mean", "r": r.mean(), "p": rating.p[index]}
            for piece in dict.fromkeys(scores.rows.block_pieces):
                yield {**common, "piece": piece, "r": r[names == piece].mean(), "p": np.nan}


def rating_null_rows(scores: Scores) -> Iterator[Row]:
    """Yield one row per rating, layer and displacement of the music."""
    for rating in scores.ratings:
        columns: dict[str, Any] = {
            "rating": rating.name,
            "rater": rating.rater,
            "layer_index": np.arange(1, len(scores.layers) + 1),
            "r": rating.null.astype(np.float32),
        }
        yield from tidy(columns, copy=range(1, len(rating.null) + 1), layer=scores.layers)


def null_arrays(r: NDArray[Any], null: NDArray[Any]) -> dict[str, Any]:
    """Scores of parcels and of displaced music, as `score_results.null_scores` declares."""
    return {"observed": r.astype(np.float32), "null": null.astype(np.float16)}


def fold_rows(rows: Rows, study: ParticipantStudy) -> Iterator[Row]:
    """Yield one row per block: what it holds and in which fold it is tested."""
    for block, piece in enumerate(rows.block_pieces):
        own = np.flatnonzero(rows.blocks.label == block)
        yield {
            "block": block + 1,
            "kind": rows.blocks.kind,
            "fold": rows.fold_of_block[block] + 1,
            "run": study.inputs.runs[rows.timeline.run[own[0]]].name,
            "piece": piece,
            "n_rows": own.size,
            "first_volume": int(rows.timeline.volume[own[0]]),
            "last_volume": int(rows.timeline.volume[own[-1]]),
        }
