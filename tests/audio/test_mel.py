from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.audio import mel


def test_golden_values_of_the_sine(sine):
    frames = mel.examples(mel.log_mel(sine), hop=96)
    assert frames.shape == (3, 96, 64)
    # published from a float32 pipeline, whose rounding lifts the floor between the bands
    assert frames.mean(dtype=float) == pytest.approx(-3.429594, abs=5e-5)
    assert frames.std(dtype=float, ddof=1) == pytest.approx(2.126620, abs=5e-5)
    assert frames.max() == pytest.approx(4.81112, abs=1e-5)
    assert frames.min() == pytest.approx(-4.60106, abs=1e-4)
    assert frames.mean(axis=(0, 1)).argmax() == 19


def test_filters_are_those_of_kaldi():
    kaldi = pytest.importorskip("torchaudio.compliance.kaldi")
    theirs, _ = kaldi.get_mel_banks(64, 512, 16_000, 125.0, 7500.0, 100.0, -500.0, 1.0)
    ours = mel.mel_filters()[:256].T
    np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-5)


def test_filters_by_the_formula_written_out():
    def hertz_of_mel(m):
        return 700 * (np.exp(m / 1127) - 1)

    edges = np.linspace(*(1127 * np.log(1 + f / 700) for f in (125, 7500)), 66)
    filters = mel.mel_filters()
    for band in (0, 19, 63):
        support = np.flatnonzero(filters[:, band]) * 16_000 / 512
        assert support.min() > hertz_of_mel(edges[band])
        assert support.max() < hertz_of_mel(edges[band + 2])
    assert filters.max() <= 1.0
    assert np.all(filters[0] == 0)


def test_window_is_periodic_and_spectrum_is_a_magnitude(sine):
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frame = np.pad(sine[1600:2000].astype(float) * hann, (0, 112))
    angles = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(512)) / 512)
    expected = np.log(np.abs(angles @ frame) @ mel.mel_filters() + 0.01)
    np.testing.assert_allclose(mel.log_mel(sine)[10], expected, atol=1e-5)


def test_result_does_not_depend_on_how_it_is_chunked(music, monkeypatch):
    whole = mel.log_mel(music)
    monkeypatch.setattr(mel, "_SPECTRA_AT_ONCE", 37)
    np.testing.assert_array_equal(mel.log_mel(music), whole)


def test_silence_is_the_logarithm_of_the_offset():
    np.testing.assert_allclose(mel.log_mel(np.zeros(16_000, np.float32)), np.log(0.01))


@given(n_samples=st.integers(0, 40_000), hop=st.sampled_from([1, 24, 48, 96]))
def test_every_frame_lies_within_the_sound(n_samples, hop):
    frames = mel.examples(mel.log_mel(np.zeros(n_samples, np.float32)), hop)
    expected = max(0, 1 + ((n_samples - 15_600) // 160) // hop) if n_samples >= 15_600 else 0
    assert frames.shape == (expected, 96, 64)


def test_frames_are_cut_where_they_should_be(music):
    spectrogram = mel.log_mel(music)
    frames = mel.examples(spectrogram, hop=48)
    for i in (0, 3, len(frames) - 1):
        np.testing.assert_array_equal(frames[i], spectrogram[48 * i : 48 * i + 96])
