"""What is expected by chance: the maximum over searchlights and layers, and that over layers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.nulls import null_axes, threshold
from bidsapp.report.figures.style import Array


@dataclass(frozen=True)
class Chance:
    """Observed scores and what permutations of clips give.

    Attributes
    ----------
    null
        (n_permutations,) largest score over searchlights and layers.
    observed
        Largest score over searchlights and layers.
    level
        Family-wise p-value up to which a searchlight is significant.
    largest
        (n_units,) largest score over layers.
    expected
        Its mean over units with the clips permuted; NaN unknown.
    expected_each
        (n_units,) the same at each unit, if known.
    mean_largest
        Its mean over units as observed.
    """

    null: Array
    observed: float
    level: float
    largest: Array
    expected: float
    mean_largest: float
    expected_each: Array | None = None


@style.styled
def chance_figure(data: Chance, maximum: str = "largest \u03c1 over layers") -> Figure:
    """Draw both."""
    figure = style.new_figure(9.0, 3.3)
    left, right = figure.subplots(1, 2)
    _null(left, data)
    _largest(right, data, maximum)
    return figure


def _null(axes: Axes, data: Chance) -> None:
    axes.set_title("largest \u03c1 over searchlights and layers")
    axes.set_xlabel("\u03c1")
    passing = threshold(data.null, data.level)
    null_axes(
        axes,
        data.null,
        data.observed,
        draws="orders of clips",
        threshold=passing,
        level=data.level,
    )
    if data.null.size:
        axes.set_ylabel("permutations")
        _legend(axes)


def _largest(axes: Axes, data: Chance, title: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("\u03c1")
    known = data.largest[np.isfinite(data.largest)]
    if not known.size:
        axes.text(0.5, 0.5, "no finite score", ha="center", transform=axes.transAxes)
        return
    low, high = np.percentile(known, [0, 99.8])
    edges = np.linspace(min(low, 0), high, 60).tolist()
    axes.hist(known, edges, color=style.POSITIVE, alpha=0.7, label="observed")
    if data.expected_each is not None and np.isfinite(data.expected_each).any():
        axes.hist(data.expected_each, edges, histtype="step", color=style.NEGATIVE, linewidth=1.3,
                  label="clips permuted")  # fmt: skip
    axes.axvline(0, color=style.INK, linewidth=0.7)
    if math.isfinite(data.mean_largest):
        axes.axvline(data.mean_largest, color="#063a5e", linewidth=1.8,
                     label=f"mean, observed ({data.mean_largest:.4f})")  # fmt: skip
    if math.isfinite(data.expected):
        axes.axvline(data.expected, color=style.NEGATIVE, linewidth=1.8, linestyle=(0, (4, 2)),
                     label=f"mean, clips permuted ({data.expected:.4f})")  # fmt: skip
    axes.set_ylabel("searchlights")
    _legend(axes)


def _legend(axes: Axes) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, borderaxespad=0,
                columnspacing=1.2, handlelength=1.6)  # fmt: skip
