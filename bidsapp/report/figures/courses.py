"""Courses over time: predicted and measured responses, and scores over delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array


@style.styled
def course_figure(
    time_s: Array,
    courses: Mapping[str, Array],
    components: Array,
    blocks: tuple[Sequence[str], Array],
    shown: int,
) -> Figure:
    """Draw regressors, prediction and response of one block, and the scores of all blocks.

    Parameters
    ----------
    time_s
        (n_volumes,) position in the sound in s.
    courses
        ``measured`` and ``predicted``, each (n_volumes,), standardised.
    components
        (n_components, n_volumes) regressors, standardised.
    blocks
        Piece of each block, and (n_blocks,) correlation of prediction and response in it.
    shown
        Number of the block that is drawn, from 0.
    """
    pieces, r = blocks
    names = list(dict.fromkeys(pieces))
    figure = style.new_figure(9.0, max(3.6, 1.2 + 0.24 * len(names)))
    grid = figure.add_gridspec(2, 2, width_ratios=[3, 1], height_ratios=[1, 1.6])
    design, lines = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    image = _design(design, time_s, components)
    place: dict[str, Any] = {"ax": [design, lines], "shrink": 0.36, "anchor": (0.0, 1.0)}
    style.colour_bar(figure, image, aspect=8, **place).set_label("z")
    lines.plot(time_s, courses["measured"], color=style.MUTED, linewidth=1.2, label="measured")
    lines.plot(
        time_s, courses["predicted"], color=style.POSITIVE, linewidth=1.6, label="predicted"
    )
    lines.axhline(0, color=style.FAINT, linewidth=0.8, zorder=0)
    lines.set_xlim(design.get_xlim())
    lines.set_xlabel("position in the sound (s)")
    lines.set_ylabel("BOLD (standardised)")
    lines.legend(loc="lower right", ncols=2, bbox_to_anchor=(1, 1), borderaxespad=0)
    _scores(figure.add_subplot(grid[:, 1]), names, pieces, r, shown)
    return figure


def _design(axes: Axes, time_s: Array, components: Array) -> AxesImage:
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    extent = (time_s[0] - step / 2, time_s[-1] + step / 2, len(components) + 0.5, 0.5)
    look: dict[str, Any] = {"cmap": style.signed_colours(), "interpolation": "nearest"}
    image = axes.imshow(components, aspect="auto", vmin=-3, vmax=3, extent=extent, **look)
    axes.set_yticks(range(1, len(components) + 1))
    axes.set_ylabel("regressor")
    axes.tick_params(length=0, labelbottom=False)
    return image


def _scores(axes: Axes, names: Sequence[str], pieces: Sequence[str], r: Array, shown: int) -> None:
    place = np.array([names.index(piece) for piece in pieces])
    axes.plot(r, place, "o", color=style.POSITIVE, alpha=0.7, markersize=5)
    axes.plot(r[shown], place[shown], "o", color="none", markeredgecolor=style.INK, markersize=9)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    labels = style.short_layers(names) if len(names) <= 30 else []
    axes.set_yticks(range(len(names)) if labels else [], labels)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("r in each held-out block")
    style.quiet_grid(axes, "x")


@style.styled
def delay_figure(
    delays_s: NDArray[np.floating],
    scores: NDArray[np.floating],
    mean: NDArray[np.floating],
    span: tuple[float, float],
    x_label: str,
    y_label: str,
) -> Figure:
    """Draw one line per place or layer over delays, and what they have in common.

    Parameters
    ----------
    delays_s : array, (n_delays,)
    scores : array, (n_lines, n_delays)
    mean : array, (n_delays,)
        Drawn thick.
    span
        Delays that the model has, shaded.
    x_label, y_label
        Of the axes.
    """
    figure = style.new_figure(5.0, 3.0)
    axes = figure.add_subplot()
    axes.axvspan(*span, color=style.FAINT, alpha=0.5, zorder=0)
    axes.plot(delays_s, scores.T, color=style.MUTED, linewidth=0.5, alpha=0.5)
    axes.plot(delays_s, mean, "o-", color=style.POSITIVE, linewidth=2)
    axes.axhline(0, color=style.MUTED, linewidth=0.6)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    style.quiet_grid(axes)
    return figure
