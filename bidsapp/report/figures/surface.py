"""Maps on the cortex: a small orthographic painter for triangle meshes.

Faces are culled, sorted by depth and filled with one colour each. Values of continuous maps are
averaged over the three vertices of a face; ordinal maps take the middle one of the three, so
that no label appears that no vertex has. Drawn by matplotlib alone: transparent, exactly
cropped, and the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import BoundaryNorm, Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from bidsapp.report.figures import style
from bidsapp.report.figures.style import Array

_PALE = 0.5
_MOST_FADED = 0.8  # strongest colour outside an outline
_LONGEST = 12  # letters of a tick label that fit beside the colour bar
_ONE_COLUMN = 13  # tick labels that fit below each other
VIEWS = (("L", "lateral"), ("L", "medial"), ("R", "medial"), ("R", "lateral"))


@dataclass(frozen=True)
class Mesh:
    """One hemisphere: (n, 3) coordinates in mm, (m, 3) faces, (n,) sulcal depth."""

    coordinates: Array
    faces: Array
    depth: Array


@dataclass(frozen=True)
class Look:
    """Colours of one map.

    Attributes
    ----------
    colours, low, high
        Colour map and the values at its ends; for labels one colour for each from 1 on.
    label
        Title of the colour bar.
    ticks
        Value → text beside the colour bar; round numbers when empty.
    ordinal
        Whether values are labels 1, 2, …
    """

    colours: Colormap
    low: float
    high: float
    label: str
    ticks: Mapping[float, str] = field(default_factory=dict)
    ordinal: bool = False

    @property
    def norm(self) -> Normalize:
        """From values to places in the colour map."""
        return layer_norm(round(self.high)) if self.ordinal else Normalize(self.low, self.high)


@dataclass(frozen=True)
class CortexMap:
    """One row of a cortex figure.

    Attributes
    ----------
    title
        What is shown.
    values
        Hemisphere → (n_vertices,); NaN shows the bare cortex.
    look
        Its colours.
    ordinal
        The values are labels with an order (layers): never averaged.
    emphasis
        Hemisphere → (n_vertices,) bool: full strength and outlined here, paler
        elsewhere.
    graded
        Outside the emphasis strength grows with the value (scores) instead of being even.
    """

    title: str
    values: Mapping[str, Array]
    look: Look
    ordinal: bool = False
    emphasis: Mapping[str, Array] | None = None
    graded: bool = False


@style.styled
def cortex_figure(maps: Sequence[CortexMap], meshes: Mapping[str, Mesh]) -> Figure:
    """Draw each map laterally and medially on both hemispheres, one row per map."""
    figure = Figure(figsize=(9.0, 1.9 * len(maps) + 0.1))
    rows = figure.add_gridspec(
        len(maps), 1, left=0.005, right=0.995, top=0.995, bottom=0.01, hspace=0.04
    )
    for place, shown in enumerate(maps):
        _row(figure, rows[place], shown, meshes)
    return figure


def _row(figure: Figure, place: SubplotSpec, shown: CortexMap, meshes: Mapping[str, Mesh]) -> None:
    cells = place.subgridspec(
        2, 5, width_ratios=[1, 1, 1, 1, 0.42], height_ratios=[0.16, 1], wspace=0.03, hspace=0.02
    )
    heading = figure.add_subplot(cells[0, :4])
    heading.axis("off")
    heading.text(0.004, 0.45, shown.title, weight="bold", fontsize=9.5, va="center")
    for column, (hemisphere, view) in enumerate(VIEWS):
        axes = figure.add_subplot(cells[1, column])
        if hemisphere in shown.values and hemisphere in meshes:
            paint(axes, meshes[hemisphere], shown, hemisphere, view)
        axes.axis("off")
        if place.num1 == 0 or place.is_first_row():
            axes.set_title(
                f"{hemisphere} {view}",
                fontsize=8,
                color=style.MUTED,
                weight="normal",
                loc="center",
                pad=-2,
            )
    _colour_bar(figure, cells[1, 4], shown)


def _colour_bar(figure: Figure, cell: SubplotSpec, shown: CortexMap) -> None:
    host = figure.add_subplot(cell)
    host.axis("off")
    axes = host.inset_axes((0.06, 0.08, 0.11, 0.84))
    bar = figure.colorbar(ScalarMappable(shown.look.norm, shown.look.colours), cax=axes)
    bar.outline.set_visible(False)
    axes.tick_params(length=2, labelsize=7, pad=2)
    if shown.look.ticks:
        texts = [_short(text) for text in shown.look.ticks.values()]
        bar.set_ticks(list(shown.look.ticks), labels=_staggered(texts))
        axes.minorticks_off()
        axes.tick_params(labelsize=7 if len(texts) <= _ONE_COLUMN else 6)
    if shown.emphasis is not None and shown.graded:
        _faded_bar(host, shown)
    axes.set_title(shown.look.label, fontsize=8, weight="normal", loc="left", pad=4)


def _short(text: str) -> str:
    """Cut a tick label that would leave the figure."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}\u2026"


def _staggered(texts: Sequence[str]) -> list[str]:
    """Put every second label into a second column where one column is too short for all."""
    if len(texts) <= _ONE_COLUMN:
        return list(texts)
    return [text if place % 2 == 0 else f"\u2003\u2002{text}" for place, text in enumerate(texts)]


def _faded_bar(host: Axes, shown: CortexMap) -> None:
    """Draw, left of the colour bar, the colours outside the outlines: opacity grows with value."""
    values = np.linspace(0, 1, 64)
    strength = np.clip(values, 0.0, _MOST_FADED)[:, None]
    grey = np.full((64, 3), 0.86)
    colours = strength * np.asarray(shown.look.colours(values))[:, :3] + (1 - strength) * grey
    axes = host.inset_axes((-0.06, 0.08, 0.09, 0.84))
    axes.imshow(colours[:, None, :], aspect="auto", origin="lower")
    axes.axis("off")
    host.text(-0.06, -0.02, "left: not outlined", fontsize=5.5, color=style.MUTED, va="top")


def paint(axes: Axes, mesh: Mesh, shown: CortexMap, hemisphere: str, view: str) -> None:
    """Paint one hemisphere from one side.

    Parameters
    ----------
    axes
        Where to.
    mesh
        The hemisphere.
    shown
        What to paint.
    hemisphere
        ``L`` or ``R``.
    view
        ``lateral`` or ``medial``.
    """
    points, nearness, side = project(mesh.coordinates, hemisphere, view)
    faces, facing = visible_faces(mesh, nearness, side)
    emphasis = None if shown.emphasis is None else shown.emphasis.get(hemisphere)
    colours = _face_colours(mesh, faces, facing, shown, shown.values[hemisphere], emphasis)
    axes.add_collection(
        PolyCollection(
            cast(Any, points[faces]),
            facecolors=colours,
            edgecolors=colours,
            linewidths=0.25,
            rasterized=True,
        )
    )
    if emphasis is not None:
        lines = outline(points, faces, emphasis)
        axes.add_collection(LineCollection(list(lines), colors=style.INK, linewidths=0.7))
    low, high = points.min(axis=0), points.max(axis=0)
    axes.set_xlim(low[0] - 2, high[0] + 2)
    axes.set_ylim(low[1] - 2, high[1] + 2)
    axes.set_aspect("equal")


def project(coordinates: Array, hemisphere: str, view: str) -> tuple[Array, Array, float]:
    """Return (n, 2) screen positions, (n,) nearness to the eye and the side it looks from (±1).

    The eye of a lateral view of the left hemisphere sits at negative x.
    """
    outward = -1.0 if hemisphere == "L" else 1.0
    side = outward if view == "lateral" else -outward
    points = np.column_stack([side * coordinates[:, 1], coordinates[:, 2]])
    return points, side * coordinates[:, 0], side


def visible_faces(mesh: Mesh, nearness: Array, side: float) -> tuple[Array, Array]:
    """Faces that look at the eye, far ones first, and the cosine of their angle to it."""
    corners = mesh.coordinates[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    centre = mesh.coordinates.mean(axis=0)
    outwards = np.sign(np.sum(normals * (corners.mean(axis=1) - centre), axis=1).sum())
    lengths = np.linalg.norm(normals, axis=1)
    facing = side * outwards * normals[:, 0] / np.where(lengths > 0, lengths, 1)
    seen = np.flatnonzero(facing > 0)
    order = seen[np.argsort(nearness[mesh.faces[seen]].mean(axis=1))]
    return mesh.faces[order], facing[order]


def _face_colours(
    mesh: Mesh,
    faces: Array,
    facing: Array,
    shown: CortexMap,
    values: Array,
    emphasis: Array | None,
) -> Array:
    relief = np.clip(mesh.depth[faces].mean(axis=1) / (np.nanstd(mesh.depth) + 1e-9), -1.0, 1.0)
    grey = (0.86 - 0.055 * relief) * (0.80 + 0.20 * facing)
    cortex = np.column_stack([grey, grey, grey])
    value, defined = face_values(values[faces], ordinal=shown.ordinal)
    overlay = shown.look.colours(shown.look.norm(np.where(defined, value, 0.0)))[:, :3]
    overlay = np.asarray(overlay) * (0.92 + 0.08 * facing[:, None])
    strength = np.where(defined, 1.0, 0.0)
    if emphasis is not None:
        faded = np.clip(shown.look.norm(value), 0.0, _MOST_FADED) if shown.graded else _PALE
        strength *= np.where(emphasis[faces].sum(axis=1) >= 2, 1.0, faded)
    mixed: Array = strength[:, None] * overlay + (1 - strength[:, None]) * cortex
    return np.clip(mixed, 0, 1)


def face_values(corners: Array, *, ordinal: bool) -> tuple[Array, Array]:
    """Reduce (m, 3) corner values to one per face, and say where at least two are defined.

    Parameters
    ----------
    corners
        Values at the three vertices; NaN is undefined.
    ordinal
        Take an existing value (the middle one; the lower of two) instead of the mean.
    """
    finite = np.isfinite(corners)
    count = finite.sum(axis=1)
    if ordinal:
        ranked = np.sort(corners, axis=1)  # NaN last
        middle = np.where(count == 3, ranked[:, 1], ranked[:, 0])
    else:
        total = np.where(finite, corners, 0.0).sum(axis=1)
        middle = total / np.maximum(count, 1)
    return middle, count >= 2


def outline(points: Array, faces: Array, inside: Array) -> Array:
    """Border of a region: (n, 2, 2) segments between midpoints of the edges it cuts."""
    state = inside[faces].astype(bool)
    mixed = (state.sum(axis=1) % 3) != 0
    faces, state = faces[mixed], state[mixed]
    lone_state = state.sum(axis=1) == 1
    lone = np.argmax(state == lone_state[:, None], axis=1)
    rows = np.arange(len(faces))
    tip = points[faces[rows, lone]]
    others = [points[faces[rows, (lone + step) % 3]] for step in (1, 2)]
    segments: Array = np.stack([(tip + other) / 2 for other in others], axis=1)
    return segments


def layer_norm(n_layers: int) -> BoundaryNorm:
    """Scale with one colour for each layer number 1 … n_layers."""
    return BoundaryNorm(np.arange(0.5, n_layers + 1.0), max(n_layers, 2))
