"""Layers along the superior temporal gyrus (the question of Figure 8 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_SIDES = {"L": "left", "R": "right", "both": "both"}


@dataclass(frozen=True)
class Gyrus:
    """One hemisphere's profile from the posterior (0) to the anterior end (1).

    Attributes
    ----------
    side
        ``L`` or ``R``.
    position
        (n_bins,).
    centroid, low, high
        (n_bins,) mean centroid layer and its interval over participants.
    rho
        (n_layers, n_bins) mean score.
    told
        What the tests say, for the title.
    """

    side: str
    position: Array
    centroid: Array
    low: Array
    high: Array
    rho: Array
    told: str = ""


@style.styled
def gyrus_figure(sides: Sequence[Gyrus], layers: Sequence[str]) -> Figure:
    """Draw the centroid layer along the gyrus, and the score of every layer below it."""
    figure = style.new_figure(9.0, 4.2 + 0.09 * len(layers))
    panels = figure.subplots(2, len(sides), sharex=True, sharey="row", squeeze=False,
                             height_ratios=[1.25, 1])  # fmt: skip
    top = float(np.nanmax(np.abs([side.rho for side in sides]), initial=1e-3))
    image = None
    for column, side in enumerate(sides):
        _centroid(panels[0, column], side, len(layers))
        width = 1 / len(side.position)
        image = panels[1, column].imshow(
            side.rho, aspect="auto", origin="lower", cmap=style.signed_colours(), vmin=-top,
            vmax=top, extent=(side.position[0] - width / 2, side.position[-1] + width / 2, 0.5,
                              len(layers) + 0.5), interpolation="nearest",
        )  # fmt: skip
        _ends(panels[1, column])
        panels[1, column].set_xlim(0, 1)
    panels[0, 0].set_ylabel("centroid layer")
    names = style.short_layers(layers)
    step = 1 if len(layers) <= 12 else 2
    places = list(range(1, len(layers) + 1, step))
    panels[1, 0].set_yticks(places, [f"{n} {names[n - 1]}" for n in places], fontsize=7)
    if image is not None:
        bar = figure.colorbar(image, ax=panels[1, -1], aspect=12, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.set_title("mean \u03c1", fontsize=8, weight="normal", loc="left", pad=4)
        bar.ax.tick_params(length=2, labelsize=7)
    return figure


def _ends(axes: Axes) -> None:
    names = [
        "posterior end\n(planum temporale)",
        "centre\n(Heschl)",
        "anterior end\n(planum polare)",
    ]
    axes.set_xticks([0, 0.5, 1], names)
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def _centroid(axes: Axes, side: Gyrus, n_layers: int) -> None:
    axes.plot(side.position, side.centroid, color=style.POSITIVE, linewidth=1.8, marker="o",
              markersize=4)  # fmt: skip
    if np.isfinite(side.low).any():
        axes.fill_between(side.position, side.low, side.high, color=style.POSITIVE, alpha=0.15,
                          linewidth=0)  # fmt: skip
    axes.set_title(f"{_SIDES.get(side.side, side.side)}{': ' if side.told else ''}{side.told}")
    style.quiet_grid(axes)
    axes.margins(y=0.15)
