"""Layer profile: mean score of trained and untrained layers, and where they pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.maps import Array


@dataclass(frozen=True)
class LayerProfile:
    """Means over all units, (n_layers,) each; None where there is none.

    Attributes
    ----------
    layers
        Shallow to deep.
    mean, label
        Score, and what to call it.
    low, high
        Interval of the mean over participants.
    raw
        Score without removal of nuisance dissimilarities.
    untrained, untrained_sd
        Mean and standard deviation over networks with random weights.
    n_significant
        Units that pass in the layer.
    """

    layers: Sequence[str]
    mean: Array
    label: str = "score"
    low: Array | None = None
    high: Array | None = None
    raw: Array | None = None
    untrained: Array | None = None
    untrained_sd: Array | None = None
    n_significant: Array | None = None


@style.styled
def layer_figure(data: LayerProfile) -> Figure:
    """Draw the profile, and the number of units that pass below it."""
    below = data.n_significant is not None and bool(np.any(data.n_significant > 0))
    figure = style.new_figure(9.0, 4.4 if below else 3.6)
    if below:
        main, strip = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    else:
        main = strip = figure.subplots()
    x = np.arange(1, len(data.layers) + 1)
    _line(main, x, data.mean, style.POSITIVE, data.label)
    if known(data.low) and known(data.high):
        main.fill_between(x, data.low, data.high, color=style.POSITIVE, alpha=0.15, linewidth=0,
                          label="95 % interval over participants")  # fmt: skip
    if known(data.untrained):
        _untrained(main, x, data)
    if known(data.raw):
        main.plot(x, data.raw, color=style.MUTED, linewidth=1.1, linestyle=(0, (3, 2)),
                  label="nuisances not removed")  # fmt: skip
    main.axhline(0, color=style.INK, linewidth=0.7)
    main.set_ylabel("mean \u03c1 over units")
    style.quiet_grid(main)
    if below and data.n_significant is not None:
        strip.bar(x, data.n_significant, width=0.7,
                  color=style.layer_colours(len(x))(np.arange(len(x))))  # fmt: skip
        strip.set_ylabel("units that\npass")
        strip.locator_params(axis="y", nbins=3)
    strip.set_xticks(x, style.short_layers(data.layers), rotation=45, ha="right",
                     rotation_mode="anchor")  # fmt: skip
    strip.set_xlim(0.4, len(x) + 0.6)
    handles, labels = main.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure


def known(values: Array | None) -> bool:
    """Whether there is anything to draw."""
    return values is not None and bool(np.isfinite(values).any())


def _line(axes: Axes, x: Array, y: Array, colour: str, label: str) -> None:
    axes.plot(x, y, color=colour, linewidth=1.8, marker="o", markersize=4.5, label=label)


def _untrained(axes: Axes, x: Array, data: LayerProfile) -> None:
    if data.untrained is None:
        return
    _line(axes, x, data.untrained, style.NEGATIVE, "untrained")
    if data.untrained_sd is not None and known(data.untrained_sd):
        axes.fill_between(x, data.untrained - data.untrained_sd,
                          data.untrained + data.untrained_sd, color=style.NEGATIVE, alpha=0.18,
                          linewidth=0, label="\u00b1 SD over networks")  # fmt: skip
