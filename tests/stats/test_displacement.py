"""Common displacement: the same move in everybody, standardised maxima, rates on null data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.errors import InputInvalidError
from bidsapp.stats.displacement import displacement_test, piece_shifts


def test_repeats_of_a_piece_move_alike_and_pieces_differently() -> None:
    shifts = piece_shifts(["a", "b", "a"], [100, 100, 100], 10, 500, seed=3)
    np.testing.assert_array_equal(shifts[:, 0], shifts[:, 2])
    assert (shifts[:, 0] != shifts[:, 1]).mean() > 0.9


def test_participants_with_other_repetition_times_move_by_the_same_time() -> None:
    coarse = piece_shifts(["a"], [90], 10, 200, seed=0)[:, 0] * 2.0
    fine = piece_shifts(["a"], [180], 20, 200, seed=0)[:, 0] * 1.0
    assert np.abs(coarse - fine).max() <= 2.0


def test_the_order_of_blocks_and_the_split_over_calls_do_not_matter() -> None:
    both = piece_shifts(["a", "b"], [80, 60], 5, 20, seed=1)
    swapped = piece_shifts(["b", "a"], [60, 80], 5, 20, seed=1)
    np.testing.assert_array_equal(both, swapped[:, ::-1])
    later = piece_shifts(["a", "b"], [80, 60], 5, 8, seed=1, first=12)
    np.testing.assert_array_equal(both[12:], later)


@given(st.integers(2, 400), st.integers(1, 100), st.integers(0, 2**31))
def test_no_copy_is_the_true_alignment_or_nearer_than_asked(
    length: int, min_shift: int, seed: int
) -> None:
    low = max(1, min(min_shift, length // 3))
    shifts = piece_shifts(["x"], [length], min_shift, 50, seed)
    assert shifts.min() >= low
    assert shifts.max() <= length - low


def test_all_displacements_are_drawn_about_equally_often() -> None:
    shifts = piece_shifts(["x"], [30], 5, 4200, seed=0)[:, 0]
    counts = np.bincount(shifts, minlength=30)[5:26]
    assert counts.sum() == 4200
    assert counts.min() > 130
    assert counts.max() < 275


def test_a_block_of_one_row_is_refused() -> None:
    with pytest.raises(InputInvalidError, match="1 row"):
        piece_shifts(["x"], [1], 1, 3, seed=0)


def test_the_family_wise_p_does_not_let_wide_nulls_own_the_threshold() -> None:
    rng = np.random.default_rng(0)
    null = rng.normal(size=(199, 2, 50)) * np.array([1.0, 10.0])[:, None]
    observed = rng.normal(size=(2, 50)) * np.array([1.0, 10.0])[:, None]
    observed[0, 7] = 8.0
    test = displacement_test(observed, null)
    assert test.p_fwe[0, 7] == 1 / 200
    assert test.p[0, 7] == 1 / 200


def test_missing_scores_stay_missing_and_do_not_enter_the_maximum() -> None:
    rng = np.random.default_rng(1)
    observed, null = rng.normal(size=(3, 20)), rng.normal(size=(99, 3, 20))
    observed[:, 4] = np.nan
    null[:, :, 4] = np.nan
    test = displacement_test(observed, null)
    assert np.isnan(test.p[:, 4]).all()
    assert np.isnan(test.p_fwe[:, 4]).all()
    assert np.isfinite(np.delete(test.p_fwe, 4, axis=1)).all()


def test_rates_hold_for_exchangeable_copies() -> None:
    rng = np.random.default_rng(2)
    n_sets, p, p_fwe = 400, [], []
    for _ in range(n_sets):
        copies = rng.standard_t(4, size=(100, 3, 8)) * np.array([0.2, 1.0, 3.0])[:, None]
        test = displacement_test(copies[0], copies[1:])
        p.append(test.p[1, 3])
        p_fwe.append(test.p_fwe.min())
    assert 0.025 <= np.mean(np.array(p) <= 0.05) <= 0.085
    assert 0.025 <= np.mean(np.array(p_fwe) <= 0.05) <= 0.085
