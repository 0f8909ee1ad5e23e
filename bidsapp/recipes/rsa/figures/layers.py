"""Scores of layers: distributions, chance, noise ceilings, best layers, and the temporal gyrus."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bidsapp.report.figures import style
from bidsapp.report.figures.nulls import null_axes, threshold
from bidsapp.report.figures.style import Array

_N_BINS = 90
_OVERLAP = 1.15
_HEMISPHERES = {"L": "left hemisphere", "R": "right hemisphere", "both": "all searchlights"}


@style.styled
def scores_figure(layers: Sequence[str], scores: Array, untrained: Array | None) -> Figure:
    """Draw the distribution over units of each layer's score, deep layers on top, equally high.

    Parameters
    ----------
    layers
        Shallow to deep.
    scores
        (n_layers, n_units).
    untrained
        The same of networks with random weights, or None.
    """
    figure = style.new_figure(9.0, 0.36 * len(layers) + 1.3)
    axes = figure.subplots()
    edges = _edges(scores, untrained)
    colours = style.layer_colours(len(layers))
    centres = (edges[:-1] + edges[1:]) / 2
    heights = [_density(row, edges) for row in scores]
    others = [] if untrained is None else [_density(row, edges) for row in untrained]
    for number in range(len(layers) - 1, -1, -1):
        base, z = float(number + 1), 2 * (len(layers) - number)
        top = max(each[number].max() for each in (heights, others) if each) or 1.0
        height = base + _OVERLAP * heights[number] / top
        look: dict[str, Any] = {"color": colours(number), "alpha": 0.85, "linewidth": 0}
        axes.fill_between(centres, base, height, zorder=z, **look)
        axes.plot(centres, height, color="white", linewidth=0.7, zorder=z)
        if others:
            height = base + _OVERLAP * others[number] / top
            axes.plot(centres, height, color=style.NEGATIVE, linewidth=0.9, zorder=z + 1)
        _mean_tick(axes, scores[number], base)
    axes.axvline(0, color=style.INK, linewidth=0.8, linestyle=style.DASHES, zorder=200)
    names = [f"{n} {name}" for n, name in enumerate(style.short_layers(layers), start=1)]
    axes.set_yticks(range(1, len(layers) + 1), names)
    axes.set_ylim(0.8, len(layers) + 1 + _OVERLAP)
    axes.set_xlim(edges[0], edges[-1])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("score \u03c1")
    handles: list[Patch | Line2D] = [
        Patch(color=colours(len(layers) // 2), label="searchlights"),
        style.key(style.INK, "mean", "|", markersize=8, markeredgewidth=1.6),
    ]
    if others:
        handles.append(Line2D([], [], color=style.NEGATIVE, label="untrained networks"))
    figure.legend(handles=handles, loc="outside upper right", ncols=3)
    return figure


def _edges(scores: Array, untrained: Array | None) -> Array:
    pooled = [scores] if untrained is None else [scores, untrained]
    values = np.concatenate([np.ravel(each) for each in pooled])
    values = values[np.isfinite(values)]
    if not values.size:
        return np.linspace(-1, 1, _N_BINS + 1)
    low, high = np.percentile(values, [0.05, 99.95])
    margin = 0.04 * max(high - low, 1e-3)
    return np.linspace(min(low - margin, 0.0), max(high + margin, 0.0), _N_BINS + 1)


def _density(values: Array, edges: Array) -> Array:
    known = values[np.isfinite(values)]
    counts = np.histogram(known, edges)[0].astype(float)
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    return np.convolve(counts / max(known.size, 1), kernel, mode="same")


def _mean_tick(axes: Axes, values: Array, base: float) -> None:
    known = values[np.isfinite(values)]
    if known.size:
        mean = float(known.mean())
        axes.plot([mean, mean], [base, base + 0.42], color=style.INK, linewidth=1.6, zorder=190)


@style.styled
def assignment_figure(
    layers: Sequence[str],
    shares: Mapping[str, Array],
    every: Mapping[str, Array],
    marks: Mapping[str, Array],
) -> Figure:
    """Draw which share of the units follows each layer, hemispheres beside each other.

    Parameters
    ----------
    layers
        Shallow to deep.
    shares
        Hemisphere → (n_layers,) share of the units that have a best layer; filled.
    every
        Hemisphere → the same when every unit is given the layer of its largest score; outlined.
    marks
        Hemisphere → mean share in participants' own maps, as far as there are any; dots.
    """
    sides = list(shares)
    figure = style.new_figure(9.0, 0.27 * len(layers) + 1.4)
    panels = figure.subplots(1, len(sides), sharey=True, sharex=True, squeeze=False)[0]
    places = np.arange(1, len(layers) + 1)
    colours = style.layer_colours(len(layers))(np.arange(len(layers)))
    for axes, side in zip(panels, sides, strict=True):
        axes.barh(places, 100 * np.nan_to_num(shares[side]), color=colours, height=0.72)
        outline: dict[str, Any] = {"fill": False, "edgecolor": style.MUTED, "linewidth": 0.8}
        axes.barh(places, 100 * np.nan_to_num(every[side]), height=0.86, **outline)
        if side in marks:
            axes.plot(100 * marks[side], places, "o", color=style.INK, markersize=3.5)
        axes.set_title(_HEMISPHERES.get(side, side))
        axes.set_xlabel("share of searchlights (%)")
        style.quiet_grid(axes, "x")
        axes.tick_params(axis="y", length=0)
    names = style.short_layers(layers)
    panels[0].set_ylim(0.4, len(layers) + 0.6)
    panels[0].set_yticks(places, [f"{n} {name}" for n, name in zip(places, names, strict=True)])
    handles: list[Patch | Line2D] = [
        Patch(color=style.MUTED, label="with a best layer"),
        Patch(fill=False, edgecolor=style.MUTED, label="largest score, all searchlights"),
    ]
    if marks:
        handles.append(style.key(style.INK, "participants' own maps", markersize=4))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@style.styled
def chance_figure(
    null: Array,
    largest: tuple[Array, Array | None],
    means: tuple[float, float],
    *,
    observed: float,
    level: float,
    heading: str,
) -> Figure:
    """Draw observed scores beside what permutations of clips give.

    Parameters
    ----------
    null
        (n_permutations,) largest score over searchlights and layers.
    largest
        (n_units,) largest score over layers, and its mean with the clips permuted, if known.
    means
        Of the two over units; NaN unknown.
    observed
        Largest score over searchlights and layers.
    level
        Family-wise p-value up to which a searchlight is significant.
    heading
        What the largest scores are.
    """
    figure = style.new_figure(9.0, 3.3)
    left, right = figure.subplots(1, 2)
    left.set_title("largest \u03c1 over searchlights and layers")
    left.set_xlabel("\u03c1")
    limit = threshold(null, level)
    null_axes(left, null, observed, draws="orders of clips", threshold=limit, level=level)
    if null.size:
        left.set_ylabel("permutations")
        _legend(left)
    _largest(right, *largest, *means)
    right.set_title(heading)
    return figure


def _largest(
    axes: Axes, largest: Array, permuted: Array | None, observed: float, expected: float
) -> None:
    axes.set_xlabel("\u03c1")
    known = largest[np.isfinite(largest)]
    if not known.size:
        axes.text(0.5, 0.5, "no finite score", ha="center", transform=axes.transAxes)
        return
    low, high = np.percentile(known, [0, 99.8])
    edges = np.linspace(min(low, 0), high, 60).tolist()
    axes.hist(known, edges, color=style.POSITIVE, alpha=0.7, label="observed")
    if permuted is not None and np.isfinite(permuted).any():
        look: dict[str, Any] = {"histtype": "step", "color": style.NEGATIVE, "linewidth": 1.3}
        axes.hist(permuted, edges, label="clips permuted", **look)
    axes.axvline(0, color=style.INK, linewidth=0.7)
    for mean, whose, colour, line in (
        (observed, "observed", "#063a5e", "-"),
        (expected, "clips permuted", style.NEGATIVE, style.DASHES),
    ):
        if math.isfinite(mean):
            label = f"mean, {whose} ({mean:.4f})"
            axes.axvline(mean, color=colour, linewidth=1.8, linestyle=line, label=label)
    axes.set_ylabel("searchlights")
    _legend(axes)


def _legend(axes: Axes) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, borderaxespad=0,
                columnspacing=1.2, handlelength=1.6)  # fmt: skip


@style.styled
def ceiling_figure(
    lower: Array, higher: Array, largest: Array, passing: Array, units: str
) -> Figure:
    """Draw the distribution of both ceilings, and the best score beside the lower one.

    Parameters
    ----------
    lower, higher, largest
        (n_units,) ceilings and largest mean score.
    passing
        (n_units,) bool.
    units
        What they are called.
    """
    figure = style.new_figure(9.0, 3.5)
    left, right = figure.subplots(1, 2)
    _ceilings(left, lower, higher, units)
    _reached(right, lower, largest, passing, units)
    return figure


def _ceilings(axes: Axes, lower: Array, higher: Array, units: str) -> None:
    pooled = np.concatenate([lower, higher])
    pooled = pooled[np.isfinite(pooled)]
    low, high = np.percentile(pooled, [0.1, 99.9])
    edges = np.linspace(low, high + 1e-9, 60).tolist()
    axes.hist(lower[np.isfinite(lower)], edges, color=style.CEILING, alpha=0.75, label="lower")
    upper: dict[str, Any] = {
        "histtype": "step",
        "color": style.INK,
        "linewidth": 1.1,
        "label": "upper",
    }
    axes.hist(higher[np.isfinite(higher)], edges, **upper)
    axes.axvline(0, color=style.INK, linewidth=0.8, linestyle=style.DASHES)
    axes.set_xlabel("noise ceiling \u03c1")
    axes.set_ylabel(units)
    style.legend_above(axes)


def _reached(axes: Axes, lower: Array, largest: Array, passing: Array, units: str) -> None:
    known = np.isfinite(lower) & np.isfinite(largest)
    axes.plot(lower[known], largest[known], ",", color=style.MUTED, alpha=0.6, rasterized=True)
    chosen = known & passing
    if chosen.any():
        look: dict[str, Any] = {"color": style.POSITIVE, "markersize": 2.5, "rasterized": True}
        axes.plot(lower[chosen], largest[chosen], ".", label=f"significant {units}", **look)
        style.legend_above(axes, markerscale=3)
    low, high = axes.get_xlim()
    ends = [max(low, axes.get_ylim()[0]), high]
    axes.plot(ends, ends, color=style.CEILING, linewidth=1, linestyle=style.DASHES, scaley=False)
    axes.set_xlim(low, high)
    axes.set_xlabel("lower noise ceiling \u03c1")
    axes.set_ylabel("largest mean \u03c1 over layers")
    style.quiet_grid(axes)


@style.styled
def confidence_figure(values: Array, passing: Array, n_layers: int, units: str) -> Figure:
    """Draw the distribution of the confidence, and one over the number of layers."""
    figure = style.new_figure(9.0, 2.5)
    axes = figure.subplots()
    edges = np.linspace(0, 1, 41).tolist()
    known = np.isfinite(values)
    if (known & ~passing).any():
        axes.hist(values[known], edges, color=style.POSITIVE, alpha=0.35, label=f"all {units}")
    chosen = values[known & passing]
    if chosen.size:
        axes.hist(chosen, edges, color=style.POSITIVE, label=f"significant {units}")
    label = f"1 / {n_layers} layers"
    axes.axvline(1 / n_layers, color=style.INK, linewidth=1, linestyle=style.DASHES, label=label)
    axes.set_xlabel("share of resamples with the same best layer")
    axes.set_ylabel(units)
    axes.set_xlim(0, 1)
    figure.legend(loc="outside upper right", ncols=3)
    return figure


_SIDES = {"L": "left", "R": "right", "both": "both"}


@style.styled
def gyrus_figure(
    sides: Mapping[str, pd.DataFrame], told: Mapping[str, str], layers: Sequence[str]
) -> Figure:
    """Draw the centroid layer along the gyrus, and the score of every layer below it.

    Parameters
    ----------
    sides
        Hemisphere \u2192 one row per bin from the posterior (0) to the anterior end (1): mean
        ``centroid`` layer and its interval over participants, mean score ``rho_`` of each layer.
    told
        Hemisphere \u2192 what the shape is, for the title.
    layers
        Names.
    """
    figure = style.new_figure(9.0, 4.2 + 0.09 * len(layers))
    shared: dict[str, Any] = {"sharex": True, "sharey": "row", "squeeze": False}
    panels = figure.subplots(2, len(sides), height_ratios=[1.25, 1], **shared)
    names = [f"rho_{layer}" for layer in layers]
    scores = [rows[names].to_numpy(float).T for rows in sides.values()]
    top = float(np.nanmax(np.abs(scores), initial=1e-3))
    look: dict[str, Any] = {
        "cmap": style.signed_colours(),
        "vmin": -top,
        "vmax": top,
        "interpolation": "nearest",
    }
    for upper, lower, (side, rows), rho in zip(*panels, sides.items(), scores, strict=True):
        _centroid(upper, rows)
        head = [_SIDES.get(side, side), *filter(None, [told.get(side)])]
        upper.set_title(": ".join(head))
        position = rows["position"].to_numpy(float)
        width = 1 / len(position)
        extent = (position[0] - width / 2, position[-1] + width / 2, 0.5, len(layers) + 0.5)
        image = lower.imshow(rho, aspect="auto", origin="lower", extent=extent, **look)
        _ends(lower)
        lower.set_xlim(0, 1)
    panels[0, 0].set_ylabel("centroid layer")
    short = style.short_layers(layers)
    places = list(range(1, len(layers) + 1, 1 if len(layers) <= 12 else 2))
    panels[1, 0].set_yticks(places, [f"{n} {short[n - 1]}" for n in places], fontsize=7)
    style.colour_bar(figure, image, "mean \u03c1", ax=panels[1, -1], aspect=12, pad=0.02)
    return figure


def _ends(axes: Axes) -> None:
    names = [
        "posterior end\n(planum temporale)",
        "centre\n(Heschl)",
        "anterior end\n(planum polare)",
    ]
    axes.set_xticks([0, 0.5, 1], names)
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def _centroid(axes: Axes, rows: pd.DataFrame) -> None:
    colour, position = style.POSITIVE, rows["position"]
    axes.plot(position, rows["centroid"], "o-", color=colour, linewidth=1.8, markersize=4)
    if rows["ci_low"].notna().any():
        ends = rows["ci_low"], rows["ci_high"]
        axes.fill_between(position, *ends, color=colour, alpha=0.15, linewidth=0)
    style.quiet_grid(axes)
    axes.margins(y=0.15)
