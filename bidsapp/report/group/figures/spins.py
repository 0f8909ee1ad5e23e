"""Spin tests: what rotated references produce, and the correlations of single participants."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.maps import Array

_ROOM = 0.74  # of a panel's height for the histogram; words stand above it
_COLOURS = {"positive": style.POSITIVE, "negative": style.NEGATIVE}


@dataclass(frozen=True)
class SpinPanel:
    """One test: null correlations (n_rotations,), what was observed, and its words."""

    title: str
    lags: str
    null: Array
    observed: float
    words: str


@style.styled
def spin_figure(rows: Sequence[tuple[str, Sequence[SpinPanel]]], symbol: str) -> Figure:
    """Draw one histogram per test.

    Parameters
    ----------
    rows
        Label of the row and its panels.
    symbol
        Of the correlation.
    """
    n_columns = max(len(panels) for _, panels in rows)
    figure = style.new_figure(9.0, 1.75 * len(rows) + 0.55)
    grid = figure.subplots(len(rows), n_columns, squeeze=False, sharex=True)
    for number, (line, (label, panels)) in enumerate(zip(grid, rows, strict=True)):
        line[0].set_ylabel(label)
        for axes, panel in zip(line, panels, strict=False):
            _panel(axes, panel, number == 0)
        for axes in line[len(panels) :]:
            axes.axis("off")
    for axes in grid[-1]:
        axes.set_xlabel(f"{symbol} with the rotated reference")
    grid[0, 0].set_xlim(-1.02, 1.02)
    return figure


def _panel(axes: Axes, panel: SpinPanel, is_top: bool) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    finite = panel.null[np.isfinite(panel.null)]
    if finite.size:
        axes.hist(finite, bins=40, color="#c3cbd2", edgecolor="#c3cbd2",
                  linewidth=0.6)  # fmt: skip
        axes.set_ylim(0, axes.get_ylim()[1] / (_ROOM - 0.04))
    colour = _COLOURS.get(panel.lags, style.CEILING)
    if np.isfinite(panel.observed):
        axes.axvline(panel.observed, ymax=_ROOM, color=colour, linewidth=1.6)
        axes.axvline(-panel.observed, ymax=_ROOM, color=colour, linewidth=0.8,
                     linestyle=(0, (3, 2)))  # fmt: skip
    axes.text(0.015, 0.99, panel.words, transform=axes.transAxes, va="top", fontsize=8)
    if is_top:
        axes.set_title(panel.title)


@dataclass(frozen=True)
class SubjectStrip:
    """Correlations of the participants with a reference: (n,) values of one layer map.

    Attributes
    ----------
    label, lags
        Which map.
    values
        One per participant, in the same order in all strips.
    mean, low, high
        Mean over participants and its interval, in the units of `values`.
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
def subject_figure(panels: Sequence[tuple[str, Sequence[SubjectStrip]]], symbol: str) -> Figure:
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
    for axes, (title, strips) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True
    ):
        _pairs(axes, strips)
        for place, strip in enumerate(strips):
            _strip(axes, place, strip)
        axes.axhline(0, color=style.MUTED, linewidth=0.7, zorder=0)
        axes.set_xticks(
            range(len(strips)), [f"{strip.label}\n{strip.lags} lags" for strip in strips]
        )
        axes.set_xlim(-0.6, len(strips) - 0.4)
        axes.margins(y=0.16)
        axes.set_title(title)
        style.quiet_grid(axes)
    figure.axes[0].set_ylabel(f"{symbol} with the reference")
    for axes, (_, strips) in zip(figure.axes, panels, strict=True):
        for place, strip in enumerate(strips):
            axes.text(place, 0.99, strip.words, ha="center", va="top", fontsize=8,
                      transform=axes.get_xaxis_transform())  # fmt: skip
    return figure


def _pairs(axes: Axes, strips: Sequence[SubjectStrip]) -> None:
    for place, (one, other) in enumerate(itertools.pairwise(strips)):
        if one.label == other.label and len(one.values) == len(other.values):
            for pair in zip(one.values, other.values, strict=True):
                axes.plot([place + 0.12, place + 0.88], pair, color=style.FAINT, linewidth=0.8,
                          zorder=1)  # fmt: skip


def _strip(axes: Axes, place: int, strip: SubjectStrip) -> None:
    colour = _COLOURS.get(strip.lags, style.CEILING)
    finite = np.flatnonzero(np.isfinite(strip.values))
    spread = 0.12 * np.sin(2.4 * np.arange(finite.size))  # fixed, so that the picture is, too
    axes.plot(place + spread, strip.values[finite], "o", color=colour, markersize=4, alpha=0.65,
              markeredgewidth=0, zorder=2)  # fmt: skip
    if np.isfinite(strip.mean):
        axes.plot([place - 0.27, place + 0.27], [strip.mean] * 2, color=style.INK, linewidth=2,
                  zorder=3)  # fmt: skip
    if np.isfinite(strip.low):
        axes.vlines(place, strip.low, strip.high, color=style.INK, linewidth=1.1, zorder=3)
