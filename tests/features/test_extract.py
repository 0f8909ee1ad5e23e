from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.base import Layer, Network
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.features.courses import extract_courses
from bidsapp.features.extract import bank_key, extract

MEMORY = 2**28


class Counting(Network):
    """Two layers of a toy network; notes in a file each time it is run."""

    name = "counting"
    layers = (Layer("sound", "input", 100), Layer("square", "relu", 100))
    sampling_hz = 1000
    window_s, hop_s = 0.1, 0.05

    def __init__(self, log: Path, seed: int = 0, fail_at: int | None = None):
        self.weights = {"seed": seed}
        self.log, self.fail_at = log, fail_at

    def frames(self, waveform):
        view = np.lib.stride_tricks.sliding_window_view(waveform, 100)
        return view[::50] + np.float32(self.weights["seed"])

    def n_blocks(self, n_frames, memory_bytes):
        return 4

    def blocks(self, frames, *, memory_bytes, device="cpu", scratch_dir=None):
        with self.log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        x = torch.from_numpy(frames)
        for number, part in enumerate((slice(0, 60), slice(60, 100))):
            if number == self.fail_at:
                raise KeyboardInterrupt
            yield 0, x[:, part]
            yield 1, x[:, part] ** 2


@pytest.fixture
def stimuli(tmp_path):
    rng = np.random.default_rng(0)
    sounds = []
    for name, seconds in (("b.wav", 3.0), ("a.flac", 2.0)):
        path = tmp_path / name
        soundfile.write(path, rng.uniform(-0.5, 0.5, int(seconds * 1000)), 1000)
        sounds.append((name, path))
    return sounds


@pytest.fixture
def log(tmp_path):
    return tmp_path / "runs.log"


def test_bank_holds_the_gram_of_every_layer(stimuli, log, tmp_path):
    network = Counting(log)
    bank = extract(stimuli, network, tmp_path / "cache", memory_bytes=MEMORY, quiet=True)
    sounds = [soundfile.read(path, dtype="float32")[0] for _, path in stimuli]
    x = np.concatenate([network.frames(sound) for sound in sounds]).astype(float)
    assert bank.pieces == ("b.wav", "a.flac")
    assert bank.piece_s == (3.0, 2.0)
    assert np.bincount(bank.frame_piece).tolist() == [59, 39]
    np.testing.assert_allclose(bank.frame_time_s[:3], [0.05, 0.1, 0.15])
    np.testing.assert_allclose(bank.frame_time_s[59:61], [0.05, 0.1])
    assert [layer.name for layer in bank.layers] == ["sound", "square"]
    for index, features in enumerate((x, x**2)):
        centred = features - features.mean(axis=0)
        np.testing.assert_allclose(bank.gram(index), centred @ centred.T, atol=1e-4)
        assert bank.gram(index).dtype == np.float64


def test_second_call_reads_what_the_first_has_left(stimuli, log, tmp_path):
    first = extract(stimuli, Counting(log), tmp_path / "cache", memory_bytes=MEMORY, quiet=True)
    again = extract(stimuli, Counting(log), tmp_path / "cache", memory_bytes=1, quiet=True)
    assert len(log.read_text().split()) == 1
    assert again.key == first.key
    np.testing.assert_array_equal(again.gram(1), first.gram(1))


def test_names_may_change_while_the_sounds_stay(stimuli, log, tmp_path):
    extract(stimuli, Counting(log), tmp_path / "cache", memory_bytes=MEMORY, quiet=True)
    renamed = [("x.wav", stimuli[0][1]), ("y.wav", stimuli[1][1])]
    bank = extract(renamed, Counting(log), tmp_path / "cache", memory_bytes=MEMORY, quiet=True)
    assert bank.pieces == ("x.wav", "y.wav")
    assert len(log.read_text().split()) == 1


def test_key_changes_with_network_sounds_and_order(log):
    network, hashes = Counting(log), ["aa", "bb"]
    keys = {
        bank_key(network, hashes),
        bank_key(network, hashes[::-1]),
        bank_key(network, ["aa", "bc"]),
        bank_key(network, ["aa"]),
        bank_key(Counting(log, seed=1), hashes),
    }
    assert len(keys) == 5
    assert bank_key(Counting(Path("elsewhere")), hashes) in keys


def test_an_interrupted_run_leaves_nothing(stimuli, log, tmp_path):
    cache = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        extract(stimuli, Counting(log, fail_at=1), cache, memory_bytes=MEMORY, quiet=True)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    extract(stimuli, Counting(log), cache, memory_bytes=MEMORY, quiet=True)


def test_leftovers_of_a_killed_run_are_removed(stimuli, log, tmp_path):
    cache = tmp_path / "cache"
    bank = extract(stimuli, Counting(log), cache, memory_bytes=MEMORY, quiet=True)
    leftover = cache / f".{bank.folder.name}-12345"
    bank.folder.replace(leftover)
    extract(stimuli, Counting(log), cache, memory_bytes=MEMORY, quiet=True)
    assert not leftover.exists()
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        [bank.folder.name, f"{bank.folder.name}.lock"]
    )


def _extract_at_once(stimuli, log, cache, barrier):
    barrier.wait(timeout=60)
    extract(stimuli, Counting(log), cache, memory_bytes=MEMORY, quiet=True)


def test_processes_that_start_at_once_compute_once(stimuli, log, tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    arguments = (stimuli, log, tmp_path / "cache", barrier)
    workers = [context.Process(target=_extract_at_once, args=arguments) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(log.read_text().split()) == 1


def test_bank_says_where_its_weights_come_from(stimuli, log, tmp_path):
    bank = extract(stimuli, Counting(log, seed=4), tmp_path / "c", memory_bytes=MEMORY, quiet=True)
    assert bank.weights == {"seed": 4}
    assert json.loads((bank.folder / "bank.json").read_text())["network"] == "counting"


def test_sounds_that_cannot_be_used_are_named(stimuli, log, tmp_path):
    cache, network = tmp_path / "cache", Counting(log)
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(30), 1000)

    def run(sounds):
        extract(sounds, network, cache, memory_bytes=MEMORY, quiet=True)

    network.frames = lambda waveform: np.empty((0, 100), np.float32)
    with pytest.raises(InputInvalidError, match=r"short\.wav: 0\.03 s of sound"):
        run([("short.wav", short)])
    with pytest.raises(InputInvalidError, match="listed twice"):
        run([stimuli[0], stimuli[0]])
    with pytest.raises(InputInvalidError, match="no sounds"):
        run([])
    with pytest.raises(InputMissingError, match="nowhere"):
        run([("nowhere.wav", tmp_path / "nowhere.wav")])


def test_progress_is_shown_unless_quiet(stimuli, log, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("bidsapp.progress._PLAIN_INTERVAL_S", 0.0)
    extract(stimuli, Counting(log), tmp_path / "one", memory_bytes=MEMORY)
    assert "counting: 98 frames, 2 layers 4 of 4" in capsys.readouterr().err
    extract(stimuli, Counting(log), tmp_path / "two", memory_bytes=MEMORY, quiet=True)
    assert capsys.readouterr().err == ""


def test_frames_that_exceed_the_memory_are_read_from_disk(stimuli, log, tmp_path):
    ample = extract(stimuli, Counting(log), tmp_path / "a", memory_bytes=MEMORY, quiet=True)
    scarce = extract(stimuli, Counting(log), tmp_path / "b", memory_bytes=1000, quiet=True)
    for index in range(2):
        np.testing.assert_array_equal(ample.gram(index), scarce.gram(index))
    assert sorted(path.name for path in scarce.folder.iterdir()) == sorted(
        path.name for path in ample.folder.iterdir()
    )


def test_features_of_a_table_keep_their_own_times(stimuli, tmp_path):
    times = {"b.wav": np.array([0.5, 1.5, 2.5]), "a.flac": np.array([0.2, 1.2])}
    arrays = {f"{name}/time": values for name, values in times.items()}
    arrays |= {f"{name}/x": np.outer(values, [1.0, 2.0]) for name, values in times.items()}
    np.savez(tmp_path / "f.npz", **arrays)
    network = get_network(f"features:{tmp_path / 'f.npz'}")
    bank = extract(stimuli, network, tmp_path / "cache", memory_bytes=MEMORY, quiet=True)
    np.testing.assert_array_equal(bank.frame_time_s, [0.5, 1.5, 2.5, 0.2, 1.2])
    np.testing.assert_array_equal(bank.frame_piece, [0, 0, 0, 1, 1])
    x = np.outer(bank.frame_time_s, [1.0, 2.0])
    centred = x - x.mean(axis=0)
    np.testing.assert_allclose(bank.gram(0), centred @ centred.T, atol=1e-5)
    courses = extract_courses(stimuli, network, tmp_path / "c", memory_bytes=MEMORY, quiet=True)
    np.testing.assert_allclose(courses.course(0), x, rtol=1e-6)
