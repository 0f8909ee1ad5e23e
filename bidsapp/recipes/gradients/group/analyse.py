"""`gradients`, group level: reads like the methods section it produces.

Source: Kim, Overath and Sammler, poster, Methods (representational gradient mapping). The scores
of all participants are averaged layer by layer; each unit's profile over layers gives a best and
a centroid layer, whose map on the cortex is compared with the functional gradient by rotation.
Beyond the poster, everything that can be is tested over participants, too.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bidsapp.models.devices import resolve_device
from bidsapp.progress import track
from bidsapp.recipes.gradients.group.cortex import Cortex, Reference, find_cortex
from bidsapp.recipes.gradients.group.inputs import GroupAnalysis
from bidsapp.recipes.gradients.group.isc import parcel_isc
from bidsapp.recipes.gradients.group.maps import GroupMaps, choose_best, cluster_test, group_maps
from bidsapp.recipes.gradients.group.outputs import write_results
from bidsapp.recipes.gradients.group.profiles import Profiles, Regions, regions
from bidsapp.recipes.gradients.group.results import Array, Condition, GroupResults
from bidsapp.recipes.gradients.group.settings import GroupSettings
from bidsapp.recipes.gradients.group.spin import LayerMap, Runner, Spins, spin_maps
from bidsapp.recipes.gradients.group.stack import ScoreStack
from bidsapp.recipes.gradients.group.subjects import KINDS, map_correlation
from bidsapp.recipes.gradients.group.units import group_units, read_scores
from bidsapp.stats.metrics import centroid_layer, fisher_z

LOGGER = logging.getLogger("musicotopy")


def analyse_group(analysis: GroupAnalysis) -> None:
    """Run the group level for one space and write its results.

    Parameters
    ----------
    analysis
        The job; its `inputs` come from `collect_group`.

    Raises
    ------
    AppError
        If a participant's file cannot be used, or a reference or the atlas does not fit.
    """
    write_results(analysis, _Group(analysis).results())


class _Group:
    """What the steps of one group analysis share."""

    def __init__(self, analysis: GroupAnalysis) -> None:
        self.analysis, self.inputs, self.config = analysis, analysis.inputs, analysis.config
        self.settings: GroupSettings = analysis.settings
        self.label = f"group {self.inputs.space}"
        self.units = group_units(self.inputs)
        self.cortex: Cortex | None = find_cortex(self.units, mni305=self.settings.mni305)
        self.references: tuple[Reference, ...] = (
            self.cortex.references(self.settings.references) if self.cortex else ()
        )
        self.regions: tuple[Regions, ...] = regions(self.units, self.cortex, self.config.atlas)

    def results(self) -> GroupResults:
        """Do everything."""
        conditions = tuple(self.conditions())
        isc, notes = parcel_isc(self.inputs, self.units)
        return GroupResults(
            self.units,
            self.cortex,
            self.references,
            conditions,
            self.spins(conditions),
            isc,
            tuple(notes),
        )

    def conditions(self) -> Iterator[Condition]:
        """Analyse every network at every set of lags."""
        folder = self.analysis.scratch / "group"
        folder.mkdir(parents=True, exist_ok=True)
        for model, layers in self.inputs.models.items():
            for lags in self.inputs.lags:
                LOGGER.info("%s: %s, %s lags", self.label, model, lags)
                shape = (len(layers), len(self.inputs.participants), self.units.n_units)
                with (
                    tempfile.TemporaryDirectory(dir=folder) as own,
                    ScoreStack(Path(own) / "scores", shape) as stack,
                ):
                    yield self.condition(model, lags, stack)

    def condition(self, model: str, lags: str, stack: ScoreStack) -> Condition:
        """Read the participants one by one, then average and test over them."""
        label, quiet = f"{self.label} {model} {lags}", self.config.quiet
        people = self.inputs.participants
        profiles, correlations, mean_r = [], [], []
        for number, one in enumerate(
            track(people, total=len(people), label=f"{label}: participants", quiet=quiet)
        ):
            r = read_scores(self.inputs, one, model, lags, self.units)
            stack.put(number, fisher_z(r))
            known = np.isfinite(r)
            mean_r.append(r[known].mean() if known.any() else np.nan)
            surface = None if self.cortex is None else self.cortex.carry(r)
            profiles.append(self.region_means(r, surface))
            if surface is not None:
                correlations.append(self.correlations(surface))
        maps = group_maps(
            stack,
            self.settings,
            seed=self.config.random_seed,
            label=f"{label}: sign flips",
            quiet=quiet,
        )
        clusters = cluster_test(
            stack,
            self.units,
            self.settings,
            seed=self.config.random_seed,
            label=f"{label}: clusters",
            quiet=quiet,
        )
        maps = dataclasses.replace(maps, clusters=clusters)
        on_surface = None if self.cortex is None else self.cortex.carry(maps.mean_r)
        return Condition(
            model,
            lags,
            self.inputs.models[model],
            maps,
            on_surface,
            None if on_surface is None else choose_best(on_surface, self.settings.best_layer),
            None if on_surface is None else centroid_layer(on_surface),
            Profiles(
                tuple(name for item in self.regions for name in item.names),
                tuple(side for item in self.regions for side in item.structures),
                np.stack(profiles),
            ),
            np.stack(correlations) if correlations else None,
            np.array(mean_r),
        )

    def region_means(self, r: Array, surface: Array | None) -> Array:
        """(n_layers, n_regions) mean scores of one participant."""
        parts = []
        for item in self.regions:
            values = surface if item.on_surface else r
            assert values is not None
            parts.append(item.means(values))
        return np.hstack(parts) if parts else np.empty((len(r), 0))

    def correlations(self, surface: Array) -> Array:
        """(n_kinds, n_references) of one participant's layer maps with the gradients."""
        assert self.cortex is not None
        best = choose_best(surface, self.settings.best_layer)
        maps = np.stack([np.where(best > 0, best, np.nan), centroid_layer(surface)])
        references = np.stack([item.values for item in self.references])
        return map_correlation(maps, references, self.settings.spin_statistic)

    def spins(self, conditions: tuple[Condition, ...]) -> Spins | None:
        """Rotate the references against the layer maps of all conditions."""
        if self.cortex is None:
            return None
        maps = []
        for item in conditions:
            assert item.surface_best is not None
            assert item.surface_centroid is not None
            kept = self.kept(item.maps)
            best = np.where(item.surface_best > 0, item.surface_best, np.nan)
            for kind, values in zip(KINDS, (best, item.surface_centroid), strict=True):
                maps.append(LayerMap(item.model, item.lags, kind, np.where(kept, values, np.nan)))
        runner = Runner(
            self.analysis.scratch / "spins",
            self.config.random_seed,
            self.config.n_threads,
            resolve_device(self.config.device),
            self.config.quiet,
        )
        return spin_maps(self.cortex, maps, self.references, self.settings, runner, self.label)

    def kept(self, maps: GroupMaps) -> Array | bool:
        """Vertices of the layer map that take part; all of them unless thresholded."""
        if self.settings.thresholded == "none":
            return True
        assert self.cortex is not None
        passed = maps.significant(self.settings.significance).astype(np.float32)
        return np.asarray(self.cortex.carry(passed[None])[0] >= 0.5)
