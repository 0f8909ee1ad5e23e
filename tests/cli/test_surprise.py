"""`musicotopy-tools surprise`: features of sounds whose chords were planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bidsapp.audio.networks import get_network
from bidsapp.cli.tools import main
from tests.models.tones import chord_partials

RATE = 22_050
CHORDS = ([60, 64, 67], [65, 69, 72], [67, 71, 74], [60, 64, 67])


def play(path: Path, chords: list[list[int]], transposition: int) -> None:
    """One chord a second, each held for two steps."""
    time_s = np.arange(RATE) / RATE
    parts = []
    for chord in chords:
        hz, amplitudes = chord_partials([note + transposition for note in chord], 6)
        phases = 2 * np.pi * hz[:, None] * time_s + hz[:, None] ** 2
        parts.append(amplitudes @ np.sin(phases))
    soundfile.write(path, 0.05 * np.concatenate(parts), RATE)


def test_a_planted_chord_is_the_most_surprising_and_a_run_can_read_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for number in range(4):
        chords = [CHORDS[k % 4] for k in range(16)]
        if number == 0:
            chords[10] = [61, 66, 70]
        play(sounds / f"{number}.wav", chords, 2 * number)
    out = tmp_path / "surprise.npz"
    assert main(["surprise", str(sounds), str(out), "-q"]) == 0
    assert f"use: --network features:{out}" in capsys.readouterr().out
    network = get_network(f"features:{out}")
    assert [layer.name for layer in network.layers] == ["surprise"]
    frames, times_s = network.read_sound("0.wav", sounds / "0.wav")
    np.testing.assert_allclose(times_s, 0.25 + 0.5 * np.arange(32))
    bits = frames[:, 0]
    assert int(bits[4:].argmax()) + 4 in (20, 21, 22)  # the chord of second 10, or the way back
    assert bits[20] > 4 * np.median(bits[4:])
    other = network.read_sound("2.wav", sounds / "2.wav")[0][:, 0]
    assert other[4:].max() < bits[20]


def test_one_sound_and_a_wrong_order_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play(tmp_path / "a.wav", list(CHORDS), 0)
    out = str(tmp_path / "x.npz")
    assert main(["surprise", str(tmp_path), out, "-q"]) == 65
    assert "give two or more" in capsys.readouterr().err
    assert main(["surprise", str(tmp_path), out, "-q", "--order", "-1"]) == 2


def test_short_sounds_and_another_kind_of_file_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.full(RATE // 4, 0.1), RATE)
    assert main(["surprise", str(tmp_path), str(tmp_path / "x.npz"), "-q"]) == 65
    assert "none of its 2 sounds lasts 0.5 s" in capsys.readouterr().err
    assert main(["surprise", str(tmp_path), str(tmp_path / "x.tsv"), "-q"]) == 2
    assert "name the file .npz" in capsys.readouterr().err
