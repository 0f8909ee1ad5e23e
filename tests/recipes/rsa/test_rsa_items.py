"""Items: every volume in its place, whatever the grid of presentations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.config import Config
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.clips import cuts
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.rsa import cost
from bidsapp.recipes.rsa.cautions import of_items
from bidsapp.recipes.rsa.items import Items, item_patterns, make_items, run_orders
from bidsapp.recipes.rsa.settings import RsaSettings

Make = Callable[..., Inputs]

ROBUST = RsaSettings()


def check(items: Items, drop_s: float) -> None:
    """What must hold for any grid: equal clips, times in order, neighbours one TR apart."""
    n = items.n_volumes_per_clip
    assert items.n_items == n * len(items.clips)
    assert items.tested.all()
    np.testing.assert_array_equal(items.clip, np.repeat(np.arange(len(items.clips)), n))
    there = items.row >= 0
    np.testing.assert_array_equal(there, np.isfinite(items.stretch_time_s))
    assert (items.n_repeats >= 1).all()
    for clip in range(len(items.clips)):
        mine = items.clip == clip
        nominal = drop_s + (np.arange(n) + 0.5) * items.tr_s
        assert (np.abs(items.time_s[mine] - nominal) <= items.tr_s / 2 + 1e-6).all()
        for hearing in range(items.row.shape[1]):
            rows = items.row[mine, hearing, 0]
            assert (rows >= 0).all() or (rows < 0).all()
            if rows[0] >= 0:
                assert (np.diff(rows) == 1).all()
    used = items.row[there]
    assert np.unique(used).size == used.size


@settings(max_examples=60, deadline=None)
@given(
    tr_s=st.sampled_from([0.735, 1.0, 2.0]),
    start_s=st.floats(0, 1.5),
    gaps=st.lists(st.floats(0.5, 9), min_size=4, max_size=4),
    length_s=st.floats(18, 30),
    order=st.permutations(range(4)),
    n_runs=st.integers(1, 3),
)
def test_any_grid_of_presentations(
    make_inputs: Make,
    tr_s: float,
    start_s: float,
    gaps: list[float],
    length_s: float,
    order: list[int],
    n_runs: int,
) -> None:
    onsets = 3.0 + np.cumsum(gaps) + length_s * np.arange(4)
    played = [
        [(f"{c}.wav", float(t), length_s, 0.0) for c, t in zip(order, onsets, strict=True)]
        for _ in range(n_runs)
    ]
    n_trs = int((onsets[-1] + length_s + 5) / tr_s) + 1
    inputs = make_inputs(played, tr_s=tr_s, n_trs=n_trs, start_time_s=start_s, sound_s=length_s)
    items = make_items(inputs, ROBUST)
    check(items, ROBUST.drop_s)
    assert (items.n_repeats == n_runs).all()
    assert items.n_volumes_per_clip == int((length_s - ROBUST.drop_s) / tr_s + 1e-6)
    assert items.left_out == ()


def test_volumes_are_those_of_the_clip(make_inputs: Make) -> None:
    inputs = make_inputs([[("a", 10.0, 20.0, 0.0), ("b", 40.0, 20.0, 0.0)]], n_trs=40)
    items = make_items(inputs, ROBUST)
    # volumes at 1, 3, 5, ... s: 23 to 29 s for a, 53 to 59 s for b
    np.testing.assert_array_equal(items.row[:, 0, 0], [11, 12, 13, 14, 26, 27, 28, 29])
    np.testing.assert_allclose(items.time_s[:4], [13, 15, 17, 19])
    np.testing.assert_array_equal(items.place[:, 0], [0] * 4 + [1] * 4)


def test_volumes_of_longer_clips_are_items_but_not_tested(make_inputs: Make) -> None:
    inputs = make_inputs(
        [
            [("a", 10, 30, 0), ("b", 50, 24, 0), ("c", 90, 30, 0), ("d", 130, 14, 0)],
            [("a", 10, 30, 0), ("c", 50, 30, 0), ("b", 90, 24, 0)],
        ]
    )
    items = make_items(inputs, ROBUST)
    assert [clip.name for clip in items.clips] == ["a", "b", "c"]
    np.testing.assert_array_equal(np.bincount(items.clip), [9, 6, 9])
    np.testing.assert_array_equal(items.tested, [1] * 6 + [0] * 3 + [1] * 12 + [0] * 3)
    assert items.n_volumes_per_clip == 6
    assert items.n_trimmed == 6
    assert "d is left out" in items.left_out[0]
    np.testing.assert_array_equal(items.n_repeats, 2)
    # volumes at 1, 3, 5, ... s: a from 23 s on in both runs of 100 volumes
    np.testing.assert_array_equal(items.row[:9, :, 0], np.arange(11, 20)[:, None] + [0, 100])
    np.testing.assert_allclose(items.time_s[:9], 13 + 2 * np.arange(9))
    of_clips = make_items(inputs, replace(ROBUST, item_unit="clip"))
    assert of_clips.row.shape == (3, 2, 6)
    assert of_clips.tested.all()


@pytest.mark.parametrize(("longest_s", "severity"), [(30, "note"), (60, "caution")])
def test_much_trimming_is_a_caution(make_inputs: Make, longest_s: int, severity: str) -> None:
    played = [("a", 10, longest_s, 0), ("b", 80, 24, 0), ("c", 120, 24, 0)]
    inputs = make_inputs([played])
    items = make_items(inputs, ROBUST)
    doubts = list(of_items(items, run_orders(inputs, items, 0.0), is_tested=True))
    (lengths,) = [doubt for doubt in doubts if doubt.title == "Clips of different length"]
    assert lengths.severity == severity
    assert f"{items.n_trimmed} volumes of the longer ones are in no test" in lengths.text
    untested = of_items(items, run_orders(inputs, items, 0.0), is_tested=False)
    assert "Clips of different length" not in {doubt.title for doubt in untested}
    items = make_items(inputs, replace(ROBUST, item_unit="clip"))
    (lengths,) = [
        doubt
        for doubt in of_items(items, run_orders(inputs, items, 0.0), is_tested=True)
        if doubt.title == "Clips of different length"
    ]
    assert f"{items.n_trimmed} volumes of the longer ones are left out" in lengths.text


def test_presentations_cut_short_are_left_out(make_inputs: Make) -> None:
    inputs = make_inputs(
        [
            [("a", 10, 30, 0), ("b", 50, 30, 0)],
            [("a", 10, 30, 0), ("b", 180, 30, 0)],
        ]
    )
    items = make_items(inputs, ROBUST)
    np.testing.assert_array_equal(items.n_repeats, [2] * 9 + [1] * 9)
    assert "1 of 2 presentations of b" in items.left_out[0]
    assert items.by_run(np.ones((18, 2))).shape == (2, 18)
    assert np.isnan(items.by_run(np.ones((18, 2)))[1, 9:]).all()


def test_long_sounds_are_cut(make_inputs: Make) -> None:
    assert cuts(0.0, 65.0, 20.0) == [(0.0, 20.0), (20.0, 20.0), (40.0, 20.0)]
    assert cuts(10.0, 50.0, 20.0) == [(20.0, 20.0), (40.0, 20.0)]
    assert cuts(0.0, 12.0, 20.0) == [(0.0, 12.0)]
    inputs = make_inputs([[("a", 10.0, 65.0, 0.0)]])
    items = make_items(inputs, replace(ROBUST, clip_s=20.0))
    assert [clip.name for clip in items.clips] == ["a@0s", "a@20s", "a@40s"]
    assert len(items.stretches) == 1
    np.testing.assert_allclose(items.stretch_time_s[items.clip == 1].min(), 33.0)


def test_one_item_per_clip(make_inputs: Make) -> None:
    inputs = make_inputs([[("a", 10.0, 20.0, 0.0), ("b", 40.0, 20.0, 0.0)]] * 3)
    items = make_items(inputs, replace(ROBUST, item_unit="clip"))
    assert items.row.shape == (2, 3, 4)
    np.testing.assert_allclose(items.time_s, 16.0)


def test_repeats_as_items(make_inputs: Make) -> None:
    inputs = make_inputs([[("a", 10.0, 20.0, 0.0), ("b", 40.0, 20.0, 0.0)]] * 3)
    items = make_items(inputs, replace(ROBUST, average_repeats=False))
    assert items.row.shape == (24, 1, 1)
    np.testing.assert_array_equal(items.clip, np.repeat([0, 1], 12))
    np.testing.assert_array_equal(items.run[:12, 0], np.repeat([0, 1, 2], 4))


def test_too_few_clips(make_inputs: Make) -> None:
    inputs = make_inputs([[("a", 10.0, 20.0, 0.0), ("b", 40.0, 10.0, 0.0)]])
    with pytest.raises(InputInvalidError, match="1 of 2 clips"):
        make_items(inputs, ROBUST)


def test_patterns_are_means_over_hearings(make_inputs: Make) -> None:
    inputs = make_inputs([[("a", 10.0, 20.0, 0.0), ("b", 40.0, 20.0, 0.0)]] * 2)
    items = make_items(inputs, ROBUST)
    data = np.random.default_rng(0).standard_normal((200, 5)).astype(np.float32)
    found = item_patterns(data, items.row, slice(1, 4))
    expected = (data[items.row[:, 0, 0]] + data[items.row[:, 1, 0]])[:, 1:4] / 2
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_dry_run_says_how_long_searchlights_take(
    make_inputs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each test of 25 clips takes five passes over the pairs; without tests none of that."""
    monkeypatch.setattr(cost, "count_units", lambda run: 100_000)
    clips = [(f"{k}.wav", 40.0 * k, 29.0, 0.0) for k in range(25)]
    inputs = make_inputs([clips], tr_s=1.0, n_trs=1010)
    config = Config(bids_dir=Path("data"), output_dir=Path("out"), analysis_level=("participant",))

    def minutes(**changes: object) -> float:
        of_steps = cost.estimate(inputs, replace(ROBUST, **changes), config).seconds
        return of_steps["searchlights and their test"] / 60

    both, one, none = minutes(), minutes(acoustics=()), minutes(n_permutations=0)
    assert both - one == pytest.approx(one - none, abs=1)
    assert none < 0.2 * one
    assert minutes(networks=("resnet1d", "baseline")) > 1.7 * both
