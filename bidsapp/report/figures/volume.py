"""Volumes: sampling at the cortex, and mosaics of slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import Look

_STEP_MM = 1.5


@dataclass(frozen=True)
class Volume:
    """A box of values and its (4, 4) affine to millimetres; NaN outside."""

    data: Array
    affine: Array


@dataclass(frozen=True)
class Overlay:
    """A map over slices.

    As in `CortexMap`, colours are paler outside `emphasis`: evenly, or, if `graded`, the more so
    the smaller the value.
    """

    volume: Volume
    look: Look
    graded: bool = False
    emphasis: Volume | None = None


def nearest(volume: Volume, points_mm: Array) -> Array:
    """Values at the voxels nearest to (..., 3) points; NaN outside the box."""
    inverse = np.linalg.inv(volume.affine)
    places = np.rint(points_mm @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((places >= 0) & (places < volume.data.shape)).all(axis=-1)
    values = np.full(places.shape[:-1], np.nan)
    values[inside] = volume.data[tuple(places[inside].T)]
    return values


def at_cortex(
    volume: Volume, inner_mm: Array, outer_mm: Array, *, ordinal: bool, n_depths: int = 6
) -> Array:
    """Sample a volume between the white and the pial surface.

    Parameters
    ----------
    volume
        Scores or labels.
    inner_mm, outer_mm
        (n_vertices, 3) coordinates of the two surfaces.
    ordinal
        Take the most frequent label; otherwise the mean of the defined voxels. Voxels are never
        mixed by interpolation, so labels stay labels and undefined voxels spoil nothing.
    n_depths
        Number of points between the surfaces.

    Returns
    -------
    (n_vertices,) array
        NaN where no point hit a defined voxel.
    """
    depths = np.linspace(0, 1, n_depths)[:, None, None]
    samples = nearest(volume, inner_mm + depths * (outer_mm - inner_mm))
    if not ordinal:
        count = np.isfinite(samples).sum(axis=0)
        total = np.nansum(samples, axis=0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
    votes = np.sum(samples[:, None] == samples[None], axis=0)
    winner = np.argmax(np.where(np.isfinite(samples), votes, -1), axis=0)
    chosen: Array = np.take_along_axis(samples, winner[None], axis=0)[0]
    return chosen


@style.styled
def mosaic(
    background: Volume | None, overlay: Overlay, levels_mm: Sequence[float], title: str
) -> Figure:
    """Draw axial slices of a map over an anatomy; the left of the brain is on the left.

    Parameters
    ----------
    background
        Anatomy, NaN outside the head; the map's own support when None.
    overlay
        What to show.
    levels_mm
        Heights of the slices.
    title
        Heading.
    """
    low, high = _extent(background or overlay.volume)
    x = np.arange(low[0], high[0], _STEP_MM)
    y = np.arange(low[1], high[1], _STEP_MM)
    figure = Figure(figsize=(9.0, 3.9), layout="constrained")
    figure.suptitle(title, x=0.004, ha="left", fontsize=9.5, weight="bold")
    rows = 2
    columns = -(-len(levels_mm) // rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, level in zip(panels, levels_mm, strict=False):
        grid = np.stack(np.broadcast_arrays(*np.meshgrid(x, y, indexing="xy"), level), axis=-1)
        picture = _slice(background, overlay, grid)
        axes.imshow(
            picture,
            origin="lower",
            aspect="equal",
            interpolation="nearest",
            extent=(x[0], x[-1], y[0], y[-1]),
        )
        _outline(axes, overlay.emphasis, grid)
        axes.set_title(
            f"z = {level:g} mm".replace("-", style.MINUS),
            fontsize=7.5,
            weight="normal",
            loc="center",
            pad=1,
            color=style.MUTED,
        )
    for axes in panels:
        axes.axis("off")
    mappable = ScalarMappable(overlay.look.norm, overlay.look.colours)
    bar = figure.colorbar(mappable, ax=list(panels), shrink=0.7, aspect=18, pad=0.01)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=7)
    if overlay.look.ticks:
        bar.set_ticks(list(overlay.look.ticks), labels=list(overlay.look.ticks.values()))
        bar.ax.minorticks_off()
    bar.ax.set_title(overlay.look.label, fontsize=8, weight="normal", loc="left", pad=4)
    return figure


def _extent(volume: Volume) -> tuple[Array, Array]:
    voxels = np.argwhere(np.isfinite(volume.data))
    if not len(voxels):
        voxels = np.array([[0, 0, 0], np.array(volume.data.shape) - 1])
    ends = np.stack([voxels.min(axis=0), voxels.max(axis=0)])
    corners = np.array(
        [[ends[i, 0], ends[j, 1], ends[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    places = corners @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return places.min(axis=0) - 4, places.max(axis=0) + 4


def _slice(background: Volume | None, overlay: Overlay, grid: Array) -> Array:
    values = nearest(overlay.volume, grid)
    defined = np.isfinite(values)
    if background is None:
        grey = np.where(defined, 0.85, 1.0)
    else:
        anatomy = nearest(background, grid)
        top = np.nanpercentile(background.data, 99.5)
        grey = np.where(np.isfinite(anatomy), 0.25 + 0.6 * np.clip(anatomy / top, 0, 1), 1.0)
    places = overlay.look.norm(np.where(defined, values, 0.0))
    colours = np.asarray(overlay.look.colours(places))[..., :3]
    strength = np.where(defined, 0.95, 0.0)
    if overlay.emphasis is not None:
        faded = np.clip(places, 0.0, 0.8) if overlay.graded else np.full_like(strength, 0.5)
        strength *= np.where(nearest(overlay.emphasis, grid) > 0, 1.0, faded)
    picture: Array = strength[..., None] * colours + (1 - strength)[..., None] * grey[..., None]
    return np.clip(picture, 0, 1)


def _outline(axes: Axes, emphasis: Volume | None, grid: Array) -> None:
    if emphasis is None:
        return
    inside = np.nan_to_num(nearest(emphasis, grid))
    if 0 < inside.sum() < inside.size:
        axes.contour(
            grid[..., 0], grid[..., 1], inside, levels=[0.5], colors=[style.INK], linewidths=0.6
        )


def slice_levels(volume: Volume, n_slices: int = 12) -> list[float]:
    """Heights (mm) of equally spaced axial slices through the defined part of a volume."""
    low, high = _extent(volume)
    margin = 0.12 * (high[2] - low[2])
    return [float(round(z)) for z in np.linspace(low[2] + margin, high[2] - margin, n_slices)]
