"""What each class was taken for, how often it was recognised, and whether to trust certainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bidsapp.recipes.emotion3d.figures.colours import DARK_SHARE, SHARES, decoder_colour, entitle
from bidsapp.recipes.emotion3d.names import DECODERS
from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array


@dataclass(frozen=True)
class Confusion:
    """Counts (n_classes, n_classes) of true by predicted class, and of which split they are."""

    title: str
    counts: Array
    split: str
    leaky: bool = False


@style.styled
def confusion_figure(tables: Sequence[Confusion], classes: Sequence[str]) -> Figure:
    """Draw confusion matrices, one row for each split: colour is the share of the true class."""
    splits = list(dict.fromkeys(table.split for table in tables))
    figure = style.new_figure(9.0, 3.75 * len(splits))
    grid = figure.subplots(len(splits), 3, squeeze=False)
    for panels, split in zip(grid, splits, strict=True):
        own = [table for table in tables if table.split == split]
        for number, (axes, table) in enumerate(zip(panels, own, strict=False)):
            _matrix(axes, table, classes, first=number == 0)
        for axes in panels[len(own) :]:
            axes.remove()
    return figure


def _matrix(axes: Axes, table: Confusion, classes: Sequence[str], *, first: bool) -> None:
    total = table.counts.sum(axis=1, keepdims=True)
    share = np.where(total > 0, table.counts / np.maximum(total, 1), np.nan)
    axes.imshow(share, cmap=SHARES, vmin=0, vmax=1, aspect="equal")
    for (i, j), count in np.ndenumerate(table.counts):
        text = "\u2013" if not np.isfinite(share[i, j]) else f"{count:.0f}"
        dark = np.isfinite(share[i, j]) and share[i, j] > DARK_SHARE
        axes.text(j, i, text, ha="center", va="center", fontsize=8,
                  color="white" if dark else style.INK)  # fmt: skip
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, classes if first else [""] * len(classes))
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    if first:
        axes.set_ylabel("true")
    axes.spines[:].set_visible(False)
    entitle(axes, table.title, leaky=table.leaky)


@dataclass(frozen=True)
class Recalls:
    """Recall (n_classes,) of one decoder with its interval; NaN where unknown."""

    decoder: str
    value: Array
    low: Array
    high: Array


@style.styled
def recall_figure(
    panels: Mapping[str, tuple[bool, Sequence[Recalls]]], classes: Sequence[str]
) -> Figure:
    """Draw recalls by class, one panel per split.

    Parameters
    ----------
    panels
        Title → whether it is leaky, and the decoders.
    classes
        In order.
    """
    figure = style.new_figure(9.0, 2.75 * len(panels) + 0.35)
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (title, (leaky, decoders)) in zip(grid, panels.items(), strict=True):
        for number, one in enumerate(decoders):
            x = np.arange(len(classes)) + 0.2 * (number - (len(decoders) - 1) / 2)
            around = np.stack([one.value - one.low, one.high - one.value])
            axes.errorbar(
                x, one.value, yerr=np.maximum(around, 0), fmt="osD^"[number % 4], markersize=5,
                color=_shade(one.decoder), linewidth=1.2, capsize=2,
                label=DECODERS[one.decoder].title,
            )  # fmt: skip
        axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel("recall")
        style.quiet_grid(axes)
        axes.set_xticks(range(len(classes)), classes)
        axes.tick_params(axis="x", length=0, labelbottom=True)
        entitle(axes, title, leaky=leaky, size=34)
    figure.legend(handles=grid[0].get_legend_handles_labels()[0], loc="outside lower center",
                  ncols=4)  # fmt: skip
    return figure


def _shade(decoder: str) -> str:
    return "#7fb79f" if decoder == "parcels" else decoder_colour(decoder)


@dataclass(frozen=True)
class Reliability:
    """Certainty against truth, in bins of the winning class's probability.

    Attributes
    ----------
    decoder, leaky
        What it is of.
    confidence, accuracy : arrays of shape (n_bins,)
        Means of a bin; NaN where it is empty.
    n : array of shape (n_bins,)
    """

    decoder: str
    leaky: bool
    confidence: Array
    accuracy: Array
    n: Array


def reliability(
    decoder: str, probability: Array, correct: Array, *, leaky: bool = False, n_bins: int = 10
) -> Reliability:
    """Bin predictions by the probability of the predicted class.

    Parameters
    ----------
    decoder, leaky
        What it is of.
    probability
        (n,) of the winning class.
    correct
        (n,) whether it was the true one.
    n_bins
        Of equal width between 0 and 1.
    """
    number = np.clip((probability * n_bins).astype(int), 0, n_bins - 1)
    n = np.bincount(number, minlength=n_bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        confidence = np.bincount(number, probability, minlength=n_bins) / n
        accuracy = np.bincount(number, correct.astype(float), minlength=n_bins) / n
    return Reliability(decoder, leaky, confidence, accuracy, n)


@style.styled
def reliability_figure(decoders: Sequence[Reliability]) -> Figure:
    """Draw accuracy against certainty; circles grow with the number of volumes."""
    columns = 4
    figure, grid = style.tiles(len(decoders), columns, 2.75)
    for number, (axes, one) in enumerate(zip(grid.ravel(), decoders, strict=False)):
        axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=0.8, linestyle="--")
        there = one.n > 0
        size = 14 + 160 * one.n[there] / one.n.sum()
        axes.scatter(one.confidence[there], one.accuracy[there], s=size, zorder=3,
                     color=decoder_colour(one.decoder), alpha=0.85)  # fmt: skip
        axes.set_xlim(0, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_aspect("equal")
        axes.set_xlabel("stated probability")
        if number % columns == 0:
            axes.set_ylabel("share correct")
        style.quiet_grid(axes, "both")
        title = DECODERS[one.decoder].title + ", shuffled" * one.leaky
        entitle(axes, title, leaky=one.leaky)
    return figure
