"""Scores of a network's layers for one participant, and the tables that encoding recipes share.

Source: Kim, Overath and Sammler, poster, Methods: encoding models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    encoder
        Rows, blocks and folds, and how responses to them were predicted.
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
    encoder: Encoder
    units: Encoding
    parcels: Encoding
    test: ParcelTest
    explained: tuple[float, ...]
    ratings: tuple[RatingScores, ...]
    competes: NDArray[np.bool_]

    @property
    def rows(self) -> Rows:
        """Rows, blocks and folds."""
        return self.encoder.rows

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""
        return [layer.name for layer in self.bank.layers]


@dataclass(frozen=True, eq=False)
class Encoder:
    """How features predict the responses of a participant on the rows of one set of lags.

    Attributes
    ----------
    study
        The participant.
    rows
        Volumes that the lags can explain, their blocks and folds.
    """

    study: ParticipantStudy
    rows: Rows

    @classmethod
    def at(cls, study: ParticipantStudy, lags: str, lags_s: Sequence[float]) -> Encoder:
        """Return that of one set of lags."""
        return cls(study, rows_of(study.inputs, study.settings, lags, lags_s))

    @property
    def settings(self) -> EncodingSettings:
        """Of the recipe."""
        settings: EncodingSettings = self.study.settings
        return settings

    @cached_property
    def run_filter(self) -> RunFilter | None:
        """The projection that cleans the runs on the rows of a design; None if it is off."""
        return self.filter_of(self.study.bold.nuisance) if self.settings.filter_features else None

    def filter_of(self, nuisance: Sequence[NDArray[np.float64]]) -> RunFilter:
        """Return the projection that takes regressors (n_trs, k) of each run out of the rows."""
        times, label = self.rows.timeline, self.rows.blocks.label
        in_run = np.where(label >= 0, times.run, -1)
        centred = label if self.settings.centre == "block" else in_run
        names = [run.name for run in self.study.inputs.runs]
        return make_run_filter(times.run, times.volume, centred, nuisance, names)

    @cached_property
    def scorer(self) -> Scorer:
        """The function that scores one fold."""
        settings, study = self.settings, self.study
        n_penalties, memory_bytes = len(settings.log10_alpha), study.memory_bytes // 4
        solver, metric = study.config.solver, settings.alpha_metric
        return make_scorer(solver, metric, n_penalties, study.device, memory_bytes)

    def store(
        self,
        bank: FeatureBank,
        run_filter: RunFilter | None,
        options: DesignOptions | None = None,
    ) -> DesignStore:
        """Return the designs of a network's layers, as the settings say or with other options.

        They are kept for other participants where these share them: without a filter, or where
        only slow drifts are removed, which are the same in runs of one length.
        """
        settings, rows = self.settings, self.rows
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
            self.study.scratch,
            response=rows.response,
            run_filter=run_filter,
            keep=run_filter is None or self.study.config.confounds == "none",
        )

    @property
    def volumes(self) -> NDArray[np.integer]:
        """Rows of the BOLD matrix behind the rows of a design, (n_rows,)."""
        times = self.rows.timeline
        return np.asarray(self.study.bold.run_start)[times.run] + times.volume

    def responses(
        self, values: NDArray[np.float32], run_filter: RunFilter | None
    ) -> NDArray[np.float32]:
        """Return the rows (n_rows, n_targets) of all volumes, filtered as features are."""
        y = values[self.volumes]
        return y if run_filter is None else run_filter(y)

    def slabs(self, at_once: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield units and their responses (n_rows, n), `at_once` at a time."""
        bold, volumes, run_filter = self.study.bold, self.volumes, self.run_filter
        for start in range(0, bold.units.n_units, at_once):
            columns = slice(start, min(start + at_once, bold.units.n_units))
            y = np.asarray(bold.data[volumes, columns])
            yield columns, y if run_filter is None else run_filter(y)

    def with_null(
        self, store: DesignStore, y: NDArray[np.float32], n_shifts: int, at_once: int, label: str
    ) -> tuple[Encoding, NDArray[np.float32]]:
        """Score targets (n_rows, n_targets), and again with the music displaced.

        Parameters
        ----------
        store
            Designs.
        y
            Targets.
        n_shifts
            Displacements, the first of those of the settings.
        at_once
            Targets held at once.
        label
            For the progress bar.
        """
        rows, settings = self.rows, self.settings
        min_shift = round(settings.min_shift_s / float(rows.timeline.tr_s.min()))
        lengths, seed = rows.blocks.lengths, self.study.config.random_seed
        shifts = piece_shifts(rows.heard, lengths, min_shift, settings.n_shifts, seed)
        more: dict[str, Any] = {"label": label, "quiet": self.study.config.quiet}
        return encode_with_null(
            store, y, shifts[:n_shifts], self.scorer, columns_at_once=at_once, **more
        )

    def score(
        self,
        bank: FeatureBank,
        parcels: Parcels,
        means: NDArray[np.float32],
        *,
        tested: bool = True,
    ) -> Scores:
        """Score units, parcels (with their null) and ratings with every layer of a network.

        Parameters
        ----------
        bank
            Frames and Gram matrices of the network's layers.
        parcels
            Parcels of the units with data.
        means
            (n_trs_total, n_parcels) cleaned BOLD averaged over parcels.
        tested
            Displace the music; without, nothing has a p-value.
        """
        study, rows, settings = self.study, self.rows, self.settings
        store = self.store(bank, self.run_filter)
        label, quiet = f"{bank.network} {rows.lags}", study.config.quiet
        per_column = 12 * rows.timeline.n_rows + 16 * len(settings.log10_alpha)
        at_once = max(256, study.memory_bytes // 4 // per_column)
        n_units, slabs = study.bold.units.n_units, self.slabs(at_once)
        units = encode(store, slabs, n_units, self.scorer, label=label, quiet=quiet)
        null_of = settings.n_shifts if tested else 0, at_once, f"{label} null"
        y = self.responses(means, self.run_filter)
        of_parcels, null = self.with_null(store, y, *null_of)
        ratings = rating_targets(rows, study.inputs.ratings, study.inputs.runs)
        of_ratings: tuple[RatingScores, ...] = ()
        if ratings.names:  # nobody's head moves in a rating, no blood flows: features as they are
            plain = Encoder(study, replace(rows, response="lags")).store(bank, None)
            seen, moved = self.with_null(plain, ratings.y.astype(np.float32), *null_of)
            of_ratings = rating_scores(ratings, seen.r, moved)
        return Scores(
            bank=bank,
            encoder=self,
            units=units,
            parcels=of_parcels,
            test=parcel_test(of_parcels.mean_r, null),
            explained=store.explained_variance(),
            ratings=of_ratings,
            competes=competing(bank.layers, settings.input_layers),
        )


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
