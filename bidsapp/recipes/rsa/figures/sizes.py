"""How many units searchlights have, and how far they reach."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array


@style.styled
def sizes_figure(size: Array, radius_mm: Array, units: str) -> Figure:
    """Draw histograms of the number of units and of the radius.

    Parameters
    ----------
    size, radius_mm
        (n_centres,).
    units
        What they consist of.
    """
    figure = style.new_figure(9.0, 2.4)
    left, right = figure.subplots(1, 2)
    _histogram(left, size, f"{units} in a searchlight", whole=True)
    _histogram(right, radius_mm, "distance to the farthest unit (mm)", whole=False)
    left.set_ylabel("searchlights")
    return figure


def _histogram(axes: Axes, values: Array, label: str, *, whole: bool) -> None:
    known = values[np.isfinite(values)]
    axes.set_xlabel(label)
    if not known.size:
        return
    low, high = float(known.min()), float(known.max())
    if whole and high - low < 40:
        edges = np.arange(low - 0.5, high + 1.5)
    else:
        edges = np.linspace(low, high + 1e-6, 41)
    if len(edges) < 12:
        axes.set_xlim(edges[0] - 4, edges[-1] + 4)
    axes.hist(known, edges.tolist(), color=style.POSITIVE, alpha=0.75)
    axes.axvline(float(np.median(known)), color=style.INK, linewidth=1.2,
                 label=f"median {np.median(known):.3g}")  # fmt: skip
    axes.legend(loc="best")
