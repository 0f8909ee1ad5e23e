"""What a report shows, read from the written derivatives of one participant.

The summary JSON is read leniently: what it lacks is shown as not recorded, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.report.files import Derivatives, read_json
from bidsapp.report.maps import Array, Grid, Maps, load_maps

BASELINE = "baseline"
POSITIVE = "positive"
NEGATIVE = "negative"
_SPACE_NAMES = {
    ("fsaverage", "10k"): "fsaverage5 surface",
    ("fsLR", "91k"): "fsLR 91k grayordinates",
}


@dataclass(frozen=True, slots=True)
class Space:
    """A space results were written in: its entities, and how to call it."""

    space: str
    res: str | None = None
    den: str | None = None

    @property
    def entities(self) -> dict[str, str | None]:
        """Entities of every file of this space."""
        return {"space": self.space, "res": self.res, "den": self.den}

    @property
    def title(self) -> str:
        """Name for a reader."""
        extra = [part for part in (self.res and f"res-{self.res}", self.den) if part]
        plain = " ".join([self.space, *extra])
        return _SPACE_NAMES.get((self.space, self.den or ""), plain)

    @property
    def anchor(self) -> str:
        """Name for a link."""
        return "-".join(part for part in (self.space, self.res, self.den) if part)

    @property
    def is_mni(self) -> bool:
        """Whether coordinates are MNI millimetres."""
        return self.space.startswith("MNI")


@dataclass(frozen=True)
class ModelResults:
    """Results of one feature space (network or baseline) in one space.

    Attributes
    ----------
    files, space, grid
        Where they lie.
    name
        Of the network.
    level
        Family-wise p-value below which a parcel is significant.
    """

    files: Derivatives
    space: Space
    name: str
    grid: Grid | None = None
    level: float = 0.05

    def _table(self, desc: str) -> pd.DataFrame:
        return self.files.table(desc, "stats", model=self.name, **self.space.entities)

    @cached_property
    def profile(self) -> pd.DataFrame:
        """One row per lag set and layer."""
        return self._table("profile")

    @cached_property
    def parcels(self) -> pd.DataFrame:
        """One row per parcel, lag set and layer."""
        return self._table("parcels")

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per parcel and lag set."""
        return self._table("parcelsummary")

    @cached_property
    def pieces(self) -> pd.DataFrame:
        """One row per parcel, lag set, layer and piece."""
        return self._table("pieces")

    @cached_property
    def null(self) -> pd.DataFrame:
        """One row per circular shift and lag set."""
        return self._table("null")

    @cached_property
    def layers(self) -> pd.DataFrame:
        """Return layers in order: layer, layer_index, kind, n_features, explained_variance."""
        if self.profile.empty:
            return pd.DataFrame(columns=["layer", "layer_index", "kind"])
        unique = self.profile.drop_duplicates("layer_index").sort_values("layer_index")
        return unique.reset_index(drop=True)

    def maps(self, suffix: str = "statmap", **entities: str | None) -> Maps | None:
        """Read maps of this model; None when they were not written."""
        keys: dict[str, str | None] = {"stat": None, "model": self.name, **entities}
        return read_maps(self.files, self.space, suffix, self.grid, **keys)

    @cached_property
    def significant(self) -> Array | None:
        """(n_units,) bool: in a significant parcel (family-wise, positive lags)."""
        found = self.maps("mask", desc="significant")
        return None if found is None else found.values[0] > 0

    @cached_property
    def passed(self) -> pd.DataFrame:
        """Rows of `summary` of the significant parcels at positive lags."""
        rows = rows_of(self.summary, lags=POSITIVE)
        return rows[rows["p_fwe"] < self.level] if "p_fwe" in rows else rows.iloc[:0]

    def scores(self, lags: str) -> Maps | None:
        """(n_layers, n_units) correlation of each layer's model; each file is read once."""
        return self._positive if lags == POSITIVE else self._negative

    @cached_property
    def _positive(self) -> Maps | None:
        return self.maps(stat="r", desc=POSITIVE)

    @cached_property
    def _negative(self) -> Maps | None:
        return self.maps(stat="r", desc=NEGATIVE)


@dataclass(frozen=True)
class SpaceResults:
    """Everything in one space."""

    files: Derivatives
    space: Space
    facts: Mapping[str, Any]
    models: tuple[ModelResults, ...]
    baseline: ModelResults | None
    grid: Grid | None

    @cached_property
    def ceiling(self) -> Array | None:
        """(n_units,) noise ceiling as a correlation."""
        found = read_maps(self.files, self.space, "statmap", self.grid, stat="ceiling", model=None)
        return None if found is None else found.values[0]


@dataclass(frozen=True)
class Results:
    """Everything of one participant."""

    files: Derivatives
    description: Mapping[str, Any]
    spaces: tuple[SpaceResults, ...]

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return the summary of the first space: what holds for all of them."""
        return self.spaces[0].facts if self.spaces else {}

    @property
    def date(self) -> str:
        """When the results were written (UTC), as far as the files know."""
        summaries = self.files.find("stats", desc="summary")
        times = [artefact.path.stat().st_mtime for artefact in summaries]
        return f"{datetime.fromtimestamp(max(times), UTC):%Y-%m-%d %H:%M} UTC" if times else ""

    def table(self, desc: str) -> pd.DataFrame:
        """Return a table that belongs to no space and no model."""
        return self.files.table(desc, space=None, model=None)

    def ratings(self) -> dict[str, pd.DataFrame]:
        """Return the ratings table of each model."""
        found = self.files.find("stats", desc="ratings", space=None)
        models = sorted({artefact.entities.get("model", "") for artefact in found})
        return {model: self.files.table("ratings", model=model, space=None) for model in models}


def read_maps(
    files: Derivatives, space: Space, suffix: str, grid: Grid | None, **entities: str | None
) -> Maps | None:
    """Read the maps with these entities in this space; None when there are none."""
    paths = files.data_files(suffix, **space.entities, **entities)
    paths = [path for path in paths if not path.name.endswith(".tsv")]
    if not paths:
        return None
    names = files.sidecar(paths[0]).get("Columns", ())
    return load_maps(paths, [str(name) for name in names], grid)


def load_results(files: Derivatives) -> Results:
    """Collect what was written for one participant, space by space."""
    description = files.root / "dataset_description.json"
    spaces = [_load_space(files, space) for space in _spaces(files)]
    return Results(files, read_json(description) if description.exists() else {}, tuple(spaces))


def _spaces(files: Derivatives) -> list[Space]:
    found = {
        Space(entities["space"], entities.get("res"), entities.get("den"))
        for entities in (artefact.entities for artefact in files.artefacts)
        if "space" in entities and entities.get("desc") in ("summary", "profile")
    }
    return sorted(found, key=lambda space: (space.space != "fsaverage", space.anchor))


def _load_space(files: Derivatives, space: Space) -> SpaceResults:
    summaries = files.find("stats", desc="summary", **space.entities)
    facts = read_json(summaries[0].path) if summaries else {}
    names = {
        artefact.entities["model"]
        for artefact in files.find("stats", desc="profile", **space.entities)
        if "model" in artefact.entities
    }
    grid = _grid(files, space, names)
    level = setting(facts, "significance") or 0.05
    models = {name: ModelResults(files, space, name, grid, level) for name in sorted(names)}
    baseline = models.pop(BASELINE, None)
    return SpaceResults(files, space, facts, tuple(models.values()), baseline, grid)


def _grid(files: Derivatives, space: Space, models: set[str]) -> Grid | None:
    for model in sorted(models, key=lambda name: name == BASELINE):
        scores = read_maps(files, space, "statmap", None, stat="r", desc=POSITIVE, model=model)
        if scores is not None:
            return scores.grid
    return None


def fact(facts: Mapping[str, Any], *path: str, default: Any = None) -> Any:
    """Look a nested value up in a summary; `default` when a step is missing.

    Examples
    --------
    >>> fact({"settings": {"seed": 0}}, "settings", "seed")
    0
    """
    value: Any = facts
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return default
        value = value[key]
    return default if value is None else value


def setting(facts: Mapping[str, Any], name: str) -> Any:
    """Look a setting up among the recipe's settings, the configuration, then the facts."""
    places = (facts.get("settings"), facts.get("config"), facts)
    found = (place[name] for place in places if isinstance(place, Mapping) and name in place)
    return next((value for value in found if value is not None), None)


def short_run(name: object) -> str:
    """Name a run without its participant, who is the same throughout a report."""
    text = str(name)
    head, _, rest = text.partition("_")
    return rest if head.startswith("sub-") and rest else text


def rows_of(table: pd.DataFrame, **where: object) -> pd.DataFrame:
    """Rows of a table with these values; empty when a column is missing."""
    if table.empty or any(column not in table for column in where):
        return table.iloc[:0]
    keep = np.ones(len(table), dtype=bool)
    for column, value in where.items():
        keep &= (table[column] == value).to_numpy()
    return table[keep]
