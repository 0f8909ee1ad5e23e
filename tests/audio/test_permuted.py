"""The control of permuted weights: same values in each kernel, another order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bidsapp.audio.networks import get_network, network_weights
from bidsapp.audio.networks.musicnn import MusicnnModule
from bidsapp.audio.networks.weights import he_initialise, permute_kernels

STATE = {
    "kernel": torch.arange(24.0).reshape(2, 3, 4),
    "other": torch.arange(24.0).reshape(4, 6),
    "bias": torch.arange(5.0),
    "variance": torch.tensor(3.0),
}


def test_kernels_keep_their_values_and_lose_their_order():
    permuted = permute_kernels(STATE, seed=1)
    assert list(permuted) == list(STATE)
    for name in ("kernel", "other"):
        assert permuted[name].shape == STATE[name].shape
        assert not torch.equal(permuted[name], STATE[name])
        assert torch.equal(permuted[name].flatten().sort().values, torch.arange(24.0))
    assert not torch.equal(permuted["kernel"].flatten(), permuted["other"].flatten())
    for name in ("bias", "variance"):
        assert torch.equal(permuted[name], STATE[name])


def test_the_seed_decides():
    one, same, other = (permute_kernels(STATE, seed)["kernel"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.fixture
def weights_dir(tmp_path):
    """Files of two networks; biases that are not zero, so that what stays can be told."""
    save_file = pytest.importorskip("safetensors.torch").save_file
    tagger = get_network("musicnn-mtt", seed=3)._state
    save_file(tagger, tmp_path / "musicnn-mtt.safetensors")
    module = MusicnnModule()
    he_initialise(module, 3)
    torch.save(module.state_dict(), tmp_path / "musicnn.pth")
    return tmp_path


@pytest.mark.parametrize("name", ["musicnn-mtt", "musicnn"])
def test_permuted_networks_say_so_and_differ(name, weights_dir, music):
    def build(weights, seed=0):
        chosen = network_weights(name, weights)
        return get_network(name, weights=chosen, weights_dir=weights_dir, seed=seed)

    trained, permuted, other = build("pretrained"), build("permuted"), build("permuted", 1)
    assert permuted.weights["source"] == "permuted"
    assert permuted.weights["seed"] == 0
    assert permuted.weights["sha256"] == trained.weights["sha256"]
    assert len({trained.identity(), permuted.identity(), other.identity()}) == 3
    frames = trained.frames(music)[:1]
    layers = [dict(n.channels(frames, memory_bytes=2**28)) for n in (trained, permuted, other)]
    np.testing.assert_array_equal(layers[0][0], layers[1][0])  # the input has no weights
    assert np.abs(layers[0][3] - layers[1][3]).max() > 1e-2
    assert np.abs(layers[1][3] - layers[2][3]).max() > 1e-2


def test_a_file_can_be_named(weights_dir):
    path = weights_dir / "musicnn.pth"
    network = get_network("musicnn", weights=f"permuted:{path}")
    assert network.weights["file"] == "musicnn.pth"
    assert network.weights["source"] == "permuted"
