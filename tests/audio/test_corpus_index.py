"""The index of a corpus: what is in it, resuming, refusals, and real music found again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from bidsapp.audio import corpus_index
from bidsapp.audio.corpus_index import CorpusIndex, build_index
from bidsapp.audio.embeddings import embedding_layer, window_means
from bidsapp.audio.io import load_audio
from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.base import Layer
from bidsapp.cli.commands.index import split_layer
from bidsapp.cli.tools import main
from bidsapp.errors import InputInvalidError, InputMissingError, OutputError
from bidsapp.models.retrieval import nearest

MEMORY = 2**28
LAYER = 0


@pytest.fixture
def sounds(tmp_path, music):
    """Five pieces: one too short, one broken."""
    folder = tmp_path / "corpus"
    (folder / "album").mkdir(parents=True)
    parts = {"a.wav": music, "album/b.wav": music[::-1], "c.wav": np.roll(music, 9000)}
    for name, values in parts.items():
        soundfile.write(folder / name, values, 16_000)
    soundfile.write(folder / "short.wav", music[:9000], 16_000)
    (folder / "broken.wav").write_bytes(b"RIFF....")
    names = [*sorted(parts), "broken.wav", "short.wav"]
    return [(name, folder / name) for name in names]


def build(sounds, folder, network=None, **changes):
    settings = {"window_s": 2.0, "hop_s": 1.0, "memory_bytes": MEMORY, "quiet": True} | changes
    return build_index(sounds, folder, network or get_network("baseline"), LAYER, **settings)


def test_rows_are_the_means_of_their_windows(sounds, tmp_path):
    index = build(sounds, tmp_path / "index")
    network = get_network("baseline")
    assert index.files == ("a.wav", "album/b.wav", "c.wav")
    assert index.embeddings.dtype == np.float16
    np.testing.assert_array_equal(index.pieces, np.repeat([0, 1, 2], 3))
    np.testing.assert_array_equal(index.starts_s, [0, 1, 2] * 3)
    frames, times_s = network.read_sound("", sounds[1][1])
    values = dict(network.channels(frames, memory_bytes=MEMORY))[LAYER]
    half = network.window_s / 2
    inside = (times_s - half >= 1.0 - 1e-9) & (times_s + half <= 3.0 + 1e-9)
    expected = values[inside].mean(axis=0)
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(index.embeddings[4], expected, atol=1e-3)
    left_out = index.facts["left_out"]
    assert set(left_out) == {"broken.wav", "short.wav"}
    assert "no window of 2 s" in left_out["short.wav"] or "less than one" in left_out["short.wav"]
    assert "cannot be decoded" in left_out["broken.wav"]
    table = (tmp_path / "index" / "windows.tsv").read_text().splitlines()
    assert table[0] == "file\tstart_s\tlength"
    assert len(table) == 10
    assert not [path for path in (tmp_path / "index").iterdir() if "portions" in path.name]


def test_the_network_sees_the_frames_of_windows_only(sounds, tmp_path, monkeypatch):
    """Embeddings are those of all frames computed, in float16 as they are kept."""
    network = get_network("musicnn", weights="random", hop_s=0.5)
    layer = embedding_layer(network.layers)
    settings = {"window_s": 4.0, "hop_s": 5.0, "memory_bytes": MEMORY, "quiet": True}
    original, n_seen = network.channels, []

    def counted(frames, **options):
        n_seen.append(len(frames))
        return original(frames, **options)

    monkeypatch.setattr(network, "channels", counted)
    long = np.tile(soundfile.read(sounds[0][1])[0], 4)
    soundfile.write(tmp_path / "long.wav", long, 16_000)
    index = build_index(
        [("long.wav", tmp_path / "long.wav")], tmp_path / "index", network, layer, **settings
    )
    frames, times_s = network.read_sound("", tmp_path / "long.wav")
    every = dict(original(frames, memory_bytes=MEMORY))[layer]
    starts_s = np.arange(len(index.embeddings)) * 5.0
    means = window_means(every, times_s, network.window_s, starts_s, 4.0)
    assert len(means) == 1 + int((len(long) / 16_000 - 4) // 5) > 1
    assert sum(n_seen) == 3 * len(means) < len(frames)  # three frames of 3 s lie inside 4 s
    expected = means / np.linalg.norm(means, axis=1)[:, None]
    np.testing.assert_array_equal(index.embeddings, expected.astype(np.float16))


def test_a_stopped_run_goes_on_where_it_was(sounds, tmp_path, monkeypatch):
    whole = build(sounds, tmp_path / "whole")
    monkeypatch.setattr(corpus_index, "_PORTION", 1)
    read = []
    network = get_network("baseline")
    original = network.read_sound

    def stop_at_third(name, path):
        read.append(name)
        if len(read) == 3:
            raise KeyboardInterrupt
        return original(name, path)

    monkeypatch.setattr(network, "read_sound", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        build(sounds, tmp_path / "index", network)
    with pytest.raises(InputMissingError, match="no complete index"):
        CorpusIndex.open(tmp_path / "index")
    index = build(sounds, tmp_path / "index", network)
    assert read == ["a.wav", "album/b.wav", "c.wav", "c.wav", "broken.wav", "short.wav"]
    np.testing.assert_array_equal(index.embeddings, whole.embeddings)
    assert index.facts == whole.facts
    build(sounds, tmp_path / "index", network)
    assert len(read) == 6


def test_content_follows_the_sounds(sounds, tmp_path, music):
    before = build(sounds, tmp_path / "before").facts
    soundfile.write(sounds[0][1], music * 0.5, 16_000)
    after = build(sounds, tmp_path / "after").facts
    assert before["key"] == after["key"]  # same names and sizes
    assert before["content"] != after["content"]


def test_other_settings_and_other_spaces_are_refused(sounds, tmp_path):
    index = build(sounds, tmp_path / "index")
    with pytest.raises(OutputError, match="another folder"):
        build(sounds, tmp_path / "index", window_s=1.5)
    with pytest.raises(OutputError, match="another folder"):
        build(sounds[:2], tmp_path / "index")
    index.refuse_other_space(get_network("baseline", hop_s=1.0), LAYER)
    with pytest.raises(InputInvalidError, match="has layer 'mel', the run 'loudness'"):
        index.refuse_other_space(get_network("baseline"), 1)
    with pytest.raises(InputInvalidError, match="different embeddings"):
        index.refuse_other_space(get_network("consonance"), LAYER)
    (tmp_path / "index" / "windows.tsv").write_text("file\tstart_s\tlength\n")
    with pytest.raises(InputInvalidError, match=r"windows\.tsv has 0 rows"):
        CorpusIndex.open(tmp_path / "index")


def test_a_corpus_without_a_usable_sound_is_refused(sounds, tmp_path):
    with pytest.raises(InputMissingError, match="no sound"):
        build([], tmp_path / "index")
    with pytest.raises(InputInvalidError, match="none of 2 sounds can be indexed; the first"):
        build(sounds[3:], tmp_path / "index")


def test_the_command(sounds, tmp_path, capsys):
    folder = sounds[0][1].parent
    words = ["index", str(folder), str(tmp_path / "out"), "--window-s", "2", "--step-s", "1", "-q"]
    assert main([*words, "--network", "baseline:loudness"]) == 0
    shown = capsys.readouterr().out
    assert "9 windows of 3 pieces, baseline loudness" in shown
    assert shown.count("left out: ") == 2
    assert (
        json.loads((tmp_path / "out" / "index.json").read_text())["space"]["layer"] == "loudness"
    )
    assert main([*words, "--network", "baseline:nothing"]) == 2
    assert "has no layer nothing; known: mel" in capsys.readouterr().err
    assert main([*words[:4], "-1", "--network", "baseline"]) == 2


def test_names_of_layers(tmp_path):
    model = tmp_path / "m.onnx"
    model.touch()
    assert split_layer(f"onnx:{model}:/conv/1") == (f"onnx:{model}", "/conv/1")
    assert split_layer(f"onnx:{model}") == (f"onnx:{model}", "")
    assert split_layer("musicnn-mtt") == ("musicnn-mtt", "")
    layers = [Layer("mel", "input", 4), Layer("penultimate", "fc", 4), Layer("tags", "tags", 4)]
    assert embedding_layer(layers) == 1
    assert embedding_layer(layers, "mel") == 0
    assert embedding_layer([*layers, Layer("embedding", "fc", 4)], "absent") == 3
    assert embedding_layer(layers[2:]) == 0


def test_frames_longer_than_the_window_are_taken_by_their_centre():
    values = np.arange(5.0)[:, None]
    times_s = 5.0 + np.arange(5.0)
    means = window_means(values, times_s, 10.0, np.array([0.0, 1.2, 30.0]), 10.0)
    np.testing.assert_array_equal(means, [[0.0], [1.0], [np.nan]])
    tiles = window_means(values, 0.5 + np.arange(5.0), 1.0, np.array([0.0, 2.0]), 3.0)
    np.testing.assert_array_equal(tiles, [[1.0], [3.0]])


@pytest.mark.data
def test_real_music_is_found_again_from_a_noisy_copy(test_data, tmp_path):
    """Every window retrieves its own piece from its embedding with noise of half its length."""
    names = sorted((test_data / "audio").glob("*.ogg"))
    music = [(path.name, path) for path in names if not path.name.startswith("198-209")]  # speech
    parts = []
    for name, path in music:
        sound = load_audio(path, 16_000)[: 20 * 16_000]
        soundfile.write(tmp_path / f"{len(parts)}.wav", sound, 16_000)
        parts.append((name, tmp_path / f"{len(parts)}.wav"))
    network = get_network("musicnn", weights="mtat", weights_dir=test_data / "weights", hop_s=1.5)
    layer = embedding_layer(network.layers)
    settings = {"window_s": 5.0, "hop_s": 2.5, "memory_bytes": MEMORY, "quiet": True}
    index = build_index(parts, tmp_path / "index", network, layer, **settings)
    assert len(index.files) >= 5
    assert len(index.embeddings) >= 30
    embeddings = index.embeddings.astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(embeddings.shape)
    noise *= 0.5 / np.linalg.norm(noise, axis=1, keepdims=True)
    found = nearest(embeddings + noise, index.embeddings, index.pieces, 1)
    np.testing.assert_array_equal(index.pieces[found.items[:, 0]], index.pieces)
    assert 0.7 < np.nanmean(found.similarity) < 0.95
