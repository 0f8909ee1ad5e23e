"""Single participants: scores above their own chance, network against linear, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from bidsapp.recipes.emotion3d.figures.decoders import (
    decoder_colour,
    entitle,
    recall_axes,
    share_matrix,
)
from bidsapp.recipes.emotion3d.names import DECODERS
from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_MANY = 24
#: share by which a participant's confusion is far from that of the others
FAR = 0.2


@dataclass(frozen=True)
class People:
    """Scores of participants under one split.

    Attributes
    ----------
    title, leaky
        Of the split.
    rows
        Columns participant, decoder, balanced_accuracy, chance.
    decoders
        To be shown, in order.
    """

    title: str
    leaky: bool
    rows: pd.DataFrame = field(repr=False)
    decoders: Sequence[str]


@style.styled
def people_figure(panels: Sequence[People]) -> Figure:
    """Draw each participant's score and own chance, joined by a line, decoder by decoder."""
    figure = style.new_figure(9.0, 2.5 * len(panels) + 0.4)
    grid = figure.subplots(len(panels), 1, squeeze=False, sharey=True)[:, 0]
    most = max(*(len(panel.decoders) for panel in panels), 2)
    for axes, panel in zip(grid, panels, strict=True):
        for number, decoder in enumerate(panel.decoders):
            _decoder(axes, number, decoder, panel.rows[panel.rows["decoder"] == decoder])
        names = [DECODERS[decoder].title for decoder in panel.decoders]
        axes.set_xticks(range(len(names)), names, fontsize=8)
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.5, most - 0.5)
        axes.set_ylabel("balanced accuracy")
        style.quiet_grid(axes)
        entitle(axes, panel.title, leaky=panel.leaky, size=44)
    grid[0].set_ylim(0, min(1.03, 1.18 * _largest(panels)))
    handles = [
        style.key(style.INK, "a participant"),
        style.key(style.MUTED, "the participant's own chance", "_", markersize=9),
        Line2D([], [], color=style.INK, linewidth=2.2, label="mean of participants"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _largest(panels: Sequence[People]) -> float:
    scores = [panel.rows[["balanced_accuracy", "chance"]].to_numpy(float) for panel in panels]
    return max(float(np.nanmax(values)) for values in scores)


def _decoder(axes: Axes, number: int, decoder: str, rows: pd.DataFrame) -> None:
    rows = rows.sort_values("participant")
    n = len(rows)
    x = number + (np.linspace(-0.28, 0.28, n) if n > 1 else np.zeros(n))
    value, chance = (rows[name].to_numpy(float) for name in ("balanced_accuracy", "chance"))
    colour = decoder_colour(decoder)
    known = np.isfinite(chance)
    axes.vlines(x[known], chance[known], value[known], color=colour, linewidth=0.7, alpha=0.6)
    axes.plot(x[known], chance[known], "_", color=style.MUTED, markersize=7)
    axes.plot(x, value, "o", color=colour, markersize=5)
    if n:
        axes.hlines(np.nanmean(value), number - 0.36, number + 0.36, color=colour, linewidth=2.2)
    if n <= _MANY:
        halo = [withStroke(linewidth=2, foreground="white")]
        look: dict[str, Any] = {"ha": "center", "fontsize": 6, "path_effects": halo}
        for place, label, top in zip(x, rows["participant"], value, strict=True):
            _note(axes, str(label), (place, top), (0, 5), **look)


def _note(
    axes: Axes, text: str, at: tuple[float, float], by: tuple[int, int], **look: Any
) -> None:
    """Write a text beside a place, `by` points away."""
    axes.annotate(text, at, xytext=by, textcoords="offset points", color=style.MUTED, **look)


@dataclass(frozen=True)
class Pairs:
    """Network and linear decoder in the same participants, and the test of their difference."""

    title: str
    subjects: Sequence[str]
    network: Array
    linear: Array
    words: str = ""


@style.styled
def pairs_figure(panels: Sequence[Pairs]) -> Figure:
    """Draw network against linear scores, one dot per participant; above the line it wins."""
    figure, grid = style.tiles(len(panels), 3, 3.2)
    both = np.concatenate([values for one in panels for values in (one.network, one.linear)])
    low, high = float(np.nanmin(both)) - 0.05, float(np.nanmax(both)) + 0.05
    for axes, one in zip(grid.ravel(), panels, strict=False):
        axes.plot([low, high], [low, high], color=style.MUTED, linewidth=0.8, linestyle="--")
        axes.plot(one.linear, one.network, "o", color=style.POSITIVE, markersize=5.5)
        if len(one.subjects) <= _MANY:
            for label, x, y in zip(one.subjects, one.linear, one.network, strict=True):
                _note(axes, label, (x, y), (4, 3), fontsize=6.5)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_aspect("equal")
        axes.set_xlabel("linear, voxels")
        axes.set_ylabel("3D network")
        axes.set_title(one.title, fontsize=8.5, pad=15)
        _note(axes, one.words, (0, 1), (0, 4), xycoords="axes fraction", fontsize=7.5)
        style.quiet_grid(axes, "both")
    return figure


@dataclass(frozen=True)
class ClassRecalls:
    """Recall of each class in each participant, (n_participants, n_classes), and of the pool."""

    title: str
    decoder: str
    own: Array
    pool: Array
    leaky: bool = False


@style.styled
def class_figure(panels: Sequence[ClassRecalls], classes: Sequence[str]) -> Figure:
    """Draw how often each class was recognised in each participant, one panel per title."""
    titles = list(dict.fromkeys(one.title for one in panels))
    figure = style.new_figure(9.0, 2.75 * len(titles) + 0.4)
    grid = figure.subplots(len(titles), 1, squeeze=False, sharex=True)[:, 0]
    for axes, title in zip(grid, titles, strict=True):
        own = [one for one in panels if one.title == title]
        for number, one in enumerate(own):
            middle = np.arange(len(classes)) + 0.36 * (number - (len(own) - 1) / 2)
            colour = decoder_colour(one.decoder)
            spread = np.linspace(-0.09, 0.09, len(one.own)) if len(one.own) > 1 else [0.0]
            for shift, values in zip(spread, one.own, strict=True):
                axes.plot(middle + shift, values, "o", color=colour, markersize=4, alpha=0.6)
            axes.hlines(one.pool, middle - 0.15, middle + 0.15, color=colour, linewidth=2.2)
        recall_axes(axes, classes, title, leaky=own[0].leaky, size=44)
    look: dict[str, Any] = {"marker": "o", "linewidth": 2.2}
    handles = [
        Line2D([], [], color=decoder_colour(name), label=DECODERS[name].title, **look)
        for name in dict.fromkeys(one.decoder for one in panels)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


@dataclass(frozen=True)
class Profile:
    """What volumes were taken for in one participant.

    Attributes
    ----------
    subject
        Label.
    share
        (n_classes, n_classes) of true by predicted class, rows sum to 1; NaN without volumes.
    others
        The same, mean of all others.
    """

    subject: str
    share: Array
    others: Array


@style.styled
def profiles_figure(profiles: Sequence[Profile], classes: Sequence[str]) -> Figure:
    """Draw each participant's confusions, framed where they are far from the others'.

    Parameters
    ----------
    profiles
        One panel each.
    classes
        In order.
    """
    columns = min(max(len(profiles), 3), 4)
    figure, grid = style.tiles(len(profiles), columns, 9.0 / columns * 0.95, 0.5)
    small = 7 if columns < 4 else 6.2
    for number, (axes, one) in enumerate(zip(grid.ravel(), profiles, strict=False)):
        away = one.share - one.others
        rows = zip(one.share, away, strict=True)
        texts = [[_percent(*cell) for cell in zip(*row, strict=True)] for row in rows]
        named = number % columns == 0
        share_matrix(axes, one.share, texts, classes, named=named, size=small, fontsize=7)
        for i, j in np.argwhere(np.abs(away) >= FAR):
            look: dict[str, Any] = {"fill": False, "edgecolor": style.NEGATIVE, "linewidth": 1.4}
            axes.add_patch(Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, **look))
        axes.set_title(f"sub-{one.subject}")
    return figure


def _percent(share: float, away: float) -> str:
    """Write a share, and below it how far it is from that of others."""
    if not np.isfinite(share):
        return "\u2013"
    text = f"{100 * share:.0f}"
    if np.isfinite(away) and round(100 * away):
        text += f"\n{100 * away:+.0f}".replace("-", style.MINUS)
    return text


@style.styled
def prevalence_figure(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Draw the most probable share of people who show the effect, with its interval.

    Parameters
    ----------
    table
        Columns prevalence, low, high, bound, decoder.
    names
        How to call each row.
    """
    figure = style.new_figure(9.0, 0.9 + 0.3 * len(table))
    axes = figure.subplots()
    for row, one in enumerate(table.to_dict("records")):
        colour = decoder_colour(str(one["decoder"]))
        look: dict[str, Any] = {
            "color": colour,
            "linewidth": 4,
            "alpha": 0.35,
            "solid_capstyle": "butt",
        }
        axes.plot([one["low"], one["high"]], [row, row], **look)
        axes.plot(one["prevalence"], row, "o", color=colour, markersize=6)
        if np.isfinite(one["bound"]):
            axes.plot(one["bound"], row, "|", color=style.INK, markersize=12, markeredgewidth=1.6)
    axes.set_yticks(range(len(table)), names)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of people who show the effect")
    axes.tick_params(axis="y", length=0)
    style.quiet_grid(axes, "x")
    return figure
