"""Cross-validation: who was held out when, piece by piece results, and the penalties chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.layers import name_layers
from bidsapp.report.figures.style import Array

_MAX_FOLDS_LABELLED = 24
_MAX_PIECES_LABELLED = 30
_TRAINING = "#e8ebee"


@dataclass(frozen=True)
class Block:
    """A stretch of rows scored together: its length, fold, piece and run."""

    n_rows: int
    fold: int
    piece: str
    run: str


@style.styled
def fold_figure(blocks: Sequence[Block], colours: Mapping[str, str]) -> Figure:
    """Draw one line per fold: held-out blocks coloured by piece, training blocks pale."""
    folds = sorted({block.fold for block in blocks})
    figure = style.new_figure(9.0, 0.9 + 0.24 * min(len(folds), 24))
    axes = figure.subplots()
    lengths = np.array([block.n_rows for block in blocks])
    spans = list(zip(np.cumsum(lengths) - lengths, lengths, strict=True))
    for row, fold in enumerate(folds):
        shades = [
            colours.get(block.piece, style.MUTED) if block.fold == fold else _TRAINING
            for block in blocks
        ]
        look: dict[str, Any] = {"edgecolors": "white", "linewidth": min(0.7, 30 / len(blocks))}
        axes.broken_barh(spans, (row - 0.37, 0.74), facecolors=shades, **look)
    step = 1 if len(folds) <= _MAX_FOLDS_LABELLED else int(np.ceil(len(folds) / 12))
    axes.set_yticks(range(0, len(folds), step), [f"fold {fold}" for fold in folds[::step]])
    axes.set_ylim(len(folds) - 0.45, -0.55)
    axes.set_xlim(0, lengths.sum())
    axes.set_xlabel("volumes, in the order of the runs")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return figure


@style.styled
def piece_figure(
    scores: Array, layers: Sequence[str], pieces: Sequence[str], control: Array | None = None
) -> Figure:
    """Draw scores of every layer in every held-out piece, and their spread over layers.

    Parameters
    ----------
    scores
        (n_pieces, n_layers) mean correlation over the parcels in question.
    layers, pieces
        Names.
    control
        (n_pieces,) mean over layers at the negative lags.
    """
    labelled = len(pieces) <= _MAX_PIECES_LABELLED
    figure = style.new_figure(9.0, 1.55 + (0.3 * len(pieces) if labelled else 5.0))
    left, right = figure.subplots(1, 2, width_ratios=[3.2, 1], sharey=True)
    limit = max(float(np.nanmax(np.abs(scores), initial=0.0)), 1e-3)
    look: dict[str, Any] = {"cmap": style.signed_colours(), "norm": TwoSlopeNorm(0, -limit, limit)}
    image = left.imshow(scores, aspect="auto", interpolation="nearest", **look)
    left.set_yticks(range(len(pieces)) if labelled else [], list(pieces) if labelled else [])
    style.slant(left, style.short_layers(layers))
    left.tick_params(length=0)
    left.spines[["left", "bottom"]].set_visible(False)
    place: dict[str, Any] = {"ax": left, "location": "left", "shrink": 0.9, "pad": 0.01}
    bar = style.colour_bar(figure, image, aspect=12 if labelled else 30, **place)
    bar.set_label("mean r")
    _piece_range(right, scores, control)
    return figure


def _piece_range(axes: Axes, scores: Array, control: Array | None) -> None:
    rows = np.arange(len(scores))
    ends, width = (np.nanmin(scores, axis=1), np.nanmax(scores, axis=1)), min(5, 150 / len(rows))
    axes.hlines(rows, *ends, color=style.FAINT, linewidth=width)
    size = 6 if len(rows) <= _MAX_PIECES_LABELLED else 2
    look: dict[str, Any] = {"color": style.POSITIVE, "label": "mean of layers"}
    axes.plot(np.nanmean(scores, axis=1), rows, "o", markersize=size, **look)
    if control is not None:
        look = {"color": style.NEGATIVE, "label": "music after the response"}
        axes.plot(control, rows, "D", markersize=0.7 * size, **look)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("r (bar: range over layers)")
    style.quiet_grid(axes, "x")
    look = {"ncols": 2, "handletextpad": 0.1, "columnspacing": 0.8}
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), **look)


@style.styled
def alpha_figure(
    layers: Sequence[str],
    quartiles: Array | None,
    edge_low: Array,
    edge_high: Array,
    grid_log10: tuple[float, float],
) -> Figure:
    """Draw the ridge penalties chosen per layer, and how often they sat at the grid's edges.

    Parameters
    ----------
    layers
        Names.
    quartiles
        (3, n_layers) quartiles over units of log10 alpha; None when unknown.
    edge_low, edge_high
        (n_layers,) shares of units, 0 to 1.
    grid_log10
        Smallest and largest log10 alpha that were offered.
    """
    figure = style.new_figure(9.0, 3.4 if quartiles is not None else 2.4)
    x = np.arange(1, len(layers) + 1)
    if quartiles is not None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1])
        _penalties(upper, x, quartiles, grid_log10)
    else:
        lower = figure.subplots()
    edge_low, edge_high = np.nan_to_num(edge_low), np.nan_to_num(edge_high)
    high, low = 100 * edge_high, 100 * edge_low
    lower.bar(x, high, width=0.7, color=style.POSITIVE, label="largest alpha")
    lower.bar(x, low, width=0.7, bottom=high, color=style.NEGATIVE, label="smallest alpha")
    lower.set_ylabel("at edge (%)")
    lower.set_ylim(0, max(10.0, 105 * float(np.max(edge_low + edge_high, initial=0.0))))
    lower.legend(loc="upper left", ncols=2, bbox_to_anchor=(0, 1.18), borderaxespad=0)
    style.quiet_grid(lower)
    lower.set_xlim(0.4, len(layers) + 0.6)
    name_layers(lower, layers, rotation=45, size=8)
    return figure


def _penalties(axes: Axes, x: Array, quartiles: Array, grid_log10: tuple[float, float]) -> None:
    low, median, high = quartiles
    axes.vlines(x, low, high, color=style.POSITIVE, alpha=0.35, linewidth=6)
    axes.plot(x, median, "o", color=style.POSITIVE, markersize=4)
    for edge in grid_log10:
        axes.axhline(edge, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES)
    margin = 0.06 * (grid_log10[1] - grid_log10[0])
    axes.set_ylim(grid_log10[0] - margin, grid_log10[1] + margin)
    axes.set_ylabel("log10 alpha")
    style.quiet_grid(axes)
