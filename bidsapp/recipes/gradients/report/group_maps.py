"""Maps of the group: accuracy, layer maps beside the gradient, components, tests, viewer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bidsapp.recipes.base.score_results import DISPLACED
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients.figures import loading_figure, rgb_figure
from bidsapp.recipes.gradients.report.view import (
    FSAVERAGE5,
    KIND_TITLES,
    KINDS,
    LAGS_TITLES,
    POSITIVE,
    GroupView,
    carried,
    each_lags,
    reference_title,
)
from bidsapp.recipes.gradients.results import FLIP, FLIP_FDR, TFCE
from bidsapp.report.brain.draw import NOT_DRAWN, BrainMap, draw, slices
from bidsapp.report.brain.projection import SIZE, cortex
from bidsapp.report.brain.scales import largest, limits, smallest
from bidsapp.report.brain.viewer import MapGroup, layer_maps, viewer
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Part, Prose, Section, p_cell, picture, plural
from bidsapp.report.tables import rows_of, table
from bidsapp.results.kinds import LAYER, P_VALUE, Column, Scale
from bidsapp.stats.group import hedges_correction
from bidsapp.stats.layer_pca import rgb_map

_MEAN_R = Scale("mean r", least=0.02)
_GRADIENT = Scale("gradient", colours="sequential")
_COUNT = Scale("N", colours="sequential")
_COMPONENT = Scale("score", colours="signed")


def mask_on_cortex(view: GroupView, mask: Array | None) -> Array | None:
    """(20484,) bool of (n_units,) bool; None without a mask or a cortex."""
    if mask is None:
        return None
    values = carried(view.units, mask.astype(float), ordinal=True)
    return None if values is None else np.asarray(values > 0)


# ------------------------------------------------------------------ maximal accuracy


def accuracy_maps(view: GroupView) -> list[BrainMap]:
    """Return the largest mean score over layers at each set of lags, on one scale.

    Outlines and opacity are those of positive lags in every row: a control in full colour beside
    pale scores would look like the stronger of the two.
    """
    maps: list[BrainMap] = []
    mask = mask_on_cortex(view, view.significant)
    for lags in each_lags(view):
        scores = view.cortical_scores(lags)
        if scores is not None:
            title = f"Largest mean r over {len(view.layers)} layers, {LAGS_TITLES[lags]}"
            ends = maps[0].ends if maps else limits(_MEAN_R, largest(scores))
            maps.append(BrainMap(title, largest(scores), _MEAN_R, mask=mask, ends=ends))
    return maps


def accuracy(view: GroupView) -> Section:
    """Draw the largest mean score over layers (Figure 2 of the poster)."""
    scale = "Both rows share one scale, from zero to the 99.5th percentile."
    caption = f"{_outlined(view)} {scale}"
    parts = draw(accuracy_maps(view), FSAVERAGE5, None, caption, how=view.how_drawn())
    scores = view.scores(POSITIVE)
    assert scores is not None
    flat = BrainMap(
        f"Largest mean r over layers, {LAGS_TITLES[POSITIVE]}", largest(scores), _MEAN_R
    )
    parts = [*(parts or [Prose(NOT_DRAWN)]), *slices([flat], view.units, view.significant)]
    tested = [] if view.significant is None else view.claim(DISPLACED)
    return view.section("Maximal prediction accuracy", "accuracy", *parts, *tested)


def _outlined(view: GroupView) -> str:
    mask = view.significant
    if mask is None:
        return "Parcels were not tested against displaced music."
    if not mask.any():
        return (
            "No parcel is significant against displaced music (FWE p \u2264 "
            f"{view.level:g}); opacity scales with r."
        )
    return (
        "Opacity scales with r; black outlines mark parcels where some layer is significant "
        "against music displaced alike in all participants (FWE p \u2264 "
        f"{view.level:g} over parcels and layers). The control is not tested."
    )


# ------------------------------------------------------------------ layer maps and the gradient


def gradients(view: GroupView) -> Section:
    """Draw best and centroid layers beside the functional gradient (Figure 5 of the poster)."""
    title, anchor = "Representational gradients", "gradients"
    rows = list(_gradient_rows(view))
    if not rows:
        return view.section(title, anchor, Prose(NOT_DRAWN))
    kind = "Spearman" if view.symbol == "\u03c1" else "Pearson"
    tested = (
        f" {view.symbol}: {kind} correlation with the functional gradient in the middle row over "
        "all vertices where both are defined; p: two-sided spin test of one map; p_FWE (across "
        "maps): corrected over the layer maps of the network. Music after the response is "
        "a control, not a null: music is autocorrelated, so some alignment is expected. What may "
        "be said of the gradient follows from music displaced alike in everybody, not from "
        "these p-values."
    )
    only = (
        " Only significant vertices entered the spin test."
        if view.spin is not None and view.settings["thresholded"] != "none"
        else ""
    )
    caption = (
        "Layers from shallow (dark) to deep (bright), the gradient in the same colours."
        f"{view.apart}{tested if view.spin is not None else ''}{only}"
    )
    parts = draw(rows, FSAVERAGE5, None, caption, how=view.how_drawn())
    lost = [reference_title(name) for name in view.references if view.reference(name) is None]
    if lost:
        parts.append(Prose(f"Not shown, because the map is not at hand: {', '.join(lost)}."))
    return view.section(title, anchor, *parts)


def _gradient_rows(view: GroupView) -> Iterator[BrainMap]:
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    main = view.references[:1]
    given = [name for name in view.references[1:] if name in view.given]
    for lags in each_lags(view):
        for kind in KINDS:
            values = view.layer_map(lags, kind)
            if values is not None:
                words = view.spin_words(lags, kind)
                title = f"{next(letters)}   {KIND_TITLES[kind]}, {LAGS_TITLES[lags]}"
                title += f":   {words}" if words else ""
                yield BrainMap(title, values, LAYER, view.layers, ordinal=kind == "best")
        if lags == POSITIVE:
            for name in (*main, *given):
                made = _reference_map(view, name)
                if made is not None:
                    yield made.titled(f"{next(letters)}   {made.title}")


def _reference_map(view: GroupView, name: str) -> BrainMap | None:
    values = view.reference(name)
    if values is None:
        return None
    title = reference_title(name)
    title = title[:1].upper() + title[1:]
    if name in view.given:
        words = view.spin_words(POSITIVE, "centroid", name)
        told = f":   centroid layer, {LAGS_TITLES[POSITIVE]}, {words}" if words else ""
        return BrainMap(title + told, values, Scale("reference", colours="sequential"))
    if name not in ("gradient1", "fcgradient01"):
        return BrainMap(title, values, _GRADIENT)
    low, high = limits(_GRADIENT, values)
    margin = 0.06 * (high - low)  # the title of the bar needs room
    ticks = {low + margin: "unimodal", high - margin: "transmodal"}
    return BrainMap(title, values, _GRADIENT, ticks=ticks)


# ------------------------------------------------------------------ components


def components(view: GroupView) -> Section | None:
    """Draw the components over layers: colours, loadings, topographies (Figure 4)."""
    frame = view.table(declared.LOADINGS)
    if frame.empty:
        return None
    topographies = {lags: view.on_cortex(declared.PC.of(lags)) for lags in each_lags(view)}
    parts = [*_colours(view, topographies), _loadings(view, frame)]
    positive = topographies[POSITIVE]
    if positive is not None:
        caption = "Topographies, signed; scales end at the 99.5th percentile of the size."
        maps = list(_topographies(frame, positive))
        parts += draw(maps, FSAVERAGE5, None, caption, how=view.how_drawn())
    return view.section("Components over layers", "components", *parts)


def _colours(view: GroupView, topographies: dict[str, Array | None]) -> list[Part]:
    rows = []
    for lags, values in topographies.items():
        if values is not None and len(values) >= 3:
            colours = rgb_map(values[:3])
            name = f"Components 1 to 3 in red, green and blue, {LAGS_TITLES[lags]}"
            rows.append((name, {"L": colours[:SIZE], "R": colours[SIZE:]}))
    if not rows:
        return []
    caption = (
        "Positive scores of the first three components, each scaled to its 99th percentile. "
        "Black: none is positive, so that the vertex is predicted worse than the average one. "
        f"{view.how_drawn()}"
    )
    alt = "Both hemispheres coloured by three components: " + "; ".join(name for name, _ in rows)
    figure = rgb_figure(rows, cortex().meshes)
    return [picture(figure, alt=f"{alt}.", caption=caption, vector=False)]


def _loadings(view: GroupView, frame: pd.DataFrame) -> Part:
    panels, words = [], []
    for lags in each_lags(view):
        rows = rows_of(frame, lags=lags)
        wide = rows.pivot_table(index="layer_index", columns="component", values="loading")
        explained = rows.drop_duplicates("component").set_index("component")["explained"]
        values = wide.to_numpy()
        panels.append((LAGS_TITLES[lags], values, explained.reindex(wide.columns).to_numpy()))
        peaks = [view.layers[place] for place in np.nanargmax(values, axis=0)]
        named = ", ".join(f"component {k} is largest at {x}" for k, x in enumerate(peaks, start=1))
        words.append(f"{LAGS_TITLES[lags]}: {named}")
    caption = (
        "Loading of each layer on each component; in brackets its share of the variance over "
        f"{view.words}. The sign of a component is chosen so that its largest loading is "
        f"positive; scores are centred over {view.words}."
    )
    figure = loading_figure(panels, view.layers)
    return picture(figure, alt=f"Loadings, {'; '.join(words)}.", caption=caption)


def _topographies(frame: pd.DataFrame, values: Array) -> Iterator[BrainMap]:
    for number, row in enumerate(values, start=1):
        share = rows_of(frame, lags=POSITIVE, component=number)["explained"].iloc[0]
        title = (
            f"Component {number} ({100 * share:.0f} % of the variance), {LAGS_TITLES[POSITIVE]}"
        )
        yield BrainMap(title, row, _COMPONENT)


# ------------------------------------------------------------------ tests over participants


def inference_maps(view: GroupView) -> Iterator[BrainMap]:
    """Yield the largest t, the smallest corrected p, the largest g and N at each vertex.

    Statistics that no effect could make significant with so few participants are left out.
    """
    yield from _tested_maps(view) if can_pass(view) else ()
    yield from _counts(view)


def can_pass(view: GroupView) -> bool:
    """Whether sign flips of these participants can reach the level of the test."""
    flips = view.summary["sign_flips"]
    return flips is not None and float(flips["smallest_p"]) <= view.level


def _tested_maps(view: GroupView) -> Iterator[BrainMap]:
    n_layers = len(view.layers)
    n = view.single(declared.N)
    correction = 1.0 if n is None else hedges_correction(n.astype(int))
    region = mask_on_cortex(view, view.mask(declared.CONSISTENT))
    for result, reduce, factor, scale, title in (
        (declared.T, largest, 1.0, Scale("t", least=2.0), f"Largest t over {n_layers} layers"),
        (declared.P_FWE, smallest, 1.0, P_VALUE, "Smallest corrected p over layers"),
        (
            declared.D,
            largest,
            correction,
            Scale("Hedges' g", least=0.5),
            f"Largest effect size over {n_layers} layers",
        ),
    ):
        values = view.maps(result.of(POSITIVE))
        drawn = None if values is None else carried(view.units, factor * reduce(values))
        if drawn is not None:
            yield BrainMap(title, drawn, scale, mask=region)


def _counts(view: GroupView) -> Iterator[BrainMap]:
    n = view.single(declared.N)
    counts = None if n is None else carried(view.units, np.where(n > 0, n, np.nan), ordinal=True)
    if counts is not None:
        most = view.results.n_participants
        ticks = {float(value): str(value) for value in sorted({0, most // 2, most})}
        title = "Participants with a value"
        yield BrainMap(title, counts, _COUNT, outlined=False, ends=(0.0, most), ticks=ticks)


def inference(view: GroupView) -> Section:
    """Draw and tabulate the test over participants."""
    title, anchor = f"Tests over participants at each {view.word}", "inference"
    caption = (
        f"Sign flips of participants ({LAGS_TITLES[POSITIVE]}); p is corrected over "
        f"{view.words} and layers by the largest t. Outlined: p \u2264 "
        f"{view.level:g} in some layer. Hedges' g: mean over participants (Fisher z) by their "
        f"standard deviation, corrected for small samples. A {view.word} may owe its t and its g "
        "to different layers."
    )
    if not can_pass(view):
        caption = ""
    maps = list(inference_maps(view))
    parts = draw(maps, FSAVERAGE5, None, caption, how=view.how_drawn()) or [Prose(NOT_DRAWN)]
    if view.maps(declared.T.of(POSITIVE)) is None:
        parts.append(Prose("There was no test over participants: it needs two of them."))
    elif not can_pass(view):
        smallest_p = view.summary["sign_flips"]["smallest_p"]
        words = (
            f"With {plural(view.results.n_participants, 'participant')} the smallest possible p "
            f"of sign flips is {p_cell(smallest_p).text}, above {view.level:g}: no map of t, p or "
            "effect size is drawn, as none could be significant. They are in the files."
        )
        return view.section(title, anchor, Prose(words), *parts)
    else:
        parts.append(_significant_by_layer(view))
    return view.section(title, anchor, *parts, *view.claim(FLIP, TFCE, FLIP_FDR))


def _significant_by_layer(view: GroupView) -> Part:
    scores = view.scores(POSITIVE)
    assert scores is not None
    frame = pd.DataFrame({"layer_index": range(1, len(view.layers) + 1), "layer": view.layers})
    known = np.isfinite(scores)
    means = np.where(known, scores, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    frame["mean_r"] = np.where(known.any(axis=1), means, np.nan)
    columns = [
        Column("layer_index", title="no.", digits=0),
        Column("layer", text=True),
        Column("mean_r", title="mean r", digits=4),
    ]
    for lags in each_lags(view):
        for result, name in (
            (declared.P_FWE, "FWE"),
            (declared.P_TFCE, "TFCE"),
            (declared.Q, "FDR"),
        ):
            p = view.maps(result.of(lags))
            if p is not None:
                frame[f"{name}, {lags}"] = (p <= view.level).sum(axis=1)
                columns.append(Column(f"{name}, {lags}", digits=0))
    flips = view.summary["sign_flips"]
    with_data = view.count(np.atleast_1d(known.any(axis=0)))
    caption = (
        f"Number of {view.words} (of {with_data} with data) below {view.level:g} in each layer, "
        f"corrected over {view.words} and layers: family-wise (FWE), family-wise of clusters "
        "(TFCE, if asked for) and false discovery rate (FDR), of "
        f"scores and control. No p can be below {flips['smallest_p']:.3g}. Mean r: over all "
        f"{view.words}, {LAGS_TITLES[POSITIVE]}."
    )
    return table(frame, columns, caption)


# ------------------------------------------------------------------ viewer


def interactive(views: Sequence[GroupView], isc: Sequence[BrainMap | None]) -> Section:
    """Return the interactive cortex with the maps of all networks and spaces.

    Parameters
    ----------
    views
        Networks and spaces.
    isc
        Map of the inter-subject correlation of each, or None.
    """
    groups = [_group(view, ceiling) for view, ceiling in zip(views, isc, strict=True)]
    names = {name: view for view in reversed(views) for name in view.references}
    references = [made for name, view in names.items() if (made := _reference_map(view, name))]
    further = [MapGroup("Reference maps", FSAVERAGE5, references)] if references else []
    return viewer(groups, further)


def _group(view: GroupView, isc: BrainMap | None) -> MapGroup:
    maps = [
        *_listed_maps(view),
        *(each.under("over participants") for each in inference_maps(view)),
    ]
    if isc is not None:
        maps.append(isc.under("over participants"))
    topographies = view.on_cortex(declared.PC.of(POSITIVE))
    if topographies is not None:
        if len(topographies) >= 3:
            note = "Positive scores, each component scaled to its 99th percentile."
            title = "Components 1 to 3 as red, green, blue"
            colours = rgb_map(topographies[:3])
            maps.append(BrainMap(title, colours, note=note, heading="components"))
        maps += [
            BrainMap(f"Component {number}", row, _COMPONENT, heading="components")
            for number, row in enumerate(topographies, start=1)
        ]
    scores = view.cortical_scores(POSITIVE)
    layers = [] if scores is None else layer_maps(scores, view.layers, _MEAN_R)
    significant = None
    if view.significant is not None:
        labels = carried(view.units, np.where(view.significant, 1.0, np.nan), ordinal=True)
        significant = None if labels is None else np.isfinite(labels)
    return MapGroup(view.pair.title, FSAVERAGE5, maps, layers, significant)


def _listed_maps(view: GroupView) -> Iterator[BrainMap]:
    accuracies = dict(zip(each_lags(view), accuracy_maps(view), strict=False))
    for lags in each_lags(view):
        for kind in reversed(KINDS):
            values = view.layer_map(lags, kind)
            if values is not None:
                words = view.spin_words(lags, kind)
                with_reference = reference_title(view.references[0]) if words else ""
                yield BrainMap(
                    KIND_TITLES[kind],
                    values,
                    LAYER,
                    view.layers,
                    ordinal=kind == "best",
                    heading=LAGS_TITLES[lags],
                    note=f"With {with_reference}: {words}." if words else "",
                )
        if lags in accuracies:
            made = accuracies[lags].titled("Largest mean r over layers")
            yield made.under(LAGS_TITLES[lags])
