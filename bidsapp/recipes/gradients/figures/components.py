"""Components over layers: loadings, topographies in red, green and blue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import VIEWS, CortexMap, Look, Mesh, paint

#: of components 1 to 3, dark enough for lines on white
COLOURS = ("#c1272d", "#1b8a3a", "#2b4acb")


@style.styled
def loading_figure(panels: Sequence[tuple[str, Array, Array]], layers: Sequence[str]) -> Figure:
    """Draw the loading of each layer on each component, one panel per set of lags.

    Parameters
    ----------
    panels
        Title, (n_layers, n_components) loadings, (n_components,) share of variance.
    layers
        Names.
    """
    figure = style.new_figure(9.0, 3.2)
    for axes, (title, loadings, explained) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True
    ):
        x = np.arange(1, len(layers) + 1)
        for number, (column, share) in enumerate(zip(loadings.T, explained, strict=True)):
            axes.plot(x, column, color=COLOURS[number % len(COLOURS)], linewidth=1.8,
                      linestyle=("-", (0, (5, 1.5)), (0, (1.5, 1.5)))[number % 3],
                      label=f"{number + 1} ({100 * share:.0f} %)")  # fmt: skip
        axes.axhline(0, color=style.MUTED, linewidth=0.7)
        axes.set_title(title, pad=22)
        axes.set_xticks(x, style.short_layers(layers), rotation=60, ha="right",
                        rotation_mode="anchor", fontsize=7)  # fmt: skip
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=3, handlelength=1.6,
                    columnspacing=1.0, borderaxespad=0.1)  # fmt: skip
        style.quiet_grid(axes)
    figure.axes[0].set_ylabel("loading")
    return figure


@style.styled
def rgb_figure(
    rows: Sequence[tuple[str, Mapping[str, Array]]], meshes: Mapping[str, Mesh]
) -> Figure:
    """Draw cortices coloured by (n_vertices, 3) red, green and blue from 0 to 1."""
    figure = Figure(figsize=(9.0, 1.9 * len(rows) + 0.1))
    grid = figure.add_gridspec(len(rows), 1, left=0.005, right=0.995, top=0.995, bottom=0.01,
                               hspace=0.04)  # fmt: skip
    for number, (title, colours) in enumerate(rows):
        cells = grid[number].subgridspec(
            2, 5, width_ratios=[1, 1, 1, 1, 0.42], height_ratios=[0.16, 1], wspace=0.03,
            hspace=0.02,
        )  # fmt: skip
        heading = figure.add_subplot(cells[0, :4])
        heading.axis("off")
        heading.text(0.004, 0.45, title, weight="bold", fontsize=9.5, va="center")
        for column, (hemisphere, view) in enumerate(VIEWS):
            axes = figure.add_subplot(cells[1, column])
            axes.axis("off")
            if hemisphere in colours and hemisphere in meshes:
                shown = by_vertex(title, hemisphere, colours[hemisphere])
                paint(axes, meshes[hemisphere], shown, hemisphere, view)
        if number == 0:
            _key(figure.add_subplot(cells[1, 4]))
    return figure


def by_vertex(title: str, hemisphere: str, colours: Array) -> CortexMap:
    """Make a map whose value is the number of the vertex, and a colour for each number."""
    defined = np.isfinite(np.asarray(colours)).all(axis=1, keepdims=True)
    table = np.where(defined, colours, 0.0)
    values = np.where(defined[:, 0], np.arange(len(colours), dtype=float), np.nan)
    return CortexMap(
        title,
        {hemisphere: values},
        Look(ListedColormap(table, name="vertices"), -0.5, len(colours) - 0.5, ""),
        ordinal=True,
    )


def _key(axes: Axes) -> None:
    """Overlapping discs: what the mixtures of the three colours mean."""
    side = np.linspace(-1.25, 1.25, 160)
    x, y = np.meshgrid(side, side)
    places = [(0.0, 0.42), (-0.42, -0.28), (0.42, -0.28)]
    discs = np.stack([(x - a) ** 2 + (y - b) ** 2 < 0.62**2 for a, b in places], axis=-1)
    picture = np.where(discs.any(axis=-1, keepdims=True), discs.astype(float), 1.0)
    axes.imshow(picture, extent=(-1.25, 1.25, -1.25, 1.25), origin="lower")
    for number, (a, b) in enumerate([(0.0, 1.16), (-0.85, -1.12), (0.85, -1.12)], start=1):
        axes.text(a, b, str(number), ha="center", va="center", fontsize=8)
    axes.set_title("component", fontsize=8, weight="normal", loc="center", pad=9)
    axes.axis("off")
