"""The interactive cortex, from the same maps and scales as the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bidsapp.brain.geometry import UnitSpace
from bidsapp.report.brain.draw import NOT_DRAWN, BrainMap
from bidsapp.report.brain.interactive import CorticalMap, Kind, Regions
from bidsapp.report.brain.interactive import viewer as embed
from bidsapp.report.brain.projection import SIZE, cortex, region_index, region_names, to_cortex
from bidsapp.report.brain.scales import largest, limits
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Part, Prose, Section
from bidsapp.results.kinds import Scale

_MOST_GROUPS, _MOST_SERIES = 3, 2  # whose maps, and whose single layers (1.3 MB), are embedded
_TICKS = 3


@dataclass(frozen=True)
class MapGroup:
    """Maps of one network in one space: a stretch of the viewer's list.

    Attributes
    ----------
    title
        Heading in the list; a map's own heading is added to it.
    units
        Voxels or vertices.
    maps
        In order.
    layers
        One map per layer: listed last, and drawn as a profile at the vertex that is clicked.
    significant
        (n_units,) bool: what is left when only significant places are to be shown; None where
        nothing is.
    """

    title: str
    units: UnitSpace
    maps: Sequence[BrainMap]
    layers: Sequence[BrainMap] = ()
    significant: Array | None = None

    def mask(self) -> Mapping[str, Array] | None:
        """Return the significant vertices of each hemisphere; None where nothing is."""
        if self.significant is None or not np.any(self.significant):
            return None
        labels = np.where(self.significant, 1.0, np.nan)
        return to_cortex(self.units, labels, ordinal=True)


def layer_maps(scores: Array, names: Sequence[str], scale: Scale) -> list[BrainMap]:
    """Return one map per layer, all with the limits of their maximum.

    Parameters
    ----------
    scores
        (n_layers, n_units).
    names
        Of the layers.
    scale
        Of the result.
    """
    ends = limits(scale, largest(scores))
    return [
        BrainMap(f"{place} {name}", row, scale, ends=ends)
        for place, (name, row) in enumerate(zip(names, scores, strict=True), start=1)
    ]


def viewer(groups: Sequence[MapGroup], further: Sequence[MapGroup] = ()) -> Section:
    """Return the section with the interactive cortex.

    Parameters
    ----------
    groups
        The first three are embedded, with the single layers of the first two (of the first one
        where there are three), to keep the file small; the others are named.
    further
        Small groups that are always embedded, such as reference maps.
    """
    embedded = groups[:_MOST_GROUPS]
    n_series = _MOST_SERIES if len(embedded) <= _MOST_SERIES else 1
    maps = [
        each
        for place, group in enumerate(embedded)
        for each in _maps(group, series=group.title if place < n_series else "")
    ]
    maps += [each for group in further for each in _maps(group, series="")]
    maps += [each for group in embedded[:n_series] for each in _layers(group)]
    title, anchor = "Interactive cortex", "cortex-section"
    if not maps:
        return Section(title, anchor, [Prose(NOT_DRAWN)])
    parts: list[Part] = [embed(maps, cortex().meshes, regions())]
    left_out = [group.title for group in groups[_MOST_GROUPS:]]
    if left_out:
        parts.append(Prose(f"Not in this viewer, to keep the file small: {', '.join(left_out)}."))
    return Section(title, anchor, parts)


@cache
def regions() -> Regions:
    """Return the Schaefer parcels, which name the place under the pointer."""
    names = [name.partition(" ")[2] for name in region_names()]  # without LH, RH
    index = region_index()
    return Regions(names, {"L": index[:SIZE], "R": index[SIZE:]})


def _maps(group: MapGroup, series: str) -> Iterator[CorticalMap]:
    mask = group.mask()
    for each in group.maps:
        heading = f"{group.title}, {each.heading}" if each.heading else group.title
        yield from _entry(group, each, heading, series if group.layers else "", mask=mask)


def _layers(group: MapGroup) -> Iterator[CorticalMap]:
    heading, mask = f"{group.title}, single layers", group.mask()
    for place, each in enumerate(group.layers, start=1):
        yield from _entry(group, each, heading, group.title, place, mask)


def _entry(
    group: MapGroup,
    each: BrainMap,
    heading: str,
    series: str,
    place: int = 0,
    mask: Mapping[str, Array] | None = None,
) -> Iterator[CorticalMap]:
    units = each.units or group.units
    if each.values.ndim == 2:
        colours = [to_cortex(units, column, ordinal=False) for column in each.values.T]
        if all(colours):
            stacked = {
                side: np.column_stack([part[side] for part in colours if part]) for side in "LR"
            }
            yield CorticalMap(
                heading, each.title, stacked, None, "rgb", note=each.note, series=series, mask=mask
            )
        return
    if not each.is_defined:
        return
    values = to_cortex(units, each.drawn, ordinal=each.ordinal)
    if values is None:
        return
    kind: Kind = "labels" if each.ordinal else "continuous"
    names = tuple(each.names) if each.ordinal else ()
    look = each.look(_TICKS)
    yield CorticalMap(
        heading, each.title, values, look, kind, names, each.note, series, place, mask
    )
