from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile
import torch

from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.base import Layer, Network
from bidsapp.errors import InputInvalidError
from bidsapp.features import courses
from bidsapp.features.courses import extract_courses
from bidsapp.features.extract import extract

MEMORY = 2**28


class Toy(Network):
    """Two layers with known averages; notes in a file each time it is run."""

    name = "toy"
    layers = (Layer("sound", "conv", 100, 4, 25), Layer("square", "fc", 100))
    sampling_hz = 1000
    window_s, hop_s = 0.1, 0.05

    def __init__(self, log, fail=False):
        self.weights = {"source": "none"}
        self.log, self.fail = log, fail

    def frames(self, waveform):
        return np.lib.stride_tricks.sliding_window_view(waveform, 100)[::50]

    def n_blocks(self, n_frames, memory_bytes):
        return 3

    def blocks(self, frames, *, memory_bytes, device="cpu", scratch_dir=None):
        with self.log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        x = torch.tensor(frames)
        cells = x.reshape(-1, 25, 4)
        yield 0, cells[..., :3].flatten(1)
        yield 1, x**2
        if self.fail:
            raise KeyboardInterrupt
        yield 0, cells[..., 3:].flatten(1)


@pytest.fixture
def stimuli(tmp_path):
    rng = np.random.default_rng(0)
    sounds = []
    for name, seconds in (("b.wav", 3.0), ("a.flac", 2.0), ("c.wav", 0.2)):
        path = tmp_path / name
        soundfile.write(path, rng.uniform(-0.5, 0.5, int(seconds * 1000)), 1000)
        sounds.append((name, path))
    return sounds


@pytest.mark.parametrize("at_once", [7, 60, 1000])
def test_courses_are_the_averages_of_every_layer(stimuli, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(courses, "_FRAMES_AT_ONCE", at_once)
    network = Toy(tmp_path / "log")
    bank = extract_courses(stimuli, network, tmp_path / "c", memory_bytes=MEMORY, quiet=True)
    sounds = [soundfile.read(path, dtype="float32")[0] for _, path in stimuli]
    x = np.concatenate([network.frames(sound) for sound in sounds])
    assert bank.n_frames == len(x)
    assert np.bincount(bank.frame_piece).tolist() == [59, 39, 3]
    assert bank.pieces == ("b.wav", "a.flac", "c.wav")
    assert bank.piece_s == (3.0, 2.0, 0.2)
    central = x.reshape(-1, 25, 4)[:, 6:19].mean(axis=1)
    np.testing.assert_allclose(bank.course(0), central, atol=1e-6)
    np.testing.assert_allclose(bank.course(1), x**2, atol=1e-6)
    assert bank.course(0).dtype == np.float32
    assert bank.layers == network.layers


def test_second_call_reads_and_a_gram_bank_lies_beside(stimuli, tmp_path):
    cache, log = tmp_path / "cache", tmp_path / "log"
    first = extract_courses(stimuli, Toy(log), cache, memory_bytes=MEMORY, quiet=True)
    again = extract_courses(stimuli, Toy(log), cache, memory_bytes=1, quiet=True)
    assert len(log.read_text().split()) == 1
    assert first.key == again.key
    grams = extract(stimuli, Toy(log), cache, memory_bytes=MEMORY, quiet=True)
    assert grams.key != first.key
    assert grams.folder != first.folder
    other_order = extract_courses(stimuli[::-1], Toy(log), cache, memory_bytes=MEMORY, quiet=True)
    assert other_order.key != first.key


def test_an_interrupted_run_leaves_nothing(stimuli, tmp_path):
    cache = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        extract_courses(
            stimuli, Toy(tmp_path / "log", fail=True), cache, memory_bytes=MEMORY, quiet=True
        )
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_no_sounds(tmp_path):
    with pytest.raises(InputInvalidError, match="no sounds"):
        extract_courses([], Toy(tmp_path / "log"), tmp_path, memory_bytes=MEMORY, quiet=True)


def test_the_paper_s_network(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, 70_000), 16_000)
    network = get_network("resnet1d", hop_s=0.48)
    bank = extract_courses([("s", path)], network, tmp_path / "c", memory_bytes=MEMORY, quiet=True)
    widths = [bank.course(index).shape for index in range(10)]
    assert widths == [(3, n) for n in (64, 64, 64, 128, 128, 256, 256, 512, 512, 50)]
    np.testing.assert_allclose(bank.frame_time_s, 1.568 + 0.48 * np.arange(3))
