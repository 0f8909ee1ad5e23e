"""Figures 2 and 5 of the poster: maximal accuracy, and layer maps beside the gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import Normalize

from bidsapp.brain.geometry import surface_units
from bidsapp.brain.references import GRADIENTS, MARGULIES, reference_map
from bidsapp.errors import AppError
from bidsapp.report.figures import style
from bidsapp.report.figures.surface import CortexMap, cortex_figure, layer_norm
from bidsapp.report.figures.volume import Overlay, Volume, mosaic, slice_levels
from bidsapp.report.group.results import KINDS, GroupModel, GroupSpace, OnCortex
from bidsapp.report.group.words import (
    KIND_TITLES,
    lags_title,
    licence,
    over_maps,
    p_text,
    r_text,
    reference_title,
    symbol,
)
from bidsapp.report.html import Part, Prose, Section, picture
from bidsapp.report.maps import Array
from bidsapp.report.projection import anatomy, cortex, how_projected
from bidsapp.report.results import NEGATIVE, POSITIVE, rows_of
from bidsapp.resources import N_VERTICES

_SIZE = N_VERTICES["fsaverage5"]
NOT_DRAWN = "Maps of this space cannot be drawn on a template's cortex."
_TESTED = {"hemisphere": "both", "direction": "reference rotated"}


def largest(values: Array) -> Array:
    """Return the largest value over the first axis; NaN where there is none."""
    finite = np.isfinite(values)
    top: Array = np.where(finite, values, -np.inf).max(axis=0)
    top[np.isneginf(top)] = np.nan
    return top


def pooled(maps: Mapping[str, Array]) -> Array:
    """Return the finite values of both hemispheres."""
    values = np.concatenate([np.ravel(part) for part in maps.values()])
    return np.asarray(values[np.isfinite(values)])


def upper(maps: Mapping[str, Array], percentile: float = 99.5, least: float = 0.02) -> float:
    """Return the upper end of a scale: a percentile of the finite values."""
    values = pooled(maps)
    return max(float(np.percentile(values, percentile)), least) if values.size else 1.0


def layer_ticks(model: GroupModel) -> dict[float, str]:
    """Return layer numbers and names for a colour bar."""
    names = model.layers
    wanted = {round(number) for number in np.linspace(1, len(names), min(len(names), 7))}
    return {float(number): f"{number} {names[number - 1]}" for number in sorted(wanted)}


def layer_scale(model: GroupModel, *, ordinal: bool) -> dict[str, Any]:
    """Return colours of layer numbers, as keywords of a `CortexMap`."""
    n = len(model.layers)
    return {
        "colours": style.layer_colours(n),
        "norm": layer_norm(n) if ordinal else Normalize(0.5, n + 0.5),
        "label": "layer",
        "ticks": layer_ticks(model),
        "ordinal": ordinal,
    }


def emphasis(model: GroupModel, lags: str = POSITIVE) -> OnCortex | None:
    """Vertices where some layer passes; None when that was not tested."""
    mask = model.passing(lags)
    region = model.on_cortex(None if mask is None else mask.astype(float), ordinal=True)
    return region and {side: values > 0 for side, values in region.items()}


def reference_on_cortex(space: GroupSpace, name: str) -> OnCortex | None:
    """Load a reference map on fsaverage5; None for maps that are not at hand."""
    if name not in GRADIENTS and name not in MARGULIES:
        return space.given_reference(name)
    try:
        units = surface_units(_SIZE, _SIZE, space="fsaverage5", density="10k")
        values = reference_map(name, units)
    except AppError:
        return None
    return {"L": values[:_SIZE], "R": values[_SIZE:]}


def references(space: GroupSpace) -> list[str]:
    """Return the names of the reference maps, the main one first."""
    recorded = space.facts.get("references") or ()
    return [str(item.get("name")) for item in recorded if isinstance(item, Mapping)]


def how_drawn(space: GroupSpace) -> str:
    """Say how maps of a space came to fsaverage5."""
    grid = space.within.grid
    if grid is not None and not grid.is_surface:
        way = (space.facts.get("spin") or {}).get("way_to_the_surface") or {}
        how = str(way.get("Method", "") or "each layer's mean score map was projected")
        return (
            f"On fsaverage5: {how.rstrip('.')}; best and centroid layers were determined after "
            "projection."
        )
    return how_projected(space.within)


# ------------------------------------------------------------------ maximal accuracy


def accuracy(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """Largest mean score over layers (Figure 2 of the poster)."""
    title, anchor = "Maximal prediction accuracy", f"accuracy{suffix}"
    found = {}
    for lags in (POSITIVE, NEGATIVE):
        scores = model.cortical_scores(lags)
        if scores is not None:
            found[lags] = {side: largest(values) for side, values in scores.items()}
    parts: list[Part] = []
    if POSITIVE in found:
        parts.append(_accuracy_picture(space, model, found))
    elif model.scores(POSITIVE) is None:
        parts.append(Prose("No score maps were written."))
    else:
        parts.append(Prose(NOT_DRAWN))
    return Section(title, anchor, [*parts, *_slices(space, model), *licence(space, "significant")])


def _accuracy_picture(space: GroupSpace, model: GroupModel, found: Mapping[str, OnCortex]) -> Part:
    top = upper(found[POSITIVE])
    rows = [
        CortexMap(
            f"Largest mean r over {len(model.layers)} layers, {lags_title(lags)}", values,
            style.score_colours(), Normalize(0, top), emphasis=emphasis(model, lags), graded=True,
            label="mean r",
        )
        for lags, values in found.items()
    ]  # fmt: skip
    peaks = {lags: float(pooled(values).max()) for lags, values in found.items()}
    words = ", ".join(f"{lags_title(lags)} {peak:.3f}" for lags, peak in peaks.items())
    caption = (
        f"{_outlined(model)} One scale for both rows, from zero to the 99.5th percentile. "
        f"{how_drawn(space)}"
    )
    return picture(
        cortex_figure(rows, cortex().meshes),
        alt=f"Largest mean score on both hemispheres, lateral and medial; peaks: {words}.",
        caption=caption,
        vector=False,
    )


def _outlined(model: GroupModel) -> str:
    mask = model.significant
    if mask is None:
        return "Nothing was tested over participants."
    if not mask.any():
        return f"No unit passes p < {model.level:g} (family-wise), so all colours are pale."
    return (
        f"Outlined and in full colour: units where some layer passes p < {model.level:g}, "
        "family-wise over units and layers (sign flips of participants, at the lags of the row); "
        "elsewhere colours fade with the score, none is cut off."
    )


def _slices(space: GroupSpace, model: GroupModel) -> list[Part]:
    grid, scores = space.within.grid, model.scores(POSITIVE)
    if grid is None or grid.affine is None or scores is None:
        return []
    values = largest(scores.values)
    box = grid.volume(values)
    if box is None or not np.isfinite(box).any():
        return []
    mask = model.significant
    region = None if mask is None else grid.volume(mask.astype(float))
    overlay = Overlay(
        Volume(box, grid.affine), style.score_colours(), Normalize(0, upper({"all": values})),
        "mean r", graded=True,
        emphasis=None if region is None else Volume(region, grid.affine),
    )  # fmt: skip
    known = space.space.is_mni or space.space.space == "fsLR"
    levels = slice_levels(overlay.volume)
    title = "Largest mean r over layers, positive lags"
    figure = mosaic(anatomy() if known else None, overlay, levels, title)
    caption = "Axial slices, the left of the brain on the left; subcortical structures included."
    alt = f"Axial slices of the largest mean score; peak {np.nanmax(values):.3f}."
    return [picture(figure, alt=alt, caption=caption, vector=False)]


# ------------------------------------------------------------------ layer maps and the gradient


def gradients(space: GroupSpace, model: GroupModel, suffix: str) -> Section:
    """Best and centroid layers beside the functional gradient (Figure 5 of the poster)."""
    title, anchor = "Representational gradients", f"gradients{suffix}"
    names = references(space)
    rows, words = _gradient_rows(space, model, names)
    if not rows:
        missing = model.scores(POSITIVE) is None
        text = "No layer maps were written." if missing else NOT_DRAWN
        return Section(title, anchor, [Prose(text)])
    mark = symbol(model)
    kind = "Spearman" if mark == "\u03c1" else "Pearson"
    caption = (
        "Layers from shallow (dark) to deep (bright), the gradient in the same colours. "
        f"{mark}: {kind} correlation with the functional gradient in the middle row over all "
        "vertices where both are defined; p: two-sided spin test of one map, and corrected over "
        "the layer maps of the network (see the table below). Negative lags are no null: "
        "music resembles itself seconds later, so read their difference from positive lags. "
        f"{_threshold(space)}{how_drawn(space)}"
    )
    part = picture(cortex_figure(rows, cortex().meshes), alt=" ".join(words), caption=caption,
                   vector=False)  # fmt: skip
    return Section(title, anchor, [part, *_unseen(space, names)])


def _threshold(space: GroupSpace) -> str:
    used = (space.facts.get("spin") or {}).get("thresholded")
    return "" if used in (None, "none") else "Only significant vertices entered the spin test. "


def _unseen(space: GroupSpace, names: Sequence[str]) -> list[Part]:
    lost = [reference_title(name) for name in names if reference_on_cortex(space, name) is None]
    text = f"Not shown, because the file is not part of the results: {', '.join(lost)}."
    return [Prose(text)] if lost else []


def _gradient_rows(
    space: GroupSpace, model: GroupModel, names: Sequence[str]
) -> tuple[list[CortexMap], list[str]]:
    reference = names[0] if names else None
    given = [name for name in names[1:] if name.startswith("user")]
    rows: list[CortexMap] = []
    words: list[str] = []
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    for lags in (POSITIVE, NEGATIVE):
        for kind in KINDS:
            values = model.layer_map(lags, kind)
            if values is None or not pooled(values).size:
                continue
            told = spin_words(model, lags, kind, reference)
            name = f"{KIND_TITLES[kind]}, {lags_title(lags)}"
            title = f"{next(letters)}   {name}" + (f":   {told}" if told else "")
            rows.append(CortexMap(title, values, **layer_scale(model, ordinal=kind == "best")))
            words.append(f"{name}: {told or 'not tested'}.")
        if lags == POSITIVE and rows and reference is not None:
            for name in [reference, *given]:
                shown = _reference_row(space, model, name, next(letters))
                if shown is not None:
                    rows.append(shown)
                    words.append(f"Between them {shown.title.split('   ', 1)[1]}.")
    return rows, words


def _reference_row(
    space: GroupSpace, model: GroupModel, name: str, letter: str
) -> CortexMap | None:
    values = reference_on_cortex(space, name)
    if values is None:
        return None
    low, high = np.percentile(pooled(values), [1, 99])
    title = reference_title(name)
    margin = 0.06 * float(high - low)  # the title of the bar needs room
    ends = {float(low) + margin: "unimodal", float(high) - margin: "transmodal"}
    told = spin_words(model, POSITIVE, "centroid", name) if name.startswith("user") else ""
    told = f":   centroid layer, {lags_title(POSITIVE)}, {told}" if told else ""
    return CortexMap(
        f"{letter}   {title[0].upper()}{title[1:]}{told}",
        values,
        style.layer_colours(256),
        Normalize(low, high),
        label="reference" if name.startswith("user") else "gradient",
        ticks=ends if name in ("gradient1", "fcgradient01") else {},
    )


def spin_words(model: GroupModel, lags: str, kind: str, reference: str | None) -> str:
    """Write the spin r and p of a map, as the poster prints them; empty when not tested."""
    rows = rows_of(model.spin, lags=lags, map=kind, reference=reference, **_TESTED)
    if rows.empty or not np.isfinite(rows["r"].iloc[0]):
        return ""
    row = rows.iloc[0]
    told = f"spin {r_text(float(row['r']), symbol(model))}, {p_text(float(row['p']))}"
    return told + over_maps(dict(row))
