"""Emotion of sounds over time, agreement with ratings, and likeness of moments."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from bidsapp.audio.io import load_audio
from bidsapp.audio.networks import get_network
from bidsapp.audio.quadrant_match import match_rows
from bidsapp.bids.records import Rating
from bidsapp.recipes.harmony.listen import on_bands, sound_arrays, spectrogram, written_sound
from bidsapp.recipes.harmony.stimuli import (
    SoundCourse,
    agreement_rows,
    course_rows,
    gradcam_rows,
    sound_courses,
)
from bidsapp.stats.quadrants import entropy, similarity

HOP_S = 0.48
RATE = 22_050


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A long sound whose pitch changes, and one that is too short."""
    folder = tmp_path_factory.mktemp("sounds")
    time = np.arange(10 * RATE) / RATE
    pitch = np.where(time < 5, 220.0, 311.1)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tone = 0.1 * sum(np.sin(k * phase) / k for k in range(1, 7))
    soundfile.write(folder / "long.wav", tone.astype(np.float32), RATE)
    soundfile.write(folder / "short.wav", tone[: 3 * RATE].astype(np.float32), RATE)
    return tuple((name, folder / name) for name in ("long.wav", "short.wav"))


@pytest.fixture(scope="module")
def courses(sounds):
    networks = [get_network(name, hop_s=HOP_S) for name in ("harmonic", "consonance")]
    return sound_courses(sounds, *networks, label="", quiet=True)


def course(piece: str, probabilities) -> SoundCourse:
    p = np.asarray(probabilities, float)
    n = len(p)
    time_s = 3.0 + HOP_S * np.arange(n)
    return SoundCourse(piece, time_s, p, np.zeros(n), np.zeros((n, 12)), np.zeros((n, 3)))


def test_sounds_of_a_window_are_followed_and_shorter_ones_left_out(courses):
    assert [item.piece for item in courses] == ["long.wav"]
    (long,) = courses
    assert len(long.time_s) == 1 + round((10 - 6) * RATE) // round(HOP_S * RATE)
    np.testing.assert_allclose(long.probabilities.sum(axis=1), 1.0)
    assert long.gradcam.shape == (len(long.time_s), 12)
    assert (long.gradcam >= 0).all()
    assert np.isfinite(long.consonance).all()


def test_probabilities_are_the_networks_last_layer(courses, sounds):
    network = get_network("harmonic", hop_s=HOP_S)
    frames = network.frames(load_audio(sounds[0][1], network.sampling_hz))
    last = dict(network.channels(frames, memory_bytes=2**26))[3]
    np.testing.assert_allclose(courses[0].probabilities, last, atol=1e-5)


def test_rows_have_one_line_per_moment(courses):
    rows, maps = list(course_rows(courses)), list(gradcam_rows(courses))
    assert len(rows) == len(maps) == len(courses[0].time_s)
    for row in rows:
        assert row["valence"] == pytest.approx(row["Q1"] + row["Q4"] - row["Q2"] - row["Q3"])
        assert row["arousal"] == pytest.approx(row["Q1"] + row["Q2"] - row["Q3"] - row["Q4"])
        assert 0 <= row["uncertainty"] <= 2
    assert maps[0]["C#"] == courses[0].gradcam[0, 4]


def test_a_tone_is_at_its_frequency_and_time_in_the_spectrogram(sounds):
    """Ten seconds, 220 Hz, then 311 Hz; the second octave of either is weaker."""
    network = get_network("harmonic", hop_s=HOP_S)
    arrays = sound_arrays([path for _, path in sounds], network, 1, 4.0)
    assert set(arrays) == {"bands", "hz", "spectrogram1", "sound1"}
    values, hz = arrays["spectrogram1"], arrays["hz"]
    assert values.shape == (128, 50)
    assert values.max() == 255
    for columns, expected in ((slice(2, 23), 220.0), (slice(27, 48), 311.1)):
        loudest = hz[values[:, columns].argmax(axis=0)]
        assert np.abs(loudest - expected).max() < 16
    known, mp3 = written_sound(arrays, 1, np.ones((9, 12)))
    assert known.duration_s == pytest.approx(10.0)
    wave, rate = soundfile.read(io.BytesIO(mp3))
    assert wave.size / rate == pytest.approx(4.0, abs=0.15)
    assert written_sound(arrays, 2, np.ones((9, 12))) is None
    assert written_sound({}, 1, np.ones((9, 12))) is None


def test_long_sounds_are_transformed_in_blocks_of_the_same_columns():
    noise = 0.1 * np.random.default_rng(0).standard_normal(130 * RATE).astype(np.float32)
    whole = spectrogram(noise)
    assert whole.shape == (128, 650)
    part = spectrogram(noise[60 * RATE :])
    assert np.abs(whole[:, 310:600].astype(int) - part[:, 10:300]).max() <= 12  # other maximum


def test_gradcam_lies_on_the_bands_of_its_filters():
    network = get_network("harmonic", hop_s=HOP_S)
    gradcam = np.zeros((4, 12))
    gradcam[:, 3] = [1.0, 2.0, 0.0, 3.0]
    laid = on_bands(gradcam, network.bands, 128)
    seen = np.zeros(128, bool)
    seen[network.bands.ravel() // 2] = True
    np.testing.assert_array_equal(np.isfinite(laid).all(axis=1), seen)
    np.testing.assert_array_equal(laid[network.bands[3] // 2], np.tile(gradcam[:, 3], (6, 1)))
    assert np.nansum(laid) == pytest.approx(6 * 6.0)


def test_entropy_is_two_bits_without_knowledge():
    assert entropy(np.full(4, 0.25)) == pytest.approx(2.0)
    assert entropy(np.array([1.0, 0, 0, 0])) == 0.0


def test_a_rating_that_follows_the_prediction_agrees():
    p = np.linspace(0.1, 0.9, 40)
    rising = course("a.wav", np.stack([p, 0 * p, 1 - p, 0 * p], axis=1))
    values = tuple(np.linspace(-1, 1, 60))
    rating = Rating("Valence", None, "stimulus", "a.wav", 2.0, 0.0, values)
    other = Rating("enjoyment", None, "stimulus", "a.wav", 2.0, 0.0, values)
    unheard = Rating("arousal", "r1", "stimulus", "b.wav", 2.0, 0.0, values)
    rows = list(agreement_rows([rising], [rating, other, unheard], "felt", HOP_S))
    assert len(rows) == 1
    assert rows[0]["r"] == pytest.approx(1.0, abs=1e-3)
    assert rows[0]["emotion"] == "felt"
    flat = Rating("valence", None, "stimulus", "a.wav", 2.0, 0.0, (0.5,) * 60)
    assert np.isnan(next(iter(agreement_rows([rising], [flat], "felt", HOP_S)))["r"])


def test_likeness_is_one_for_equal_and_zero_for_disjoint_emotions():
    one, two = np.eye(4)[0], np.eye(4)[2]
    assert similarity(one, one) == pytest.approx(1.0)
    assert similarity(one, two) == pytest.approx(0.0)
    middle = (one + two) / 2
    assert 0 < similarity(one, middle) < 1
    assert similarity(one, middle) == pytest.approx(float(similarity(middle, one)))


def test_moments_are_compared_with_the_other_sounds():
    happy = course("happy.wav", np.tile([0.7, 0.1, 0.1, 0.1], (30, 1)))
    sad = course("sad.wav", np.tile([0.1, 0.1, 0.7, 0.1], (30, 1)))
    glad = course("glad.wav", np.tile([0.6, 0.2, 0.1, 0.1], (30, 1)))
    rows = list(match_rows([happy, sad, glad], 12.0))
    assert len(rows) == 3 * 2 * 2
    own = {row["candidate"]: row for row in rows if row["piece"] == "happy.wav"}
    assert set(own) == {"sad.wav", "glad.wav"}
    assert own["glad.wav"]["similarity"] > own["sad.wav"]["similarity"]
    assert own["sad.wav"]["valence_contrast"] == pytest.approx(-1.2)
    assert not list(match_rows([happy], 12.0))
