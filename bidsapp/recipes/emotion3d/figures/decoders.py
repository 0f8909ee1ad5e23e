"""Scores, confusions, recalls and calibration of decoders, and the colours of all figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bidsapp.recipes.emotion3d.names import BRAIN, CONTROLS, DECODERS, LEAKY
from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

RED = "#a3231f"
_DARK_SHARE = 0.6
"""Share above which text on `SHARES` is white."""
SHARES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#9cc3e0", "#0b5c94"])
_PALE_RED = "#fdf1f0"


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """Give each class a colour that any colour vision tells apart from the first eight."""
    if len(classes) <= len(style.PIECES):
        return dict(zip(classes, style.PIECES, strict=False))
    wheel = mpl.colormaps["turbo"]
    places = [(k + 0.5) / len(classes) for k in range(len(classes))]
    return {
        name: mpl.colors.to_hex(wheel(place)) for name, place in zip(classes, places, strict=True)
    }


def decoder_colour(decoder: str) -> str:
    """Return blue for the network, green for linear ones, orange where no brain is seen."""
    if decoder == "cnn":
        return style.POSITIVE
    if decoder in BRAIN:
        return "#2a7f62"
    return style.NEGATIVE if decoder in CONTROLS else style.MUTED


def entitle(axes: Axes, title: str, *, leaky: bool, size: float = 26) -> None:
    """Write the title; where axes show what is leaky, in red and with a stamp across them."""
    axes.set_title(title, color=RED if leaky else style.INK)
    if leaky:
        stamp(axes, size=size)


def share_matrix(
    axes: Axes,
    share: Array,
    texts: Sequence[Sequence[str]],
    classes: Sequence[str],
    *,
    named: bool,
    size: float,
    **look: Any,
) -> None:
    """Draw a square of shares of the true classes with a text in each cell.

    Parameters
    ----------
    axes
        Where to.
    share
        (n_classes, n_classes); NaN where a class never occurs.
    texts
        Of each cell, with the size `size`.
    classes
        Names, `look` for how they are written.
    named
        Whether the rows are named, too.
    """
    axes.imshow(share, cmap=SHARES, vmin=0, vmax=1, aspect="equal")
    for (i, j), value in np.ndenumerate(share):
        colour = "white" if value > _DARK_SHARE else style.INK
        axes.text(j, i, texts[i][j], ha="center", va="center", fontsize=size, color=colour)
    style.slant(axes, classes, 40, **look)
    axes.set_yticks(range(len(classes)), classes if named else [""] * len(classes), **look)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def recall_axes(
    axes: Axes, classes: Sequence[str], title: str, *, leaky: bool, size: float = 26
) -> None:
    """Prepare a panel of recalls from 0 to 1, one column for each class."""
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("recall")
    style.quiet_grid(axes)
    axes.set_xticks(range(len(classes)), classes)
    axes.tick_params(axis="x", length=0, labelbottom=True)
    entitle(axes, title, leaky=leaky, size=size)


def stamp(axes: Axes, *, size: float = 26) -> None:
    """Write LEAKY large across axes."""
    axes.set_facecolor(_PALE_RED)
    axes.text(
        0.5, 0.5, LEAKY, transform=axes.transAxes, ha="center", va="center", rotation=20,
        fontsize=size, weight="bold", color=RED, alpha=0.35, zorder=5,
    )  # fmt: skip


@dataclass(frozen=True)
class Confusion:
    """Counts (n_classes, n_classes) of true by predicted class, and of which split they are."""

    title: str
    counts: Array
    split: str
    leaky: bool = False


@style.styled
def confusion_figure(tables: Sequence[Confusion], classes: Sequence[str]) -> Figure:
    """Draw confusion matrices, one row for each split: colour is the share of the true class."""
    splits = list(dict.fromkeys(table.split for table in tables))
    figure = style.new_figure(9.0, 3.75 * len(splits))
    grid = figure.subplots(len(splits), 3, squeeze=False)
    for panels, split in zip(grid, splits, strict=True):
        own = [table for table in tables if table.split == split]
        for number, (axes, table) in enumerate(zip(panels, own, strict=False)):
            _matrix(axes, table, classes, first=number == 0)
        for axes in panels[len(own) :]:
            axes.remove()
    return figure


def _matrix(axes: Axes, table: Confusion, classes: Sequence[str], *, first: bool) -> None:
    total = table.counts.sum(axis=1, keepdims=True)
    share = np.where(total > 0, table.counts / np.maximum(total, 1), np.nan)
    texts = np.where(total > 0, np.char.mod("%.0f", table.counts), "\u2013").tolist()
    share_matrix(axes, share, texts, classes, named=first, size=8)
    axes.set_xlabel("predicted")
    if first:
        axes.set_ylabel("true")
    entitle(axes, table.title, leaky=table.leaky)


@dataclass(frozen=True)
class Recalls:
    """Recall (n_classes,) of one decoder with its interval; NaN where unknown."""

    decoder: str
    value: Array
    low: Array
    high: Array


@style.styled
def recall_figure(
    panels: Mapping[str, tuple[bool, Sequence[Recalls]]], classes: Sequence[str]
) -> Figure:
    """Draw recalls by class, one panel per split.

    Parameters
    ----------
    panels
        Title → whether it is leaky, and the decoders.
    classes
        In order.
    """
    figure = style.new_figure(9.0, 2.75 * len(panels) + 0.35)
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (title, (leaky, decoders)) in zip(grid, panels.items(), strict=True):
        for number, one in enumerate(decoders):
            x = np.arange(len(classes)) + 0.2 * (number - (len(decoders) - 1) / 2)
            around = np.maximum(np.stack([one.value - one.low, one.high - one.value]), 0)
            look: dict[str, Any] = {
                "color": _shade(one.decoder),
                "label": DECODERS[one.decoder].title,
            }
            look |= {"markersize": 5, "linewidth": 1.2, "capsize": 2, "fmt": "osD^"[number % 4]}
            axes.errorbar(x, one.value, yerr=around, **look)
        recall_axes(axes, classes, title, leaky=leaky, size=34)
    handles = grid[0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _shade(decoder: str) -> str:
    return "#7fb79f" if decoder == "parcels" else decoder_colour(decoder)


@dataclass(frozen=True)
class Reliability:
    """Certainty against truth, in bins of the winning class's probability.

    Attributes
    ----------
    decoder, leaky
        What it is of.
    confidence, accuracy : arrays of shape (n_bins,)
        Means of a bin; NaN where it is empty.
    n : array of shape (n_bins,)
    """

    decoder: str
    leaky: bool
    confidence: Array
    accuracy: Array
    n: Array


def reliability(
    decoder: str, probability: Array, correct: Array, *, leaky: bool = False, n_bins: int = 10
) -> Reliability:
    """Bin predictions by the probability of the predicted class.

    Parameters
    ----------
    decoder, leaky
        What it is of.
    probability
        (n,) of the winning class.
    correct
        (n,) whether it was the true one.
    n_bins
        Of equal width between 0 and 1.
    """
    number = np.clip((probability * n_bins).astype(int), 0, n_bins - 1)
    n = np.bincount(number, minlength=n_bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        confidence = np.bincount(number, probability, minlength=n_bins) / n
        accuracy = np.bincount(number, correct.astype(float), minlength=n_bins) / n
    return Reliability(decoder, leaky, confidence, accuracy, n)


@style.styled
def reliability_figure(decoders: Sequence[Reliability]) -> Figure:
    """Draw accuracy against certainty; circles grow with the number of volumes."""
    columns = 4
    figure, grid = style.tiles(len(decoders), columns, 2.75)
    for number, (axes, one) in enumerate(zip(grid.ravel(), decoders, strict=False)):
        axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=0.8, linestyle="--")
        there = one.n > 0
        size = 14 + 160 * one.n[there] / one.n.sum()
        look: dict[str, Any] = {"color": decoder_colour(one.decoder), "alpha": 0.85, "zorder": 3}
        axes.scatter(one.confidence[there], one.accuracy[there], s=size, **look)
        axes.set_xlim(0, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_aspect("equal")
        axes.set_xlabel("stated probability")
        if number % columns == 0:
            axes.set_ylabel("share correct")
        style.quiet_grid(axes, "both")
        title = DECODERS[one.decoder].title + ", shuffled" * one.leaky
        entitle(axes, title, leaky=one.leaky)
    return figure


_BAND = "#ccd3da"
_DASHES = ((0, (4, 2)), (0, (1, 1.5)))


@dataclass(frozen=True)
class Scored:
    """One decoder: balanced accuracy, the null's mean and central 95 %, p; NaN where unknown.

    `n_draws` of the null say whether p is as small as it can be; 0 where not known.
    """

    decoder: str
    value: float
    low: float = np.nan
    high: float = np.nan
    chance: float = np.nan
    p: float = np.nan
    n_draws: int = 0


@dataclass(frozen=True)
class SplitScores:
    """Scores under one split, and its lines of knowing nothing (name → score)."""

    title: str
    leaky: bool
    scores: Sequence[Scored]
    lines: Mapping[str, float] = field(default_factory=dict)


@style.styled
def scores_figure(splits: Sequence[SplitScores], n_classes: int) -> Figure:
    """Draw one panel per split: decoders below each other, chance as a grey band.

    Parameters
    ----------
    splits
        What to show.
    n_classes
        For the line at 1/K, which is not chance.
    """
    rows = [max(len(split.scores), 1) for split in splits]
    height = 0.9 + sum(0.34 * n + 0.75 for n in rows)
    figure = style.new_figure(9.0, height)
    panels = figure.subplots(len(splits), 1, sharex=True, squeeze=False, height_ratios=rows)[:, 0]
    for axes, split in zip(panels, splits, strict=True):
        _panel(axes, split, n_classes)
    panels[-1].set_xlabel("balanced accuracy: mean recall of the classes")
    figure.legend(handles=_legend(splits), loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Axes, split: SplitScores, n_classes: int) -> None:
    for row, one in enumerate(split.scores):
        if np.isfinite(one.low):
            axes.barh(row, one.high - one.low, left=one.low, height=0.62, color=_BAND)
            axes.plot([one.chance] * 2, [row - 0.31, row + 0.31], color=style.MUTED, linewidth=1.4)
        colour = decoder_colour(one.decoder)
        axes.plot(one.value, row, "o", color=colour, markersize=6.5, zorder=4)
        axes.annotate(
            _words(one), (1.0, row), xycoords=("axes fraction", "data"), xytext=(8, 0),
            textcoords="offset points", va="center", fontsize=8,
            color=RED if split.leaky else style.INK,
        )  # fmt: skip
    for dash, (_, value) in zip(_DASHES, split.lines.items(), strict=False):
        axes.axvline(value, color=style.INK, linewidth=0.9, linestyle=dash, zorder=1)
    axes.axvline(1 / n_classes, color=RED, linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)
    names = [DECODERS[scored.decoder].title for scored in split.scores]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(split.scores) - 0.45, -0.55)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", length=0)
    style.quiet_grid(axes, "x")
    entitle(axes, split.title, leaky=split.leaky, size=44)


def _words(one: Scored) -> str:
    if not np.isfinite(one.p):
        return f"{one.value:.2f}"
    at_floor = one.n_draws and one.p * (one.n_draws + 1) < 1 + 1e-6
    sign = "\u2264" if at_floor else "="
    return f"{one.value:.2f}, p {sign} {one.p:.3g}"


def _legend(splits: Sequence[SplitScores]) -> list[Line2D | Patch]:
    names = list(next((split.lines for split in splits if split.lines), {}))
    lines: list[Line2D | Patch] = [
        Line2D([], [], color=style.INK, linewidth=0.9, linestyle=dash, label=name)
        for dash, name in zip(_DASHES, names, strict=False)
    ]
    there = {one.decoder for split in splits for one in split.scores}
    kinds = {
        "cnn": "3D network",
        "linear": "linear decoders",
        "confounds": "decoders without a brain",
    }
    return [
        *(style.key(decoder_colour(name), kinds[name]) for name in kinds if name in there),
        Patch(color=_BAND, label="labels shifted: 95 %, mean"),
        *lines,
        Line2D([], [], color=RED, linewidth=0.8, linestyle=(0, (1, 3)), label="1/K (not chance)"),
    ]
