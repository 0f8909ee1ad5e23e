"""Layer profiles with intervals, and how stable the best layer is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.maps import Array

_COLUMNS = 4


@dataclass(frozen=True)
class Band:
    """Mean and 95 % interval over listeners: (n_layers,) each."""

    mean: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class ProfilePanel:
    """Profiles of one region or rating; `baseline` is the best acoustic description's score.

    `passed` says of each layer whether p is below the level (uncorrected); None: not tested.
    """

    title: str
    positive: Band | None
    negative: Band | None
    baseline: float | None = None
    passed: Array | None = None


@style.styled
def profile_figure(
    panels: Sequence[ProfilePanel], layers: Sequence[str], *, columns: int = _COLUMNS
) -> Figure:
    """Draw one panel per region, positive against negative lags."""
    n_columns = min(columns, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = style.new_figure(9.0, 1.85 * n_rows + 1.25)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for axes, panel in zip(grid.ravel(), panels, strict=False):
        _panel(axes, panel)
        _ticks(axes, layers, n_columns)
    for axes in grid.ravel()[len(panels) :]:
        axes.axis("off")
    for axes in grid[:, 0]:
        axes.set_ylabel("mean r")
    handles, labels = [], []
    for axes in grid.ravel():
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    figure.legend(handles, labels, loc="outside upper left", ncols=5)
    return figure


def _panel(axes: Axes, panel: ProfilePanel) -> None:
    for band, colour, label in (
        (panel.negative, style.NEGATIVE, "negative lags (control)"),
        (panel.positive, style.POSITIVE, "positive lags"),
    ):
        if band is None:
            continue
        x = np.arange(1, len(band.mean) + 1)
        axes.fill_between(x, band.low, band.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, band.mean, color=colour, linewidth=1.7, label=label)
        if panel.passed is not None and band is panel.positive:
            axes.plot(x[panel.passed], band.mean[panel.passed], "o", color=colour, markersize=4,
                      label="p < .05 (uncorrected)")  # fmt: skip
    if panel.baseline is not None and np.isfinite(panel.baseline):
        axes.axhline(panel.baseline, color=style.MUTED, linewidth=1, linestyle=(0, (5, 2)),
                     label="best acoustic baseline")  # fmt: skip
    axes.axhline(0, color=style.MUTED, linewidth=0.6)
    axes.set_title(panel.title, fontsize=9)
    style.quiet_grid(axes)


def _ticks(axes: Axes, layers: Sequence[str], n_columns: int) -> None:
    n = len(layers)
    shown = list(range(1, n + 1))
    if n_columns > 2 and n > 8:
        shown = sorted({round(place) for place in np.linspace(1, n, 7)})
    axes.set_xticks(
        shown,
        style.short_layers([layers[place - 1] for place in shown]),
        rotation=60, ha="right", rotation_mode="anchor", fontsize=7,
    )  # fmt: skip


@dataclass(frozen=True)
class StabilityRow:
    """Share of resamples in which each layer is best, and the interval of the centroid."""

    title: str
    share: Array
    low: float
    high: float


@style.styled
def stability_figure(
    columns: Sequence[tuple[str, Sequence[StabilityRow]]], layers: Sequence[str]
) -> Figure:
    """Draw regions by layers as heat maps, one per set of lags."""
    n_rows = max(len(rows) for _, rows in columns)
    figure = style.new_figure(9.0, 0.27 * n_rows + 1.75)
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    image = None
    for axes, (title, rows) in zip(panels, columns, strict=True):
        shares = np.stack([row.share for row in rows])
        extent = (0.5, len(layers) + 0.5, len(rows) - 0.5, -0.5)
        image = axes.imshow(shares, aspect="auto", extent=extent, cmap=mpl.colormaps["Blues"],
                            vmin=0, vmax=1, interpolation="nearest")  # fmt: skip
        for place, row in enumerate(rows):
            if np.isfinite(row.low):
                axes.plot(
                    [row.low, row.high], [place, place], "|-", color=style.NEGATIVE, linewidth=2.4,
                    solid_capstyle="butt", markersize=7,
                )  # fmt: skip
        axes.set_yticks(range(len(rows)), [row.title for row in rows])
        axes.tick_params(length=0)
        axes.set_title(title)
        _ticks(axes, layers, 4)
        for spine in axes.spines.values():
            spine.set_visible(False)
    if image is not None:
        bar = figure.colorbar(image, ax=list(panels), pad=0.01, aspect=14, shrink=0.85)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=2, labelsize=7)
        bar.ax.set_title("share", fontsize=8, weight="normal", loc="left", pad=4)
    return figure
