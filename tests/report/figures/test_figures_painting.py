"""Painting meshes, sampling volumes, and figures of runs and folds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure

from bidsapp.report.figures import crossval, style
from bidsapp.report.figures.courses import Played, RunTrack, alignment_figure, clock, tick_step_s
from bidsapp.report.figures.layers import Line, Panel, Profile, panels_figure, profile_figure
from bidsapp.report.figures.nulls import NullPanel, in_rows, null_figure
from bidsapp.report.figures.surface import (
    CortexMap,
    Look,
    Mesh,
    cortex_figure,
    face_values,
    layer_norm,
    outline,
    project,
    visible_faces,
)
from bidsapp.report.figures.volume import (
    Overlay,
    Volume,
    at_cortex,
    mosaic,
    nearest,
    slice_levels,
)

RANDOM = np.random.default_rng(1)
LAYERS = ["input", "conv", "pool", "fc"]


def _octahedron() -> Mesh:
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = [
        [0, 2, 4],
        [2, 1, 4],
        [1, 3, 4],
        [3, 0, 4],
        [2, 0, 5],
        [1, 2, 5],
        [3, 1, 5],
        [0, 3, 5],
    ]
    return Mesh(points, np.array(faces), np.zeros(6))


class TestPainter:
    """The orthographic painter."""

    def test_front_of_the_brain_is_on_the_left_of_a_left_lateral_view(self) -> None:
        front = np.array([[-30.0, 60.0, 0.0], [-30.0, -60.0, 0.0]])
        points, _, _ = project(front, "L", "lateral")
        assert points[0, 0] < points[1, 0]
        points, _, _ = project(front * [-1, 1, 1], "R", "lateral")
        assert points[0, 0] > points[1, 0]

    @pytest.mark.parametrize(("view", "near"), [("lateral", -60.0), ("medial", -2.0)])
    def test_the_nearest_vertex_faces_the_viewer(self, view: str, near: float) -> None:
        points = np.array([[-60.0, 0, 0], [-2.0, 0, 0]])
        _, nearness, _ = project(points, "L", view)
        assert points[np.argmax(nearness), 0] == near

    @pytest.mark.parametrize("flip", [False, True])
    @pytest.mark.parametrize("side", [-1.0, 1.0])
    def test_half_of_a_convex_solid_is_seen_whatever_the_winding(
        self, side: float, flip: bool
    ) -> None:
        mesh = _octahedron()
        if flip:
            mesh = Mesh(mesh.coordinates, mesh.faces[:, ::-1], mesh.depth)
        faces, facing = visible_faces(mesh, side * mesh.coordinates[:, 0], side)
        towards = 0 if side > 0 else 1
        assert len(faces) == 4
        assert (faces == towards).any(axis=1).all()
        assert (facing > 0).all()

    @given(arrays(float, (5, 3), elements=st.sampled_from([1.0, 2.0, 7.0, 24.0, np.nan])))
    def test_ordinal_faces_show_a_layer_that_a_corner_has(self, corners: np.ndarray) -> None:
        values, defined = face_values(corners, ordinal=True)
        for value, corner in zip(values[defined], corners[defined], strict=True):
            assert value in corner
        np.testing.assert_array_equal(defined, np.isfinite(corners).sum(axis=1) >= 2)

    def test_continuous_faces_average_what_is_defined(self) -> None:
        values, defined = face_values(np.array([[1.0, 3.0, np.nan]]), ordinal=False)
        assert defined[0]
        assert values[0] == 2.0

    def test_outline_runs_between_midpoints_of_cut_edges(self) -> None:
        points = np.array([[0.0, 0], [2, 0], [0, 2]])
        segments = outline(points, np.array([[0, 1, 2]]), np.array([True, False, False]))
        assert {tuple(point) for point in segments[0]} == {(1.0, 0.0), (0.0, 1.0)}
        assert not len(outline(points, np.array([[0, 1, 2]]), np.ones(3, dtype=bool)))

    def test_one_colour_per_layer(self) -> None:
        norm, colours = layer_norm(24), style.layer_colours(24)
        shown = [tuple(colours(norm(number))) for number in range(1, 25)]
        assert len(set(shown)) == 24


class TestSampling:
    """Volumes at the cortex."""

    def test_nearest_finds_each_voxel_and_nothing_outside(self) -> None:
        affine = np.array([[-3.0, 0, 0, 90], [0, 3, 0, -120], [0, 0, 3, -70], [0, 0, 0, 1]])
        volume = Volume(RANDOM.normal(size=(4, 5, 6)), affine)
        voxels = np.argwhere(np.ones((4, 5, 6)))
        points = voxels @ affine[:3, :3].T + affine[:3, 3] + 1.4
        np.testing.assert_array_equal(nearest(volume, points), volume.data.ravel())
        assert np.isnan(nearest(volume, np.array([[500.0, 0, 0]]))).all()

    @given(arrays(float, (4, 1, 1), elements=st.sampled_from([1.0, 5.0, 24.0, np.nan])))
    def test_labels_are_never_mixed(self, data: np.ndarray) -> None:
        volume = Volume(data, np.eye(4))
        inner, outer = np.array([[0.0, 0, 0]]), np.array([[3.0, 0, 0]])
        (label,) = at_cortex(volume, inner, outer, ordinal=True)
        finite = data[np.isfinite(data)]
        assert label in finite if finite.size else np.isnan(label)

    def test_undefined_voxels_do_not_spoil_scores(self) -> None:
        volume = Volume(np.array([[[0.2]], [[np.nan]], [[0.4]]]), np.eye(4))
        inner, outer = np.zeros((1, 3)), np.array([[2.0, 0, 0]])
        assert at_cortex(volume, inner, outer, ordinal=False, n_depths=3) == pytest.approx(0.3)

    def test_slices_lie_inside_the_map(self) -> None:
        data = np.full((3, 3, 10), np.nan)
        data[:, :, 4:7] = 1
        levels = slice_levels(Volume(data, np.diag([4.0, 4, 4, 1])), 6)
        assert len(levels) == 6
        assert min(levels) >= 12
        assert max(levels) <= 28


def test_clock() -> None:
    assert [clock(0), clock(59.6), clock(168), clock(-8)] == ["0:00", "1:00", "2:48", "−0:08"]  # noqa: RUF001


@pytest.mark.parametrize(
    ("span", "step"), [(10, 1), (175, 15), (600, 60), (3600, 300), (1e5, 1200)]
)
def test_ticks_fall_on_round_times(span: float, step: float) -> None:
    assert tick_step_s(span) == step


def _cortex() -> Figure:
    values = {"L": np.arange(6.0), "R": np.full(6, np.nan)}
    shown = CortexMap("r", values, Look(style.score_colours(), 0, 5, ""))
    return cortex_figure([shown], {"L": _octahedron(), "R": _octahedron()})


def _mosaic() -> Figure:
    volume = Volume(RANDOM.normal(size=(5, 5, 5)), np.diag([8.0, 8, 8, 1]))
    overlay = Overlay(volume, Look(style.score_colours(), 0, 1, "r"), graded=True)
    return mosaic(None, overlay, slice_levels(volume, 4), "r")


def _alignment() -> Figure:
    envelope = np.column_stack([np.arange(50.0), RANDOM.random(50)])
    played = Played("a.wav", 5, 40, 2, 50, (12, 40), envelope)
    silent = Played("b.wav", 50, 10, 0, 10, None, None)
    return alignment_figure([RunTrack("task-a", 60, (played, silent))], {"a.wav": "#0072b2"})


DRAWINGS: dict[str, Callable[[], Figure]] = {
    "cortex": _cortex,
    "mosaic": _mosaic,
    "alignment": _alignment,
    "profile": lambda: profile_figure(
        Profile(LAYERS, [Line.over_units("r", RANDOM.normal(size=(4, 30)))], "r", LAYERS)
    ),
    "panels": lambda: panels_figure(
        [Panel(f"region {n}", [Line("r", RANDOM.normal(size=4))]) for n in range(3)], LAYERS, "r"
    ),
    "nulls": lambda: null_figure(in_rows([NullPanel("t", RANDOM.normal(size=9), 0.1)]), "r"),
    "empty null": lambda: null_figure(in_rows([NullPanel("t", np.array([]), np.nan)]), "r"),
    "folds": lambda: crossval.fold_figure(
        [crossval.Block(10, fold, "a", "run") for fold in range(40)], {}
    ),
    "pieces": lambda: crossval.piece_figure(
        RANDOM.normal(size=(50, 4)), LAYERS, list(map(str, range(50))), RANDOM.normal(size=50)
    ),
    "alphas": lambda: crossval.alpha_figure(
        LAYERS, RANDOM.normal(size=(3, 4)), np.full(4, np.nan), np.full(4, np.nan), (0, 6)
    ),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawing_leaves_no_trace(name: str) -> None:
    before = dict(mpl.rcParams)
    figure = DRAWINGS[name]()
    png = style.to_png(figure, dpi=40)
    assert png.startswith(b"\x89PNG")
    assert dict(mpl.rcParams) == before
    from matplotlib._pylab_helpers import Gcf

    assert not Gcf.figs  # no figure is known to pyplot


def test_svg_is_reproducible_and_its_text_is_text() -> None:
    first, second = (style.to_svg(_alignment()) for _ in range(2))
    assert b"<text" in first
    assert b"system-ui" in first
    # the random envelope differs, so compare a deterministic figure
    first, second = (style.to_svg(DRAWINGS["folds"]()) for _ in range(2))
    assert first == second


def test_no_legend_lies_on_the_data_of_its_panel() -> None:
    root = Path(__file__).parents[3] / "bidsapp"
    calls = [
        (path.name, call)
        for path in root.rglob("*.py")
        if "figures" in str(path)
        for call in re.findall(r"\.legend\(.*?\)\n", path.read_text("utf-8"), re.DOTALL)
    ]
    assert len(calls) > 10
    inside = [item for item in calls if not re.search(r"outside|bbox_to_anchor", item[1])]
    assert inside == []
