from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.features.timeline import timeline

POSITIVE = (4.0, 5.0, 6.0)
NEGATIVE = (-6.0, -5.0, -4.0)


def test_positive_lags_leave_out_the_beginning(make_run, make_presentation):
    run = make_run(n_trs=100, tr_s=1.0)
    rows = timeline([run], [make_presentation(run, onset_s=10.0, duration_s=60.0)], POSITIVE)
    assert rows.volume.tolist() == list(range(16, 70))
    np.testing.assert_allclose(rows.stim_time_s, np.arange(6.0, 60.0))


def test_negative_lags_leave_out_the_end(make_run, make_presentation):
    run = make_run(n_trs=100, tr_s=1.0)
    rows = timeline([run], [make_presentation(run, onset_s=10.0, duration_s=60.0)], NEGATIVE)
    assert rows.volume.tolist() == list(range(10, 64))


def test_slice_timing_shifts_the_volumes(make_run, make_presentation):
    run = make_run(n_trs=50, tr_s=2.0, start_time_s=0.98)
    shown = make_presentation(run, onset_s=3.5, duration_s=40.0, stim_start_s=12.0)
    rows = timeline([run], [shown], (0.0,))
    assert rows.volume[0] == 2
    assert rows.stim_time_s[0] == pytest.approx(12.0 + 0.98 + 4.0 - 3.5)


def test_decimal_onsets_lose_no_volume_to_rounding(make_run, make_presentation):
    run = make_run(n_trs=200, tr_s=0.1)
    rows = timeline([run], [make_presentation(run, onset_s=0.7, duration_s=5.0)], (0.3,))
    assert rows.volume.tolist() == list(range(10, 57))


def test_rows_know_their_run_presentation_and_piece(make_run, make_presentation):
    one, two = make_run("1"), make_run("2", tr_s=2.0)
    shown = [
        make_presentation(two, 0.0, 30.0, "b.wav"),
        make_presentation(one, 0.0, 20.0, "a.wav"),
        make_presentation(one, 20.0, 20.0, "b.wav"),
        make_presentation(make_run("9"), 0.0, 20.0, "c.wav"),
    ]
    rows = timeline([one, two], shown, POSITIVE)
    assert rows.pieces == ("b.wav", "a.wav", "c.wav")
    assert np.unique(rows.presentation).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(rows.run, np.where(rows.presentation == 0, 1, 0))
    np.testing.assert_array_equal(rows.piece, np.where(rows.presentation == 1, 1, 0))
    np.testing.assert_array_equal(rows.tr_s, np.where(rows.presentation == 0, 2.0, 1.0))


def test_a_sound_that_starts_ends_the_one_before(make_run, make_presentation):
    run = make_run(n_trs=100)
    shown = [make_presentation(run, 0.0, 50.5, "a.wav"), make_presentation(run, 50.0, 40, "b.wav")]
    rows = timeline([run], shown, (0.0,))
    assert len(set(rows.volume.tolist())) == rows.n_rows
    assert rows.volume[rows.presentation == 0].max() == 49


def test_no_row_reaches_beyond_the_end_of_the_sound(make_run, make_presentation):
    run = make_run(n_trs=100)
    shown = make_presentation(run, 0.0, 62.0, "a.wav", stim_start_s=5.0)
    rows = timeline([run], [shown], POSITIVE, {"a.wav": 60.0})
    assert rows.stim_time_s.max() < 60.0


def test_nothing_played_gives_no_rows(make_run, make_presentation):
    assert timeline([make_run()], [], POSITIVE).n_rows == 0
    other = make_presentation(make_run("7"))
    assert timeline([make_run()], [other], POSITIVE).n_rows == 0


@given(
    tr_s=st.floats(0.3, 4.0),
    n_trs=st.integers(1, 200),
    onset_s=st.floats(-30.0, 300.0),
    duration_s=st.floats(0.1, 300.0),
    stim_start_s=st.floats(0.0, 100.0),
    lags_s=st.lists(st.floats(-12.0, 12.0), min_size=1, max_size=4),
)
def test_every_moment_asked_for_belongs_to_the_presentation(
    make_run, make_presentation, tr_s, n_trs, onset_s, duration_s, stim_start_s, lags_s
):
    run = make_run(n_trs=n_trs, tr_s=tr_s)
    shown = make_presentation(run, onset_s, duration_s, stim_start_s=stim_start_s)
    rows = timeline([run], [shown], lags_s)
    moments = rows.stim_time_s[:, None] - np.array([0.0, *lags_s]) - stim_start_s
    assert np.all(moments >= -1e-5)
    assert np.all(moments <= duration_s + 1e-5)
    assert np.all(np.diff(rows.volume) == 1)
    left_out = np.setdiff1d(np.arange(n_trs), rows.volume) * tr_s - onset_s
    outside = left_out[:, None] - np.array([0.0, *lags_s])
    assert np.all(np.any((outside < 1e-5) | (outside > duration_s - 1e-5), axis=1))
