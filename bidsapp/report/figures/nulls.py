"""Null distributions as histograms, each with what was observed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_EDGE = "#b9c1c9"
_LINE = 0.13  # of a panel's height for a line of words, above the histogram


@dataclass(frozen=True)
class NullPanel:
    """One test.

    Attributes
    ----------
    title
        Of the panel.
    null
        (n_draws,) statistic in each draw; empty when nothing was drawn.
    observed
        The statistic.
    words
        Result in words, above the histogram: ``p = .01``; may have several lines.
    colour
        Of the observed value.
    threshold
        Value above which the statistic is significant, dashed; infinite for none.
    two_sided
        Whether the same size with the other sign is dashed, too.
    """

    title: str
    null: Array
    observed: float
    words: str = ""
    colour: str = style.POSITIVE
    threshold: float = math.inf
    two_sided: bool = False


@style.styled
def null_figure(
    rows: Sequence[tuple[str, Sequence[NullPanel]]],
    x_label: str,
    *,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw one histogram per test, all on one scale.

    Parameters
    ----------
    rows
        Label of each row, and its panels (`in_rows` fills rows with a list of panels).
    x_label
        The statistic.
    limits
        Ends of the scale; from the values when None.
    """
    n_columns = max(len(panels) for _, panels in rows)
    figure = style.new_figure(9.0, 1.75 * len(rows) + 0.55)
    grid = figure.subplots(len(rows), n_columns, squeeze=False, sharex=True)
    edges = _edges([panel for _, panels in rows for panel in panels])
    titles = [[panel.title for panel in panels] for _, panels in rows]
    for number, (line, (label, panels)) in enumerate(zip(grid, rows, strict=True)):
        line[0].set_ylabel(label)
        for axes, panel in zip(line, panels, strict=False):
            _panel(axes, panel, edges)
            axes.tick_params(labelbottom=True)
            if number == 0 or titles[number] != titles[0]:
                axes.set_title(panel.title)
        for axes in line[len(panels) :]:
            axes.axis("off")
    for column in range(n_columns):
        used = [row for row, (_, panels) in enumerate(rows) if len(panels) > column]
        grid[used[-1], column].set_xlabel(x_label)
    if limits is not None:
        grid[0, 0].set_xlim(*limits)
    return figure


def in_rows(
    panels: Sequence[NullPanel], n_columns: int = 3
) -> list[tuple[str, Sequence[NullPanel]]]:
    """Return panels in rows without labels, for `null_figure`."""
    starts = range(0, len(panels), n_columns)
    return [("", panels[start : start + n_columns]) for start in starts]


def _edges(panels: Sequence[NullPanel]) -> list[float]:
    values = np.concatenate([np.append(panel.null, panel.observed) for panel in panels])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    margin = 0.02 * (high - low) or 0.01
    return list(map(float, np.linspace(low - margin, high + margin, 60)))


def _panel(axes: Axes, panel: NullPanel, edges: list[float]) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    room = 1 - _LINE * (panel.words.count("\n") + 1) if panel.words else 1.0
    finite = panel.null[np.isfinite(panel.null)]
    if finite.size:
        axes.hist(finite, edges, color="#c3cbd2", edgecolor="#c3cbd2", linewidth=0.6)
        axes.set_ylim(0, axes.get_ylim()[1] / (room - 0.04))
    if math.isfinite(panel.threshold):
        axes.axvline(
            panel.threshold, ymax=room, color=style.INK, linewidth=1.1, linestyle=style.DASHES
        )
    if math.isfinite(panel.observed):
        axes.axvline(panel.observed, ymax=room, color=panel.colour, linewidth=1.6)
        if panel.two_sided:
            look: dict[str, Any] = {
                "color": panel.colour,
                "linewidth": 0.8,
                "linestyle": (0, (3, 2)),
            }
            axes.axvline(-panel.observed, ymax=room, **look)
    axes.text(0.015, 0.99, panel.words, transform=axes.transAxes, va="top", fontsize=8)


def null_axes(
    axes: Axes,
    null: Array,
    observed: float,
    *,
    draws: str,
    threshold: float = math.inf,
    level: float = 0.05,
) -> None:
    """Draw a labelled histogram of a null distribution into axes of a larger figure.

    Parameters
    ----------
    axes
        Where to.
    null
        (n_draws,) statistic in each draw; a sentence stands in place of an empty one.
    observed
        The statistic; NaN for none.
    draws
        What was drawn: ``circular shifts``.
    threshold, level
        Value above which the statistic is significant at this level; infinite for none.
    """
    finite = null[np.isfinite(null)]
    if not finite.size:
        axes.text(0.5, 0.5, "no null was computed", ha="center", transform=axes.transAxes)
        axes.set_yticks([])
        return
    bins = min(40, 8 + finite.size // 10)
    label = f"{finite.size} {draws}"
    axes.hist(finite, bins, color=style.FAINT, edgecolor=_EDGE, linewidth=0.5, label=label)
    if math.isfinite(threshold):
        label = f"FWE p \u2264 {level:g} ({threshold:.3f})"
        axes.axvline(
            threshold, color=style.INK, linewidth=1.1, linestyle=style.DASHES, label=label
        )
    if math.isfinite(observed):
        label = f"observed ({observed:.3f})".replace("-", style.MINUS)
        axes.axvline(observed, color=style.POSITIVE, linewidth=2, label=label)


def threshold(null: Array, level: float, *, strict: bool = False) -> float:
    """Return the value above which (b + 1) / (m + 1) passes a level; b counts draws ≥ the value.

    Parameters
    ----------
    null
        (m,) maxima of the draws; NaN is left out.
    level
        Of the test.
    strict
        Whether p has to be below the level; otherwise it may equal it.

    Returns
    -------
    float
        A larger statistic passes; infinite when m is too small.
    """
    ordered = np.sort(null[np.isfinite(null)])[::-1]
    allowed = math.floor(round(level * (ordered.size + 1), 9)) - 1
    if strict:
        allowed = math.ceil(round(level * (ordered.size + 1), 9)) - 2
    return float(ordered[allowed]) if 0 <= allowed < ordered.size else math.inf
