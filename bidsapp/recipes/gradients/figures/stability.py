"""How often each layer is the best of a region when participants are redrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.layers import name_layers
from bidsapp.report.figures.style import Array


@dataclass(frozen=True)
class StabilityRow:
    """One region.

    Attributes
    ----------
    title
        Of the region.
    share
        (n_layers,) share of resamples in which a layer is best.
    low, high
        Interval of the centroid layer; NaN for none.
    """

    title: str
    share: Array
    low: float
    high: float


@style.styled
def stability_figure(
    columns: Sequence[tuple[str, Sequence[StabilityRow]]], layers: Sequence[str]
) -> Figure:
    """Draw regions by layers as heat maps, one per set of lags.

    Parameters
    ----------
    columns
        Title and regions, the same regions in each.
    layers
        Names, first to last.
    """
    n_rows = max(len(rows) for _, rows in columns)
    figure = style.new_figure(9.0, 0.27 * n_rows + 1.75)
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    image = None
    for axes, (title, rows) in zip(panels, columns, strict=True):
        shares = np.stack([row.share for row in rows])
        extent = (0.5, len(layers) + 0.5, len(rows) - 0.5, -0.5)
        look = {"cmap": mpl.colormaps["Blues"], "vmin": 0, "vmax": 1, "interpolation": "nearest"}
        image = axes.imshow(shares, aspect="auto", extent=extent, **look)
        for place, row in enumerate(rows):
            ends, line = [row.low, row.high], [place, place]
            axes.plot(ends, line, "|-", color=style.NEGATIVE, linewidth=2.4, markersize=7)
        axes.set_yticks(range(len(rows)), [row.title for row in rows])
        axes.tick_params(length=0)
        axes.set_title(title)
        name_layers(axes, layers, rotation=60, size=7, most=7)
        axes.spines[:].set_visible(False)
    assert image is not None
    bar = figure.colorbar(image, ax=list(panels), pad=0.01, aspect=14, shrink=0.85)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=7)
    bar.ax.set_title("share", fontsize=8, weight="normal", loc="left", pad=4)
    return figure
