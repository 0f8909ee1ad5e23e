"""Observed scores beside what circular shifts of the data produce."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array


@dataclass(frozen=True)
class NullData:
    """Observed and null scores at one set of lags.

    Attributes
    ----------
    observed
        (n_parcels,) best score over layers of each parcel.
    null_max
        (n_shifts,) maximum over layers and parcels of each shift.
    observed_mean, null_mean
        Mean over layers and parcels, and its value in each shift.
    level
        Family-wise p-value that counts as significant.
    """

    observed: Array
    null_max: Array
    observed_mean: float = np.nan
    null_mean: Array | None = None
    level: float = 0.05

    @property
    def threshold(self) -> float:
        """Score above which (b + 1)/(m + 1) is below `level`; infinite with too few shifts."""
        finite = np.sort(self.null_max[np.isfinite(self.null_max)])[::-1]
        allowed = math.ceil(round(self.level * (finite.size + 1), 9)) - 2
        return float(finite[allowed]) if allowed >= 0 else math.inf


@style.styled
def null_figure(positive: NullData, negative: NullData | None, unit: str = "parcels") -> Figure:
    """Draw the histogram of observed scores, and the nulls of their maximum and mean.

    Parameters
    ----------
    positive, negative
        Lags of interest, and the control.
    unit
        What was tested.
    """
    figure = style.new_figure(9.0, 3.4)
    left, middle, right = figure.subplots(1, 3, width_ratios=[2.1, 1, 1])
    _observed(left, positive, negative, unit)
    largest = np.nanmax(positive.observed, initial=-np.inf)
    _null(middle, positive.null_max, largest, "largest r")
    _null(right, positive.null_mean, positive.observed_mean, "mean r")
    handles = [
        handle
        for axes, number in ((left, 3), (middle, 2))
        for handle in axes.get_legend_handles_labels()[0][:number]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _observed(axes: Axes, positive: NullData, negative: NullData | None, unit: str) -> None:
    pools = [positive.observed, np.array([positive.threshold])]
    pools += [] if negative is None else [negative.observed]
    pooled = np.concatenate(pools)
    pooled = pooled[np.isfinite(pooled)]
    if not pooled.size:
        axes.text(0.5, 0.5, "no finite score", ha="center", transform=axes.transAxes)
        return
    edges = np.linspace(pooled.min(), pooled.max() + 1e-9, 32).tolist()
    axes.hist(positive.observed, edges, color=style.POSITIVE, alpha=0.75, label="positive lags")
    if negative is not None:
        axes.hist(
            negative.observed, edges, histtype="step", color=style.NEGATIVE, linewidth=1.4,
            label="negative lags (control)",
        )  # fmt: skip
    if math.isfinite(positive.threshold):
        axes.axvline(
            positive.threshold, color=style.INK, linewidth=1.1, linestyle=(0, (4, 2)),
            label=f"{100 * positive.level:g} % family-wise (r = {positive.threshold:.3f})",
        )  # fmt: skip
    axes.set_xlabel("best r over layers")
    axes.set_ylabel(unit)
    axes.set_title(f"observed {unit}")


def _null(axes: Axes, null: Array | None, observed: float, what: str) -> None:
    finite = np.array([]) if null is None else null[np.isfinite(null)]
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(what)
    if not finite.size:
        axes.text(0.5, 0.5, "not computed", ha="center", transform=axes.transAxes)
        return
    axes.hist(finite, bins=min(30, 5 + finite.size // 8), color=style.FAINT, edgecolor="#b9c1c9",
              linewidth=0.5, label=f"{finite.size} shifts")  # fmt: skip
    axes.locator_params(axis="x", nbins=4)
    if np.isfinite(observed):
        axes.axvline(observed, color=style.POSITIVE, linewidth=2, label="observed")
        axes.set_title(f"{what}: {observed:.3f}".replace("-", style.MINUS))
