"""Composed music: deterministic, of the right length, different between and within pieces."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from bidsapp.simulate.music import SAMPLING_HZ, compose, write_piece
from bidsapp.simulate.styles import SCALES, STYLES
from bidsapp.simulate.synth import DRUMS, TIMBRES, pitched


@pytest.fixture(scope="module")
def pieces():
    return [compose(number, 24.0) for number in range(len(STYLES))]


def _loudness(wave, seconds=2.0):
    n = int(seconds * SAMPLING_HZ)
    parts = wave[: len(wave) // n * n].reshape(-1, n).astype(float)
    return np.sqrt((parts**2).mean(axis=1))


def _spectrum(wave):
    power = np.abs(np.fft.rfft(wave.astype(float))) ** 2
    edges = np.geomspace(20, len(power) - 1, 25).astype(int)
    return np.log(np.add.reduceat(power, edges)[:-1] + 1e-9)


def test_the_same_number_and_seed_give_the_same_samples():
    one, two = compose(1, 6.0, seed=4), compose(1, 6.0, seed=4)
    np.testing.assert_array_equal(one.waveform, two.waveform)
    assert not np.array_equal(one.waveform, compose(1, 6.0, seed=5).waveform)


def test_pieces_have_the_length_asked_for_and_do_not_clip(pieces):
    for piece in pieces:
        assert piece.seconds == pytest.approx(24.0, abs=1e-4)
        assert np.abs(piece.waveform).max() == pytest.approx(0.9, abs=1e-3)


def test_sections_cover_the_piece_and_change_mood(pieces):
    for piece in pieces:
        ends = [section.onset_s + section.duration_s for section in piece.sections]
        assert piece.sections[0].onset_s == 0
        assert ends[-1] == pytest.approx(piece.seconds, abs=1e-3)
        starts = [section.onset_s for section in piece.sections[1:]]
        np.testing.assert_allclose(ends[:-1], starts, atol=1e-6)
        assert {section.emotion for section in piece.sections} <= {
            piece.style.emotion,
            piece.style.contrast,
        }


def test_loudness_changes_within_every_piece(pieces):
    for piece in pieces:
        loudness = _loudness(piece.waveform)
        assert loudness.std() / loudness.mean() > 0.1, piece.name


def test_no_two_pieces_have_the_same_spectrum(pieces):
    spectra = np.array([_spectrum(piece.waveform) for piece in pieces])
    distance = np.linalg.norm(spectra[:, None] - spectra, axis=2)
    assert distance[~np.eye(len(pieces), dtype=bool)].min() > 3


def test_styles_repeat_under_another_name_with_other_notes():
    first, again = compose(0, 6.0), compose(len(STYLES), 6.0)
    assert again.style == first.style
    assert again.name != first.name
    assert not np.array_equal(first.waveform, again.waveform)


def test_files_hold_16_bit_and_what_was_composed(tmp_path, pieces):
    path = write_piece(pieces[0], tmp_path)
    assert soundfile.info(path).subtype == "PCM_16"
    data, rate = soundfile.read(path)
    assert rate == SAMPLING_HZ
    np.testing.assert_allclose(data, pieces[0].waveform, atol=1 / 32768)


@pytest.mark.parametrize("name", TIMBRES)
def test_notes_have_their_pitch(name):
    wave = pitched(TIMBRES[name], 69, 1.0, SAMPLING_HZ, np.random.default_rng(0)).astype(float)
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLING_HZ)
    near = np.abs(hertz - 440) < 12
    assert power[near].max() > 0.2 * power.max()


def test_registries_know_all_that_styles_name():
    for style in STYLES:
        assert {*style.leads, style.chords, style.bass} <= set(TIMBRES)
        assert set(style.groove) <= set(DRUMS)
        assert {style.scale, style.other_scale} <= set(SCALES)
    assert len({style.name for style in STYLES}) == len(STYLES)
