"""Maps on the cortex and, for volumes, in slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import Normalize

from bidsapp.report.figures import style
from bidsapp.report.figures.surface import CortexMap, cortex_figure, layer_norm
from bidsapp.report.figures.volume import Overlay, Volume, mosaic, slice_levels
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.maps import Array
from bidsapp.report.projection import anatomy, cortex, how_projected, to_cortex
from bidsapp.report.results import NEGATIVE, POSITIVE, ModelResults, SpaceResults


@dataclass(frozen=True)
class Shown:
    """A map to show.

    Attributes
    ----------
    title
        Heading.
    values
        (n_units,), NaN undefined.
    ordinal
        Labels, never averaged.
    is_score
        A correlation; a layer number otherwise.
    in_slices
        Whether it is also worth slices.
    """

    title: str
    values: Array
    ordinal: bool = False
    is_score: bool = False
    in_slices: bool = True


def maps(space: SpaceResults, model: ModelResults, suffix: str) -> Section:
    """Largest score, best layer, centroid layer and the control."""
    title, anchor = "Maps", f"maps{suffix}"
    shown = _maps(model)
    if not shown or not shown[0].is_score:
        return Section(title, anchor, [Prose("No score maps were written.")])
    return Section(title, anchor, [*_cortex(space, model, shown), *_slices(space, model, shown)])


def _maps(model: ModelResults) -> list[Shown]:
    scores, control = model.scores(POSITIVE), model.scores(NEGATIVE)
    best = model.maps("dseg", stat=None, desc=f"bestlayer{POSITIVE}")
    centroid = model.maps(stat="centroid", desc=POSITIVE)
    found = []
    if scores is not None:
        found.append(Shown("Largest score over layers", _max(scores.values), is_score=True))
    if best is not None:
        values = np.where(best.values[0] > 0, best.values[0], np.nan)
        found.append(Shown("Best layer", values, ordinal=True))
    if centroid is not None:
        found.append(Shown("Centroid layer", centroid.values[0], in_slices=False))
    if control is not None:
        title = "Largest score over layers, negative lags (control)"
        found.append(Shown(title, _max(control.values), is_score=True, in_slices=False))
    return [each for each in found if np.isfinite(each.values).any()]


def _max(values: Array) -> Array:
    with np.errstate(invalid="ignore"):
        largest = np.where(np.isfinite(values), values, -np.inf).max(axis=0)
    return np.where(np.isfinite(largest), largest, np.nan)


def _scale(shown: Shown, top: float, model: ModelResults) -> dict[str, Any]:
    names = [str(name) for name in model.layers["layer"]]
    if shown.is_score:
        return {"colours": style.score_colours(), "norm": Normalize(0, top), "label": "r"}
    wanted = np.unique(np.linspace(1, len(names), min(len(names), 7)).round().astype(int))
    ticks = {float(number): f"{number} {names[number - 1]}" for number in wanted}
    colours = style.layer_colours(len(names))
    norm = layer_norm(len(names)) if shown.ordinal else Normalize(0.5, len(names) + 0.5)
    return {"colours": colours, "norm": norm, "label": "layer", "ticks": ticks}


def _top(scores: Shown) -> float:
    """Return the upper end of the score scale: the 99.5th percentile of a map."""
    values = scores.values
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, 99.5)), 0.02) if finite.size else 1.0


def _cortex(space: SpaceResults, model: ModelResults, shown: Sequence[Shown]) -> list[Part]:
    mask = model.significant
    region = None if mask is None else to_cortex(space, mask.astype(float), ordinal=True)
    emphasis = region and {side: values > 0 for side, values in region.items()}
    rows = []
    for each in shown:
        values = to_cortex(space, each.values, ordinal=each.ordinal)
        if values is None:
            text = f"Maps in {space.space.title} cannot be drawn on a template's cortex."
            return [Prose(text)]
        scale = _scale(each, _top(shown[0]), model)
        rows.append(
            CortexMap(
                each.title,
                values,
                ordinal=each.ordinal,
                graded=each.is_score,
                emphasis=emphasis,
                **scale,
            )
        )
    figure = cortex_figure(rows, cortex().meshes)
    return [picture(figure, alt=_words(shown, mask), caption=_caption(space, mask), vector=False)]


def _caption(space: SpaceResults, mask: Array | None) -> str:
    where = (
        "Outlined and in full colour: significant parcels (family-wise, positive lags); "
        "elsewhere colours fade with the score, none is cut off. "
        if mask is not None and mask.any()
        else "No parcel is significant: scores are pale, and best and centroid layers, where the "
        "variant leaves them undefined outside significant parcels, are not drawn. "
    )
    scale = "Scores are clipped at zero and their 99.5th percentile, on one scale for all lags. "
    return where + scale + how_projected(space)


def _words(shown: Sequence[Shown], mask: Array | None) -> str:
    share = "" if mask is None else f"; {mask.mean():.0%} of the units are in significant parcels"
    titles = ", ".join(each.title.lower() for each in shown)
    peak = np.nanmax(shown[0].values)
    return f"Both hemispheres, lateral and medial: {titles}. Largest score {peak:.2f}{share}."


def _slices(space: SpaceResults, model: ModelResults, shown: Sequence[Shown]) -> list[Part]:
    grid = space.grid
    if grid is None or grid.affine is None:
        return []

    def volume(values: Array | None) -> Volume | None:
        box = None if values is None else grid.volume(values)
        return None if box is None or grid.affine is None else Volume(box, grid.affine)

    mask, extent = model.significant, volume(shown[0].values)
    background = anatomy() if space.space.is_mni or space.space.space == "fsLR" else None
    parts: list[Part] = []
    for each in shown:
        box = volume(each.values)
        if extent is None or box is None or not each.in_slices or np.isnan(box.data).all():
            continue
        overlay = Overlay(
            box,
            graded=each.is_score,
            emphasis=volume(None if mask is None else mask.astype(float)),
            **_scale(each, _top(shown[0]), model),
        )
        figure = mosaic(background, overlay, slice_levels(extent), each.title)
        caption = "Axial slices, the left of the brain on the left."
        alt = f"Axial slices: {each.title.lower()}."
        parts.append(picture(figure, alt=alt, caption=caption, vector=False))
    return parts
