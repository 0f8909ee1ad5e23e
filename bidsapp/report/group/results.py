"""What the group report shows, read from ``OUTPUT/group``.

The summary JSON is read leniently: what it lacks is shown as not recorded, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.errors import InputMissingError
from bidsapp.report.files import Artefact, Derivatives, open_derivatives, read_json
from bidsapp.report.maps import Array, Grid, Maps
from bidsapp.report.projection import to_cortex
from bidsapp.report.results import (
    BASELINE,
    NEGATIVE,
    POSITIVE,
    Space,
    SpaceResults,
    read_maps,
    setting,
)
from bidsapp.report.study import GROUP as FOLDER
from bidsapp.report.study import group_derivatives

PROJECTED = "projected"
KINDS = ("best", "centroid")
_SURFACE = Space("fsaverage", den="10k")
OnCortex = dict[str, Array]


@dataclass(frozen=True)
class GroupModel:
    """Group results of one network in one space.

    Attributes
    ----------
    name
        Of the network.
    within
        Files, entities, summary and grid of the space.
    """

    name: str
    within: SpaceResults = field(repr=False)

    @property
    def space(self) -> Space:
        """Where the units lie."""
        return self.within.space

    @property
    def title(self) -> str:
        """Name for a reader."""
        return "VGGish" if self.name == "vggish" else self.name

    @property
    def level(self) -> float:
        """P-value below which something is called significant."""
        return float(setting(self.within.facts, "significance") or 0.05)

    def table(self, desc: str) -> pd.DataFrame:
        """Read a table of this network; empty when there is none."""
        files = self.within.files
        return files.table(desc, "stats", model=self.name, **self.space.entities)

    @cached_property
    def spin(self) -> pd.DataFrame:
        """One row per lags, map, reference, hemisphere and direction."""
        return self.table("spin")

    @cached_property
    def spin_null(self) -> pd.DataFrame:
        """One row per rotation, one column per main test."""
        return self.table("spinnull")

    @cached_property
    def profile(self) -> pd.DataFrame:
        """One row per region, lags and layer."""
        return self.table("profile")

    @cached_property
    def reliability(self) -> pd.DataFrame:
        """One row per region, lags and layer: share of resamples in which it is best."""
        return self.table("reliability")

    @cached_property
    def components(self) -> pd.DataFrame:
        """One row per lags, component and layer."""
        return self.table("pca")

    @cached_property
    def subjects(self) -> pd.DataFrame:
        """One row per participant, lags, map and reference."""
        return self.table("subjects")

    @cached_property
    def subject_tests(self) -> pd.DataFrame:
        """One row per lags, map and reference."""
        return self.table("subjecttest")

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, shallow to deep."""
        recorded = (self.within.facts.get("models") or {}).get(self.name)
        if recorded:
            return tuple(map(str, recorded))
        scores = self.scores(POSITIVE)
        return () if scores is None else scores.names

    def maps(self, suffix: str = "statmap", **entities: str | None) -> Maps | None:
        """Read maps of this network; None when they were not written."""
        keys: dict[str, str | None] = {"stat": None, "model": self.name, **entities}
        return read_maps(self.within.files, self.space, suffix, self.within.grid, **keys)

    def scores(self, lags: str) -> Maps | None:
        """(n_layers, n_units) mean correlation over participants; read once."""
        return self._positive if lags == POSITIVE else self._negative

    @cached_property
    def _positive(self) -> Maps | None:
        return self.maps(stat="r", desc=f"{POSITIVE}mean")

    @cached_property
    def _negative(self) -> Maps | None:
        return self.maps(stat="r", desc=f"{NEGATIVE}mean")

    @cached_property
    def significant(self) -> Array | None:
        """(n_units,) bool: some layer passes family-wise at positive lags; None if not tested."""
        found = self.maps("mask", desc="significant")
        return None if found is None else found.values[0] > 0

    def passing(self, lags: str) -> Array | None:
        """(n_units,) bool: some layer passes family-wise at these lags; None if not tested."""
        if lags == POSITIVE and self.significant is not None:
            return self.significant
        found = self.maps(stat="p", desc=f"{lags}fwe")
        if found is None:
            return None
        return np.asarray((found.values < self.level).any(axis=0))

    @cached_property
    def known(self) -> int:
        """Number of units with a mean score at positive lags."""
        scores = self.scores(POSITIVE)
        return 0 if scores is None else int(np.isfinite(scores.values).any(axis=0).sum())

    def on_cortex(self, values: Array | None, *, ordinal: bool = False) -> OnCortex | None:
        """Bring (n_units,) values to the vertices of fsaverage5; None where that is impossible."""
        return None if values is None else to_cortex(self.within, values, ordinal=ordinal)

    def cortical_scores(self, lags: str) -> OnCortex | None:
        """Hemisphere → (n_layers, 10242) mean scores, as the spin test saw them."""
        projected = self._projected("statmap", stat="r", desc=f"{lags}mean")
        scores = projected or self.scores(lags)
        if scores is None:
            return None
        space = self.within if projected is None else _surface(self.within.files, scores.grid)
        rows = [to_cortex(space, row, ordinal=False) for row in scores.values]
        if not rows or rows[0] is None:
            return None
        return {side: np.stack([row[side] for row in rows if row]) for side in rows[0]}

    def layer_map(self, lags: str, kind: str) -> OnCortex | None:
        """Best or centroid layer at each vertex of fsaverage5, NaN undefined.

        Volumes were projected before layers were compared; those files are read if there are any.
        """
        best = kind == "best"
        entities: dict[str, str | None] = (
            {"stat": None, "desc": f"bestlayer{lags}"}
            if best
            else {"stat": "centroid", "desc": lags}
        )
        suffix = "dseg" if best else "statmap"
        projected = self._projected(suffix, **entities)
        found = projected or self.maps(suffix, **entities)
        if found is None:
            return None
        values = found.values[0]
        space = self.within if projected is None else _surface(self.within.files, found.grid)
        return to_cortex(space, np.where(values > 0, values, np.nan), ordinal=best)

    def _projected(self, suffix: str, **entities: str | None) -> Maps | None:
        if self.within.grid is None or self.within.grid.is_surface:
            return None
        origin = self.within.space
        keys = {
            "model": self.name,
            **entities,
            "label": f"{origin.space}{origin.res or ''}",
            "desc": f"{entities['desc']}{PROJECTED}",
        }
        return read_maps(self.within.files, _SURFACE, suffix, None, **keys)


@dataclass(frozen=True)
class GroupSpace:
    """Everything of a group in one space; `baseline` is the yardstick of the networks."""

    within: SpaceResults = field(repr=False)
    models: tuple[GroupModel, ...]
    baseline: GroupModel | None

    @property
    def space(self) -> Space:
        """Its entities and name."""
        return self.within.space

    @property
    def facts(self) -> Mapping[str, Any]:
        """Content of the summary."""
        return self.within.facts

    def table(self, desc: str) -> pd.DataFrame:
        """Read a table that belongs to no network."""
        return self.within.files.table(desc, "stats", model=None, **self.space.entities)

    @cached_property
    def participants(self) -> pd.DataFrame:
        """One row per participant, those left out among them."""
        return self.table("participants")

    @cached_property
    def isc(self) -> pd.DataFrame:
        """Inter-subject correlation of each parcel."""
        return self.table("isc")

    def given_reference(self, name: str) -> OnCortex | None:
        """Return the reference map that the user gave at each vertex of fsaverage5, if kept."""
        grid, keys = self.within.grid, {"stat": "reference", "desc": name, "model": None}
        if grid is None or grid.is_surface:
            space, found = (
                self.within,
                read_maps(self.within.files, self.space, "statmap", grid, label=None, **keys),
            )
        else:
            origin = f"{self.space.space}{self.space.res or ''}"
            found = read_maps(self.within.files, _SURFACE, "statmap", None, label=origin, **keys)
            space = self.within if found is None else _surface(self.within.files, found.grid)
        return None if found is None else to_cortex(space, found.values[0], ordinal=False)

    @cached_property
    def counts(self) -> Array | None:
        """(n_units,) participants with a value."""
        found = read_maps(self.within.files, self.space, "statmap", self.within.grid,
                          stat="n", model=None)  # fmt: skip
        return None if found is None else found.values[0]

    @cached_property
    def parcels(self) -> Array | None:
        """(n_units,) parcel number from 1, of the first participant that has them; NaN none."""
        root = self.within.files.root
        for label in self.facts.get("participants") or ():
            try:
                files = open_derivatives(root, str(label))
            except InputMissingError:
                continue
            found = read_maps(files, self.space, "dseg", self.within.grid, stat=None, model=None,
                              desc="parcels")  # fmt: skip
            if found is not None:
                return np.where(found.values[0] > 0, found.values[0], np.nan)
        return None

    @property
    def n_participants(self) -> int:
        """Those who take part."""
        recorded = self.facts.get("n_participants")
        if recorded is None and "included" in self.participants:
            recorded = self.participants["included"].sum()
        return int(recorded or 0)


@dataclass(frozen=True)
class GroupResults:
    """Everything of a group."""

    files: Derivatives = field(repr=False)
    description: Mapping[str, Any]
    spaces: tuple[GroupSpace, ...]

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return the summary of the first space: what holds for all of them."""
        return self.spaces[0].facts

    @property
    def date(self) -> str:
        """When the results were written (UTC)."""
        times = [artefact.path.stat().st_mtime for artefact in self.files.artefacts]
        return f"{datetime.fromtimestamp(max(times), UTC):%Y-%m-%d %H:%M} UTC"

    def models(self) -> list[tuple[GroupSpace, GroupModel]]:
        """Each network in each space."""
        return [(space, model) for space in self.spaces for model in space.models]

    def ratings(self) -> dict[str, pd.DataFrame]:
        """Return the ratings table of each network that has one."""
        found = self.files.find("stats", desc="ratings", space=None)
        names = sorted({artefact.entities.get("model", "") for artefact in found})
        tables = {
            name: self.files.table("ratings", model=name, space=None)
            for name in names
            if name != BASELINE
        }
        return {name: table for name, table in tables.items() if not table.empty}


def load_group(output_dir: Path) -> GroupResults:
    """Collect what the group level has written.

    Parameters
    ----------
    output_dir
        Where the app wrote its results.

    Raises
    ------
    InputMissingError
        When there is nothing of a group.
    InputInvalidError
        When a file cannot be read.
    """
    files = group_derivatives(output_dir)
    spaces = sorted(
        {_space(artefact.entities) for artefact in files.find("stats") if _belongs(artefact)},
        key=lambda space: (space.space != "fsaverage", space.anchor),
    )
    if not spaces:
        msg = f"{output_dir / FOLDER}: no group results found; run the group level first"
        raise InputMissingError(msg)
    description = output_dir / "dataset_description.json"
    return GroupResults(
        files,
        read_json(description) if description.exists() else {},
        tuple(_load(files, space) for space in spaces),
    )


def _belongs(artefact: Artefact) -> bool:
    """Tell whether a file is this recipe's of a space; other recipes write to the folder, too."""
    return "space" in artefact.entities and artefact.entities.get("desc") in ("summary", "profile")


def _space(entities: Mapping[str, str]) -> Space:
    return Space(entities["space"], entities.get("res"), entities.get("den"))


def _load(files: Derivatives, space: Space) -> GroupSpace:
    summaries = files.find("stats", desc="summary", **space.entities)
    facts = read_json(summaries[0].path) if summaries else {}
    recorded = list(facts.get("models") or ())
    written = sorted(
        artefact.entities["model"]
        for artefact in files.find("stats", **space.entities)
        if "model" in artefact.entities
    )
    names = list(dict.fromkeys([*recorded, *written]))
    within = SpaceResults(files, space, facts, (), None, _grid(files, space, names))
    models = {name: GroupModel(name, within) for name in names}
    baseline = models.pop(BASELINE, None) if len(models) > 1 else None
    return GroupSpace(within, tuple(models.values()), baseline)


def _grid(files: Derivatives, space: Space, names: list[str]) -> Grid | None:
    """Units of the space: those of the map of participants, or else of the first scores."""
    counts = read_maps(files, space, "statmap", None, stat="n", model=None)
    if counts is not None:
        return counts.grid
    for name in names:
        for lags in (POSITIVE, NEGATIVE):
            keys = {"stat": "r", "desc": f"{lags}mean", "model": name}
            scores = read_maps(files, space, "statmap", None, **keys)
            if scores is not None:
                return scores.grid
    return None


def _surface(files: Derivatives, grid: Grid) -> SpaceResults:
    """Space of maps that were projected to fsaverage5."""
    return SpaceResults(files, _SURFACE, {}, (), None, grid)
