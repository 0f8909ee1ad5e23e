"""What the reports of `rsa` show, read back from the written derivatives.

Participant and group level write the same kinds of maps under a few other names; `Network` hides
the difference. The summary JSON is read leniently: what it lacks is shown as not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from bidsapp.report.files import Artefact, Derivatives, read_json, read_table
from bidsapp.report.maps import Array, Grid, Maps
from bidsapp.report.participant_methods import random_weights
from bidsapp.report.results import Space, SpaceResults, read_maps, setting
from bidsapp.report.study import (
    StudyBase,
    group_summaries,
    participant_summaries,
    read_description,
    space_of,
)

GROUP = "group"
SUMMARY = "rsasummary"
RECIPE = "rsa"
_TITLES = {"vggish": "VGGish", "resnet1d": "ResNet (tags)", "musicnn": "MusiCNN (tags)"}


@dataclass(frozen=True)
class Network:
    """Results of one network in one space.

    Attributes
    ----------
    name
        Of the network.
    within
        Files, entities, summary and grid of the space.
    is_group
        Means over participants instead of one participant's scores.
    """

    name: str
    within: SpaceResults = field(repr=False)
    is_group: bool = False

    @property
    def title(self) -> str:
        """Name for a reader."""
        return _TITLES.get(self.name, self.name)

    @property
    def space(self) -> Space:
        """Where the units lie."""
        return self.within.space

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the summary says about this network."""
        entries = self.within.facts.get("networks") or ()
        return next((dict(entry) for entry in entries if entry.get("network") == self.name), {})

    @property
    def level(self) -> float:
        """Family-wise p-value up to which something is significant."""
        return float(setting(self.within.facts, "significance") or 0.05)

    @property
    def is_random(self) -> bool:
        """Whether it ran with random weights."""
        return random_weights(self.within.facts, self.name)

    @property
    def by_maximum(self) -> bool:
        """Whether units pass by the paper's t of the maximum instead of by permutation."""
        return self.is_group and setting(self.within.facts, "test") == "maximum-t"

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, shallow to deep."""
        recorded = self.facts.get("layers")
        if recorded:
            return tuple(map(str, recorded))
        return () if self.profile.empty else tuple(map(str, self.profile["layer"]))

    def table(self, desc: str, *, in_space: bool = True) -> pd.DataFrame:
        """Read a table of this network; empty when there is none."""
        where = self.space.entities if in_space else {"space": None}
        return _table(self.within.files, desc, model=self.name, **where)

    def maps(self, suffix: str = "statmap", **entities: str | None) -> Maps | None:
        """Read maps of this network; None when they were not written."""
        keys: dict[str, str | None] = {"stat": None, "model": self.name, **entities}
        return read_maps(self.within.files, self.space, suffix, self.within.grid, **keys)

    def values(self, suffix: str = "statmap", **entities: str | None) -> Array | None:
        """(n_units,) of a single map; None when it was not written."""
        found = self.maps(suffix, **entities)
        return None if found is None else found.values[0]

    @cached_property
    def profile(self) -> pd.DataFrame:
        """One row per layer."""
        return self.table("rsaprofile")

    @cached_property
    def null(self) -> Array:
        """(n_permutations,) largest score over units and layers when clips are permuted."""
        table = self.table("rsanull")
        values = table["max_rho"].to_numpy(float) if "max_rho" in table else np.empty(0)
        return np.asarray(values[np.isfinite(values)])

    @cached_property
    def scores(self) -> Array | None:
        """(n_layers, n_units) scores, means over participants for a group."""
        found = self.maps(stat="rho", desc="rsamean" if self.is_group else "rsa")
        return None if found is None else found.values

    @cached_property
    def raw(self) -> Array | None:
        """(n_layers, n_units) scores without removal of nuisance dissimilarities."""
        found = self.maps(stat="rho", desc="rsaraw")
        return None if found is None else found.values

    @cached_property
    def untrained(self) -> Array | None:
        """(n_layers, n_units) mean scores of networks with random weights."""
        found = self.maps(stat="rho", desc="rsauntrained")
        return None if found is None else found.values

    @cached_property
    def gain(self) -> Array | None:
        """(n_layers, n_units) trained minus untrained; participants' own scores for a group."""
        if self.is_group:
            found = self.maps(stat="rho", desc="rsadifference")
            return None if found is None else found.values
        if self.scores is None or self.untrained is None:
            return None
        return np.asarray(self.scores - self.untrained)

    @cached_property
    def p_fwe(self) -> Array | None:
        """(n_layers, n_units) family-wise p of the permutation of clips."""
        found = self.maps(stat="p", desc="rsafwe")
        return None if found is None else found.values

    @cached_property
    def significant(self) -> Array | None:
        """(n_units,) bool: some layer passes; None when nothing was written."""
        found = self.values("mask", desc="rsasignificant")
        return None if found is None else found > 0

    @cached_property
    def passing_clips(self) -> Array | None:
        """(n_units,) bool: some layer passes the permutation of clips; None without it."""
        p = self.p_fwe
        return None if p is None else np.asarray((p <= self.level).any(axis=0))

    @cached_property
    def best(self) -> Array | None:
        """(n_units,) best layer from 1, NaN where there is none."""
        found = self.values("dseg", desc="rsabestlayer")
        return None if found is None else np.where(found > 0, found, np.nan)

    @cached_property
    def centroid(self) -> Array | None:
        """(n_units,) centroid layer, NaN where there is none."""
        return self.values(stat="centroid", desc=RECIPE)

    @cached_property
    def largest(self) -> Array | None:
        """(n_units,) largest score over layers."""
        return None if self.scores is None else over_layers(self.scores)


@dataclass(frozen=True)
class SpaceStudy:
    """Everything in one space."""

    within: SpaceResults = field(repr=False)
    networks: tuple[Network, ...]

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
        return _table(self.within.files, desc, model=None, **self.space.entities)

    def values(self, **entities: str | None) -> Array | None:
        """(n_units,) of a map that belongs to no network; None when it was not written."""
        keys: dict[str, str | None] = {"model": None, **entities}
        found = read_maps(self.within.files, self.space, "statmap", self.within.grid, **keys)
        return None if found is None else found.values[0]


@dataclass(frozen=True)
class Study(StudyBase[SpaceStudy]):
    """Everything of one participant, or of a group."""

    recipe: ClassVar[str] = RECIPE

    def table(self, desc: str) -> pd.DataFrame:
        """Read a table that belongs to no space and no network."""
        return _table(self.files, desc, space=None, model=None)

    def pairs(self) -> list[tuple[SpaceStudy, Network]]:
        """Each network in each space."""
        return [(space, network) for space in self.spaces for network in space.networks]

    def networks(self) -> list[Network]:
        """Each network once, in the first space that has it."""
        found: dict[str, Network] = {}
        for _, network in self.pairs():
            found.setdefault(network.name, network)
        return list(found.values())


def _table(files: Derivatives, desc: str, **entities: str | None) -> pd.DataFrame:
    """Read a table; empty when there is none, or when it was written without any row."""
    paths = files.data_files("stats", desc=desc, **entities)
    written = [path for path in paths if path.read_text(encoding="utf-8").strip()]
    return read_table(written[0]) if written else pd.DataFrame()


def over_layers(scores: Array) -> Array:
    """Largest of (n_layers, n_units) scores over the layers; NaN where there is none."""
    largest: Array = np.where(np.isfinite(scores), scores, -np.inf).max(axis=0, initial=-np.inf)
    return np.where(np.isfinite(largest), largest, np.nan)


def load_participant(output_dir: Path, subject: str) -> Study:
    """Collect what the recipe wrote of one participant.

    Raises
    ------
    InputMissingError
        When the recipe has no results of this participant.
    InputInvalidError
        When a file cannot be read.
    """
    return _study(*participant_summaries(output_dir, subject, RECIPE))


def load_group(output_dir: Path) -> Study:
    """Collect what the group level of the recipe wrote.

    Raises
    ------
    InputMissingError
        When there is nothing of a group.
    InputInvalidError
        When a file cannot be read.
    """
    return _study(*group_summaries(output_dir, RECIPE), group=True)


def _study(files: Derivatives, summaries: Sequence[Artefact], *, group: bool = False) -> Study:
    spaces = [_space(files, artefact, is_group=group) for artefact in summaries]
    spaces.sort(key=lambda each: (each.space.space != "fsaverage", each.space.anchor))
    return Study(files, read_description(files), tuple(spaces), group)


def _space(files: Derivatives, summary: Artefact, *, is_group: bool) -> SpaceStudy:
    space = space_of(summary.entities)
    facts = read_json(summary.path)
    grid = _grid(files, space, is_group=is_group)
    within = SpaceResults(files, space, facts, (), None, grid)
    names = [str(entry["network"]) for entry in facts.get("networks") or () if "network" in entry]
    return SpaceStudy(within, tuple(Network(name, within, is_group) for name in names))


def _grid(files: Derivatives, space: Space, *, is_group: bool) -> Grid | None:
    """Units of the space: where there is a searchlight."""
    keys = (
        {"stat": "n", "desc": "rsaparticipants"} if is_group else {"stat": "size", "desc": "rsa"}
    )
    found = read_maps(files, space, "statmap", None, model=None, **keys)
    return None if found is None else found.grid
