from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.errors import InputInvalidError
from bidsapp.features.design import apply_lags, lag_operators, response_operator
from bidsapp.features.hrf import convolve_pieces
from bidsapp.features.timeline import timeline


@pytest.mark.parametrize("lags_s", [(4.0, 5.0, 6.0), (-6.0, -5.0, -4.0), (2.5,)])
@pytest.mark.parametrize("tr_s", [0.8, 1.0, 2.0])
def test_an_event_shows_up_a_lag_later(make_run, make_presentation, make_bank, lags_s, tr_s):
    """A feature that is on for a moment of the sound lights the rows a lag after it, no others."""
    run = make_run(n_trs=100, tr_s=tr_s)
    shown = make_presentation(run, onset_s=7.0, duration_s=60.0, stim_start_s=3.0)
    bank = make_bank({"a.wav": 70.0})
    event_s = 33.0
    scores = (np.abs(bank.frame_time_s - event_s) < 0.06).astype(float)[:, None]
    rows = timeline([run], [shown], lags_s)
    x = apply_lags(scores, lag_operators(bank, rows, lags_s))
    assert x.shape == (rows.n_rows, len(lags_s))
    for column, lag in zip(x.T, lags_s, strict=True):
        volume_s = rows.volume * tr_s - 7.0 + 3.0
        lit = np.abs(volume_s - lag - event_s) <= tr_s / 2 + 0.06
        assert column.max() > 0
        assert np.all(column[~lit] == 0)


def test_columns_are_lags_of_all_scores(make_run, make_presentation, make_bank):
    run = make_run()
    bank = make_bank({"a.wav": 60.0})
    scores = np.random.default_rng(0).standard_normal((bank.n_frames, 3))
    rows = timeline([run], [make_presentation(run)], (4.0, 6.0))
    x = apply_lags(scores, lag_operators(bank, rows, (4.0, 6.0)))
    np.testing.assert_allclose(x[:-2, :3], x[2:, 3:])
    expected = scores[np.abs(bank.frame_time_s - 9.95) < 0.5]
    row = np.flatnonzero(rows.stim_time_s == 14.0)[0]
    assert len(expected) == 10
    np.testing.assert_allclose(x[row, :3], expected.mean(axis=0))


def test_pieces_are_found_by_name_and_never_mixed(make_run, make_presentation, make_bank):
    run = make_run(n_trs=120)
    shown = [
        make_presentation(run, 0.0, 50.0, "b.wav"),
        make_presentation(run, 50.0, 50.0, "a.wav"),
    ]
    bank = make_bank({"a.wav": 50.0, "c.wav": 10.0, "b.wav": 50.0})
    scores = bank.frame_piece[:, None].astype(float)
    rows = timeline([run], shown, (4.0, 6.0))
    x = apply_lags(scores, lag_operators(bank, rows, (4.0, 6.0)))
    expected = np.where(rows.presentation == 0, 2.0, 0.0)[:, None] * [1, 1]
    np.testing.assert_allclose(x, expected)


@given(offset=st.floats(0.0, 1.0), tr_s=st.floats(0.4, 3.0), lag=st.floats(-8.0, 8.0))
def test_time_itself_is_read_a_lag_earlier(
    make_run, make_presentation, make_bank, offset, tr_s, lag
):
    run = make_run(n_trs=60, tr_s=tr_s, start_time_s=offset)
    bank = make_bank({"a.wav": 60.0})
    rows = timeline([run], [make_presentation(run)], (lag,))
    x = apply_lags(bank.frame_time_s[:, None], lag_operators(bank, rows, (lag,)))
    wanted = rows.stim_time_s - lag
    inner = (wanted > 0.1 + tr_s / 2) & (wanted < 59.9 - tr_s / 2)
    assert np.all(np.abs(x[inner, 0] - wanted[inner]) <= 0.051)


def test_a_sound_without_features_is_named(make_run, make_presentation, make_bank):
    run = make_run()
    rows = timeline([run], [make_presentation(run, stim_file="lost.wav")], (4.0,))
    with pytest.raises(InputInvalidError, match=r"lost\.wav"):
        lag_operators(make_bank({"a.wav": 60.0}), rows, (4.0,))


def test_a_sound_shorter_than_its_presentation_is_refused(make_run, make_presentation, make_bank):
    run = make_run()
    rows = timeline([run], [make_presentation(run)], (4.0,))
    with pytest.raises(InputInvalidError, match="correct onset"):
        lag_operators(make_bank({"a.wav": 40.0}), rows, (4.0,))


def test_no_rows_give_an_empty_design(make_run, make_presentation, make_bank):
    run = make_run(n_trs=3)
    bank = make_bank({"a.wav": 60.0})
    rows = timeline([run], [make_presentation(run)], (4.0,))
    x = apply_lags(np.ones((bank.n_frames, 2)), lag_operators(bank, rows, (4.0,)))
    assert x.shape == (0, 2)


@pytest.mark.parametrize("tr_s", [0.8, 1.5])
def test_the_response_is_that_of_a_convolution(make_run, make_presentation, make_bank, tr_s):
    """Read between the frames of the searchlight's convolution, which shares no code."""
    run = make_run(n_trs=60, tr_s=tr_s)
    bank = make_bank({"a.wav": 40.0})
    scores = np.random.default_rng(1).standard_normal((bank.n_frames, 3)).cumsum(axis=0)
    rows = timeline([run], [make_presentation(run, 5.0, 40.0)], (0.0,))
    x = apply_lags(scores, (response_operator(bank, rows, mirrored=False),))
    made = convolve_pieces(scores, bank.frame_piece, bank.frame_time_s, bank.hop_s, [40.0])
    expected = made.at(0, rows.stim_time_s, 0.0)
    for column, peer in zip(x.T, expected.T, strict=True):
        assert np.corrcoef(column, peer)[0, 1] > 0.999


def test_the_mirrored_response_is_that_of_the_reversed_sound(
    make_run, make_presentation, make_bank
):
    run = make_run(n_trs=41, tr_s=1.0)
    bank = make_bank({"a.wav": 40.0})
    scores = np.random.default_rng(2).standard_normal((bank.n_frames, 2))
    rows = timeline([run], [make_presentation(run, 0.0, 40.0)], (0.0,))
    mirrored = apply_lags(scores, (response_operator(bank, rows, mirrored=True),))
    plain = apply_lags(scores[::-1], (response_operator(bank, rows, mirrored=False),))
    np.testing.assert_allclose(mirrored[1:], plain[:0:-1], atol=1e-9)


def test_only_what_was_heard_is_answered(make_run, make_presentation, make_bank):
    """A presentation from 20 to 50 s of a file: frames before and after it weigh nothing."""
    run = make_run(n_trs=60, tr_s=1.0)
    bank = make_bank({"a.wav": 90.0})
    rows = timeline([run], [make_presentation(run, 4.0, 30.0, stim_start_s=20.0)], (0.0,))
    for mirrored in (False, True):
        weights = response_operator(bank, rows, mirrored=mirrored).toarray()
        used = bank.frame_time_s[np.abs(weights).sum(axis=0) > 0]
        assert used.min() >= 20.0
        assert used.max() < 50.0
    causal = response_operator(bank, rows, mirrored=False).toarray()
    late = bank.frame_time_s[None] > rows.stim_time_s[:, None]
    assert not causal[late].any()


def test_features_that_end_too_early_are_refused(make_run, make_presentation, make_bank):
    run = make_run(n_trs=60, tr_s=1.0)
    rows = timeline([run], [make_presentation(run, 0.0, 55.0)], (0.0,))
    with pytest.raises(InputInvalidError, match="features lie from"):
        response_operator(make_bank({"a.wav": 30.0}), rows, mirrored=False)
