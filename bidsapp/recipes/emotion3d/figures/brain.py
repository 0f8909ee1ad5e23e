"""Attribution maps: maps of three methods below each other, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.volume import Volume, nearest

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
        _bare(axes)
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
    bar = figure.colorbar(mappable, ax=axes, shrink=0.75, aspect=9, pad=0.01)
    bar.outline.set_visible(False)
    ends = [0, row.top] if np.nanmin(row.volume.data) >= 0 else [-row.top, 0, row.top]
    bar.set_ticks(ends, labels=[_short(value) for value in ends])
    bar.ax.set_ylim(ends[0], ends[-1])
    bar.ax.tick_params(length=2, labelsize=7)
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


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _short(value: float) -> str:
    return f"{value:.1g}".replace("-", style.MINUS).replace("e" + style.MINUS + "0", "e-")


def _extent(volume: Volume) -> tuple[Array, Array]:
    """Millimetres that the defined part of a volume spans, with a margin."""
    places = np.argwhere(np.isfinite(volume.data))
    if not len(places):
        places = np.argwhere(np.ones(volume.data.shape, bool))
    ends = places @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return ends.min(axis=0) - 4, ends.max(axis=0) + 4


def scale_of(values: Array, percentile: float = 99.0) -> float:
    """Return the end of a colour scale symmetric about zero; 1 without values."""
    finite = np.abs(values[np.isfinite(values)])
    top = float(np.percentile(finite, percentile)) if finite.size else 0.0
    return top if top > 0 else 1.0
