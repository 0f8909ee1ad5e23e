"""`gradients`, participant level: reads like the methods section it produces.

Source: Kim, Overath and Sammler, poster, Methods. For each layer of the network, 50 principal
components of its activations, lagged by 4, 5 and 6 s, predict every unit by ridge regression;
the profile of prediction accuracies over layers gives a best and a centroid layer. Negative lags
are the control, continuous ratings are predicted by the same models.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.networks import get_network, network_weights
from bidsapp.bids.dataset import Dataset
from bidsapp.brain.atlas import atlas_parcels
from bidsapp.brain.clean import BoldMatrix, Cleaning, load_bold
from bidsapp.brain.parcels import parcel_means, standard_parcels
from bidsapp.brain.units import unit_space
from bidsapp.config import Config
from bidsapp.features.extract import FeatureBank, extract
from bidsapp.models.devices import resolve_device
from bidsapp.recipes.gradients.designs import DesignStore
from bidsapp.recipes.gradients.encode import Scorer, encode, encode_with_null, make_scorer
from bidsapp.recipes.gradients.outputs import write_results
from bidsapp.recipes.gradients.ratings import rating_scores, rating_targets
from bidsapp.recipes.gradients.results import NetworkResult, Results
from bidsapp.recipes.gradients.rows import Rows, make_rows
from bidsapp.recipes.gradients.settings import GradientsSettings
from bidsapp.recipes.gradients.summaries import Parcels, test_parcels
from bidsapp.recipes.inputs import Inputs, SoundAnalysis, collect
from bidsapp.recipes.repeats import repeated_responses
from bidsapp.stats.ceilings import repeat_ceiling
from bidsapp.stats.nulls import circular_shifts

LOGGER = logging.getLogger("musicotopy")


def collect_participant(
    dataset: Dataset, subject: str, space: str, config: Config, settings: GradientsSettings
) -> Inputs:
    """Find what the analysis of one participant in one space needs (see `collect`)."""
    return collect(dataset, subject, space, config, settings.lags_s)


def analyse(analysis: SoundAnalysis) -> None:
    """Run the participant level for one participant in one space and write its results."""
    study = _Study(analysis)
    results = []
    for name in study.settings.networks:
        bank = study.features(name)
        for rows in study.row_sets:
            LOGGER.info("%s: %s, %s lags", study.label, name, rows.lags)
            results.append(study.encode(bank, rows))
    write_results(analysis, study.results(results))
    study.bold.remove()


class _Study:
    """The objects one analysis shares between networks and lags."""

    def __init__(self, analysis: SoundAnalysis) -> None:
        self.analysis, self.inputs = analysis, analysis.inputs
        self.config = analysis.config
        self.settings: GradientsSettings = analysis.settings
        self.label = f"sub-{self.inputs.subject} {self.inputs.space}"
        self.device = resolve_device(self.config.device)
        self.memory_bytes = self.config.memory_bytes

    @cached_property
    def bold(self) -> BoldMatrix:
        """Cleaned time × units matrix of all runs."""
        cleaning = Cleaning(
            self.config.confounds, self.config.high_pass_hz, self.config.smoothing_fwhm_mm
        )
        return load_bold(
            self.inputs.runs,
            unit_space(self.inputs.runs),
            cleaning,
            self.analysis.scratch / "bold",
            memory_bytes=self.memory_bytes // 3,
            quiet=self.config.quiet,
        )

    @cached_property
    def row_sets(self) -> tuple[Rows, ...]:
        """Rows of the positive lags and of the negative control."""
        sets = (("positive", self.settings.lags_s), ("negative", self.settings.control_lags_s))
        return tuple(
            make_rows(self.inputs, lags, lags_s, self.settings) for lags, lags_s in sets if lags_s
        )

    @cached_property
    def parcels(self) -> Parcels:
        """Parcels of the valid units."""
        units, valid = self.bold.units, ~self.bold.invalid
        numbered = (
            standard_parcels(units, self.settings.n_parcels)
            if self.config.atlas is None
            else atlas_parcels(self.config.atlas, units).labels
        )
        labels = np.where(valid, numbered, -1)
        members = [np.flatnonzero(labels == number) for number in range(int(numbered.max()) + 1)]
        xyz = units.coordinates_mm()
        return Parcels(
            labels=labels,
            structure=tuple(
                str(units.structure[some[0]]) if some.size else "n/a" for some in members
            ),
            centre_mm=np.array(
                [xyz[some].mean(axis=0) if some.size else np.full(3, np.nan) for some in members]
            ),
            n_units=np.array([some.size for some in members]),
        )

    def features(self, name: str) -> FeatureBank:
        """Frames and Grams of all pieces this participant heard."""
        network = get_network(
            name,
            weights=network_weights(name, self.config.weights),
            weights_dir=self.config.weights_dir,
            seed=self.config.random_seed,
            hop_s=self.settings.hop_s,
        )
        return extract(
            self.inputs.sounds,
            network,
            self.analysis.scratch / "features",
            memory_bytes=self.memory_bytes // 2,
            device=self.device,
            quiet=self.config.quiet,
        )

    def encode(self, bank: FeatureBank, rows: Rows) -> NetworkResult:
        """Score units, parcels (with their null) and ratings with every layer of a network."""
        store = DesignStore(
            bank,
            rows.timeline,
            rows.blocks,
            rows.folds,
            rows.lags_s,
            self.settings,
            self.analysis.scratch,
        )
        label = f"{self.label} {bank.network} {rows.lags}"
        n_units = self.bold.units.n_units
        units = encode(
            store, self._slabs(rows), n_units, self.scorer, label=label, quiet=self.config.quiet
        )
        ratings, n_parcels = rating_targets(rows, self.inputs), self.parcels.n_parcels
        y = np.column_stack([self._parcel_rows(rows), ratings.y]).astype(np.float32)
        observed, null = encode_with_null(
            store,
            y,
            self._shifts(rows),
            self.scorer,
            columns_at_once=self.columns_at_once(rows),
            label=f"{label} null",
            quiet=self.config.quiet,
        )
        parcels = observed.columns(slice(0, n_parcels))
        return NetworkResult(
            bank=bank,
            rows=rows,
            units=units,
            parcels=parcels,
            test=test_parcels(parcels.mean_r, null[:, :, :n_parcels]),
            explained=store.explained_variance(),
            ratings=rating_scores(ratings, observed.r[:, :, n_parcels:], null[:, :, n_parcels:]),
        )

    @cached_property
    def scorer(self) -> Scorer:
        """The ridge solver of this run."""
        return make_scorer(self.config.solver, self.settings, self.device, self.memory_bytes // 4)

    def columns_at_once(self, rows: Rows) -> int:
        """Targets whose rows fit into a quarter of the memory."""
        per_column = 12 * rows.timeline.n_rows + 16 * len(self.settings.log10_alpha)
        return max(256, self.memory_bytes // 4 // per_column)

    def _slabs(self, rows: Rows) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield the rows' BOLD in slabs of units that fit into memory."""
        volumes = np.asarray(self.bold.run_start)[rows.timeline.run] + rows.timeline.volume
        step = self.columns_at_once(rows)
        for start in range(0, self.bold.units.n_units, step):
            columns = slice(start, min(start + step, self.bold.units.n_units))
            yield columns, np.asarray(self.bold.data[volumes, columns])

    def _parcel_rows(self, rows: Rows) -> NDArray[np.float32]:
        """(n_rows, n_parcels) mean BOLD of each parcel."""
        volumes = np.asarray(self.bold.run_start)[rows.timeline.run] + rows.timeline.volume
        return self._parcel_means[volumes]

    @cached_property
    def _parcel_means(self) -> NDArray[np.float32]:
        return parcel_means(self.bold.data, self.parcels.labels, self.parcels.n_parcels)

    def _shifts(self, rows: Rows) -> NDArray[np.integer]:
        tr_s = float(rows.timeline.tr_s.min())
        return circular_shifts(
            rows.blocks.lengths,
            self.settings.n_shifts,
            round(self.settings.min_shift_s / tr_s),
            self.config.random_seed,
        )

    def ceiling(self) -> NDArray[np.floating[Any]] | None:
        """(n_units,) highest reachable correlation, if a piece was heard more than once."""
        repeats = repeated_responses(self.inputs, self.bold)
        if repeats is None:
            return None
        responses, piece = repeats
        min_shift = round(self.settings.min_shift_s / self.inputs.runs[0].tr_s)
        seed = self.config.random_seed
        return repeat_ceiling(responses, piece, min_shift, seed=seed)

    def results(self, networks: list[NetworkResult]) -> Results:
        """Gather what is written."""
        return Results(
            bold=self.bold,
            parcels=self.parcels,
            parcel_means=self._parcel_means,
            networks=tuple(networks),
            ceiling=self.ceiling(),
            significance=self.settings.significance,
            device=self.device,
        )
