"""Layer profiles of continuous ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_COLUMNS = 2


@dataclass(frozen=True)
class RatingProfile:
    """Scores of one rating: (n_layers,) each; `pieces` maps a piece to its own scores."""

    title: str
    positive: Array
    negative: Array | None = None
    p: Array | None = None
    pieces: Mapping[str, Array] = field(default_factory=dict)


@style.styled
def rating_figure(profiles: Sequence[RatingProfile], layers: Sequence[str]) -> Figure:
    """Draw one panel per rating; filled dots are layers with p < .05 (uncorrected)."""
    n_columns = min(_COLUMNS, len(profiles))
    n_rows = -(-len(profiles) // n_columns)
    figure = style.new_figure(9.0, 2.5 * n_rows + 0.5)
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, profile in zip(panels, profiles, strict=False):
        _panel(axes, profile)
        axes.set_xticks(np.arange(1, len(layers) + 1))
        axes.set_xticklabels(
            style.short_layers(layers), rotation=60, ha="right", rotation_mode="anchor", fontsize=7
        )
    for axes in panels[len(profiles) :]:
        axes.remove()
    for axes in panels[::n_columns]:
        axes.set_ylabel("correlation r")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure


def _panel(axes: Axes, profile: RatingProfile) -> None:
    x = np.arange(1, len(profile.positive) + 1)
    for number, scores in enumerate(profile.pieces.values()):
        axes.plot(x, scores, color=style.MUTED, linewidth=0.7, alpha=0.6,
                  label="single pieces" if number == 0 else None)  # fmt: skip
    if profile.negative is not None:
        axes.plot(x, profile.negative, color=style.NEGATIVE, linewidth=1.4,
                  label="negative lags (control)")  # fmt: skip
    axes.plot(x, profile.positive, color=style.POSITIVE, linewidth=1.8, label="positive lags")
    passed = np.zeros(len(x), dtype=bool) if profile.p is None else profile.p < 0.05
    axes.plot(x[~passed], profile.positive[~passed], "o", markersize=3.5, color="white",
              markeredgecolor=style.POSITIVE)  # fmt: skip
    axes.plot(x[passed], profile.positive[passed], "o", markersize=4.5, color=style.POSITIVE,
              label="p < .05 (uncorrected)")  # fmt: skip
    axes.axhline(0, color=style.MUTED, linewidth=0.7)
    axes.set_title(profile.title)
    style.quiet_grid(axes)
