"""Colours, limits and ticks follow from declared scales."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bidsapp.recipes import RECIPES
from bidsapp.report.brain.scales import (
    at_largest,
    largest,
    layer_ticks,
    limits,
    look,
    passing,
    shown,
    smallest,
)
from bidsapp.results.kinds import CORRELATION, LAYER, P_VALUE, Maps, Scale, expand

SIGNED = Scale("\u0394r", colours="signed", least=0.01)
SHARE = Scale("share", colours="share")
RADIUS = Scale("radius", "mm", "sequential")
VALUES = np.linspace(-0.3, 0.6, 1001)
NAMES = [f"conv{number}" for number in range(1, 13)]

scores = arrays(
    float, st.tuples(st.integers(1, 4), st.integers(1, 5)),
    elements=st.sampled_from([-1.0, 0.0, 0.25, 2.0, np.nan]),
)  # fmt: skip


def test_a_score_begins_at_zero_and_ends_near_its_maximum() -> None:
    low, high = limits(CORRELATION, VALUES)
    assert low == 0
    assert high == pytest.approx(np.percentile(VALUES, 99.5))


def test_differences_are_symmetric_about_zero() -> None:
    low, high = limits(SIGNED, -VALUES)
    assert low == -high
    assert high == pytest.approx(0.6, rel=0.01)


def test_noise_does_not_fill_a_scale() -> None:
    assert limits(CORRELATION, np.full(9, 1e-4)) == (0, CORRELATION.least)
    assert limits(SIGNED, np.full(9, 1e-4)) == (-0.01, 0.01)


def test_shares_always_run_from_zero_to_one() -> None:
    assert limits(SHARE, np.array([0.4, 0.5])) == (0, 1)


def test_a_constant_sequential_map_has_a_scale() -> None:
    low, high = limits(RADIUS, np.full(5, 8.0))
    assert low == 8
    assert high > low


@pytest.mark.parametrize("scale", [CORRELATION, SIGNED, SHARE, RADIUS, P_VALUE])
def test_nothing_finite_still_has_a_scale(scale: Scale) -> None:
    low, high = limits(scale, np.full(4, np.nan))
    assert low < high


def test_the_smallest_p_is_on_the_scale() -> None:
    p = np.array([1.0, 0.5, 1e-4, np.nan])
    drawn = shown(P_VALUE, p)
    np.testing.assert_allclose(drawn, [0, -np.log10(0.5), 4, np.nan])
    assert limits(P_VALUE, drawn) == (0, 4)
    assert limits(P_VALUE, shown(P_VALUE, np.array([0.5]))) == (0, 2)


def test_each_label_has_its_own_colour() -> None:
    made = look(LAYER, np.array([1.0, 12.0]), NAMES, ordinal=True)
    colours = {tuple(made.colours(made.norm(number))) for number in range(1, 13)}
    assert len(colours) == 12
    assert (made.low, made.high) == (1, 12)


def test_mean_layers_share_the_scale_of_labels() -> None:
    made = look(LAYER, np.array([3.4]), NAMES)
    assert (made.low, made.high) == (0.5, 12.5)
    assert made.ticks[1.0] == "1 conv1"


def test_the_colour_bar_names_quantity_and_unit() -> None:
    assert look(RADIUS, VALUES).label == "radius (mm)"
    assert look(Scale("", "mm", "sequential"), VALUES).label == "mm"
    assert look(CORRELATION, VALUES).label == "r"


def test_given_ends_win() -> None:
    made = look(CORRELATION, VALUES, ends=(0, 0.2))
    assert (made.low, made.high) == (0, 0.2)


@given(st.integers(1, 60), st.integers(2, 9))
def test_ticks_name_the_first_and_the_last_layer(n: int, most: int) -> None:
    names = [f"l{number}" for number in range(1, n + 1)]
    ticks = layer_ticks(names, most)
    assert len(ticks) <= most
    assert {1.0, float(n)} <= set(ticks)
    assert all(text == f"{place:.0f} l{place:.0f}" for place, text in ticks.items())


def test_no_layers_have_no_ticks() -> None:
    assert layer_ticks([]) == {}


@given(scores)
def test_largest_is_the_maximum_of_what_is_finite(values: np.ndarray) -> None:
    expected = [max(column[np.isfinite(column)], default=np.nan) for column in values.T]
    np.testing.assert_array_equal(largest(values), expected)
    np.testing.assert_array_equal(smallest(-values), -largest(values))


@given(scores)
def test_values_at_the_largest_score_are_those_of_a_layer_that_has_it(values: np.ndarray) -> None:
    layers = np.broadcast_to(np.arange(len(values), dtype=float)[:, None], values.shape)
    chosen, top = at_largest(layers, values), largest(values)
    np.testing.assert_array_equal(np.isfinite(chosen), np.isfinite(top))
    for unit in np.flatnonzero(np.isfinite(chosen)):
        assert values[int(chosen[unit]), unit] == top[unit]


def test_every_layer_that_occurs_stands_beside_a_bar_of_layers() -> None:
    names = [f"layer{k}" for k in range(1, 25)]
    every = look(LAYER, np.arange(1.0, 25), names, ordinal=True)
    assert list(every.ticks) == list(range(1, 25))
    few = look(LAYER, np.array([3.0, 3, 7, np.nan]), names, ordinal=True)
    assert dict(few.ticks) == {3.0: "3 layer3", 7.0: "7 layer7"}
    in_viewer = look(LAYER, np.array([3.0, 5, 7]), names, ordinal=True, most_ticks=3)
    assert dict(in_viewer.ticks) == {3.0: "3 layer3", 5.0: "5", 7.0: "7 layer7"}


def test_a_p_of_exactly_the_level_passes_in_maps_of_single_precision() -> None:
    p = np.array([1 / 20, 5 / 100, 50 / 1000, 51 / 1000, np.nan])
    as_written = p.astype(np.float32).astype(float)  # .05 is a little more than .05 then
    assert as_written[0] > 0.05
    for values in (p, p.astype(np.float32), as_written):
        assert passing(values, 0.05).tolist() == [True, True, True, False, False]


def test_pages_count_a_p_of_exactly_the_level_as_masks_do() -> None:
    strict = re.compile(r"[^<\n]<\s*(?:self\.|view\.)?(?:level|significance|threshold)\b")
    root = Path(__file__).parents[3] / "bidsapp" / "recipes"
    pages = [path for path in root.rglob("*.py") if "report" in str(path) or path.stem == "answer"]
    assert len(pages) > 20
    assert [str(path) for path in pages if strict.search(path.read_text("utf-8"))] == []


def test_every_scale_of_a_result_names_its_quantity() -> None:
    maps = [item for recipe in RECIPES.values() for item in expand(recipe.results)
            if isinstance(item, Maps)]  # fmt: skip
    assert len(maps) > 30
    assert [item.desc for item in maps if not item.scale.quantity] == []
