from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bidsapp.audio import io
from bidsapp.audio.io import (
    audio_duration_s,
    content_hash,
    leading_silence_s,
    level_fault,
    load_audio,
    rms_envelope,
)
from bidsapp.errors import InputInvalidError, InputMissingError


def tone(seconds, hz, pitch=440.0):
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * hz)) / hz)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_every_format_comes_back_as_the_same_tone(tmp_path, extension):
    path = tmp_path / f"tone.{extension}"
    soundfile.write(path, np.stack([tone(2.0, 44_100)] * 2, axis=1), 44_100)
    waveform = load_audio(path, 16_000)
    assert waveform.dtype == np.float32
    assert waveform.ndim == 1
    assert waveform.size == pytest.approx(32_000, abs=2_000)
    assert audio_duration_s(path) == pytest.approx(2.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(waveform[4000:20_000]))
    assert spectrum.argmax() == 440
    assert np.abs(waveform[4000:20_000]).max() == pytest.approx(0.5, abs=0.02)


def test_channels_are_averaged(tmp_path):
    path = tmp_path / "stereo.wav"
    left, right = tone(0.1, 8000), tone(0.1, 8000, 880)
    soundfile.write(path, np.stack([left, right], axis=1), 8000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(path, 8000), (left + right) / 2, atol=1e-6)


def test_resampling_is_near_the_ideal(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(1.0, 44_100), 44_100, subtype="FLOAT")
    got = load_audio(path, 16_000)
    assert got.size == 16_000
    np.testing.assert_allclose(got[500:-500], tone(1.0, 16_000)[500:-500], atol=1e-4)


def test_result_does_not_depend_on_how_much_is_read_at_once(tmp_path, monkeypatch):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.9, 0.9, 30_000), 22_050)
    whole = load_audio(path, 16_000)
    monkeypatch.setattr(io, "_READ_FRAMES", 777)
    np.testing.assert_allclose(load_audio(path, 16_000), whole, atol=1e-6)


def test_hash_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "any.bin"
    path.write_bytes(b"music" * 1000)
    assert content_hash(path) == hashlib.sha256(b"music" * 1000).hexdigest()


def test_missing_files_are_missing(tmp_path):
    link = tmp_path / "annexed.wav"
    link.symlink_to(tmp_path / "object")
    for function in (audio_duration_s, content_hash, lambda path: load_audio(path, 16_000)):
        with pytest.raises(InputMissingError, match="no such sound"):
            function(tmp_path / "nowhere.wav")
        with pytest.raises(InputMissingError, match="datalad get"):
            function(link)


def test_broken_files_are_invalid_and_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    empty, text, silent = (tmp_path / name for name in ("empty.wav", "text.mp3", "none.wav"))
    empty.touch()
    text.write_text("not a sound " * 50)
    soundfile.write(silent, np.empty(0), 8000)
    for path, what in ((empty, "0 bytes"), (text, "cannot be decoded"), (silent, "no samples")):
        with pytest.raises(InputInvalidError, match=what) as caught:
            load_audio(path, 16_000)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("extension", ["flac", "mp3"])
def test_a_sound_cut_short_is_refused(tmp_path, extension):
    path = tmp_path / f"cut.{extension}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 100_000), 44_100)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(InputInvalidError, match=r"broken|ends after") as caught:
        load_audio(path, 16_000)
    assert str(path) in str(caught.value)


def test_samples_that_are_no_numbers_are_refused(tmp_path):
    path = tmp_path / "nan.wav"
    samples = tone(0.1, 8000)
    samples[100] = np.nan
    soundfile.write(path, samples, 8000, subtype="FLOAT")
    with pytest.raises(InputInvalidError, match="NaN"):
        load_audio(path, 8000)


def _fake_ffmpeg(folder: Path, body: str) -> None:
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_ffmpeg_takes_what_libsndfile_refuses(tmp_path, monkeypatch):
    converted, strange = tmp_path / "converted.wav", tmp_path / "strange.m4a"
    soundfile.write(converted, tone(1.0, 8000), 8000, subtype="FLOAT")
    strange.write_text("no sound that libsndfile knows")
    _fake_ffmpeg(tmp_path, f'for last; do :; done; cp "{converted}" "$last"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    np.testing.assert_allclose(load_audio(strange, 8000), tone(1.0, 8000), atol=1e-6)
    assert audio_duration_s(strange) == 1.0
    _fake_ffmpeg(tmp_path, "exit 1")
    with pytest.raises(InputInvalidError, match="nor by ffmpeg"):
        load_audio(strange, 8000)


def test_envelope_is_the_rms_of_each_window():
    waveform = np.concatenate([np.full(800, 0.5), np.zeros(800), np.full(400, -1.0)])
    envelope = rms_envelope(waveform.astype(np.float32), 8000, 10.0)
    np.testing.assert_allclose(envelope, [0.5, 0.0, 1.0])


@pytest.mark.data
def test_real_recordings_decode(test_data):
    paths = sorted((test_data / "audio").glob("*.ogg"))
    assert paths
    for path in paths:
        waveform = load_audio(path, 16_000)
        assert waveform.size / 16_000 == pytest.approx(audio_duration_s(path), abs=0.01)
        assert 1e-3 < np.sqrt(np.mean(np.square(waveform))) < 1.0


class TestLevel:
    """What carries nothing once it is one channel is known before it is analysed."""

    def fault(self, tmp_path, samples, **options) -> str:
        path = tmp_path / "x.wav"
        soundfile.write(path, samples, 16000, **options)
        return level_fault(path)

    def test_music_passes_even_behind_silence(self, tmp_path) -> None:
        noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
        assert self.fault(tmp_path, noise) == ""
        assert self.fault(tmp_path, np.r_[np.zeros(80000), 0.01 * noise]) == ""
        assert self.fault(tmp_path, np.c_[np.zeros((16000, 2)), noise]) == ""

    def test_silence(self, tmp_path) -> None:
        assert self.fault(tmp_path, np.zeros(16000)) == "is silent"
        assert self.fault(tmp_path, np.zeros(0)) == "holds no samples"

    def test_channels_that_cancel(self, tmp_path) -> None:
        noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
        assert "cancel" in self.fault(tmp_path, np.c_[noise, -noise])
        assert self.fault(tmp_path, np.c_[noise, -0.5 * noise]) == ""

    def test_integers_written_as_floats(self, tmp_path) -> None:
        noise = 3000 * np.random.default_rng(0).standard_normal(16000)
        assert "times full scale" in self.fault(tmp_path, noise, subtype="FLOAT")


@pytest.mark.parametrize("silent_s", [0.0, 0.5, 3.0])
def test_silence_in_front_is_counted_in_whole_seconds(tmp_path: Path, silent_s: float) -> None:
    tone = 0.1 * np.sin(np.arange(16000) / 10)
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.r_[np.zeros(int(silent_s * 8000)), tone], 8000)
    assert leading_silence_s(path) == int(silent_s)


def test_a_silent_sound_is_silent_to_its_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(4 * 8000), 8000)
    assert leading_silence_s(tmp_path / "none.wav") == 4
