"""Maps of the interactive cortex."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from bidsapp import resources
from bidsapp.report.brain.interactive import CorticalMap, Regions, viewer
from bidsapp.report.brain.scales import Look as Scale
from bidsapp.report.figures import style
from bidsapp.report.group.components import rgb, signed_scale, topographies
from bidsapp.report.group.cortex import (
    largest,
    layer_ticks,
    pooled,
    reference_on_cortex,
    references,
    spin_words,
    upper,
)
from bidsapp.report.group.inference import unit_maps
from bidsapp.report.group.results import KINDS, GroupModel, GroupResults, GroupSpace, OnCortex
from bidsapp.report.group.shared import isc_on_cortex
from bidsapp.report.group.words import KIND_TITLES, lags_title, reference_title
from bidsapp.report.html import Part, Prose, Section
from bidsapp.report.projection import cortex
from bidsapp.report.results import NEGATIVE, POSITIVE
from bidsapp.resources import N_VERTICES

_SIZE = N_VERTICES["fsaverage5"]
# networks and spaces whose maps, and whose single layers (1.3 MB each), are embedded
_MOST_PAIRS, _MOST_SERIES = 3, 2


def interactive(results: GroupResults) -> Section:
    """One cortex to turn, with all maps of all networks and spaces."""
    maps = list(_maps(results))
    parts: list[Part] = []
    if maps:
        parts = [viewer(maps, cortex().meshes, _regions()), *_left_out(results)]
    else:
        parts = [Prose("No map of these spaces can be drawn on a template's cortex.")]
    return Section("The cortex, interactive", "cortex-section", parts)


def _left_out(results: GroupResults) -> list[Part]:
    """Name the results whose maps are pictures only, which keeps the page small."""
    rest = [f"{model.title} in {space.space.title}" for space, model in _pairs(results)[1]]
    if not rest:
        return []
    return [Prose(f"Pictures only, to keep this file small: {', '.join(rest)}.")]


def _pairs(
    results: GroupResults,
) -> tuple[list[tuple[GroupSpace, GroupModel]], list[tuple[GroupSpace, GroupModel]]]:
    """Networks and spaces that are embedded, and the others."""
    pairs = list(results.models())
    return pairs[:_MOST_PAIRS], pairs[_MOST_PAIRS:]


def _series(pairs: Sequence[tuple[GroupSpace, GroupModel]]) -> int:
    """Return how many have single layers: fewer when there are more maps of other kinds."""
    return _MOST_SERIES if len(pairs) <= _MOST_SERIES else 1


@cache
def _regions() -> Regions:
    """Schaefer parcels, as names of places."""
    index = resources.schaefer400("fsaverage5")
    plain = (parcel.name.split("_", 2)[-1] for parcel in resources.schaefer400_parcels())
    names = ["", *(name.replace("_", " ") for name in plain)]
    return Regions(names, {"L": index[:_SIZE], "R": index[_SIZE:]})


def _maps(results: GroupResults) -> Iterator[CorticalMap]:
    pairs, _ = _pairs(results)
    n_series = _series(pairs)
    for number, (space, model) in enumerate(pairs):
        where = f", {space.space.title}" if len(results.spaces) > 1 else ""
        name = f"{model.title}{where}"
        series = f"{name}, positive lags" if number < n_series else ""
        yield from _layer_maps(space, model, name, series)
        yield from _tests(space, model, name, series)
        yield from _components(model, name, series)
    yield from _references(results.spaces)
    for space, model in pairs[:n_series]:
        where = f", {space.space.title}" if len(results.spaces) > 1 else ""
        yield from _single_layers(model, f"{model.title}{where}")


def _layer_maps(
    space: GroupSpace, model: GroupModel, name: str, series: str
) -> Iterator[CorticalMap]:
    names = references(space)
    top = None
    for lags in (POSITIVE, NEGATIVE):
        group = f"{name}, {lags_title(lags)}"
        for kind in reversed(KINDS):
            values = model.layer_map(lags, kind)
            if values is None or not pooled(values).size:
                continue
            told = spin_words(model, lags, kind, names[0] if names else None)
            note = f"With {reference_title(names[0])}: {told}." if told else ""
            yield _layer_map(model, group, KIND_TITLES[kind], values, kind, note, series)
        scores = model.cortical_scores(lags)
        if scores is not None:
            values = {side: largest(rows) for side, rows in scores.items()}
            top = top or upper(values)
            scale = Scale(style.score_colours(), 0.0, top, "mean r")
            yield CorticalMap(group, "Largest mean r over layers", values, scale, series=series)


def _layer_map(
    model: GroupModel, group: str, title: str, values: OnCortex, kind: str, note: str, series: str
) -> CorticalMap:
    n = len(model.layers)
    best = kind == "best"
    low, high = (1.0, float(n)) if best else (0.5, n + 0.5)
    scale = Scale(style.layer_colours(n), low, high, "layer", _few(layer_ticks(model)))
    return CorticalMap(
        group, title, values, scale, "labels" if best else "continuous",
        model.layers if best else (), note, series,
    )  # fmt: skip


def _few(ticks: dict[float, str]) -> dict[float, str]:
    """Keep the first, the middle and the last tick: names beside each other need room."""
    places = sorted(ticks)
    return {place: ticks[place] for place in {places[0], places[len(places) // 2], places[-1]}}


def _tests(space: GroupSpace, model: GroupModel, name: str, series: str) -> Iterator[CorticalMap]:
    group = f"{name}, over participants"
    for each in unit_maps(space, model):
        scale = Scale(each.colours, each.low, each.high, each.label)
        yield CorticalMap(group, each.title, each.values, scale, series=series)
    isc = isc_on_cortex(space, model)
    if isc is not None and pooled(isc).size:
        scale = Scale(style.score_colours(), 0.0, upper(isc), "ISC")
        yield CorticalMap(group, "Noise ceiling (ISC of parcels)", isc, scale)


def _components(model: GroupModel, name: str, series: str) -> Iterator[CorticalMap]:
    maps = topographies(model, POSITIVE)
    group = f"{name}, components"
    colours = rgb(maps)
    if colours is not None:
        note = "Positive scores, each component scaled to its 99th percentile."
        yield CorticalMap(group, "Components 1 to 3 as red, green, blue", colours, None, "rgb",
                          note=note, series=series)  # fmt: skip
    for number, values in enumerate(maps, start=1):
        if pooled(values).size:
            table, top = signed_scale(values)
            scale = Scale(table, -top, top, "score")
            yield CorticalMap(group, f"Component {number}", values, scale, series=series)


def _references(spaces: Sequence[GroupSpace]) -> Iterator[CorticalMap]:
    names = {name: space for space in reversed(spaces) for name in references(space)}
    for name, space in names.items():
        values = reference_on_cortex(space, name)
        if values is not None:
            low, high = np.percentile(pooled(values), [1, 99])
            scale = Scale(style.layer_colours(256), float(low), float(high), "gradient")
            yield CorticalMap("Reference maps", reference_title(name), values, scale)


def _single_layers(model: GroupModel, name: str) -> Iterator[CorticalMap]:
    scores = model.cortical_scores(POSITIVE)
    if scores is None:
        return
    top = upper({side: largest(rows) for side, rows in scores.items()})
    scale = Scale(style.score_colours(), 0.0, top, "mean r")
    for number, layer in enumerate(model.layers):
        values = {side: rows[number] for side, rows in scores.items()}
        yield CorticalMap(
            f"{name}, single layers", f"{number + 1} {layer}", values, scale,
            series=f"{name}, positive lags", place=number + 1,
        )  # fmt: skip
