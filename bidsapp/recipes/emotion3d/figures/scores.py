"""Scores of all decoders beside what the same decoders score without any effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bidsapp.recipes.emotion3d.figures.colours import RED, decoder_colour, entitle
from bidsapp.recipes.emotion3d.names import DECODERS
from bidsapp.report.figures import style

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
    axes.set_yticks(range(len(split.scores)), [DECODERS[s.decoder].title
                                               for s in split.scores])  # fmt: skip
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
    kinds = (("cnn", "3D network"), ("linear", "linear decoders"),
             ("confounds", "decoders without a brain"))  # fmt: skip
    return [
        *(
            Line2D([], [], marker="o", linestyle="", color=decoder_colour(name), label=label)
            for name, label in kinds
            if name in there
        ),
        Patch(color=_BAND, label="labels shifted: 95 %, mean"),
        *lines,
        Line2D([], [], color=RED, linewidth=0.8, linestyle=(0, (1, 3)),
               label="1/K (not chance)"),
    ]  # fmt: skip
