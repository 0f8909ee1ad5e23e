"""The four networks of the package musicnn: front end, architectures, real weights."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from torch.nn.functional import batch_norm, conv2d, max_pool2d, relu

from bidsapp.audio.io import load_audio
from bidsapp.audio.networks import get_network, network_label
from bidsapp.audio.networks.taggers import FRONT_END, TAGS, TIMES
from bidsapp.errors import InputInvalidError, ResourceUnavailableError

NAMES = ("musicnn-mtt", "musicnn-msd", "vgg-mtt", "vgg-msd")
EVERY = pytest.mark.parametrize("name", NAMES)


def layers_of(network, frames):
    """Name → (n, …) of every layer, from one pass."""
    taps = network.taps(torch.tensor(frames), range(len(network.layers)))
    with torch.no_grad():
        return {
            layer.name: values for layer, values in zip(network.layers, list(taps), strict=True)
        }


@EVERY
def test_number_of_values_is_that_of_the_checkpoint(name):
    state = get_network(name)._state
    expected = 792_079 if name.startswith("musicnn") else 607_030
    assert sum(value.numel() for value in state.values()) == expected
    assert len(set(TAGS[name[-3:]])) == 50


def test_front_end_is_librosas(music):
    """Columns of the whole sound's spectrogram, away from its padded ends."""
    whole = librosa.feature.melspectrogram(
        y=music, sr=16_000, n_fft=512, hop_length=256, n_mels=96
    )
    expected = np.log10(10_000 * whole + 1).T
    network = get_network("musicnn-mtt")
    frame = network.frames(music)[0]
    ours = FRONT_END(torch.tensor(frame)[None])[0]
    assert ours.shape == (TIMES, 96)
    np.testing.assert_allclose(ours, expected[1 : TIMES + 1], atol=2e-4)


def test_front_end_golden_values():
    """1 kHz at full scale: numbers of librosa 0.11 with the release's constants."""
    n_samples = FRONT_END.n_samples(TIMES)
    tone = np.sin(2 * np.pi * 1000 * np.arange(n_samples) / 16_000).astype(np.float32)
    bands = FRONT_END(torch.tensor(tone)[None])[0]
    golden = [0.251267, 1.210389, 6.661038, 0.0]
    values = [bands.mean(), bands.std(correction=0), bands.max(), bands.min()]
    np.testing.assert_allclose(values, golden, atol=1e-4)
    assert set(bands.argmax(dim=1).tolist()) == {31}


def test_musicnn_against_convolutions_padded_by_torch(music):
    network = get_network("musicnn-mtt", seed=5)
    state = network._state
    layers = layers_of(network, network.frames(music)[:2])
    mel = layers["mel"].transpose(1, 2)[:, None]
    scaled = (mel - 1.9) / np.sqrt(1.65 + 1e-3)
    parts = []
    for number in (2, 3, 4):
        kernel = state[f"conv2d_{number}/kernel"].permute(3, 2, 0, 1)
        y = relu(conv2d(scaled, kernel, padding="same")) / np.sqrt(1 + 1e-3)
        parts.append(y.amax(dim=3))
    torch.testing.assert_close(layers["temporal"], torch.cat(parts, 1), atol=1e-4, rtol=1e-4)
    together = torch.cat([layers[n] for n in ("timbral", "temporal", "cnn1", "cnn2", "cnn3")], 1)
    torch.testing.assert_close(layers["mean_pool"], together.mean(dim=2))
    torch.testing.assert_close(layers["max_pool"], together.amax(dim=2))
    pooled = torch.stack([layers["max_pool"], layers["mean_pool"]], dim=2).flatten(1)
    pooled = pooled / np.sqrt(1 + 1e-3)
    dense = relu(pooled @ state["dense/kernel"]) / np.sqrt(1 + 1e-3)
    torch.testing.assert_close(layers["penultimate"], dense, atol=1e-4, rtol=1e-4)


def test_residual_convolutions_add_what_came_before(music):
    network = get_network("musicnn-msd", seed=5)
    network._state["conv2d_6/kernel"].zero_()
    layers = layers_of(network, network.frames(music)[:1])
    torch.testing.assert_close(layers["cnn2"], layers["cnn1"])
    assert not torch.allclose(layers["cnn3"], layers["cnn2"])


def test_vgg_against_its_layers_one_by_one(music):
    network = get_network("vgg-msd", seed=5)
    state = network._state
    layers = layers_of(network, network.frames(music)[:1])
    x = layers["mel"].transpose(1, 2)[:, None]
    x = batch_norm(x, torch.tensor([1.9]), torch.tensor([1.65]), eps=1e-3)
    windows = ([4, 1], [2, 2], [2, 2], [2, 2], [4, 4])
    for number, window in enumerate(windows, start=1):
        kernel = state[f"{number}CNN/kernel"].permute(3, 2, 0, 1)
        y = relu(conv2d(x, kernel, padding="same")) / np.sqrt(1 + 1e-3)
        x = max_pool2d(y, window, 4 if number == 5 else 2)
        torch.testing.assert_close(layers[f"pool{number}"], x, atol=1e-4, rtol=1e-4)
    flat = x.permute(0, 2, 3, 1).reshape(1, -1)
    tags = torch.sigmoid(flat @ state["dense/kernel"])
    torch.testing.assert_close(layers["tags"], tags, atol=1e-5, rtol=1e-5)


@EVERY
def test_untrained_tags_are_not_saturated(name, music):
    network = get_network(name, seed=2)
    tags = layers_of(network, network.frames(music))["tags"]
    assert (tags - 0.5).abs().median() < 0.49


def test_only_layers_that_are_wanted_are_computed(music):
    network = get_network("vgg-mtt")
    frames = torch.tensor(network.frames(music)[:1])
    every = list(network.taps(frames, range(7)))
    some = list(network.taps(frames, [1, 3]))
    assert len(some) == 2
    torch.testing.assert_close(some[1], every[3])


def test_weights_that_are_missing_or_wrong_are_refused(tmp_path):
    save_file = pytest.importorskip("safetensors.torch").save_file
    with pytest.raises(ResourceUnavailableError, match="fetch musicnn"):
        get_network("vgg-mtt", weights="vgg-mtt", weights_dir=tmp_path)
    state = get_network("vgg-mtt")._state
    save_file(state, tmp_path / "vgg-mtt.safetensors")
    network = get_network("vgg-mtt", weights="vgg-mtt", weights_dir=tmp_path)
    assert network.weights["source"] == "file"
    save_file({**state, "3CNN/bias": torch.zeros(3)}, tmp_path / "vgg-mtt.safetensors")
    with pytest.raises(InputInvalidError, match="3CNN/bias should have shape"):
        get_network("vgg-mtt", weights="vgg-mtt", weights_dir=tmp_path)
    (tmp_path / "vgg-mtt.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputInvalidError, match="not a file of weights"):
        get_network("vgg-mtt", weights="vgg-mtt", weights_dir=tmp_path)


@pytest.mark.data
@EVERY
def test_real_weights_hear_what_is_played(name, test_data, musicnn_weights):
    network = get_network(name, weights=name, weights_dir=musicnn_weights, hop_s=2.0)
    assert network.name == network_label(name)
    expected = {
        "mtt": {
            "ragtime": ({"piano"}, 1),
            "Hungarian": ({"classical", "violin", "strings"}, 3),
            "Karissa": ({"guitar", "female", "vocal"}, 5),
        },
        "msd": {
            "ragtime": ({"jazz", "instrumental"}, 3),
            "Karissa": ({"female vocalists", "folk"}, 3),
        },
    }
    for fragment, (tags, n_first) in expected[name[-3:]].items():
        (path,) = (test_data / "audio").glob(f"*{fragment}*.ogg")
        sound = load_audio(path, 16_000)[: 60 * 16_000]
        last = len(network.layers) - 1
        means = dict(network.channels(network.frames(sound), memory_bytes=2**28))[last].mean(0)
        first = {network.classes[index] for index in np.argsort(-means)[:n_first]}
        assert tags <= first, fragment
        if (name, fragment) == ("musicnn-mtt", "ragtime"):
            assert means[TAGS["mtt"].index("piano")] == pytest.approx(0.89, abs=0.03)
