"""Figures: identification accuracies, genres, response windows, encoding models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bidsapp.recipes.reconstruct.results import ENSEMBLE, ORACLE
from bidsapp.report.figures import style

_BLUE, _GREY, _ORANGE = "#1f5a8a", "#8a8a8a", "#b5562d"
_CHANCE = 0.5


def accuracy_figure(rows: pd.DataFrame) -> Figure:
    """Draw the accuracy of each decoder and set of candidates, with that of exchanged clips.

    Parameters
    ----------
    rows
        The table of identification, of a participant or of the group (then with the smallest and
        the largest of a participant).

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure((8.0, 0.9 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    names = []
    for place, (_, row) in enumerate(rows[::-1].iterrows()):
        names.append(f"{row['decoder']}, {row['candidates']}")
        if np.isfinite(row["null_low"]):
            low, high = np.clip([row["null_low"], row["null_high"]], 0, 1)  # it is widened
            axes.barh(place, high - low, 0.62, low, color="#d9d9d9")
        if "smallest" in row:
            axes.plot([row["smallest"], row["largest"]], [place] * 2, color=_BLUE, linewidth=1)
        colour = {ENSEMBLE: _BLUE, ORACLE: _ORANGE}.get(row["decoder"], _GREY)
        marker = "D" if row["decoder"] == ORACLE else "o"
        axes.plot(row["identification"], place, marker, color=colour, markersize=7)
    axes.axvline(_CHANCE, color="#555555", linewidth=0.8)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    lowest = float(np.nanmin(rows[["identification", "null_low"]].to_numpy(float)))
    axes.set_xlim(max(-0.03, min(0.3, lowest - 0.03)), 1.03)
    axes.set_xlabel("identification accuracy")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def genre_figure(clips: pd.DataFrame) -> Figure:
    """Draw the accuracy of each clip by genre, and which genre its prediction is most like.

    Parameters
    ----------
    clips
        The table of clips; the right panel needs ``decoded_genre``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    genres = sorted(set(clips["genre"]))
    panels = 2 if "decoded_genre" in clips else 1
    figure = Figure((4.4 * panels, 1.4 + 0.3 * len(genres)), layout="constrained")
    left, *right = np.atleast_1d(figure.subplots(1, panels))
    for place, genre in enumerate(genres):
        values = clips.loc[clips["genre"] == genre, "identification"].to_numpy(float)
        spread = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1)
        left.plot(values, place + spread, "o", color=_BLUE, markersize=3, alpha=0.6)
        left.plot([np.nanmean(values)] * 2, [place - 0.35, place + 0.35], color="black")
    left.axvline(_CHANCE, color="#555555", linewidth=0.8)
    left.set_yticks(range(len(genres)), genres)
    left.set_ylim(len(genres) - 0.4, -0.6)
    left.set_xlabel("identification accuracy of a clip")
    left.spines[["top", "right"]].set_visible(False)
    if right:
        (axes,) = right
        table = pd.crosstab(clips["genre"], clips["decoded_genre"])
        counts = table.reindex(index=genres, columns=genres, fill_value=0).to_numpy(float)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(share, cmap="Blues", vmin=0, vmax=max(0.2, float(share.max())))
        axes.set_xticks(range(len(genres)), genres, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(genres)), genres, fontsize=8)
        axes.set_ylabel("genre of the clip")
        axes.set_xlabel("genre of the most similar candidate")
        figure.colorbar(image, ax=axes, label="share of clips of a genre", shrink=0.8)
    return figure


def curve_figure(curve: pd.DataFrame) -> Figure:
    """Draw the accuracy against the delay and the length of the response window.

    Parameters
    ----------
    curve
        The table of response windows.

    Returns
    -------
    matplotlib.figure.Figure
    """
    kinds = [
        (name, column)
        for name, column in (("shift", "shift_s"), ("length", "length_s"))
        if (curve["varied"] == name).any()
    ]
    figure = Figure((4.0 * len(kinds), 2.8), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
    for axes, (name, column) in zip(panels, kinds, strict=True):
        own = curve[curve["varied"] == name].sort_values(column)
        axes.plot(own[column], own["identification"], "o-", color=_BLUE, markersize=4)
        axes.axhline(_CHANCE, color="#555555", linewidth=0.8)
        axes.set_xlabel(f"{'delay' if name == 'shift' else name} of the response window (s)")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("identification accuracy")
    return figure


_MODELS = ("#1f5a8a", "#b5562d", "#3a7d44", "#8a8a8a", "#6b4c9a")
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


def region_figure(rows: pd.DataFrame, regions: Sequence[str]) -> Figure:
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
    for colour, (model, own) in zip(_MODELS, rows.groupby("score", sort=False), strict=False):
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
