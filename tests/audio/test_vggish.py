from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.vggish import LAYERS, STAGES, VGGish
from bidsapp.errors import UsageError


def columns_of(network, frames, memory_bytes=2**30, **options):
    """Whole layers from blocks: layer → (n_frames, n_features), in the order they come."""
    parts = {}
    for layer, columns in network.blocks(frames, memory_bytes=memory_bytes, **options):
        parts.setdefault(layer, []).append(columns.clone())
    return parts


def grams_of(network, frames, memory_bytes=2**30, **options):
    grams = {}
    for layer, columns in network.blocks(frames, memory_bytes=memory_bytes, **options):
        grams[layer] = grams.get(layer, 0) + (columns.double() @ columns.double().T).numpy()
    return grams


def untrained(seed=0):
    """A random network that draws its weights once."""
    network = VGGish.random(seed, 0.96)
    return VGGish(functools.cache(network._parameters), network.weights, 0.96)


NETWORK = untrained()


def plain_forward(frames, parameters):
    """The network as its release writes it: channels first, no streaming. Layers from 0."""
    x = torch.tensor(frames)[:, None]
    layers = [x]
    for stage in STAGES:
        weight, bias = parameters(stage)
        if stage.key == "embeddings.0":
            x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
        if weight.ndim == 4:
            x = functional.conv2d(x, weight, bias, padding="same")
        else:
            x = x @ weight.T + bias
        layers.append(x)
        x = x.clamp(min=0)
        layers.append(x)
        if stage.pooled:
            x = functional.max_pool2d(x, kernel_size=2, stride=2)
            layers.append(x)
    return [*layers, x]


@pytest.fixture(scope="module")
def frames(music):
    return NETWORK.frames(music)[:3]


def test_the_table_of_layers_obeys_its_rules():
    kinds = [layer.kind for layer in LAYERS]
    assert len(LAYERS) == 24
    assert [kinds.count(k) for k in ("input", "conv", "relu", "pool", "fc", "output")] == [
        *(1, 6, 9, 4, 3, 1)
    ]
    assert sum(layer.n_features for layer in LAYERS[:23]) == 1_976_576
    for before, layer in itertools.pairwise(LAYERS):
        if layer.kind in {"relu", "output"}:
            assert layer.n_features == before.n_features
        if layer.kind == "pool":
            assert 4 * layer.n_features == before.n_features
    sizes = [int(np.prod(stage.shape)) + stage.shape[0] for stage in STAGES]
    assert sum(sizes) == 72_141_184


def test_blocks_are_the_plain_forward(frames):
    network = NETWORK
    expected = plain_forward(frames, network._parameters)
    got = columns_of(network, frames)
    assert sorted(got) == list(range(24))
    for layer, parts in got.items():
        assert sum(p.shape[1] for p in parts) == LAYERS[layer].n_features
        n = len(frames)
        blocks = [p.reshape(n, -1, _channels(layer, p)).permute(0, 2, 1) for p in parts]
        ours = torch.cat(blocks, dim=1).reshape(n, -1)
        theirs = expected[layer].reshape(n, -1)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5 * float(theirs.abs().max()))


def _channels(layer, columns):
    """Channels in a block: its columns over the cells of the layer."""
    n_all = {0: 1}
    for stage in STAGES:
        for step in range(stage.n_steps):
            n_all[stage.layer + step] = stage.shape[0]
    n_all[23] = 128
    cells = LAYERS[layer].n_features // n_all[layer]
    return columns.shape[1] // cells


@pytest.mark.parametrize("memory_bytes", [2**18, 2**21, 2**25])
def test_any_memory_bound_gives_the_same_gram(frames, memory_bytes, tmp_path):
    network = NETWORK
    expected = grams_of(network, frames, 2**31)
    got = grams_of(network, frames, memory_bytes, scratch_dir=tmp_path)
    assert got.keys() == expected.keys()
    for layer, gram in expected.items():
        np.testing.assert_allclose(got[layer], gram, rtol=1e-5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("memory_bytes", [2**20, 2**23, 2**31])
def test_blocks_are_counted_beforehand(frames, memory_bytes):
    network = NETWORK
    blocks = list(network.blocks(frames, memory_bytes=memory_bytes))
    assert len(blocks) == network.n_blocks(len(frames), memory_bytes)


def test_dense_layer_reads_channels_last(frames):
    """A unit that picks one (time, mel, channel) cell of pool4 in the release's order."""
    time, band, channel = 4, 1, 37

    def pick(stage):
        weight, bias = NETWORK._parameters(stage)
        if stage.key == "embeddings.0":
            weight = torch.zeros(stage.shape)
            weight[:, (time * 4 + band) * 512 + channel] = 1.0
        return weight, bias

    network = VGGish(pick, {}, 0.96)
    pool4 = plain_forward(frames, pick)[16]
    got = torch.cat(columns_of(network, frames)[17], dim=1)
    np.testing.assert_allclose(got[:, 5], pool4[:, channel, time, band], rtol=1e-4)


def test_random_weights_belong_to_their_seed_alone():
    first = VGGish.random(5, 0.48)._parameters(STAGES[1])[0]
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    again = VGGish.random(5, 0.48)._parameters(STAGES[1])[0]
    torch.set_num_threads(threads)
    other = VGGish.random(6, 0.48)._parameters(STAGES[1])[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.std() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)


def test_frames_are_stamped_at_their_centre(music):
    network = get_network("vggish", hop_s=0.48)
    frames = network.frames(music)
    assert len(frames) == 1 + int((5.0 - 0.975) / 0.48)
    np.testing.assert_allclose(network.frame_times_s(3), [0.4875, 0.9675, 1.4475])


@pytest.mark.parametrize("hop_s", [0.0, 0.485, -0.48, 0.001])
def test_hop_must_be_whole_spectra(hop_s):
    with pytest.raises(UsageError, match=r"multiple of 0\.01"):
        get_network("vggish", hop_s=hop_s)
