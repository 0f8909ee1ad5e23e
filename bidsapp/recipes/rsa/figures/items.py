"""Dissimilarity matrices (Figure 5 of the paper), how alike they are, and distances in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import layer_norm

_COLUMNS = 5
_MOST_NAMES = 10
_PALE = 0.35


@style.styled
def matrices_figure(
    titles: Sequence[str], rdms: Array, clip: Array, clip_names: Sequence[str], compared: Array
) -> Figure:
    """Draw each matrix as ranks, clips framed, pairs that are not compared pale.

    Parameters
    ----------
    titles
        Of each.
    rdms
        (n, n_pairs), condensed.
    clip
        (n_items,) number of the clip, items of a clip beside each other.
    clip_names
        Of each clip.
    compared
        (n_pairs,) bool: pairs that enter the analysis.
    """
    columns = min(len(titles), _COLUMNS)
    row_in = 1.72 * 5 / max(columns, 4)
    figure, grid = style.tiles(len(titles), columns, row_in, 0.15 * 5 / max(columns, 4))
    borders = np.flatnonzero(np.diff(clip)) + 1  # the first item of each clip but the first
    for axes, title, rdm in zip(grid.ravel(), titles, rdms, strict=False):
        _matrix(axes, rdm, compared, borders)
        axes.set_title(title, fontsize=8.5, pad=3)
    _clip_names(grid[0, 0], np.concatenate([[0], borders, [len(clip)]]), clip_names)
    style.colour_bar(
        figure,
        ScalarMappable(Normalize(0, 1), mpl.colormaps["cividis"]),
        ticks={0: "most alike", 0.5: "median", 1: "least alike"},
        length=0,
        ax=list(grid.ravel()),
        shrink=0.6,
        aspect=22,
        pad=0.01,
    )
    return figure


def ranks(rdm: Array) -> Array:
    """Ranks of (n_pairs,) dissimilarities from 0 to 1; NaN stays."""
    out = np.full(len(rdm), np.nan)
    known = np.isfinite(rdm)
    if known.sum() > 1:
        out[known] = (rankdata(rdm[known]) - 1) / (known.sum() - 1)
    return out


def _matrix(axes: Axes, rdm: Array, compared: Array, borders: Array) -> None:
    square = squareform(ranks(rdm), checks=False)
    strength = squareform(np.where(compared, 1.0, _PALE), checks=False)
    strength[~np.isfinite(square)] = 0.0
    strength[np.diag_indices_from(strength)] = 0.0
    colours = mpl.colormaps["cividis"](np.nan_to_num(square))[..., :3]
    shown = strength[..., None] * colours + (1 - strength[..., None])
    axes.imshow(shown, interpolation="nearest")
    for border in borders:
        axes.axhline(border - 0.5, color="white", linewidth=0.5)
        axes.axvline(border - 0.5, color="white", linewidth=0.5)
    style.bare(axes)


def _clip_names(axes: Axes, starts: Array, names: Sequence[str]) -> None:
    middles = (starts[:-1] + starts[1:] - 1) / 2
    if len(middles) > _MOST_NAMES:
        axes.set_ylabel(f"{len(middles)} clips", fontsize=7.5)
        return
    axes.set_yticks(middles, [style.short_sound(name) for name in names], fontsize=6.5)
    axes.tick_params(length=0, pad=2)


@style.styled
def likeness_figure(names: Sequence[str], correlations: Array, n_layers: int) -> Figure:
    """Draw the rank correlations of layers, and of nuisances, with each other.

    Parameters
    ----------
    names
        Layers from shallow to deep, then nuisances.
    correlations
        (n, n) symmetric.
    n_layers
        How many are layers.
    """
    n = len(names)
    figure = style.new_figure(9.0, min(0.27 * n + 1.4, 6.4))
    axes = figure.subplots()
    image = axes.imshow(correlations, cmap=style.signed_colours(), vmin=-1, vmax=1)
    style.slant(axes, style.short_layers(names))
    axes.set_yticks(range(n), style.short_layers(names))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if n <= 18:
        _write_values(axes, correlations)
    if 0 < n_layers < n:
        axes.axhline(n_layers - 0.5, color=style.INK, linewidth=1)
        axes.axvline(n_layers - 0.5, color=style.INK, linewidth=1)
    axes.set_anchor("W")
    style.colour_bar(figure, image, "\u03c1", cax=axes.inset_axes((1.04, 0.2, 0.025, 0.6)))
    return figure


def _write_values(axes: Axes, correlations: Array) -> None:
    for row, values in enumerate(correlations):
        for column, value in enumerate(values):
            if row == column or not np.isfinite(value):
                continue
            text = f"{round(value, 2) + 0.0:.2f}".replace("0.", ".", 1).replace("-", style.MINUS)
            colour = "white" if abs(value) > 0.6 else style.INK
            axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)


_GAP = 3.5  # bins
_TICKS_S = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@style.styled
def lag_figure(frame: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Draw searchlights and layers against the time between items, and the number of pairs.

    Parameters
    ----------
    frame
        One row per bin of time: ``lag_s``, ``n_pairs``, and means over pairs of items:
        ``mean_dissimilarity`` of searchlights, and of each layer.
    names
        Columns of the layers, ``mean_`` before the name.
    """
    lag_s, n_pairs = (frame[name].to_numpy(float) for name in ("lag_s", "n_pairs"))
    figure = style.new_figure(9.0, 4.3)
    (left, right), (below, other) = figure.subplots(
        2, 2, sharex="col", height_ratios=[4, 1], width_ratios=[1, 1]
    )
    _curve(left, lag_s, frame["mean_dissimilarity"].to_numpy(float), style.INK, 1.8)
    left.set_title("searchlights")
    left.set_ylabel("mean dissimilarity")
    colours = style.layer_colours(len(names))
    for number, name in enumerate(names):
        values = relative(frame[name].to_numpy(float), n_pairs)
        _curve(right, lag_s, values, colours(number), 1.1)
    right.set_title("layers")
    right.set_ylabel("dissimilarity / its mean")
    _layer_bar(figure, right, [name.removeprefix("mean_") for name in names])
    for axes in (left, right):
        style.quiet_grid(axes)
    for axes in (below, other):
        axes.vlines(lag_s, 0, n_pairs, color="#b9c1c9", linewidth=3)
        axes.set_ylim(bottom=0)
        _seconds(axes, lag_s)
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
    wanted = sorted({round(place) for place in np.linspace(1, n, min(n, 5))})
    style.colour_bar(
        figure,
        ScalarMappable(layer_norm(n), style.layer_colours(n)),
        ticks={float(place): f"{place} {layers[place - 1]}" for place in wanted},
        length=0,
        ax=axes,
        aspect=16,
        pad=0.02,
    )
