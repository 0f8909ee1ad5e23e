"""Distributions: scores of each layer (Figure 6 of the paper), best layers (Figure 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_N_BINS = 90
_OVERLAP = 1.15


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
        base = float(number + 1)
        top = max(each[number].max() for each in (heights, others) if each) or 1.0
        height = _OVERLAP * heights[number] / top
        axes.fill_between(centres, base, base + height, color=colours(number), alpha=0.85,
                          linewidth=0, zorder=2 * (len(layers) - number))  # fmt: skip
        axes.plot(centres, base + height, color="white", linewidth=0.7,
                  zorder=2 * (len(layers) - number))  # fmt: skip
        if others:
            axes.plot(centres, base + _OVERLAP * others[number] / top, color=style.NEGATIVE,
                      linewidth=0.9, zorder=2 * (len(layers) - number) + 1)  # fmt: skip
        _mean_tick(axes, scores[number], base)
    axes.axvline(0, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=200)
    names = [f"{n} {name}" for n, name in enumerate(style.short_layers(layers), start=1)]
    axes.set_yticks(range(1, len(layers) + 1), names)
    axes.set_ylim(0.8, len(layers) + 1 + _OVERLAP)
    axes.set_xlim(edges[0], edges[-1])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("score \u03c1")
    handles: list[Patch | Line2D] = [
        Patch(color=colours(len(layers) // 2), label="searchlights"),
        Line2D([], [], color=style.INK, marker="|", linestyle="", markersize=8,
               markeredgewidth=1.6, label="mean"),
    ]  # fmt: skip
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
    marks: Mapping[str, Array] | None = None,
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
        Hemisphere → mean share in participants' own maps; dots.
    """
    sides = list(shares)
    figure = style.new_figure(9.0, 0.27 * len(layers) + 1.4)
    panels = figure.subplots(1, len(sides), sharey=True, sharex=True, squeeze=False)[0]
    places = np.arange(1, len(layers) + 1)
    colours = style.layer_colours(len(layers))(np.arange(len(layers)))
    for axes, side in zip(panels, sides, strict=True):
        axes.barh(places, 100 * np.nan_to_num(shares[side]), color=colours, height=0.72)
        if side in every:
            axes.barh(places, 100 * np.nan_to_num(every[side]), fill=False, height=0.86,
                      edgecolor=style.MUTED, linewidth=0.8)  # fmt: skip
        if marks and side in marks:
            axes.plot(100 * marks[side], places, "o", color=style.INK, markersize=3.5)
        axes.set_title(_SIDES.get(side, side))
        axes.set_xlabel("share of searchlights (%)")
        style.quiet_grid(axes, "x")
        axes.tick_params(axis="y", length=0)
    names = style.short_layers(layers)
    panels[0].set_ylim(0.4, len(layers) + 0.6)
    panels[0].set_yticks(places, [f"{n} {name}" for n, name in zip(places, names, strict=True)])
    handles: list[Patch | Line2D] = [Patch(color=style.MUTED, label="with a best layer")]
    if every:
        handles.append(
            Patch(fill=False, edgecolor=style.MUTED, label="largest score, all searchlights")
        )
    if marks:
        handles.append(Line2D([], [], color=style.INK, marker="o", linestyle="", markersize=4,
                              label="participants' own maps"))  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


_SIDES = {"L": "left hemisphere", "R": "right hemisphere", "both": "all searchlights"}
