"""Dissimilarity by distance in time: how much neighbours are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import layer_norm

_GAP = 3.5  # bins
_TICKS_S = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class LagData:
    """Means over pairs of items.

    Attributes
    ----------
    lag_s
        (n_bins,) time between the items.
    n_pairs
        (n_bins,) pairs in each bin.
    data
        (n_bins,) mean over searchlights.
    models
        (n_layers, n_bins).
    layers
        Names.
    """

    lag_s: Array
    n_pairs: Array
    data: Array
    models: Array
    layers: Sequence[str]


@style.styled
def lag_figure(data: LagData) -> Figure:
    """Draw searchlights and layers against the time between items, and the number of pairs."""
    figure = style.new_figure(9.0, 4.3)
    (left, right), (below, other) = figure.subplots(
        2, 2, sharex="col", height_ratios=[4, 1], width_ratios=[1, 1]
    )
    _curve(left, data.lag_s, data.data, style.INK, 1.8)
    left.set_title("searchlights")
    left.set_ylabel("mean dissimilarity")
    colours = style.layer_colours(len(data.layers))
    for number, values in enumerate(data.models):
        _curve(right, data.lag_s, relative(values, data.n_pairs), colours(number), 1.1)
    right.set_title("layers")
    right.set_ylabel("dissimilarity / its mean")
    _layer_bar(figure, right, data.layers)
    for axes in (left, right):
        style.quiet_grid(axes)
    for axes in (below, other):
        axes.vlines(data.lag_s, 0, data.n_pairs, color="#b9c1c9", linewidth=3)
        axes.set_ylim(bottom=0)
        _seconds(axes, data.lag_s)
        axes.locator_params(axis="y", nbins=2)
    below.set_ylabel("pairs")
    return figure


def relative(values: Array, n_pairs: Array) -> Array:
    """Values of bins over their mean over pairs: layers differ in scale."""
    known = np.isfinite(values) & (n_pairs > 0)
    mean = np.average(values[known], weights=n_pairs[known]) if known.any() else np.nan
    return np.asarray(values / mean) if mean > 0 else np.full(len(values), np.nan)


def _curve(axes: Axes, x: Array, y: Array, colour: Any, width: float) -> None:
    """Draw a line through neighbouring bins; none over a gap between them."""
    known = np.isfinite(y)
    places, values = x[known], y[known]
    step = float(np.diff(x).min()) if len(x) > 1 else 1.0
    gaps = np.flatnonzero(np.diff(places) > _GAP * step) + 1
    for part in np.split(np.arange(len(places)), gaps):
        axes.plot(places[part], values[part], color=colour, linewidth=width,
                  marker="o", markersize=1.6 * width)  # fmt: skip


def _seconds(axes: Axes, lag_s: Array) -> None:
    """Logarithmic axis of time: what is a few seconds apart is what matters."""
    positive = lag_s[lag_s > 0]
    axes.set_xlabel("time between the two items (s)")
    if not positive.size:
        return
    axes.set_xscale("log")
    low, high = float(positive.min()) / 1.3, float(positive.max()) * 1.3
    axes.set_xlim(low, high)
    ticks = [tick for tick in _TICKS_S if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def _layer_bar(figure: Figure, axes: Axes, layers: Sequence[str]) -> None:
    n = len(layers)
    bar = figure.colorbar(
        ScalarMappable(layer_norm(n), style.layer_colours(n)), ax=axes, aspect=16, pad=0.02
    )
    wanted = sorted({round(place) for place in np.linspace(1, n, min(n, 5))})
    bar.set_ticks(wanted, labels=[f"{place} {layers[place - 1]}" for place in wanted])
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=7)
