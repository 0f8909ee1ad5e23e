"""Figures of a group: alignment, published maps, ceiling, components and stability."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.layers import name_layers
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import VIEWS, CortexMap, Look, Mesh, paint

COLOURS = {"positive": style.POSITIVE, "negative": style.NEGATIVE}


@dataclass(frozen=True)
class Strip:
    """Correlations of one layer map with a reference.

    Attributes
    ----------
    label, lags
        Which map.
    values
        (n_participants,), in the same order in all strips; NaN where missing.
    mean, low, high
        Mean over participants and its interval, as correlations.
    words
        P-value.
    """

    label: str
    lags: str
    values: Array
    mean: float
    low: float
    high: float
    words: str


@style.styled
def alignment_figure(panels: Sequence[tuple[str, Sequence[Strip]]], symbol: str) -> Figure:
    """Draw one dot per participant, one panel per reference.

    Parameters
    ----------
    panels
        Reference and its strips; neighbours with the same label (positive, negative lags) are
        joined by lines.
    symbol
        Of the correlation.
    """
    figure = style.new_figure(9.0, 3.5)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, strips) in zip(grid, panels, strict=True):
        _pairs(axes, strips)
        for place, strip in enumerate(strips):
            _strip(axes, place, strip)
        axes.axhline(0, color=style.MUTED, linewidth=0.7, zorder=0)
        names = [f"{strip.label}\n{strip.lags} lags" for strip in strips]
        axes.set_xticks(range(len(strips)), names)
        axes.set_xlim(-0.6, len(strips) - 0.4)
        axes.margins(y=0.16)
        axes.set_title(title)
        style.quiet_grid(axes)
    grid[0].set_ylabel(f"{symbol} with the reference")
    return figure


def _pairs(axes: Axes, strips: Sequence[Strip]) -> None:
    for place, (first, second) in enumerate(itertools.pairwise(strips)):
        if first.label != second.label or len(first.values) != len(second.values):
            continue
        for pair in zip(first.values, second.values, strict=True):
            x = [place + 0.12, place + 0.88]
            axes.plot(x, pair, color=style.FAINT, linewidth=0.8, zorder=1)


def _strip(axes: Axes, place: int, strip: Strip) -> None:
    colour = COLOURS.get(strip.lags, style.CEILING)
    finite = np.flatnonzero(np.isfinite(strip.values))
    x = place + 0.12 * np.sin(2.4 * np.arange(finite.size))  # spread, and always the same way
    look: dict[str, Any] = {"color": colour, "markersize": 4, "alpha": 0.65, "markeredgewidth": 0}
    axes.plot(x, strip.values[finite], "o", zorder=2, **look)
    if np.isfinite(strip.mean):
        axes.hlines(strip.mean, place - 0.27, place + 0.27, color=style.INK, linewidth=2, zorder=3)
    if np.isfinite(strip.low):
        axes.vlines(place, strip.low, strip.high, color=style.INK, linewidth=1.1, zorder=3)
    top = axes.get_xaxis_transform()
    axes.text(place, 0.99, strip.words, ha="center", va="top", fontsize=8, transform=top)


@dataclass(frozen=True)
class MapProfile:
    """One map's correlations.

    Attributes
    ----------
    title
        Of the map.
    r
        (n_annotations,) correlations.
    significant
        (n_annotations,) bool: family-wise over the annotations.
    bound
        Size above which a correlation is significant; NaN if none can be.
    """

    title: str
    r: Array
    significant: Array
    bound: float


@style.styled
def annotation_figure(profiles: Sequence[MapProfile], names: Sequence[str], label: str) -> Figure:
    """Draw one panel per map, one line per annotation.

    Parameters
    ----------
    profiles
        Of the maps.
    names
        Of the annotations, in the order of the values, from top to bottom.
    label
        Of the axis: the correlation.
    """
    figure = style.new_figure(9.0, 0.75 + 0.21 * len(names))
    places = np.arange(len(names))[::-1]
    grid = figure.subplots(1, len(profiles), sharey=True, squeeze=False)[0]
    largest = max((float(np.nanmax(np.abs(item.r), initial=0.0)) for item in profiles), default=0)
    limit = min(1.0, max(0.3, 1.15 * largest))
    for axes, item in zip(grid, profiles, strict=True):
        if math.isfinite(item.bound):
            axes.axvspan(-item.bound, item.bound, color=style.MUTED, alpha=0.18, linewidth=0)
        axes.axvline(0, color=style.MUTED, linewidth=0.7)
        axes.hlines(places, 0, item.r, color=style.POSITIVE, linewidth=1.2)
        for passed, face in ((True, style.POSITIVE), (False, "white")):
            chosen = np.asarray(item.significant) == passed
            look: dict[str, Any] = {
                "markersize": 5,
                "markerfacecolor": face,
                "markeredgecolor": style.POSITIVE,
            }
            axes.plot(item.r[chosen], places[chosen], "o", **look)
        axes.set_title(item.title)
        axes.set_xlabel(label)
        axes.set_xlim(-limit, limit)
        axes.locator_params(axis="x", nbins=4)
        style.quiet_grid(axes)
    grid[0].set_yticks(places, names, fontsize=7)
    return figure


@style.styled
def ceiling_figure(isc: Array, reached: Array) -> Figure:
    """Draw the sorted ceilings of all parcels, and what the best layer reaches of each.

    Parameters
    ----------
    isc
        (n_parcels,) inter-subject correlation.
    reached
        (n_parcels,) mean score of the best layer; NaN where it is not known by parcel.
    """
    figure = style.new_figure(9.0, 2.9)
    known = bool(np.isfinite(reached).any())
    panels = figure.subplots(1, 1 + known, squeeze=False, width_ratios=[1.6, 1][: 1 + known])[0]
    order = np.argsort(np.where(np.isfinite(isc), isc, -np.inf))[::-1]
    x = np.arange(1, len(isc) + 1)
    left = panels[0]
    left.plot(x, isc[order], color=style.CEILING, linewidth=1.6, label="ISC (noise ceiling)")
    if known:
        dots = {"color": style.POSITIVE, "linestyle": "", "marker": "o"}
        left.plot(x, reached[order], ms=3, label="best layer, mean r", **dots)
        _beside(panels[1], isc, reached)
    left.axhline(0, color=style.MUTED, linewidth=0.7)
    left.set_xlabel("parcels, sorted by ISC")
    left.set_ylabel("correlation")
    left.set_title("parcels")
    style.legend_above(left)
    style.quiet_grid(left)
    return figure


def _beside(axes: Axes, isc: Array, reached: Array) -> None:
    axes.plot(isc, reached, "o", color=style.POSITIVE, markersize=3.5, alpha=0.8)
    top = float(np.nanmax(np.concatenate([isc, reached, [0.05]])))
    axes.plot([0, top], [0, top], color=style.CEILING, linewidth=1, linestyle=style.DASHES)
    axes.set_xlabel("ISC")
    axes.set_ylabel("best layer, mean r")
    axes.set_title("reached against possible")
    style.quiet_grid(axes)


#: of components 1 to 3, dark enough for lines on white
_COMPONENTS = (("#c1272d", "-"), ("#1b8a3a", (0, (5, 1.5))), ("#2b4acb", (0, (1.5, 1.5))))
"""Colour and line of each."""


@style.styled
def loading_figure(panels: Sequence[tuple[str, Array, Array]], layers: Sequence[str]) -> Figure:
    """Draw the loading of each layer on each component, one panel per set of lags.

    Parameters
    ----------
    panels
        Title, (n_layers, n_components) loadings, (n_components,) share of variance.
    layers
        Names.
    """
    figure = style.new_figure(9.0, 3.2)
    for axes, (title, loadings, explained) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True
    ):
        x = np.arange(1, len(layers) + 1)
        for number, (column, share) in enumerate(zip(loadings.T, explained, strict=True)):
            colour, dash = _COMPONENTS[number % len(_COMPONENTS)]
            label = f"{number + 1} ({100 * share:.0f} %)"
            axes.plot(x, column, color=colour, linewidth=1.8, linestyle=dash, label=label)
        axes.axhline(0, color=style.MUTED, linewidth=0.7)
        axes.set_title(title, pad=22)
        name_layers(axes, layers, rotation=60, size=7)
        look: dict[str, Any] = {"handlelength": 1.6, "columnspacing": 1.0, "borderaxespad": 0.1}
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=3, **look)
        style.quiet_grid(axes)
    figure.axes[0].set_ylabel("loading")
    return figure


@style.styled
def rgb_figure(
    rows: Sequence[tuple[str, Mapping[str, Array]]], meshes: Mapping[str, Mesh]
) -> Figure:
    """Draw cortices coloured by (n_vertices, 3) red, green and blue from 0 to 1."""
    figure = Figure(figsize=(9.0, 1.9 * len(rows) + 0.1))
    grid = figure.add_gridspec(len(rows), 1, left=0.005, right=0.995, top=0.995, bottom=0.01,
                               hspace=0.04)  # fmt: skip
    for number, (title, colours) in enumerate(rows):
        cells = grid[number].subgridspec(
            2, 5, width_ratios=[1, 1, 1, 1, 0.42], height_ratios=[0.16, 1], wspace=0.03,
            hspace=0.02,
        )  # fmt: skip
        heading = figure.add_subplot(cells[0, :4])
        heading.axis("off")
        heading.text(0.004, 0.45, title, weight="bold", fontsize=9.5, va="center")
        for column, (hemisphere, view) in enumerate(VIEWS):
            axes = figure.add_subplot(cells[1, column])
            axes.axis("off")
            if hemisphere in colours and hemisphere in meshes:
                shown = by_vertex(title, hemisphere, colours[hemisphere])
                paint(axes, meshes[hemisphere], shown, hemisphere, view)
        if number == 0:
            _components_key(figure.add_subplot(cells[1, 4]))
    return figure


def by_vertex(title: str, hemisphere: str, colours: Array) -> CortexMap:
    """Make a map whose value is the number of the vertex, and a colour for each number."""
    defined = np.isfinite(np.asarray(colours)).all(axis=1, keepdims=True)
    table = np.where(defined, colours, 0.0)
    values = np.where(defined[:, 0], np.arange(len(colours), dtype=float), np.nan)
    return CortexMap(
        title,
        {hemisphere: values},
        Look(ListedColormap(table, name="vertices"), -0.5, len(colours) - 0.5, ""),
        ordinal=True,
    )


def _components_key(axes: Axes) -> None:
    """Overlapping discs: what the mixtures of the three colours mean."""
    side = np.linspace(-1.25, 1.25, 160)
    x, y = np.meshgrid(side, side)
    places = [(0.0, 0.42), (-0.42, -0.28), (0.42, -0.28)]
    discs = np.stack([(x - a) ** 2 + (y - b) ** 2 < 0.62**2 for a, b in places], axis=-1)
    picture = np.where(discs.any(axis=-1, keepdims=True), discs.astype(float), 1.0)
    axes.imshow(picture, extent=(-1.25, 1.25, -1.25, 1.25), origin="lower")
    for number, (a, b) in enumerate([(0.0, 1.16), (-0.85, -1.12), (0.85, -1.12)], start=1):
        axes.text(a, b, str(number), ha="center", va="center", fontsize=8)
    axes.set_title("component", fontsize=8, weight="normal", loc="center", pad=9)
    axes.axis("off")


@dataclass(frozen=True)
class StabilityRow:
    """One region.

    Attributes
    ----------
    title
        Of the region.
    share
        (n_layers,) share of resamples in which a layer is best.
    low, high
        Interval of the centroid layer; NaN for none.
    """

    title: str
    share: Array
    low: float
    high: float


@style.styled
def stability_figure(
    columns: Sequence[tuple[str, Sequence[StabilityRow]]], layers: Sequence[str]
) -> Figure:
    """Draw regions by layers as heat maps, one per set of lags.

    Parameters
    ----------
    columns
        Title and regions, the same regions in each.
    layers
        Names, first to last.
    """
    n_rows = max(len(rows) for _, rows in columns)
    figure = style.new_figure(9.0, 0.27 * n_rows + 1.75)
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, (title, rows) in zip(panels, columns, strict=True):
        shares = np.stack([row.share for row in rows])
        extent = (0.5, len(layers) + 0.5, len(rows) - 0.5, -0.5)
        look: dict[str, Any] = {
            "cmap": mpl.colormaps["Blues"],
            "vmin": 0,
            "vmax": 1,
            "interpolation": "nearest",
        }
        image = axes.imshow(shares, aspect="auto", extent=extent, **look)
        for place, row in enumerate(rows):
            ends, line = [row.low, row.high], [place, place]
            axes.plot(ends, line, "|-", color=style.NEGATIVE, linewidth=2.4, markersize=7)
        axes.set_yticks(range(len(rows)), [row.title for row in rows])
        axes.tick_params(length=0)
        axes.set_title(title)
        name_layers(axes, layers, rotation=60, size=7, most=7)
        axes.spines[:].set_visible(False)
    style.colour_bar(figure, image, "share", ax=list(panels), pad=0.01, aspect=14, shrink=0.85)
    return figure
