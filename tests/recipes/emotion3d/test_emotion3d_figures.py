"""The figures: what they compute, and that odd input does not break them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.recipes.emotion3d.figures.data import RunLabels, scale_of, timeline_figure
from bidsapp.recipes.emotion3d.figures.decoders import (
    Confusion,
    Recalls,
    Scored,
    SplitScores,
    class_colours,
    confusion_figure,
    recall_figure,
    reliability,
    reliability_figure,
    scores_figure,
)
from bidsapp.recipes.emotion3d.figures.people import Profile, prevalence_figure, profiles_figure
from bidsapp.report.figures.style import to_svg


def words(figure: object) -> str:
    """Return a figure as SVG text."""
    return to_svg(figure).decode()  # type: ignore[arg-type]


def test_chance_is_drawn_and_one_over_k_is_not_called_chance() -> None:
    split = SplitScores("Runs left out", False, [Scored("linear", 0.6, 0.1, 0.2, 0.15, 0.01)])
    text = words(scores_figure([split], 5))
    assert "1/K (not chance)" in text
    assert "0.60, p = 0.01" in text
    assert "decoders without a brain" not in text


def test_leaky_panels_carry_the_stamp() -> None:
    one = Scored("cnn", 0.9)
    honest, stamped = SplitScores("a", False, [one]), SplitScores("b", True, [one])
    assert ">LEAKY<" not in words(scores_figure([honest], 5))
    assert ">LEAKY<" in words(scores_figure([honest, stamped], 5))
    table = Confusion("x", np.eye(3), "shuffled-LEAKY", leaky=True)
    assert ">LEAKY<" in words(confusion_figure([table], ["a", "b", "c"]))


def test_decoders_without_a_score_and_without_chance() -> None:
    scored = [Scored("cnn", float("nan")), Scored("linear", 0.4)]
    text = words(scores_figure([SplitScores("a", False, scored)], 2))
    assert ">0.40<" in text
    assert "0.40, p" not in text


def test_a_class_that_never_occurs() -> None:
    counts = np.array([[3, 1], [0, 0]])
    assert "\u2013" in words(confusion_figure([Confusion("x", counts, "s")], ["a", "b"]))
    gone = np.array([0.5, np.nan])
    recalls = Recalls("linear", gone, gone - 0.1, gone + 0.1)
    assert words(recall_figure({"x": (False, [recalls])}, ["a", "b"]))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_reliability_keeps_every_volume(rows: list[tuple[float, bool]]) -> None:
    probability, correct = (np.array(column) for column in zip(*rows, strict=True))
    found = reliability("cnn", probability, correct)
    there = found.n > 0
    assert found.n.sum() == len(rows)
    total = float((found.accuracy[there] * found.n[there]).sum())
    assert total == pytest.approx(float(correct.sum()))
    mean = float((found.confidence[there] * found.n[there]).sum())
    assert mean == pytest.approx(float(probability.sum()))


def test_a_certain_decoder_lies_in_the_last_bin() -> None:
    found = reliability("linear", np.ones(4), np.array([True, True, False, True]))
    assert found.n[-1] == 4
    assert found.accuracy[-1] == pytest.approx(0.75)
    assert words(reliability_figure([found]))


def test_neighbours_of_one_class_are_one_stretch() -> None:
    time_s = np.array([0.0, 2, 4, 6, 20, 22])
    run = RunLabels("r", time_s, ["a", "a", None, "b", "b", "b"], {"linear": ["a"] * 6})
    figure = timeline_figure([run], {"a": "#000000", "b": "#ffffff"})
    labels = [one for one in figure.axes[0].collections if one.get_paths()]
    corners = [np.asarray(path.vertices) for one in labels for path in one.get_paths()]
    spans = sorted(
        (float(places[:, 0].min()), float(places[:, 0].max()))
        for places in corners
        if places[:, 1].max() > -0.5
    )
    assert spans == [(0, 4), (4, 6), (6, 8), (20, 24)]


def test_profiles_frame_what_is_far_from_others() -> None:
    share = np.array([[0.9, 0.1], [0.5, 0.5]])
    far = Profile("01", share, np.array([[0.6, 0.4], [0.5, 0.5]]))
    figure = profiles_figure([far], ["a", "b"])
    framed = [one for one in figure.axes[0].patches if not one.get_fill()]
    assert len(framed) == 2
    alone = Profile("01", share, np.full((2, 2), np.nan))
    assert not profiles_figure([alone], ["a", "b"]).axes[0].patches


def test_prevalence_without_a_bound() -> None:
    row = {"decoder": "cnn", "prevalence": 0.0, "low": 0.0, "high": 0.6, "bound": np.nan}
    assert words(prevalence_figure(pd.DataFrame([row]), ["3D network"]))


@pytest.mark.parametrize("n", [1, 8, 19])
def test_classes_have_colours_of_their_own(n: int) -> None:
    names = [f"class {k}" for k in range(n)]
    assert len(set(class_colours(names).values())) == n


def test_colour_scales_of_empty_maps() -> None:
    assert scale_of(np.full(3, np.nan)) == 1.0
    assert scale_of(np.zeros(3)) == 1.0
    assert scale_of(np.array([-2.0, 1.0])) == pytest.approx(1.99)
