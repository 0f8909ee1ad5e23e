"""One network in one space, as sections of `gradients` see it; of a participant and a group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd

from bidsapp.brain.geometry import UnitSpace, VolumeGrid, surface_units
from bidsapp.brain.maps import read_maps
from bidsapp.brain.references import reference_map
from bidsapp.errors import AppError
from bidsapp.recipes.gradients import group_results as of_group
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.references import reference_labels
from bidsapp.recipes.gradients.results import BEST_LAYER, CENTROID, LAGS
from bidsapp.report.brain.projection import SIDES, SIZE, how_projected, to_cortex
from bidsapp.report.figures.style import Array
from bidsapp.report.html import number_text, p_text, plural
from bidsapp.report.sections import Pair, pairs
from bidsapp.report.tables import rows_of
from bidsapp.report.view import View
from bidsapp.results.kinds import Result
from bidsapp.results.read import Results, Space

BASELINE = "baseline"
POSITIVE, NEGATIVE = LAGS


class GradientsView(View):
    """Results of one network in one space."""

    @cached_property
    def baseline(self) -> Self | None:
        """The acoustic baseline in the same space; None without one, and for itself."""
        space = self.pair.space
        if self.pair.network == BASELINE or BASELINE not in self.results.networks(space):
            return None
        return type(self)(self.results, Pair(space, BASELINE, BASELINE, ""))


V = TypeVar("V", bound=GradientsView)


def views(results: Results, kind: type[V]) -> list[V]:
    """Return the networks of each space; the baseline only where it stands alone."""
    alone = all(set(results.networks(space)) == {BASELINE} for space in results.spaces)
    left_out = () if alone else (BASELINE,)
    return [kind(results, pair) for pair in pairs(results, leave_out=left_out)]


class ParticipantView(GradientsView):
    """A participant's results of one network in one space."""

    def scores(self, lags: str) -> Array | None:
        """(n_layers, n_units) scores; None where these lags were not analysed."""
        return self.maps(declared.SCORE.of(lags))

    @cached_property
    def positive(self) -> Array:
        """Scores of layers at positive lags, (n_layers, n_units)."""
        return self.values(declared.SCORE.of(POSITIVE))

    @cached_property
    def significant(self) -> Array:
        """Voxels or vertices in significant parcels, (n_units,) bool; none without a test."""
        passed = self.mask(declared.SIGNIFICANT)
        return np.zeros(self.units.n_units, np.bool_) if passed is None else passed

    @property
    def why_none(self) -> str:
        """Why no parcel is significant: none is, or nothing was tested."""
        untested = self.mask(declared.SIGNIFICANT) is None
        return "nothing was tested" if untested else "no parcel is significant"

    @cached_property
    def parcels(self) -> pd.DataFrame:
        """One row per parcel and set of lags."""
        return self.table(declared.PARCEL_SUMMARY)

    @cached_property
    def passed(self) -> pd.DataFrame:
        """Rows of the parcels that are significant at positive lags."""
        rows = rows_of(self.parcels, lags=POSITIVE)
        return rows[rows["p_fwe"] <= self.level]

    @cached_property
    def profile(self) -> pd.DataFrame:
        """One row per layer and set of lags."""
        return self.table(declared.PROFILE)

    @property
    def chosen(self) -> Array:
        """(n_units,) bool: significant ones; all of them where none is significant."""
        return self.significant if self.significant.any() else np.ones_like(self.significant)

    @property
    def chosen_words(self) -> str:
        """Say which voxels or vertices are `chosen`."""
        if not self.significant.any():
            return f"all {self.words}, because {self.why_none}"
        n = plural(int(self.significant.sum()), self.word, self.words)
        return f"the {n} in significant parcels"


KINDS = ("best", "centroid")
MAIN = {"hemisphere": "both", "direction": "reference rotated"}
LAGS_TITLES = {
    POSITIVE: "music before the response",
    NEGATIVE: "music after the response (control)",
}
"""What responses are predicted from, by lags or by the canonical response and its mirror image."""
KIND_TITLES = {"best": "Best layer", "centroid": "Centroid layer"}
#: where everything on the cortex is drawn
FSAVERAGE5 = surface_units(SIZE, SIZE, space="fsaverage5", density="10k")
_SURFACE = Space("fsaverage", den="10k")
_REFERENCES = {
    "gradient1": "functional gradient 1",
    "gradient2": "functional gradient 2",
    "fcgradient01": "functional gradient 1 (Margulies 2016)",
    "fcgradient02": "functional gradient 2 (Margulies 2016)",
}


def reference_title(name: str) -> str:
    """Name a reference map for a reader."""
    if name.startswith("user"):
        return f"map given by the user {name.removeprefix('user')}".strip()
    return _REFERENCES.get(name, name.replace("-", " "))


def correlation(r: float) -> str:
    """Write a correlation with two decimals; what rounds to zero is zero."""
    return number_text(round(r, 2), 2) if math.isfinite(r) else number_text(r)


def carried(units: UnitSpace, values: Array, *, ordinal: bool = False) -> Array | None:
    """Bring values to fsaverage5.

    Parameters
    ----------
    units
        Voxels or vertices.
    values
        (n_units,).
    ordinal
        Labels: never averaged.

    Returns
    -------
    (20484,) array or None
        None where the space cannot be drawn on a cortex.
    """
    sides = to_cortex(units, values, ordinal=ordinal)
    return None if sides is None else np.concatenate([sides[side] for side in SIDES])


class GroupView(GradientsView):
    """Group results of one network in one space."""

    @property
    def symbol(self) -> str:
        """Of the correlation of the spin test."""
        return "\u03c1" if self.settings["spin_statistic"] == "spearman" else "r"

    @property
    def spin(self) -> Mapping[str, Any] | None:
        """What the summary says of the spin test; None when there was none."""
        return self.summary["spin"]  # type: ignore[no-any-return]

    @property
    def references(self) -> list[str]:
        """Names of the reference maps, the main one first."""
        return [str(item["name"]) for item in self.summary["references"]]

    @cached_property
    def given(self) -> dict[str, str]:
        """References that do not come with the app: name → label of the written map."""
        return reference_labels(self.references)

    @cached_property
    def spins(self) -> pd.DataFrame:
        """One row per lags, map, reference, hemisphere and direction."""
        return self.table(of_group.SPINS)

    @cached_property
    def significant(self) -> Array | None:
        """(n_units,) bool: in a parcel that passes against displaced music; None without."""
        return self.mask(of_group.SIGNIFICANT)

    def scores(self, lags: str) -> Array | None:
        """(n_layers, n_units) mean scores over participants."""
        return self.maps(of_group.MEAN.of(lags))

    def on_cortex(self, result: Result, projected: Result | None = None) -> Array | None:
        """Bring maps to fsaverage5.

        Parameters
        ----------
        result
            On the units of the space.
        projected
            The same projected before layers were compared, which is read where it was written.

        Returns
        -------
        (n_maps, 20484) array or None
            None when not written, or where the space cannot be drawn.
        """
        read = None if projected is None else self._projected(projected)
        if read is not None:
            return read
        values = self.maps(result)
        if values is None:
            return None
        ordinal = result.suffix == "dseg"
        rows = [carried(self.units, row, ordinal=ordinal) for row in values]
        return None if any(row is None for row in rows) else np.stack([*rows])  # type: ignore[list-item]

    def _projected(self, result: Result) -> Array | None:
        if not isinstance(self.units.geometry, VolumeGrid):
            return None
        space = self.pair.space
        label = {"label": f"{space.space}{space.res}"}
        network = self.pair.network if result.by_network else ""
        paths = self.results.images(result, _SURFACE, network, label)
        if not paths:
            return None
        return np.asarray(read_maps(paths, FSAVERAGE5).values, dtype=float)

    def cortical_scores(self, lags: str) -> Array | None:
        """(n_layers, 20484) mean scores, as the spin test saw them."""
        return self.on_cortex(of_group.MEAN.of(lags), of_group.PROJECTED.of(lags))

    def layer_map(self, lags: str, kind: str) -> Array | None:
        """(20484,) best or centroid layer, NaN where undefined."""
        if kind == "best":
            maps = self.on_cortex(BEST_LAYER.of(lags), of_group.BEST_PROJECTED.of(lags))
        else:
            maps = self.on_cortex(CENTROID.of(lags), of_group.CENTROID_PROJECTED.of(lags))
        if maps is None or not (maps[0] > 0).any():
            return None
        return np.where(maps[0] > 0, maps[0], np.nan)

    def reference(self, name: str) -> Array | None:
        """(20484,) reference map; None for a map that is not at hand."""
        label = self.given.get(name)
        if label is None:
            try:
                return np.asarray(reference_map(name, FSAVERAGE5))
            except AppError:
                return None
        result = of_group.REFERENCE.of(label)
        maps = self.on_cortex(result, result)
        return None if maps is None else maps[0]

    def how_drawn(self) -> str:
        """Say how maps came to fsaverage5."""
        if isinstance(self.units.geometry, VolumeGrid) and self.spin is not None:
            way = str(self.spin["way_to_the_surface"]["Method"]).rstrip(".")
            return (
                f"On fsaverage5: {way}; best and centroid layers were determined after projection."
            )
        return how_projected(self.units)

    def spin_row(self, lags: str, kind: str, reference: str = "") -> pd.Series | None:
        """Return the main test of a map; with the main reference unless one is named."""
        names = self.references
        if not names:
            return None
        wanted = {"lags": lags, "map": kind, "reference": reference or names[0], **MAIN}
        rows = rows_of(self.spins, **wanted)
        return None if rows.empty or not math.isfinite(rows["r"].iloc[0]) else rows.iloc[0]

    def spin_words(self, lags: str, kind: str, reference: str = "") -> str:
        """Write correlation and p of the spin test, of the control the correlation only."""
        row = self.spin_row(lags, kind, reference)
        if row is None:
            return ""
        if lags == NEGATIVE:
            return f"{self.symbol} = {correlation(row['r'])}, not tested"
        n = int(row["n_rotations"])
        words = f"spin {self.symbol} = {correlation(row['r'])}, {p_text(row['p'], n)}"
        if math.isfinite(row["p_max"]):
            words += f", p_FWE (across maps) {p_text(row['p_max'], n).removeprefix('p ')}"
        return words


def each_lags(view: GroupView) -> Iterator[str]:
    """Yield the sets of lags that were analysed."""
    yield from (lags for lags in LAGS if lags in view.summary["lags"])
