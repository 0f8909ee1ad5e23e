"""The annotation profile: how far each layer map agrees with published maps of the cortex."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array


@dataclass(frozen=True)
class Profile:
    """One map's correlations.

    Attributes
    ----------
    title
        Of the map.
    r
        (n_annotations,) correlations.
    significant
        (n_annotations,) bool: family-wise over the annotations.
    bound
        Size above which a correlation is significant; NaN if none can be.
    """

    title: str
    r: Array
    significant: Array
    bound: float


@style.styled
def profile_figure(profiles: Sequence[Profile], names: Sequence[str], label: str) -> Figure:
    """Draw one panel per map, one line per annotation.

    Parameters
    ----------
    profiles
        Of the maps.
    names
        Of the annotations, in the order of the values, from top to bottom.
    label
        Of the axis: the correlation.
    """
    figure = style.new_figure(9.0, 0.75 + 0.21 * len(names))
    places = np.arange(len(names))[::-1]
    grid = figure.subplots(1, len(profiles), sharey=True, squeeze=False)[0]
    largest = max((float(np.nanmax(np.abs(item.r), initial=0.0)) for item in profiles), default=0)
    limit = min(1.0, max(0.3, 1.15 * largest))
    for axes, item in zip(grid, profiles, strict=True):
        if math.isfinite(item.bound):
            axes.axvspan(-item.bound, item.bound, color=style.MUTED, alpha=0.18, linewidth=0)
        axes.axvline(0, color=style.MUTED, linewidth=0.7)
        axes.hlines(places, 0, item.r, color=style.POSITIVE, linewidth=1.2)
        for passed, face in ((True, style.POSITIVE), (False, "white")):
            chosen = np.asarray(item.significant) == passed
            axes.plot(item.r[chosen], places[chosen], linestyle="none", marker="o", markersize=5,
                      markerfacecolor=face, markeredgecolor=style.POSITIVE)  # fmt: skip
        axes.set_title(item.title)
        axes.set_xlabel(label)
        axes.set_xlim(-limit, limit)
        axes.locator_params(axis="x", nbins=4)
        style.quiet_grid(axes)
    grid[0].set_yticks(places, names, fontsize=7)
    return figure
