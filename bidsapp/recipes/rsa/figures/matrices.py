"""Dissimilarity matrices: those of the layers (Figure 5 of the paper), and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_COLUMNS = 5
_MOST_NAMES = 10
_PALE = 0.35
_LONG_NAME = 14


@dataclass(frozen=True)
class Matrices:
    """Dissimilarity matrices of the same items.

    Attributes
    ----------
    titles
        Of each.
    rdms
        (n, n_pairs), condensed.
    clip
        (n_items,) number of the clip, items of a clip beside each other.
    clip_names
        Of each clip.
    compared
        (n_pairs,) bool: pairs that enter the analysis.
    """

    titles: Sequence[str]
    rdms: Array
    clip: Array
    clip_names: Sequence[str]
    compared: Array

    @property
    def borders(self) -> Array:
        """First item of each clip but the first."""
        return np.flatnonzero(np.diff(self.clip)) + 1


@style.styled
def matrices_figure(data: Matrices) -> Figure:
    """Draw each matrix as ranks, clips framed, pairs that are not compared pale."""
    n = len(data.titles)
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    figure = style.new_figure(9.0, (1.72 * rows + 0.15) * 5 / max(columns, 4))
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, axes in enumerate(grid.ravel()):
        if number >= n:
            axes.axis("off")
            continue
        _matrix(axes, data, number)
    first = grid[0, 0]
    _clip_names(first, data)
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), mpl.colormaps["cividis"]),
        ax=list(grid.ravel()), shrink=0.6, aspect=22, pad=0.01,
    )  # fmt: skip
    bar.set_ticks([0, 0.5, 1], labels=["most alike", "median", "least alike"])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=7)
    return figure


def ranks(rdm: Array) -> Array:
    """Ranks of (n_pairs,) dissimilarities from 0 to 1; NaN stays."""
    out = np.full(len(rdm), np.nan)
    known = np.isfinite(rdm)
    if known.sum() > 1:
        out[known] = (rankdata(rdm[known]) - 1) / (known.sum() - 1)
    return out


def _matrix(axes: Axes, data: Matrices, number: int) -> None:
    square = squareform(ranks(data.rdms[number]), checks=False)
    strength = squareform(np.where(data.compared, 1.0, _PALE), checks=False)
    strength[~np.isfinite(square)] = 0.0
    strength[np.diag_indices_from(strength)] = 0.0
    colours = mpl.colormaps["cividis"](np.nan_to_num(square))[..., :3]
    shown = strength[..., None] * colours + (1 - strength[..., None])
    axes.imshow(shown, interpolation="nearest")
    for border in data.borders:
        axes.axhline(border - 0.5, color="white", linewidth=0.5)
        axes.axvline(border - 0.5, color="white", linewidth=0.5)
    axes.set_title(data.titles[number], fontsize=8.5, pad=3)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _clip_names(axes: Axes, data: Matrices) -> None:
    starts = np.concatenate([[0], data.borders, [len(data.clip)]])
    middles = (starts[:-1] + starts[1:] - 1) / 2
    if len(middles) > _MOST_NAMES:
        axes.set_ylabel(f"{len(middles)} clips", fontsize=7.5)
        return
    axes.set_yticks(middles, [short_clip(name) for name in data.clip_names], fontsize=6.5)
    axes.tick_params(length=0, pad=2)


def short_clip(name: str) -> str:
    """Name a clip in little room.

    Examples
    --------
    >>> short_clip("music/lullaby.flac")
    'lullaby'
    """
    folderless = name.rpartition("/")[2]
    for extension in (".wav", ".flac", ".mp3", ".ogg"):
        folderless = folderless.replace(extension, "")
    return folderless if len(folderless) <= _LONG_NAME else f"{folderless[: _LONG_NAME - 1]}…"


@style.styled
def likeness_figure(names: Sequence[str], correlations: Array, n_layers: int) -> Figure:
    """Draw the rank correlations of layers, and of nuisances, with each other.

    Parameters
    ----------
    names
        Layers from shallow to deep, then nuisances.
    correlations
        (n, n) symmetric.
    n_layers
        How many are layers.
    """
    n = len(names)
    figure = style.new_figure(9.0, min(0.27 * n + 1.4, 6.4))
    axes = figure.subplots()
    image = axes.imshow(correlations, cmap=style.signed_colours(), vmin=-1, vmax=1)
    axes.set_xticks(range(n), style.short_layers(names), rotation=45, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    axes.set_yticks(range(n), style.short_layers(names))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if n <= 18:
        _write_values(axes, correlations)
    if 0 < n_layers < n:
        axes.axhline(n_layers - 0.5, color=style.INK, linewidth=1)
        axes.axvline(n_layers - 0.5, color=style.INK, linewidth=1)
    axes.set_anchor("W")
    bar = figure.colorbar(image, cax=axes.inset_axes((1.04, 0.2, 0.025, 0.6)))
    bar.outline.set_visible(False)
    bar.ax.set_title("\u03c1", fontsize=8, weight="normal", loc="left")
    return figure


def _write_values(axes: Axes, correlations: Array) -> None:
    for row, values in enumerate(correlations):
        for column, value in enumerate(values):
            if row == column or not np.isfinite(value):
                continue
            text = f"{round(value, 2) + 0.0:.2f}".replace("0.", ".", 1).replace("-", style.MINUS)
            colour = "white" if abs(value) > 0.6 else style.INK
            axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
