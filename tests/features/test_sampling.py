from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.bids.records import Rating
from bidsapp.errors import InputInvalidError
from bidsapp.features.sampling import sample_series, sampling_matrix

FRAMES = 0.4875 + 0.48 * np.arange(40)


def weights(times, width, frames=FRAMES, reach=1.0):
    return sampling_matrix(frames, np.atleast_1d(times), width, reach_s=reach).toarray()


def test_mean_of_what_lies_in_the_window():
    row = weights(5.0, 2.0)[0]
    inside = (FRAMES >= 4.0) & (FRAMES < 6.0)
    assert inside.sum() == 4
    np.testing.assert_allclose(row, inside / 4)


def test_interpolates_where_the_window_is_empty():
    row = weights(FRAMES[10] + 0.12, 0.1)[0]
    assert np.flatnonzero(row).tolist() == [10, 11]
    np.testing.assert_allclose(row[10:12], [0.75, 0.25])


def test_neighbouring_windows_share_no_frame():
    frames = np.arange(20) * 0.5
    together = weights(np.arange(1, 9.0), 1.0, frames)
    assert np.all((together > 0).sum(axis=0) <= 1)
    assert np.all((together > 0).sum(axis=1) == 2)


@given(
    times=st.lists(st.floats(-0.5, 20.0), min_size=1, max_size=20),
    width=st.floats(0.01, 5.0),
    n_frames=st.integers(1, 40),
)
def test_rows_are_averages_of_near_frames(times, width, n_frames):
    frames = FRAMES[:n_frames]
    rows = weights(times, width, frames, reach=25.0)
    assert np.all(rows >= 0)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0)
    read = np.clip(times, frames[0], frames[-1])
    farthest = max(width / 2, 0.48) + 1e-5
    assert np.all(np.abs(rows @ frames - read) <= farthest)


@given(times=st.lists(st.floats(0.5, 19.0), min_size=1, max_size=20))
def test_narrow_windows_interpolate_a_line_exactly(times):
    np.testing.assert_allclose(weights(times, 1e-4) @ (3 * FRAMES), 3 * np.array(times), atol=1e-3)


@pytest.mark.parametrize("time", [-0.6, 20.3])
def test_nothing_is_read_beyond_reach(time):
    assert weights([-0.4, 20.1], 1.0).shape == (2, 40)
    with pytest.raises(InputInvalidError, match=r"correct onset"):
        weights(time, 1.0)


def rating(values, sampling_hz=2.0, start_time_s=0.0):
    return Rating("valence", None, "stimulus", "a.wav", sampling_hz, start_time_s, tuple(values))


def test_rating_is_the_mean_in_the_window():
    got = sample_series(rating(np.arange(40.0)), np.array([5.0, 5.5]), 2.0)
    np.testing.assert_allclose(got, [np.mean([8, 9, 10, 11]), np.mean([9, 10, 11, 12])])


def test_rating_never_reaches_beyond_its_ends():
    slow = rating([1.0, 2.0, 3.0], sampling_hz=1.0, start_time_s=15.0)
    times = np.array([14.4, 14.6, 15.0, 16.0, 17.4, 17.6])
    got = sample_series(slow, times, 1.0)
    np.testing.assert_array_equal(np.isnan(got), [True, False, False, False, False, True])
    assert np.isnan(sample_series(rating([]), times, 1.0)).all()


def test_missing_samples_are_left_out_of_the_mean():
    values = np.arange(40.0)
    values[[9, 20, 21, 22, 23]] = np.nan
    got = sample_series(rating(values), np.array([5.0, 11.0, 15.0]), 2.0)
    np.testing.assert_allclose(got, [np.mean([8, 10, 11]), np.nan, np.mean([28, 29, 30, 31])])


def test_slow_rating_is_interpolated_and_a_gap_stays_a_gap():
    slow = rating([0.0, 1.0, np.nan, 3.0, 4.0], sampling_hz=0.1)
    got = sample_series(slow, np.array([5.0, 15.0, 25.0, 35.0]), 1.0)
    np.testing.assert_allclose(got, [0.5, np.nan, np.nan, 3.5])


@given(
    hz=st.floats(0.1, 20.0),
    start=st.floats(-5.0, 20.0),
    n=st.integers(1, 200),
    width=st.floats(0.1, 4),
)
def test_a_constant_rating_stays_constant_or_missing(hz, start, n, width):
    times = np.linspace(-10, 60, 141)
    got = sample_series(rating(np.full(n, 0.3), hz, start), times, width)
    assert np.all(np.isnan(got) | np.isclose(got, 0.3))
    within = (times >= start) & (times <= start + (n - 1) / hz)
    assert not np.isnan(got[within]).any()
    outside = (times < start - 1 / hz) | (times > start + n / hz)
    assert np.isnan(got[outside]).all()
