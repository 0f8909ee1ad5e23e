"""Maps as figures: one row each on the cortex, and slices where there are voxels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bidsapp.brain.geometry import UnitSpace
from bidsapp.report.brain.projection import (
    anatomy,
    cortex,
    has_vertices,
    how_projected,
    in_volume,
    is_mni,
    to_cortex,
)
from bidsapp.report.brain.scales import look, shown
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import CortexMap, Look, cortex_figure
from bidsapp.report.figures.volume import Overlay, mosaic, slice_levels
from bidsapp.report.html import Part, Prose, number_text, picture
from bidsapp.results.kinds import CORRELATION, Labels, Maps, Scale

NOT_DRAWN = "Maps of this space cannot be drawn on a template's cortex."
SLICES = "Axial slices, the left of the brain on the left."


@dataclass(frozen=True)
class BrainMap:
    """One map to show.

    Attributes
    ----------
    title
        Heading.
    values
        (n_units,), NaN where undefined; p-values as they are, for a scale with `log10`.
        (n_units, 3) from 0 to 1 are red, green and blue, for the viewer only.
    scale
        Of the result.
    names
        Of layers or labels 1, 2, …
    ordinal
        Whether values are labels, which are never averaged.
    units
        Where the values lie, if not on the units of the figure.
    mask
        (n_units,) bool: outlined and in full colour, if not the mask of the figure.
    outlined
        False for a map that no mask concerns, such as a count of participants.
    ends, ticks
        Limits and texts of the colour bar, if not those that follow from scale and values.
    in_slices
        Whether it is also worth slices.
    heading
        In the viewer, added to the title of its group.
    note
        In the viewer, what to know when looking at it.
    """

    title: str
    values: Array
    scale: Scale = CORRELATION
    names: Sequence[str] = ()
    ordinal: bool = False
    units: UnitSpace | None = None
    mask: Array | None = None
    outlined: bool = True
    ends: tuple[float, float] | None = None
    ticks: Mapping[float, str] = field(default_factory=dict)
    in_slices: bool = True
    heading: str = ""
    note: str = ""

    @classmethod
    def of(
        cls, result: Maps | Labels, values: Array, names: Sequence[str] = (), **changes: Any
    ) -> BrainMap:
        """Return the map of a declared result.

        Parameters
        ----------
        result
            Gives title and scale.
        values
            (n_units,); of labels, 0 is none.
        names
            Of layers or labels.
        **changes
            Further attributes, or others than those of the result.
        """
        values = np.asarray(values, dtype=float)
        ordinal = isinstance(result, Labels)
        if ordinal:
            values = np.where(values > 0, values, np.nan)
        made = cls(result.title, values, result.scale, names, ordinal)
        return replace(made, **changes)

    def titled(self, title: str) -> BrainMap:
        """Return the map under another title."""
        return replace(self, title=title)

    def under(self, heading: str) -> BrainMap:
        """Return the map with a heading for the viewer's list."""
        return replace(self, heading=heading)

    @property
    def drawn(self) -> Array:
        """(n_units,) values as they are drawn: −log10 of p-values."""
        return shown(self.scale, self.values)

    @property
    def graded(self) -> bool:
        """Whether colours fade with the value outside the mask, or evenly."""
        return self.scale.colours == "score"

    @property
    def is_defined(self) -> bool:
        """Whether there is anything to draw."""
        return bool(np.isfinite(self.drawn).any())

    def look(self, most_ticks: int | None = None) -> Look:
        """Return its colours, with at most so many named layers beside the colour bar."""
        limit = {} if most_ticks is None else {"most_ticks": most_ticks}
        made = look(
            self.scale, self.drawn, self.names, ordinal=self.ordinal, ends=self.ends, **limit
        )
        return replace(made, ticks=self.ticks) if self.ticks else made

    def described(self) -> str:
        """Return title and range in words, for an alternative text."""
        values = self.drawn[np.isfinite(self.drawn)]
        low, high = (number_text(float(end)) for end in (values.min(), values.max()))
        return f"{self.title[:1].lower()}{self.title[1:]}, {low} to {high}"


def draw(
    maps: Sequence[BrainMap],
    units: UnitSpace,
    mask: Array | None = None,
    caption: str = "",
    *,
    projected: bool = True,
    how: str | None = None,
) -> list[Part]:
    """Draw maps on the cortex, one row each, and in slices where there are voxels.

    Parameters
    ----------
    maps
        Those without a finite value are left out.
    units
        Voxels or vertices.
    mask
        (n_units,) bool: outlined and in full colour; None for no outline.
    caption
        How to read the figure of the cortex.
    projected
        Whether voxels are drawn on the cortex, too.
    how
        How the maps came to fsaverage5; a sentence of its own follows the caption when None.

    Returns
    -------
    list of parts
        Figure of the cortex, then slices map by map; a sentence where neither can be drawn.
    """
    defined = [each for each in maps if each.is_defined]
    if not defined:
        return []
    in_slices = list(slices(defined, units, mask))
    surface = None
    if projected or has_vertices(units):
        told = how_projected(units) if how is None else how
        surface = _cortex(defined, units, mask, f"{caption} {told}".strip())
    if surface is None and not in_slices:
        return [Prose(NOT_DRAWN)]
    return [*([surface] if surface else []), *in_slices]


def _cortex(
    maps: Sequence[BrainMap], units: UnitSpace, mask: Array | None, caption: str
) -> Part | None:
    rows = [row for each in maps if (row := cortex_row(each, units, mask)) is not None]
    if not rows:
        return None
    alt = "Both hemispheres, lateral and medial: " + "; ".join(each.described() for each in maps)
    return picture(
        cortex_figure(rows, cortex().meshes), alt=f"{alt}.", caption=caption, vector=False
    )


def cortex_row(each: BrainMap, units: UnitSpace, mask: Array | None) -> CortexMap | None:
    """Return a map as a row of a cortex figure; None where its space cannot be drawn.

    Parameters
    ----------
    each
        The map.
    units
        Voxels or vertices, if it has none of its own.
    mask
        (n_units,) bool, if it has none of its own.
    """
    where = each.units or units
    values = to_cortex(where, each.drawn, ordinal=each.ordinal)
    if values is None:
        return None
    return CortexMap(
        each.title,
        values,
        each.look(),
        ordinal=each.ordinal,
        emphasis=_region(where, _mask_of(each, mask)),
        graded=each.graded,
    )


def _mask_of(each: BrainMap, mask: Array | None) -> Array | None:
    if not each.outlined:
        return None
    if each.mask is None and each.units is not None:
        return None  # the mask of the figure lies on other units
    return mask if each.mask is None else each.mask


def _region(units: UnitSpace, mask: Array | None) -> dict[str, Array] | None:
    if mask is None:
        return None
    region = to_cortex(units, np.asarray(mask, dtype=float), ordinal=True)
    return region and {side: values > 0 for side, values in region.items()}


def slices(
    maps: Sequence[BrainMap], units: UnitSpace, mask: Array | None = None
) -> Iterator[Part]:
    """Yield axial slices of each map that is worth them; none without voxels.

    Parameters
    ----------
    maps, units, mask
        As in `draw`.
    """
    extent = in_volume(units, np.ones(units.n_units))
    if extent is None:
        return
    background = anatomy() if is_mni(units) else None
    for each in maps:
        if not each.in_slices or each.units is not None:
            continue
        box = in_volume(units, each.drawn)
        if box is None or np.isnan(box.data).all():
            continue
        region = _mask_of(each, mask)
        emphasis = None if region is None else in_volume(units, region.astype(float))
        overlay = Overlay(box, each.look(), each.graded, emphasis)
        yield picture(
            mosaic(background, overlay, slice_levels(extent), each.title),
            alt=f"Axial slices: {each.described()}.",
            caption=SLICES,
            vector=False,
        )
