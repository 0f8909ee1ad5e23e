"""One network in one space, as sections see it: what was written, by its declaration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from bidsapp.brain.geometry import UnitSpace
from bidsapp.report.brain.projection import unit_words
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Part, Section, number_text, plural
from bidsapp.report.methods import has_random_weights, weights_text
from bidsapp.report.sections import Pair, claim
from bidsapp.report.tables import table
from bidsapp.results.kinds import Result, Table
from bidsapp.results.networks import network_title
from bidsapp.results.read import APART, Results

R = TypeVar("R", bound=Result)
V = TypeVar("V", bound="View")


@dataclass(frozen=True)
class View:
    """Results of one network in one space.

    Attributes
    ----------
    results
        Of a participant or of the group.
    pair
        Network and space.
    """

    results: Results
    pair: Pair

    @property
    def title(self) -> str:
        """Name of the network for a reader."""
        return network_title(self.pair.network)

    @property
    def suffix(self) -> str:
        """For anchors."""
        return self.pair.suffix

    @property
    def is_group(self) -> bool:
        """Whether these are results of the group."""
        return self.results.is_group

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary of the space."""
        return self.results.facts(self.pair.space)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the level."""
        settings: Mapping[str, Any] = self.summary["settings"]
        return settings

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the summary says of the network."""
        return self.results.network(self.pair.network, self.pair.space)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, first to last."""
        return self.results.layers(self.pair.network, self.pair.space)

    @property
    def apart(self) -> str:
        """A sentence on the layers that are no candidates for the best one; empty for none."""
        names = self.facts.get(APART) or ()
        if not names:
            return ""
        return (
            f" {', '.join(names)}: what goes into the network; its score is shown beside those of "
            "the layers, but it is not chosen as best layer and does not enter the centroid."
        )

    @property
    def level(self) -> float:
        """P-value that counts as significant."""
        return float(self.settings["significance"])

    @property
    def is_random(self) -> bool:
        """Whether the network ran with random weights."""
        return has_random_weights(self.results, self.pair.network, self.pair.space)

    @property
    def has_weights(self) -> bool:
        """Whether the network has any: acoustic descriptors have none."""
        return bool(weights_text(self.facts.get("weights") or {"source": "none"}))

    @cached_property
    def units(self) -> UnitSpace:
        """Voxels or vertices."""
        return self.results.units(self.pair.space)

    @property
    def word(self) -> str:
        """What one of them is called: ``vertex``."""
        return unit_words(self.units)[0]

    @property
    def words(self) -> str:
        """What they are called: ``vertices``."""
        return unit_words(self.units)[1]

    def section(
        self, title: str, anchor: str, *parts: Part, children: Iterable[Section] = ()
    ) -> Section:
        """Return a section about this network and space; `anchor` is without the suffix."""
        return Section(title, f"{anchor}{self.suffix}", parts, list(children))

    def by_level(self, own: R, group: R) -> R:
        """Return the declaration of a participant's result, or that of the group's."""
        return group if self.is_group else own

    def tabled(
        self, result: Table, caption: str = "", rows: pd.DataFrame | None = None, **how: Any
    ) -> Part:
        """Show a table with all columns that are declared.

        Parameters
        ----------
        result
            What is shown.
        caption
            How to read it; by default what the declaration says.
        rows
            Those to show; by default all.
        **how
            As `bidsapp.report.tables.table` takes it.
        """
        frame = self.table(result) if rows is None else rows
        return table(frame, result.columns, caption or result.says, **how)

    def claim(self, *keys: str) -> list[Part]:
        """Return the interpretation of inferences, to stand below their figure or table."""
        return claim(self.results, *keys)

    def count(self, mask: Array) -> str:
        """Count voxels or vertices in words: ``12 vertices``."""
        return plural(int(mask.sum()), *unit_words(self.units))

    def peak(self, scores: Array, digits: int = 2) -> tuple[str, str] | None:
        """Return the largest score in words, and the name of its layer; None without a score.

        Parameters
        ----------
        scores
            (n_layers, n_units).
        digits
            After the decimal point.
        """
        if not np.isfinite(scores).any():
            return None
        layer, _ = np.unravel_index(int(np.nanargmax(scores)), scores.shape)
        return number_text(float(np.nanmax(scores)), digits), self.layers[int(layer)]

    def maps(self, result: Result) -> Array | None:
        """Read maps.

        Parameters
        ----------
        result
            Of the network, or of the space.

        Returns
        -------
        (n_maps, n_units) array or None
            None when it was not written.
        """
        network = self.pair.network if result.by_network else ""
        maps = self.results.maps(result, self.pair.space, network)
        return None if maps is None else np.asarray(maps.values, dtype=float)

    def values(self, result: Result) -> Array:
        """Read maps that are always written, (n_maps, n_units)."""
        network = self.pair.network if result.by_network else ""
        return np.asarray(self.results.values(result, self.pair.space, network), dtype=float)

    def single(self, result: Result) -> Array | None:
        """Read a result with one map: (n_units,), or None when it was not written."""
        maps = self.maps(result)
        return None if maps is None else maps[0]

    def mask(self, result: Result) -> Array | None:
        """Read a mask: (n_units,) bool, or None when it was not written."""
        values = self.single(result)
        return None if values is None else np.asarray(values > 0)

    def table(self, result: Table) -> pd.DataFrame:
        """Read a table of the network, or of the space; without rows when it was not written."""
        network = self.pair.network if result.by_network else ""
        return self.results.table(result, self.pair.space, network)


def results_section(
    view: V,
    makers: Iterable[Callable[[V], Section | None]],
    folded: Collection[Callable[[V], Section | None]] = (),
    intro: Sequence[Part] = (),
) -> Section:
    """Return the section with all results of one network in one space.

    Parameters
    ----------
    view
        Network and space.
    makers
        Functions that make the subsections, in order; None is left out.
    folded
        Those whose subsections a first reading can do without.
    intro
        What stands before them.
    """
    children = [
        replace(section, folded=make in folded)
        for make in makers
        if (section := make(view)) is not None
    ]
    anchor = f"results-{view.pair.space.anchor}-{view.pair.network}"
    return Section(f"Results: {view.pair.title}", anchor, intro, children)
