"""Correlations of the participants' layer maps with a reference map."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

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
    look = {"color": colour, "markersize": 4, "alpha": 0.65, "markeredgewidth": 0}
    axes.plot(x, strip.values[finite], "o", zorder=2, **look)  # type: ignore[arg-type]
    if np.isfinite(strip.mean):
        axes.hlines(strip.mean, place - 0.27, place + 0.27, color=style.INK, linewidth=2, zorder=3)
    if np.isfinite(strip.low):
        axes.vlines(place, strip.low, strip.high, color=style.INK, linewidth=1.1, zorder=3)
    top = axes.get_xaxis_transform()
    axes.text(place, 0.99, strip.words, ha="center", va="top", fontsize=8, transform=top)
