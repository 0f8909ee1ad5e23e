"""Noise ceilings, and the confidence of the best layer."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array


@style.styled
def ceiling_figure(
    lower: Array, higher: Array, largest: Array, passing: Array | None, units: str
) -> Figure:
    """Draw the distribution of both ceilings, and the best score beside the lower one.

    Parameters
    ----------
    lower, higher, largest
        (n_units,) ceilings and largest mean score.
    passing
        (n_units,) bool, or None.
    units
        What they are called.
    """
    figure = style.new_figure(9.0, 3.5)
    left, right = figure.subplots(1, 2)
    _ceilings(left, lower, higher, units)
    _beside(right, lower, largest, passing, units)
    return figure


def _ceilings(axes: Axes, lower: Array, higher: Array, units: str) -> None:
    pooled = np.concatenate([lower, higher])
    pooled = pooled[np.isfinite(pooled)]
    low, high = np.percentile(pooled, [0.1, 99.9])
    edges = np.linspace(low, high + 1e-9, 60).tolist()
    axes.hist(lower[np.isfinite(lower)], edges, color=style.CEILING, alpha=0.75, label="lower")
    axes.hist(higher[np.isfinite(higher)], edges, histtype="step", color=style.INK, linewidth=1.1,
              label="upper")  # fmt: skip
    axes.axvline(0, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.set_xlabel("noise ceiling \u03c1")
    axes.set_ylabel(units)
    style.legend_above(axes)


def _beside(axes: Axes, lower: Array, largest: Array, passing: Array | None, units: str) -> None:
    known = np.isfinite(lower) & np.isfinite(largest)
    axes.plot(lower[known], largest[known], ",", color=style.MUTED, alpha=0.6, rasterized=True)
    if passing is not None and (known & passing).any():
        here = known & passing
        axes.plot(lower[here], largest[here], ".", color=style.POSITIVE, markersize=2.5,
                  rasterized=True, label=f"significant {units}")  # fmt: skip
        style.legend_above(axes, markerscale=3)
    low, high = axes.get_xlim()
    ends = [max(low, axes.get_ylim()[0]), high]
    axes.plot(ends, ends, color=style.CEILING, linewidth=1, linestyle=(0, (4, 2)), scaley=False)
    axes.set_xlim(low, high)
    axes.set_xlabel("lower noise ceiling \u03c1")
    axes.set_ylabel("largest mean \u03c1 over layers")
    style.quiet_grid(axes)


@style.styled
def confidence_figure(values: Array, passing: Array | None, n_layers: int, units: str) -> Figure:
    """Draw the distribution of the confidence, and one over the number of layers."""
    figure = style.new_figure(9.0, 2.5)
    axes = figure.subplots()
    edges = np.linspace(0, 1, 41).tolist()
    known = np.isfinite(values)
    if passing is None or (known & ~passing).any():
        axes.hist(values[known], edges, color=style.POSITIVE, alpha=0.35, label=f"all {units}")
    if passing is not None and (known & passing).any():
        axes.hist(values[known & passing], edges, color=style.POSITIVE,
                  label=f"significant {units}")  # fmt: skip
    axes.axvline(1 / n_layers, color=style.INK, linewidth=1, linestyle=(0, (4, 2)),
                 label=f"1 / {n_layers} layers")  # fmt: skip
    axes.set_xlabel("share of resamples with the same best layer")
    axes.set_ylabel(units)
    axes.set_xlim(0, 1)
    figure.legend(loc="outside upper right", ncols=3)
    return figure
