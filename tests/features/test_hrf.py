from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nilearn.glm.first_level import spm_hrf

from bidsapp.errors import InputInvalidError
from bidsapp.features.hrf import convolve_pieces, hrf


def test_response_is_nilearns():
    ours, theirs = hrf(0.01), spm_hrf(0.01, oversampling=1)
    np.testing.assert_allclose(ours[:-1], theirs[1:], atol=2e-3 * theirs.max())
    for dt in (0.1, 0.48, 0.735):
        assert hrf(dt).sum() == pytest.approx(1)
        assert abs(dt * hrf(dt).argmax() - 5.0) <= dt / 2 + 1e-9


def test_response_is_the_same_at_every_rate():
    fine, coarse = hrf(0.01), hrf(0.5)
    np.testing.assert_allclose(coarse / 0.5, fine[::50] / 0.01, atol=2e-3)


def frames_of(piece_s, dt=0.5, window=1.0):
    counts = [1 + int((length - window) / dt + 1e-9) for length in piece_s]
    times = [window / 2 + dt * np.arange(n) for n in counts]
    return np.repeat(np.arange(len(counts)), counts), np.concatenate(times)


def test_slow_oracle():
    rng = np.random.default_rng(0)
    piece_s = (12.0, 20.0)
    piece, time = frames_of(piece_s)
    course = rng.standard_normal((len(piece), 3))
    responses = convolve_pieces(course, piece, time, 0.5, piece_s)
    kernel = hrf(0.5)
    for number in range(2):
        mine = course[piece == number]
        heard = np.vstack([mine[:1], mine, mine[-1:]])
        rows = responses.piece == number
        np.testing.assert_allclose(responses.time_s[rows], 0.5 * np.arange(len(heard)))
        for i in range(len(heard)):
            past = heard[i::-1][: len(kernel)]
            expected = kernel[: len(past)] @ past
            np.testing.assert_allclose(responses.values[rows][i], expected, atol=1e-10)


def test_nothing_crosses_a_border():
    piece_s = (15.0, 15.0, 15.0)
    piece, time = frames_of(piece_s)
    course = np.random.default_rng(1).standard_normal((len(piece), 2))
    changed = course.copy()
    changed[piece == 1] += 100
    one, two = (convolve_pieces(x, piece, time, 0.5, piece_s) for x in (course, changed))
    others = one.piece != 1
    np.testing.assert_array_equal(one.values[others], two.values[others])
    assert not np.allclose(one.values[~others], two.values[~others])


def test_future_sound_changes_nothing():
    piece, time = frames_of((30.0,))
    course = np.random.default_rng(1).standard_normal((len(piece), 2))
    changed = course.copy()
    changed[40:] = 0
    one, two = (convolve_pieces(x, piece, time, 0.5, (30.0,)) for x in (course, changed))
    np.testing.assert_allclose(one.values[:41], two.values[:41], atol=1e-12)


@given(level=st.floats(-5, 5), length=st.floats(40, 80))
def test_a_constant_rises_to_itself(level, length):
    piece, time = frames_of((length,))
    course = np.full((len(piece), 1), level)
    responses = convolve_pieces(course, piece, time, 0.5, (length,))
    np.testing.assert_allclose(responses.values[responses.time_s >= 32], level, atol=1e-9)
    assert abs(responses.values[0, 0]) < 1e-9


def test_sampling_at_volumes():
    piece, time = frames_of((30.0, 30.0), dt=0.1, window=0.2)
    course = np.sin(time)[:, None] + piece[:, None]
    responses = convolve_pieces(course, piece, time, 0.1, (30.0, 30.0))
    rows = responses.piece == 1
    clock, values = responses.time_s[rows], responses.values[rows, 0]
    volumes = np.array([0.0, 3.3, 12.0, 29.9])
    sampled = responses.at(1, volumes, 0.0)
    np.testing.assert_allclose(sampled[:, 0], np.interp(volumes, clock, values), atol=1e-9)
    inside = (clock >= 11.0 - 1e-6) & (clock < 13.0 - 1e-6)
    assert responses.at(1, [12.0], 2.0)[0, 0] == pytest.approx(values[inside].mean())
    assert responses.at(0, [], 2.0).shape == (0, 1)
    with pytest.raises(InputInvalidError, match=r"40\.00 s are needed"):
        responses.at(1, [40.0], 2.0)
