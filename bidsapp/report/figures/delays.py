"""Scores at several delays of the response behind the music."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bidsapp.report.figures import style


@style.styled
def delay_figure(
    delays_s: NDArray[np.floating],
    scores: NDArray[np.floating],
    mean: NDArray[np.floating],
    span: tuple[float, float],
    x_label: str,
    y_label: str,
) -> Figure:
    """Draw one line per place or layer over delays, and what they have in common.

    Parameters
    ----------
    delays_s : array, (n_delays,)
    scores : array, (n_lines, n_delays)
    mean : array, (n_delays,)
        Drawn thick.
    span
        Delays that the model has, shaded.
    x_label, y_label
        Of the axes.
    """
    figure = style.new_figure(5.0, 3.0)
    axes = figure.add_subplot()
    axes.axvspan(*span, color=style.FAINT, alpha=0.5, zorder=0)
    axes.plot(delays_s, scores.T, color=style.MUTED, linewidth=0.5, alpha=0.5)
    axes.plot(delays_s, mean, "o-", color=style.POSITIVE, linewidth=2)
    axes.axhline(0, color=style.MUTED, linewidth=0.6)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    style.quiet_grid(axes)
    return figure
