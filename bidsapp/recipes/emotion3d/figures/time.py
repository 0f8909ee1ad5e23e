"""Over time: labels along the runs, scores over hemodynamic shifts, learning over epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bidsapp.recipes.emotion3d.figures.colours import entitle, stamp
from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_NONE = "#eceff1"


@dataclass(frozen=True)
class RunLabels:
    """Classes along one run.

    Attributes
    ----------
    name
        Of the run.
    time_s : array of shape (n,)
        Of volumes.
    true
        (n,) names, None without a label.
    predicted
        Decoder → (n,) names.
    """

    name: str
    time_s: Array
    true: Sequence[str | None]
    predicted: Mapping[str, Sequence[str | None]]


@style.styled
def timeline_figure(runs: Sequence[RunLabels], colours: Mapping[str, str]) -> Figure:
    """Draw classes along each run: the labels, and thinner below what decoders said."""
    n_strips = 1 + max((len(run.predicted) for run in runs), default=0)
    figure = style.new_figure(9.0, 0.75 + len(runs) * (0.34 + 0.17 * n_strips))
    grid = figure.subplots(len(runs), 1, squeeze=False, sharex=True)[:, 0]
    for axes, run in zip(grid, runs, strict=True):
        strips = {"labels": run.true, **run.predicted}
        ticks = []
        for number, classes in enumerate(strips.values()):
            low, height = (-0.9, 0.9) if number == 0 else (-0.9 - 0.62 * number, 0.5)
            _strip(axes, run.time_s, classes, colours, low, height)
            ticks.append(low + height / 2)
        axes.set_yticks(ticks, list(strips), fontsize=7)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.95 - 0.62 * (len(strips) - 1), 0.05)
        axes.set_title(run.name, fontsize=8.5, weight="normal", pad=2)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="x", length=2 if axes is grid[-1] else 0)
    grid[-1].set_xlabel("time in the run (s)")
    handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
    handles.append(Patch(color=_NONE, label="no label"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 7))
    return figure


def _strip(
    axes: Axes, time_s: Array, classes: Sequence[str | None], colours: Mapping[str, str],
    low: float, height: float,
) -> None:  # fmt: skip
    if not len(time_s):
        return
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    for name, spans in _spans(time_s, classes, step).items():
        colour = _NONE if name is None else colours.get(name, style.MUTED)
        axes.broken_barh(spans, (low, height), facecolors=colour, linewidth=0)


def _spans(
    time_s: Array, classes: Sequence[str | None], step: float
) -> dict[str | None, list[tuple[float, float]]]:
    """Stretches of each class as (start, length) in s: neighbours of one class are joined."""
    spans: dict[str | None, list[tuple[float, float]]] = {}
    start = 0
    for k in range(1, len(classes) + 1):
        if k < len(classes) and classes[k] == classes[start] and _next(time_s, k, step):
            continue
        span = (float(time_s[start]), float(time_s[k - 1] - time_s[start]) + step)
        spans.setdefault(classes[start], []).append(span)
        start = k
    return spans


def _next(time_s: Array, k: int, step: float) -> bool:
    return bool(time_s[k] - time_s[k - 1] < 1.5 * step)


@style.styled
def lags_figure(
    lags: pd.DataFrame,
    chosen_s: float | None,
    chance: tuple[float, float] | None = None,
    *,
    leaky: bool = False,
) -> Figure:
    """Draw the linear decoder's score over hemodynamic shifts.

    Parameters
    ----------
    lags
        Columns lag_s, balanced_accuracy.
    chosen_s
        The shift of the analysis, fixed beforehand.
    chance
        Central 95 % of scores with labels shifted, at that shift.
    leaky
        Whether the scores mean nothing.
    """
    figure = style.new_figure(9.0, 2.7)
    axes = figure.subplots()
    axes.plot(lags["lag_s"], lags["balanced_accuracy"], "o-", color="#2a7f62", markersize=5)
    if chance is not None:
        axes.axhspan(*chance, color="#ccd3da", linewidth=0, zorder=0)
        axes.annotate(
            "chance: labels shifted, 95 %", (1.0, chance[1]), xytext=(-4, 2),
            xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
            fontsize=8, color=style.MUTED,
        )  # fmt: skip
    if chosen_s is not None:
        axes.axvline(chosen_s, color=style.INK, linewidth=1, linestyle="--")
        axes.annotate(
            "used, fixed beforehand", (chosen_s, 1.0), xycoords=("data", "axes fraction"),
            xytext=(4, -2), textcoords="offset points", va="top", fontsize=8, color=style.MUTED,
        )  # fmt: skip
    axes.set_xlabel("volumes after the stimulus by (s)")
    axes.set_ylabel("balanced accuracy")
    axes.margins(y=0.2)
    style.quiet_grid(axes)
    if leaky:
        stamp(axes)
    return figure


@style.styled
def curves_figure(curves: pd.DataFrame, *, leaky: bool = False) -> Figure:
    """Draw loss and accuracy over epochs: each network thin, their mean thick.

    Parameters
    ----------
    curves
        Columns fold, seed, epoch, loss, accuracy, val_loss, val_accuracy, kept, of one split.
    leaky
        Whether the curves are of a leaky split.
    """
    figure = style.new_figure(9.0, 3.0)
    panels = figure.subplots(1, 2)
    for axes, what in zip(panels, ("loss", "accuracy"), strict=True):
        for column, colour, label in (
            (what, style.POSITIVE, "training volumes, augmented"),
            (f"val_{what}", style.NEGATIVE, "inner held-out part"),
        ):
            if column not in curves or not curves[column].notna().any():
                continue
            wide = curves.pivot_table(index="epoch", columns=["fold", "seed"], values=column)
            axes.plot(wide.index, wide, color=colour, linewidth=0.6, alpha=0.35)
            axes.plot(wide.index, wide.mean(axis=1), color=colour, linewidth=2, label=label)
            if column.startswith("val_") and "kept" in curves:
                kept = curves[curves["kept"] == 1]
                axes.plot(kept["epoch"], kept[column], "o", color=colour, markersize=3.5,
                          markeredgecolor="white", markeredgewidth=0.5,
                          label="epoch that was kept")  # fmt: skip
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        style.quiet_grid(axes)
        entitle(axes, what + " (nats)" * (what == "loss"), leaky=leaky)
    figure.legend(handles=panels[0].get_legend_handles_labels()[0], loc="outside lower center",
                  ncols=3)  # fmt: skip
    return figure
