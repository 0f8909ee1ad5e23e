"""Inter-subject correlation: what the responses of the participants share."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array


@style.styled
def ceiling_figure(isc: Array, reached: Array) -> Figure:
    """Draw the sorted ceilings of all parcels, and what the best layer reaches of each.

    Parameters
    ----------
    isc
        (n_parcels,) inter-subject correlation.
    reached
        (n_parcels,) mean score of the best layer; NaN where it is not known by parcel.
    """
    figure = style.new_figure(9.0, 2.9)
    known = bool(np.isfinite(reached).any())
    panels = figure.subplots(1, 1 + known, squeeze=False, width_ratios=[1.6, 1][: 1 + known])[0]
    order = np.argsort(np.where(np.isfinite(isc), isc, -np.inf))[::-1]
    x = np.arange(1, len(isc) + 1)
    left = panels[0]
    left.plot(x, isc[order], color=style.CEILING, linewidth=1.6, label="ISC (noise ceiling)")
    if known:
        dots = {"color": style.POSITIVE, "linestyle": "", "marker": "o"}
        left.plot(x, reached[order], ms=3, label="best layer, mean r", **dots)
        _beside(panels[1], isc, reached)
    left.axhline(0, color=style.MUTED, linewidth=0.7)
    left.set_xlabel("parcels, sorted by ISC")
    left.set_ylabel("correlation")
    left.set_title("parcels")
    style.legend_above(left)
    style.quiet_grid(left)
    return figure


def _beside(axes: Axes, isc: Array, reached: Array) -> None:
    axes.plot(isc, reached, "o", color=style.POSITIVE, markersize=3.5, alpha=0.8)
    top = float(np.nanmax(np.concatenate([isc, reached, [0.05]])))
    axes.plot([0, top], [0, top], color=style.CEILING, linewidth=1, linestyle=(0, (4, 2)))
    axes.set_xlabel("ISC")
    axes.set_ylabel("best layer, mean r")
    axes.set_title("reached against possible")
    style.quiet_grid(axes)
