"""Excerpts for players: right place, right length, faded, and readable as MP3."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bidsapp.audio.excerpts import SAMPLING_HZ, excerpt_mp3


def test_an_excerpt_is_cut_at_its_place(tmp_path: Path) -> None:
    time_s = np.arange(10 * 44_100) / 44_100
    tone = np.where(time_s < 4, 440, 880)
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * tone * time_s), 44_100)
    wave, rate = soundfile.read(io.BytesIO(excerpt_mp3(path, 5.0, 3.0)))
    assert rate == SAMPLING_HZ
    assert wave.size / rate == pytest.approx(3.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(wave))
    loudest = np.fft.rfftfreq(wave.size, 1 / rate)[spectrum.argmax()]
    assert loudest == pytest.approx(880, abs=2)
    middle = np.abs(wave[rate : 2 * rate]).max()
    assert np.abs(wave[:50]).max() < 0.2 * middle


def test_what_lies_beyond_the_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(22_050 * 4), 22_050)
    wave, rate = soundfile.read(io.BytesIO(excerpt_mp3(path, 3.0, 15.0)))
    assert wave.size / rate == pytest.approx(1.0, abs=0.1)
