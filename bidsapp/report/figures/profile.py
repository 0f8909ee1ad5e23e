"""Layer profiles: how well each layer of a network predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_KIND_MARKERS = {"input": "s", "conv": "o", "relu": "^", "pool": "D", "fc": "P", "output": "s"}
_OFF_SCALE = 1.6


@dataclass(frozen=True)
class Curve:
    """Centre and spread of a score over units, layer by layer: (n_layers,) each."""

    mean: Array
    median: Array
    low: Array
    high: Array

    @classmethod
    def over_units(cls, scores: Array) -> Curve:
        """Summarise (n_layers, n_units) scores; NaN units are left out."""
        kept = scores[:, np.isfinite(scores).any(axis=0)]
        if kept.shape[1] == 0:
            empty = np.full(len(scores), np.nan)
            return cls(empty, empty, empty, empty)
        low, median, high = np.nanpercentile(kept, [25, 50, 75], axis=1)
        return cls(np.nanmean(kept, axis=1), median, low, high)


@dataclass(frozen=True)
class ProfileData:
    """What the profile figure shows.

    Attributes
    ----------
    layers, kinds
        Names and kinds, shallow to deep.
    positive, negative
        Curves at the lags of interest and at the control lags.
    baselines
        Mean score of each baseline feature space over the same units.
    ceiling
        Mean noise ceiling (correlation) over the same units.
    explained
        Share of each layer's variance kept by the PCA, 0 to 1.
    """

    layers: Sequence[str]
    kinds: Sequence[str]
    positive: Curve | None
    negative: Curve | None
    baselines: Mapping[str, float] = field(default_factory=dict)
    ceiling: float | None = None
    explained: Array | None = None


@style.styled
def layer_profile(data: ProfileData) -> Figure:
    """Draw mean, median and quartiles of the score by layer, with its reference lines."""
    shown = data.explained is not None and bool(np.isfinite(data.explained).any())
    figure = style.new_figure(9.0, 4.6 if shown else 3.9)
    if shown:
        main, strip = figure.subplots(2, 1, sharex=True, height_ratios=[4.4, 1])
        _explained(strip, data)
    else:
        main = strip = figure.subplots()
    _curve(main, data.positive, style.POSITIVE, "positive lags", data.kinds)
    _curve(main, data.negative, style.NEGATIVE, "negative lags (control)", None)
    _baselines(main, data.baselines, len(data.layers))
    _ceiling(main, data.ceiling)
    main.axhline(0, color=style.MUTED, linewidth=0.7)
    main.set_ylabel("correlation r")
    style.quiet_grid(main)
    _group_kinds(main, data)
    _layer_ticks(strip, data.layers)
    handles, labels = main.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=6)
    return figure


def _curve(
    axes: Axes, curve: Curve | None, colour: str, label: str, kinds: Sequence[str] | None
) -> None:
    if curve is None:
        return
    x = np.arange(1, len(curve.mean) + 1)
    axes.fill_between(x, curve.low, curve.high, color=colour, alpha=0.13, linewidth=0)
    axes.plot(x, curve.mean, color=colour, linewidth=1.8, label=f"{label}: mean")
    axes.plot(x, curve.median, color=colour, linewidth=1, linestyle=(0, (2, 1.5)), label="median")
    for place, value, kind in zip(x, curve.mean, kinds or (), strict=False):
        marker = _KIND_MARKERS.get(kind.lower(), "o")
        axes.plot(place, value, marker, color=colour, markersize=4.5, markeredgewidth=0)


def _baselines(axes: Axes, baselines: Mapping[str, float], n_layers: int) -> None:
    finite = {name: value for name, value in baselines.items() if np.isfinite(value)}
    dashes = [(0, (6, 2)), (0, (3, 2)), (0, (1, 1.5)), (0, (5, 1, 1, 1))]
    for value, dash in zip(finite.values(), dashes * len(finite), strict=False):
        axes.axhline(value, color=style.MUTED, linewidth=1, linestyle=dash)
    heights = spread_labels(list(finite.values()), 0.045 * _span(axes))
    for name, height in zip(finite, heights, strict=True):
        axes.annotate(
            name, (n_layers + 0.6, height), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=8, color=style.MUTED, annotation_clip=False,
        )  # fmt: skip


def _ceiling(axes: Axes, ceiling: float | None) -> None:
    if ceiling is None or not np.isfinite(ceiling):
        return
    top = axes.get_ylim()[1]
    if ceiling <= _OFF_SCALE * top:
        axes.axhline(ceiling, color=style.CEILING, linewidth=1.2, label="noise ceiling")
        axes.set_ylim(top=max(top, ceiling + 0.05 * _span(axes)))
        return
    axes.annotate(
        f"↑ noise ceiling {ceiling:.2f}", (0.995, 0.98), xycoords="axes fraction",
        ha="right", va="top", fontsize=8, color=style.CEILING,
    )  # fmt: skip


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


def _group_kinds(axes: Axes, data: ProfileData) -> None:
    """Shade every other stage of the network; a stage ends after a pooling layer."""
    start, dark = 0.5, False
    for place, (kind, following) in enumerate(
        zip(data.kinds, [*data.kinds[1:], ""], strict=False), start=1
    ):
        ends = kind in {"input", "pool"} or following in {"", "output"}
        if ends or (kind != "fc" and following == "fc"):
            if dark:
                axes.axvspan(start, place + 0.5, color=style.FAINT, alpha=0.35, linewidth=0)
            start, dark = place + 0.5, not dark


def _explained(axes: Axes, data: ProfileData) -> None:
    share = 100 * np.asarray(data.explained)
    axes.bar(np.arange(1, len(share) + 1), share, width=0.7, color=style.FAINT)
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("variance\nkept (%)")


def _layer_ticks(axes: Axes, layers: Sequence[str]) -> None:
    axes.set_xlim(0.4, len(layers) + 0.6)
    axes.set_xticks(np.arange(1, len(layers) + 1))
    axes.set_xticklabels(
        style.short_layers(layers), rotation=45, ha="right", rotation_mode="anchor"
    )
