"""What goes in and comes out: labels over time, learning curves, hidden layer, maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bidsapp.recipes.emotion3d.figures.decoders import entitle, stamp
from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.volume import Volume, nearest
from bidsapp.report.timing import short_run

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
    chosen_s: float,
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
                look: dict[str, Any] = {
                    "markersize": 3.5,
                    "markeredgecolor": "white",
                    "markeredgewidth": 0.5,
                }
                look |= {"color": colour, "label": "epoch that was kept"}
                axes.plot(kept["epoch"], kept[column], "o", **look)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        style.quiet_grid(axes)
        entitle(axes, what + " (nats)" * (what == "loss"), leaky=leaky)
    handles = panels[0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


_METHODS = {"ig": ("Integrated gradients", style.POSITIVE), "gradcam": ("Grad-CAM", style.CEILING)}


@style.styled
def embedding_figure(
    points: pd.DataFrame, colours: Mapping[str, str], *, leaky: bool = False
) -> Figure:
    """Scatter held-out volumes on the two main directions of the hidden layer of each fold.

    Parameters
    ----------
    points
        Columns fold, label, x, y.
    colours
        Of the classes.
    leaky
        Whether folds are leaky.
    """
    folds = list(dict.fromkeys(points["fold"]))
    columns = min(len(folds), 4)
    width_in = 9.0 if columns > 2 else 3.1 * columns + 0.5
    figure, grid = style.tiles(len(folds), columns, 2.35, 0.5, width_in=width_in)
    for axes, fold in zip(grid.ravel(), folds, strict=False):
        here = points[points["fold"] == fold]
        bare = here[here["label"].isna()]
        axes.scatter(bare["x"], bare["y"], s=7, color="#dde2e7", linewidth=0)
        for name, colour in colours.items():
            own = here[here["label"] == name]
            axes.scatter(own["x"], own["y"], s=13, color=colour, alpha=0.85, linewidth=0)
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(style.FAINT)
        axes.set_xticks([])
        axes.set_yticks([])
        entitle(axes, _title(here, str(fold)), leaky=leaky)
    shown = {**colours, "no label": "#c9d0d6"}
    handles = [style.key(colour, name) for name, colour in shown.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 7))
    return figure


def _title(points: pd.DataFrame, fold: str) -> str:
    """Name the run that was held out, or the fold if it holds volumes of several."""
    runs = list(points["run"].dropna().unique()) if "run" in points else []
    return short_run(runs[0]) if len(runs) == 1 else fold


@style.styled
def randomised_figure(table: pd.DataFrame) -> Figure:
    """Draw how alike maps stay when layers are made random from the output down.

    Parameters
    ----------
    table
        Columns method, randomised, similarity; ``labels`` is the check with shifted labels.
    """
    figure = style.new_figure(9.0, 2.9)
    axes = figure.subplots()
    layers = list(dict.fromkeys(table.loc[table["randomised"] != "labels", "randomised"]))
    place = len(layers) + 0.4
    shifted = table[table["randomised"] == "labels"]["similarity"].notna().any()
    for method, (title, colour) in _METHODS.items():
        own = table[table["method"] == method].set_index("randomised")["similarity"]
        values = [float(own.get(name, np.nan)) for name in layers]
        axes.plot(range(len(layers)), values, "o-", color=colour, markersize=5, label=title)
        if shifted:
            axes.plot([place], [float(own.get("labels", np.nan))], "D", color=colour)
    axes.axhline(0, color=style.MUTED, linewidth=0.7)
    places, names = [*map(float, range(len(layers)))], _layers(layers)
    if shifted:
        axes.axvline(place - 0.7, color=style.FAINT, linewidth=1)
        places, names = [*places, place], [*names, "labels\nshifted"]
    axes.set_xticks(places, names)
    axes.set_xlabel("made random from the output down to this layer")
    axes.set_ylabel("likeness of maps (rank r)")
    axes.set_ylim(min(-0.1, axes.get_ylim()[0]), 1.03)
    style.quiet_grid(axes)
    figure.legend(loc="outside right upper")
    return figure


def _layers(names: Sequence[str]) -> list[str]:
    """Call layers, named from the output down, by their number from the volume up."""
    return [
        "output" if name == "output" else f"layer {len(names) - k}" for k, name in enumerate(names)
    ]


_STEP_MM = 2.0
_WIDTH_IN = 8.0


@dataclass(frozen=True)
class Row:
    """One method's map.

    Attributes
    ----------
    title
        Short, for the left margin.
    volume
        Values, NaN outside.
    top
        End of the colour scale; the other end is its negative.
    quantity
        What is shown, with its unit, beside the colour bar.
    """

    title: str
    volume: Volume
    top: float
    quantity: str


@style.styled
def maps_figure(
    rows: Sequence[Row], levels_mm: Sequence[float], background: Volume | None, title: str
) -> Figure:
    """Draw axial slices of each method's map; the left of the brain is on the left.

    Parameters
    ----------
    rows
        Methods.
    levels_mm
        Heights of the slices, the same for all.
    background
        Anatomy, NaN outside the head; the map's own support when None.
    title
        Heading.
    """
    low, high = _extent(background or rows[0].volume)
    x, y = (np.arange(low[k], high[k], _STEP_MM) for k in (0, 1))
    places = [np.stack(np.broadcast_arrays(*np.meshgrid(x, y), level), -1) for level in levels_mm]
    points = np.concatenate(places, axis=1)
    grey = _background(background, points)
    row_in = _WIDTH_IN * len(y) / (len(x) * len(levels_mm))
    figure = style.new_figure(9.0, 0.4 + (row_in + 0.06) * len(rows))
    figure.suptitle(title, x=0.004, ha="left", fontsize=9.5, weight="bold")
    panels = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    colours = style.signed_colours()
    for axes, row in zip(panels, rows, strict=True):
        norm = Normalize(-row.top, row.top)
        picture = _coloured(row.volume, points, grey, colours, norm)
        axes.imshow(picture, origin="lower", aspect="equal", interpolation="nearest")
        style.bare(axes)
        axes.set_ylabel(row.title, fontsize=8)
        _bar(axes, row, ScalarMappable(norm, colours))
    for number, level in enumerate(levels_mm):
        panels[0].text(
            (number + 0.5) * len(x), len(y) + 2, f"z = {level:g} mm".replace("-", style.MINUS),
            ha="center", fontsize=7.5, color=style.MUTED,
        )  # fmt: skip
    return figure


def _bar(axes: Axes, row: Row, mappable: ScalarMappable) -> None:
    """Draw the colour bar; of values without a sign only its upper half."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    ends = [0, row.top] if np.nanmin(row.volume.data) >= 0 else [-row.top, 0, row.top]
    ticks = {value: _short(value) for value in ends}
    bar = style.colour_bar(figure, mappable, ticks=ticks, ax=axes, shrink=0.75, aspect=9, pad=0.01)
    bar.ax.set_ylim(ends[0], ends[-1])
    bar.set_label(row.quantity, fontsize=7)


def _background(background: Volume | None, points: Array) -> Array:
    """Grey of the anatomy at some points, 1 (white) outside the head."""
    if background is None:
        return np.ones(points.shape[:-1])
    anatomy = nearest(background, points)
    top = np.nanpercentile(background.data, 99.5)
    return np.where(np.isfinite(anatomy), 0.3 + 0.6 * np.clip(anatomy / top, 0, 1), 1.0)


def _coloured(
    volume: Volume, points: Array, grey: Array, colours: Colormap, norm: Normalize
) -> Array:
    """Colour of a map over grey, the fainter the nearer to zero."""
    values = nearest(volume, points)
    defined = np.isfinite(values)
    shown = np.where(defined, values, 0.0)
    colour = np.asarray(colours(norm(shown)))[..., :3]
    strength = np.clip(np.abs(shown) / (norm.vmax or 1.0), 0.15, 1.0)
    opacity = np.where(defined, strength, 0.0)[..., None]
    return np.asarray(np.clip(opacity * colour + (1 - opacity) * grey[..., None], 0, 1))


def _short(value: float) -> str:
    return f"{value:.1g}".replace("-", style.MINUS).replace("e" + style.MINUS + "0", "e-")


def _extent(volume: Volume) -> tuple[Array, Array]:
    """Millimetres that the defined part of a volume spans, with a margin."""
    places = np.argwhere(np.isfinite(volume.data))
    if not len(places):
        places = np.argwhere(np.ones(volume.data.shape, bool))
    ends = places @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return ends.min(axis=0) - 4, ends.max(axis=0) + 4


def scale_of(values: Array) -> float:
    """Return the end of a colour scale symmetric about zero; 1 without values."""
    finite = np.abs(values[np.isfinite(values)])
    top = float(np.percentile(finite, 99)) if finite.size else 0.0
    return top if top > 0 else 1.0
