"""Figures of `reconstruct`: accuracies against chance, genres, response windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bidsapp.recipes.reconstruct.results import ENSEMBLE, ORACLE

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
