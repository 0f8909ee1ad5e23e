"""Figures of the encoding models: two models against each other, regions, clips on components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bidsapp.report.figures import style

_COLOURS = ("#1f5a8a", "#b5562d", "#3a7d44", "#8a8a8a", "#6b4c9a")
_GENRES = "tab20"
Values = NDArray[np.floating]


def density_figure(first: Values, second: Values, names: Sequence[str]) -> Figure:
    """Draw how many voxels or vertices have which correlations by two models.

    Parameters
    ----------
    first, second
        (n_units,) correlations; NaN is left out.
    names
        Of both models.

    Returns
    -------
    matplotlib.figure.Figure
    """
    known = np.isfinite(first) & np.isfinite(second)
    figure = Figure((4.4, 3.8), layout="constrained")
    axes = figure.subplots()
    drawn = axes.hexbin(
        first[known], second[known], gridsize=50, cmap="Blues", norm=LogNorm(), mincnt=1
    )
    low = float(min(first[known].min(), second[known].min()))
    high = float(max(first[known].max(), second[known].max()))
    axes.plot([low, high], [low, high], color="#555555", linewidth=0.8)
    axes.set_xlabel(f"r, {names[0]}")
    axes.set_ylabel(f"r, {names[1]}")
    axes.spines[["top", "right"]].set_visible(False)
    figure.colorbar(drawn, ax=axes, label="voxels or vertices")
    return figure


def profile_figure(rows: pd.DataFrame, regions: Sequence[str]) -> Figure:
    """Draw the mean correlation of each model in some regions.

    Parameters
    ----------
    rows
        The table of regions, models only.
    regions
        Which, in order.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure((7.0, 1.2 + 0.3 * len(regions)), layout="constrained")
    axes = figure.subplots()
    for colour, (model, own) in zip(_COLOURS, rows.groupby("score", sort=False), strict=False):
        means = own.set_index("region")["mean"].reindex(list(regions))
        axes.plot(means, range(len(regions)), "o-", color=colour, markersize=5, label=model)
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.set_yticks(range(len(regions)), regions, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("mean r")
    style.legend_above(axes, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def music_figure(music: pd.DataFrame) -> Figure:
    """Draw the clips on the components of the weights, coloured by genre.

    Parameters
    ----------
    music
        Table with ``genre``, ``pc1``, ``pc2``, ``pc3``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure((8.4, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    genres = sorted(set(music["genre"].fillna("")))
    for axes, other in zip(panels, ("pc2", "pc3"), strict=True):
        for number, genre in enumerate(genres):
            own = music[music["genre"].fillna("") == genre]
            colour = f"C{number}" if len(genres) <= 10 else _colour(number)
            axes.scatter(own["pc1"], own[other], s=14, alpha=0.7, label=genre, color=colour)
        axes.set_xlabel("PC1")
        axes.set_ylabel(other.upper())
        axes.spines[["top", "right"]].set_visible(False)
    if len(genres) > 1:
        panels[1].legend(frameon=False, fontsize=7, bbox_to_anchor=(1.0, 1.0), loc="upper left")
    return figure


def _colour(number: int) -> tuple[float, float, float, float]:
    from matplotlib import colormaps

    red, green, blue, alpha = colormaps[_GENRES](number % 20)
    return red, green, blue, alpha
