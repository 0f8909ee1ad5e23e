"""Inter-subject correlation: what the responses of the participants share."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.maps import Array


@style.styled
def ceiling_figure(isc: Array, reached: Array | None) -> Figure:
    """Draw the sorted ceilings of all parcels, and what the best layer reaches of each.

    Parameters
    ----------
    isc
        (n_parcels,) inter-subject correlation.
    reached
        (n_parcels,) mean score of the best layer; None when it is not known by parcel.
    """
    figure = style.new_figure(9.0, 2.9)
    axes = figure.subplots(1, 2, width_ratios=[1.6, 1]) if reached is not None else (
        [figure.subplots()]
    )  # fmt: skip
    order = np.argsort(np.where(np.isfinite(isc), isc, -np.inf))[::-1]
    x = np.arange(1, len(isc) + 1)
    axes[0].plot(x, isc[order], color=style.CEILING, linewidth=1.6, label="ISC (noise ceiling)")
    if reached is not None:
        axes[0].plot(x, reached[order], "o", color=style.POSITIVE, markersize=3,
                     label="best layer, mean r")  # fmt: skip
        axes[1].plot(isc, reached, "o", color=style.POSITIVE, markersize=3.5, alpha=0.8)
        top = float(np.nanmax(np.concatenate([isc, reached, [0.05]])))
        axes[1].plot([0, top], [0, top], color=style.CEILING, linewidth=1,
                     linestyle=(0, (4, 2)))  # fmt: skip
        axes[1].set_xlabel("ISC")
        axes[1].set_ylabel("best layer, mean r")
        axes[1].set_title("reached against possible")
        style.quiet_grid(axes[1])
    axes[0].axhline(0, color=style.MUTED, linewidth=0.7)
    axes[0].set_xlabel("parcels, sorted by ISC")
    axes[0].set_ylabel("correlation")
    axes[0].set_title("parcels")
    axes[0].legend(loc="upper right")
    style.quiet_grid(axes[0])
    return figure
