"""The hidden layer in two dimensions, and whether maps survive layers made random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bidsapp.recipes.emotion3d.figures.colours import entitle
from bidsapp.report.figures import style
from bidsapp.report.timing import short_run

_METHODS = {"ig": ("Integrated gradients", style.POSITIVE), "gradcam": ("Grad-CAM", style.CEILING)}


@style.styled
def embedding_figure(
    points: pd.DataFrame, colours: Mapping[str, str], *, leaky: bool = False
) -> Figure:
    """Scatter held-out volumes on the two main directions of the hidden layer of each fold.

    Parameters
    ----------
    points
        Columns fold, label, x, y.
    colours
        Of the classes.
    leaky
        Whether folds are leaky.
    """
    folds = list(dict.fromkeys(points["fold"]))
    columns = min(len(folds), 4)
    width_in = 9.0 if columns > 2 else 3.1 * columns + 0.5
    figure, grid = style.tiles(len(folds), columns, 2.35, 0.5, width_in=width_in)
    for axes, fold in zip(grid.ravel(), folds, strict=False):
        here = points[points["fold"] == fold]
        bare = here[here["label"].isna()]
        axes.scatter(bare["x"], bare["y"], s=7, color="#dde2e7", linewidth=0)
        for name, colour in colours.items():
            own = here[here["label"] == name]
            axes.scatter(own["x"], own["y"], s=13, color=colour, alpha=0.85, linewidth=0)
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(style.FAINT)
        axes.set_xticks([])
        axes.set_yticks([])
        entitle(axes, _title(here, str(fold)), leaky=leaky)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=name)
        for name, colour in {**colours, "no label": "#c9d0d6"}.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 7))
    return figure


def _title(points: pd.DataFrame, fold: str) -> str:
    """Name the run that was held out, or the fold if it holds volumes of several."""
    runs = list(points["run"].dropna().unique()) if "run" in points else []
    return short_run(runs[0]) if len(runs) == 1 else fold


@style.styled
def randomised_figure(table: pd.DataFrame) -> Figure:
    """Draw how alike maps stay when layers are made random from the output down.

    Parameters
    ----------
    table
        Columns method, randomised, similarity; ``labels`` is the check with shifted labels.
    """
    figure = style.new_figure(9.0, 2.9)
    axes = figure.subplots()
    layers = list(dict.fromkeys(table.loc[table["randomised"] != "labels", "randomised"]))
    place = len(layers) + 0.4
    shifted = table[table["randomised"] == "labels"]["similarity"].notna().any()
    for method, (title, colour) in _METHODS.items():
        own = table[table["method"] == method].set_index("randomised")["similarity"]
        values = [float(own.get(name, np.nan)) for name in layers]
        axes.plot(range(len(layers)), values, "o-", color=colour, markersize=5, label=title)
        if shifted:
            axes.plot([place], [float(own.get("labels", np.nan))], "D", color=colour)
    axes.axhline(0, color=style.MUTED, linewidth=0.7)
    places, names = [*map(float, range(len(layers)))], _layers(layers)
    if shifted:
        axes.axvline(place - 0.7, color=style.FAINT, linewidth=1)
        places, names = [*places, place], [*names, "labels\nshifted"]
    axes.set_xticks(places, names)
    axes.set_xlabel("made random from the output down to this layer")
    axes.set_ylabel("likeness of maps (rank r)")
    axes.set_ylim(min(-0.1, axes.get_ylim()[0]), 1.03)
    style.quiet_grid(axes)
    figure.legend(loc="outside right upper")
    return figure


def _layers(names: Sequence[str]) -> list[str]:
    """Call layers, named from the output down, by their number from the volume up."""
    return [
        "output" if name == "output" else f"layer {len(names) - k}" for k, name in enumerate(names)
    ]
