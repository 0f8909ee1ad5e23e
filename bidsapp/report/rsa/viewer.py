"""Maps of the interactive cortex."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from bidsapp import resources
from bidsapp.report.brain.interactive import CorticalMap, Regions, viewer
from bidsapp.report.brain.scales import Look as Scale
from bidsapp.report.figures import style
from bidsapp.report.html import Part, Prose, Section
from bidsapp.report.maps import Array
from bidsapp.report.projection import cortex, to_cortex
from bidsapp.report.rsa.maps import gain_of_best, gain_title, layer_ticks, smallest_p, upper
from bidsapp.report.rsa.read import Network, SpaceStudy, Study
from bidsapp.resources import N_VERTICES

_SIZE = N_VERTICES["fsaverage5"]
_MOST_PAIRS, _MOST_SERIES = 3, 2  # whose maps, and whose single layers, are embedded


def interactive(study: Study) -> Section:
    """One cortex to turn, with the maps of all networks and spaces."""
    pairs = study.pairs()
    maps = [
        each
        for place, (space, network) in enumerate(pairs[:_MOST_PAIRS])
        for each in _maps(study, space, network, single=place < _MOST_SERIES)
    ]
    if not maps:
        text = "No map of these spaces can be drawn on a template's cortex."
        return Section("The cortex, interactive", "cortex-section", [Prose(text)])
    parts: list[Part] = [viewer(maps, cortex().meshes, _regions())]
    rest = [f"{network.title} in {space.space.title}" for space, network in pairs[_MOST_PAIRS:]]
    if rest:
        parts.append(Prose(f"Pictures only, to keep this file small: {', '.join(rest)}."))
    return Section("The cortex, interactive", "cortex-section", parts)


@cache
def _regions() -> Regions:
    """Schaefer parcels, as names of places."""
    index = resources.schaefer400("fsaverage5")
    plain = (parcel.name.split("_", 2)[-1] for parcel in resources.schaefer400_parcels())
    names = ["", *(name.replace("_", " ") for name in plain)]
    return Regions(names, {"L": index[:_SIZE], "R": index[_SIZE:]})


def _maps(
    study: Study, space: SpaceStudy, network: Network, *, single: bool
) -> Iterator[CorticalMap]:
    where = f", {space.space.title}" if len(study.spaces) > 1 else ""
    group = f"{network.title}{where}"
    series = group if single else ""
    yield from _scores(space, network, group, series)
    yield from _layers(space, network, group, series)
    yield from _others(space, network, group, series)
    if single and network.scores is not None and network.largest is not None:
        top = upper(network.largest)
        scale = Scale(style.score_colours(), 0.0, top, "\u03c1")
        for place, (layer, row) in enumerate(
            zip(network.layers, network.scores, strict=True), start=1
        ):
            yield from _one(space, f"{group}, single layers", f"{place} {layer}", row, scale,
                            series, place=place)  # fmt: skip


def _one(
    space: SpaceStudy,
    group: str,
    title: str,
    values: Array | None,
    scale: Scale,
    series: str,
    *,
    names: tuple[str, ...] = (),
    place: int = 0,
) -> Iterator[CorticalMap]:
    if values is None or not np.isfinite(values).any():
        return
    found = to_cortex(space.within, values, ordinal=bool(names))
    if found is not None:
        kind = "labels" if names else "continuous"
        yield CorticalMap(group, title, found, scale, kind, names, series=series, place=place)  # type: ignore[arg-type]


def _scores(space: SpaceStudy, network: Network, group: str, series: str) -> Iterator[CorticalMap]:
    largest = network.largest
    if largest is None:
        return
    scale = Scale(style.score_colours(), 0.0, upper(largest), "\u03c1")
    yield from _one(space, group, "Largest score over layers", largest, scale, series)


def _layers(space: SpaceStudy, network: Network, group: str, series: str) -> Iterator[CorticalMap]:
    n = len(network.layers)
    ticks = layer_ticks(network, 3)
    best = Scale(style.layer_colours(n), 1.0, float(n), "layer", ticks)
    yield from _one(space, group, "Best layer", network.best, best, series, names=network.layers)
    centroid = Scale(style.layer_colours(256), 0.5, n + 0.5, "layer", ticks)
    yield from _one(space, group, "Centroid layer", network.centroid, centroid, series)


def _others(space: SpaceStudy, network: Network, group: str, series: str) -> Iterator[CorticalMap]:
    logged = smallest_p(network)
    if logged is not None:
        top = max(2.0, float(np.nanmax(logged)))
        scale = Scale(style.score_colours(), 0.0, top, "\u2212log10 p")
        yield from _one(space, group, "Smallest family-wise p over layers", logged, scale, series)
    gain = gain_of_best(network)
    if gain is not None and np.isfinite(gain).any():
        top = upper(np.abs(gain))
        scale = Scale(style.signed_colours(), -top, top, "\u0394\u03c1")
        yield from _one(space, group, gain_title(network), gain, scale, series)
    ceiling = space.values(stat="ceiling", desc="rsalower")
    if ceiling is not None:
        scale = Scale(style.score_colours(), 0.0, upper(ceiling), "\u03c1")
        yield from _one(space, group, "Lower noise ceiling", ceiling, scale, series)
    scale = Scale(style.layer_colours(256), 0.0, 1.0, "share")
    values = network.values(stat="confidence", desc="rsa")
    yield from _one(space, group, "Confidence of the best layer", values, scale, series)
    radius = space.values(stat="radius", desc="rsa")
    if radius is not None and np.isfinite(radius).any():
        low, high = np.nanpercentile(radius, [1, 99])
        scale = Scale(style.layer_colours(256), float(low), float(max(high, low + 1e-3)), "mm")
        yield from _one(space, group, "Radius of the searchlights", radius, scale, series)
