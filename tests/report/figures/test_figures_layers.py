"""Layer profiles and null histograms: what they compute, and what stands in the drawing."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.axes import Axes

from bidsapp.report.figures import style
from bidsapp.report.figures.layers import (
    Line,
    Panel,
    Profile,
    panels_figure,
    profile_figure,
    spread_labels,
)
from bidsapp.report.figures.nulls import NullPanel, in_rows, null_axes, null_figure, threshold

RANDOM = np.random.default_rng(3)
LAYERS = ("input", "conv1", "pool1", "fc1")


def legend(figure: mpl.figure.Figure) -> list[str]:
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def curves(axes: Axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}


def test_a_line_over_units_leaves_out_undefined_units() -> None:
    scores = np.array([[0.1, 0.3, np.nan], [0.2, 0.2, np.nan]])
    line = Line.over_units("r", scores)
    np.testing.assert_allclose(line.values, [0.2, 0.2])
    np.testing.assert_allclose(line.low, [0.15, 0.2])
    np.testing.assert_allclose(line.high, [0.25, 0.2])
    assert np.isnan(Line.over_units("r", np.full((2, 3), np.nan)).values).all()


def test_a_profile_shows_curves_references_ceiling_and_bars() -> None:
    scores = RANDOM.normal(0.1, 0.02, (4, 30))
    figure = profile_figure(
        Profile(
            LAYERS,
            [Line.over_units("positive lags", scores),
             Line("control", np.full(4, 0.01), colour=style.NEGATIVE, dashed=True)],
            "correlation r",
            kinds=("input", "conv", "pool", "fc"),
            references={"mel": 0.05, "loudness": 0.051, "none": np.nan},
            ceiling=0.12,
            bars=np.array([50.0, 60, 70, 80]),
            bars_label="variance\nkept (%)",
        )
    )  # fmt: skip
    main, strip = figure.axes
    assert set(legend(figure)) == {"positive lags", "control", "median", "noise ceiling"}
    np.testing.assert_allclose(curves(main)["positive lags"], scores.mean(axis=1))
    assert {text.get_text() for text in main.texts} == {"mel", "loudness"}
    assert [bar.get_height() for bar in strip.patches] == [50, 60, 70, 80]
    assert [label.get_text() for label in strip.get_xticklabels()] == list(LAYERS)


def test_a_ceiling_far_above_is_named_not_drawn() -> None:
    figure = profile_figure(Profile(LAYERS, [Line("r", np.full(4, 0.01))], "r", ceiling=0.9))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["↑ noise ceiling 0.90"]
    assert axes.get_ylim()[1] < 0.5


def test_missing_layers_leave_gaps() -> None:
    values = np.array([0.1, np.nan, 0.3, np.nan])
    (axes,) = profile_figure(Profile(LAYERS, [Line("r", values)], "r")).axes
    np.testing.assert_array_equal(curves(axes)["r"], values)


def test_panels_share_layers_and_name_each_curve_once() -> None:
    passed = np.array([True, False, False, True])
    panels = [
        Panel(
            f"region {number}",
            [Line("mean", RANDOM.random(4), passed=passed, pieces={"a": RANDOM.random(4)})],
            {"best baseline": 0.5},
        )
        for number in range(5)
    ]
    figure = panels_figure(panels, LAYERS, "mean r", n_columns=2)
    drawn = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in drawn] == [panel.title for panel in panels]
    assert sorted(legend(figure)) == ["best baseline", "mean", "p \u2264 .05", "single pieces"]
    assert len(curves(drawn[0])["p \u2264 .05"]) == 2


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6), st.floats(0.01, 0.3))
def test_labels_keep_their_distance_and_order(values: list[float], gap: float) -> None:
    placed = spread_labels(values, gap)
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.array(placed)[order]) >= gap - 1e-9).all()
    assert np.mean(placed) == pytest.approx(np.mean(values), abs=1e-9)


@given(
    arrays(float, st.integers(0, 120), elements=st.integers(0, 30).map(float)),
    st.floats(0, 31),
    st.sampled_from([0.05, 0.01, 0.2]),
)
def test_thresholds_agree_with_p_values(null: np.ndarray, score: float, level: float) -> None:
    p = (1 + np.sum(null >= score)) / (1 + null.size)
    assert (score > threshold(null, level, strict=True)) == (p < level - 1e-12)
    assert (score > threshold(null, level)) == (p <= level + 1e-12)


def test_each_test_has_its_histogram_value_and_words() -> None:
    null = RANDOM.normal(size=200)
    panels = [NullPanel("best layer", null, 0.8, "r = .80\np = .01", two_sided=True),
              NullPanel("centroid", np.array([]), math.nan)]  # fmt: skip
    figure = null_figure([("gradient 1", panels), ("gradient 2", panels[:1])], "r",
                         limits=(-1, 1))  # fmt: skip
    first, second, third, _ = figure.axes
    assert sum(bar.get_height() for bar in first.patches) == 200
    assert [line.get_xdata()[0] for line in first.lines] == [0.8, -0.8]
    assert [text.get_text() for text in first.texts] == ["r = .80\np = .01"]
    assert first.get_xlim() == (-1, 1)
    assert not second.patches
    assert third.get_ylabel() == "gradient 2"


def test_panels_fill_rows() -> None:
    panels = [NullPanel(str(number), np.zeros(1), 0.0) for number in range(5)]
    assert [[panel.title for panel in row] for _, row in in_rows(panels, 2)] == [
        ["0", "1"], ["2", "3"], ["4"],
    ]  # fmt: skip


def test_one_null_names_draws_threshold_and_observed() -> None:
    axes = style.new_figure().subplots()
    null_axes(axes, np.arange(99) / 100, 1.2, draws="circular shifts", threshold=0.95)
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["99 circular shifts", "FWE p \u2264 0.05 (0.950)", "observed (1.200)"]
    axes = style.new_figure().subplots()
    null_axes(axes, np.array([np.nan]), 1.0, draws="circular shifts")
    assert [text.get_text() for text in axes.texts] == ["no null was computed"]
