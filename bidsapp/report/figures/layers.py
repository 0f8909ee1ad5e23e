"""Layer profiles: a score by layer, as one large panel or one panel per region or rating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_KIND_MARKERS = {"input": "s", "conv": "o", "relu": "^", "pool": "D", "fc": "P", "output": "s"}
_OFF_SCALE = 1.6
_FRONT = 20  # zorder of the first curve
_MEDIAN = (0, (2, 1.5))
_DASHES = ((0, (6, 2)), (0, (3, 2)), (0, (1, 1.5)), (0, (5, 1, 1, 1)))


@dataclass(frozen=True)
class Line:
    """One curve over layers; all arrays (n_layers,), NaN where missing.

    Attributes
    ----------
    label
        In the legend.
    values
        Score of each layer.
    low, high, band
        Ends of a band about it, and what the band is called; no legend entry when empty.
    median
        A second, dotted curve.
    passed
        bool: filled dots where the layer is significant, open ones elsewhere.
    pieces
        Name → scores of single pieces, thin and grey.
    colour
        Of curve and band.
    dashed
        Whether the curve is a reference.
    """

    label: str
    values: Array
    low: Array | None = None
    high: Array | None = None
    band: str = ""
    median: Array | None = None
    passed: Array | None = None
    pieces: Mapping[str, Array] = field(default_factory=dict)
    colour: str = style.POSITIVE
    dashed: bool = False

    @classmethod
    def over_units(cls, label: str, scores: Array, colour: str = style.POSITIVE) -> Line:
        """Summarise (n_layers, n_units) scores by mean, median and interquartile range.

        Units without a finite score are left out.
        """
        kept = scores[:, np.isfinite(scores).any(axis=0)]
        if kept.shape[1] == 0:
            empty = np.full(len(scores), np.nan)
            return cls(label, empty, colour=colour)
        low, median, high = np.nanpercentile(kept, [25, 50, 75], axis=1)
        return cls(label, np.nanmean(kept, axis=1), low, high, median=median, colour=colour)


@dataclass(frozen=True)
class Profile:
    """What `profile_figure` shows.

    Attributes
    ----------
    layers
        Names, first to last.
    lines
        Curves; the first is on top.
    y_label
        Of the scores.
    kinds
        Of the layers (``conv``, ``relu`` …): markers, and shading by stage; empty for none.
    references
        Name → score of other feature spaces, as dashed lines.
    ceiling
        Noise ceiling; NaN for none.
    bars, bars_label
        (n_layers,) numbers below the curves, such as the variance kept (%); None for none.
    """

    layers: Sequence[str]
    lines: Sequence[Line]
    y_label: str
    kinds: Sequence[str] = ()
    references: Mapping[str, float] = field(default_factory=dict)
    ceiling: float = np.nan
    bars: Array | None = None
    bars_label: str = ""


@style.styled
def profile_figure(profile: Profile) -> Figure:
    """Draw curves over layers with their reference lines, and bars below them."""
    bars = profile.bars if is_known(profile.bars) else None
    figure = style.new_figure(9.0, 3.8 if bars is None else 4.5)
    if bars is None:
        main = strip = figure.subplots()
    else:
        main, strip = figure.subplots(2, 1, sharex=True, height_ratios=[4.2, 1])
        strip.bar(np.arange(1, len(bars) + 1), bars, width=0.7, color=style.FAINT)
        strip.set_ylabel(profile.bars_label)
        strip.locator_params(axis="y", nbins=3)
    for number, line in enumerate(profile.lines):
        _line(main, line, _FRONT - number, kinds=profile.kinds, markers=True)
    _references(main, profile.references, len(profile.layers))
    _ceiling(main, profile.ceiling)
    main.axhline(0, color=style.MUTED, linewidth=0.7)
    main.set_ylabel(profile.y_label)
    style.quiet_grid(main)
    _shade_stages(main, profile.kinds)
    strip.set_xlim(0.4, len(profile.layers) + 0.6)
    name_layers(strip, profile.layers, rotation=45, size=8)
    _legend(figure, [main])
    return figure


@dataclass(frozen=True)
class Panel:
    """Curves of one region or rating; `references` as in `Profile`."""

    title: str
    lines: Sequence[Line]
    references: Mapping[str, float] = field(default_factory=dict)


@style.styled
def panels_figure(
    panels: Sequence[Panel], layers: Sequence[str], y_label: str, *, n_columns: int = 4
) -> Figure:
    """Draw one small panel per region or rating, on one scale.

    Parameters
    ----------
    panels
        In order.
    layers
        Names, first to last.
    y_label
        Of the scores.
    n_columns
        At most.
    """
    n_columns = min(n_columns, len(panels))
    row_in = 1.85 if n_columns > 2 else 2.4
    figure, grid = style.tiles(len(panels), n_columns, row_in, 1.25, shared=True)
    for axes, panel in zip(grid.ravel(), panels, strict=False):
        for number, line in enumerate(panel.lines):
            _line(axes, line, _FRONT - number)
        for (name, value), dash in zip(panel.references.items(), _DASHES, strict=False):
            axes.axhline(value, color=style.MUTED, linewidth=1, linestyle=dash, label=name)
        axes.axhline(0, color=style.MUTED, linewidth=0.6)
        axes.set_title(panel.title, fontsize=9)
        style.quiet_grid(axes)
        name_layers(axes, layers, rotation=60, size=7, most=7 if n_columns > 2 else 30)
    for axes in lowest(grid, len(panels)):
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel(y_label)
    _legend(figure, list(grid.ravel()))
    return figure


def best_words(panels: Sequence[Panel], layers: Sequence[str]) -> str:
    """Say which layer is best in the first line of each panel, for those who cannot see it."""
    words = []
    for panel in panels:
        values = panel.lines[0].values
        if np.isfinite(values).any():
            best = int(np.nanargmax(values))
            words.append(f"{panel.title}: best {values[best]:.3f} in {layers[best]}")
    return "; ".join(words) + "."


def lowest(grid: NDArray[Any], n_panels: int) -> list[Axes]:
    """Return the lowest used axes of each column of a grid that is filled row by row."""
    n_rows, n_columns = grid.shape
    used = np.arange(grid.size).reshape(n_rows, n_columns) < n_panels
    return [grid[used[:, column].sum() - 1, column] for column in range(min(n_columns, n_panels))]


def is_known(values: Array | None) -> bool:
    """Whether there is a finite value."""
    return values is not None and bool(np.isfinite(values).any())


def _line(
    axes: Axes, line: Line, zorder: int, *, kinds: Sequence[str] = (), markers: bool = False
) -> None:
    x = np.arange(1, len(line.values) + 1)
    for number, scores in enumerate(line.pieces.values()):
        label = "single pieces" if number == 0 else None
        axes.plot(x, scores, color=style.MUTED, linewidth=0.7, alpha=0.6, label=label, zorder=1)
    if line.low is not None and line.high is not None and is_known(line.low):
        label = line.band or None
        band: dict[str, Any] = {"color": line.colour, "alpha": 0.15, "linewidth": 0, "zorder": 1}
        axes.fill_between(x, line.low, line.high, label=label, **band)
    dash = _DASHES[1] if line.dashed else "-"
    look = {"color": line.colour, "linewidth": 1.8, "linestyle": dash, "zorder": zorder}
    axes.plot(x, line.values, label=line.label, **look)  # type: ignore[arg-type]
    if line.median is not None:
        look = {"color": line.colour, "linewidth": 1, "linestyle": _MEDIAN, "label": "median"}
        axes.plot(x, line.median, **look)  # type: ignore[arg-type]
    if line.passed is not None:
        _dots(axes, x, line, zorder)
    elif markers and not line.dashed:
        names = kinds or ["conv"] * len(x)
        for place, value, kind in zip(x, line.values, names, strict=False):
            marker = _KIND_MARKERS.get(kind.lower(), "o")
            axes.plot(place, value, marker, color=line.colour, ms=4.5, mew=0, zorder=zorder)


def _dots(axes: Axes, x: Array, line: Line, zorder: int) -> None:
    passed = np.asarray(line.passed, dtype=bool)
    open_dots = {"color": "white", "mec": line.colour, "ms": 3.5, "zorder": zorder}
    filled = {"color": line.colour, "ms": 4.5, "zorder": zorder}
    axes.plot(x[~passed], line.values[~passed], "o", **open_dots)  # type: ignore[arg-type]
    axes.plot(x[passed], line.values[passed], "o", label="p \u2264 .05", **filled)  # type: ignore[arg-type]


def _references(axes: Axes, references: Mapping[str, float], n_layers: int) -> None:
    finite = {name: value for name, value in references.items() if np.isfinite(value)}
    for value, dash in zip(finite.values(), _DASHES * len(finite), strict=False):
        axes.axhline(value, color=style.MUTED, linewidth=1, linestyle=dash)
    heights = spread_labels(list(finite.values()), 0.045 * _span(axes))
    for name, height in zip(finite, heights, strict=True):
        look: dict[str, Any] = {"fontsize": 8, "color": style.MUTED, "annotation_clip": False}
        look |= {"xytext": (3, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(name, (n_layers + 0.6, height), **look)


def _ceiling(axes: Axes, ceiling: float) -> None:
    if not np.isfinite(ceiling):
        return
    top = axes.get_ylim()[1]
    if ceiling <= _OFF_SCALE * top:
        axes.axhline(ceiling, color=style.CEILING, linewidth=1.2, label="noise ceiling")
        axes.set_ylim(top=max(top, ceiling + 0.05 * _span(axes)))
        return
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "va": "top"}
    words = f"↑ noise ceiling {ceiling:.2f}"
    axes.text(0.995, 0.98, words, fontsize=8, color=style.CEILING, **place)


def _span(axes: Axes) -> float:
    low, high = axes.get_ylim()
    return high - low


def spread_labels(values: Sequence[float], gap: float) -> list[float]:
    """Move label positions apart so that neighbours are at least `gap` from each other.

    Parameters
    ----------
    values
        Wanted positions.
    gap
        Smallest distance.
    """
    order = np.argsort(values, kind="stable")
    placed = np.asarray(values, dtype=float)[order]
    for index in range(1, len(placed)):
        placed[index] = max(placed[index], placed[index - 1] + gap)
    if len(placed):
        placed += np.mean(np.asarray(values)[order] - placed)
    result = np.empty(len(placed))
    result[order] = placed
    return [float(value) for value in result]


def _shade_stages(axes: Axes, kinds: Sequence[str]) -> None:
    """Shade every other stage of the network; a stage ends after a pooling layer."""
    start, dark = 0.5, False
    following_kinds = [*kinds[1:], ""]
    for place, (kind, following) in enumerate(zip(kinds, following_kinds, strict=False), start=1):
        ends = kind in {"input", "pool"} or following in {"", "output"}
        if ends or (kind != "fc" and following == "fc"):
            if dark:
                axes.axvspan(start, place + 0.5, color=style.FAINT, alpha=0.35, linewidth=0)
            start, dark = place + 0.5, not dark


def name_layers(
    axes: Axes, layers: Sequence[str], *, rotation: int, size: int, most: int = 40
) -> None:
    """Write names of layers below axes whose places are 1, 2, …; not more than `most`."""
    n = len(layers)
    places = list(range(1, n + 1))
    if n > most:
        places = sorted({round(place) for place in np.linspace(1, n, most)})
    names = style.short_layers([layers[place - 1] for place in places])
    axes.set_xticks(
        places, names, rotation=rotation, ha="right", rotation_mode="anchor", fontsize=size
    )


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    entries: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    names, columns = list(entries), min(len(entries), 6)
    figure.legend(list(entries.values()), names, loc="outside upper left", ncols=columns)
