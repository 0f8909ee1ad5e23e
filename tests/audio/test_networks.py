"""Every entry of the registry gives its proof."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch

from bidsapp.audio.networks import NETWORKS, get_network, network_label
from bidsapp.audio.networks.base import Network
from bidsapp.errors import ResourceUnavailableError, UsageError
from tests.audio.small_models import use_small_configurations

MEMORY = 2**30


def _params():
    """Names of the registry; those whose optional package is not installed are skipped."""
    for name, entry in NETWORKS.items():
        absent = entry.package and importlib.util.find_spec(entry.package) is None
        why = f"needs {entry.package}: pip install 'musicotopy[{entry.extra}]'"
        yield pytest.param(name, marks=[pytest.mark.skipif(bool(absent), reason=why)])


EVERY = pytest.mark.parametrize("name", list(_params()))


@pytest.fixture(scope="module")
def music(music):
    """Enough samples for three frames of the longest window: 10 s at 48 kHz."""
    return np.tile(np.concatenate([music, music[::-1]]), 4)[:530_000]


@pytest.fixture(autouse=True)
def small_models(monkeypatch):
    """Random networks of transformers are small ones here."""
    use_small_configurations(monkeypatch)


def layers_of(network, frames, memory_bytes=MEMORY):
    parts = {}
    for layer, columns in network.blocks(frames, memory_bytes=memory_bytes):
        assert isinstance(columns, torch.Tensor)
        assert columns.dtype == torch.float32
        assert columns.shape[0] == len(frames)
        parts.setdefault(layer, []).append(columns.double().numpy().copy())
    return parts


@EVERY
def test_blocks_hold_every_feature_of_every_layer_once(name, music):
    network = get_network(name)
    assert isinstance(network, Network)
    assert network.name == network_label(name)
    frames = network.frames(music)[:2]
    assert frames.dtype == np.float32
    for memory in (2**20, MEMORY):
        parts = layers_of(network, frames, memory)
        sizes = [sum(part.shape[1] for part in parts[i]) for i in range(len(network.layers))]
        assert sizes == [layer.n_features for layer in network.layers]
        assert sum(map(len, parts.values())) == network.n_blocks(len(frames), memory)
        assert all(np.isfinite(part).all() for layer in parts.values() for part in layer)


@EVERY
def test_channels_average_what_blocks_hold(name, music):
    network = get_network(name, hop_s=0.48)
    frames = network.frames(music)[:2]
    channels = dict(network.channels(frames, memory_bytes=2**22))
    parts = layers_of(network, frames)
    assert sorted(channels) == list(range(len(network.layers)))
    for index, layer in enumerate(network.layers):
        whole = np.concatenate(
            [part.reshape(2, layer.n_features // layer.n_channels, -1) for part in parts[index]],
            axis=2,
        ).reshape(2, layer.n_times, -1, layer.n_channels)
        expected = whole[:, network.central_times(layer)].mean(axis=(1, 2))
        assert channels[index].dtype == np.float32
        scale = np.abs(expected).max()
        np.testing.assert_allclose(channels[index], expected, atol=1e-5 * scale, rtol=1e-4)


@EVERY
@pytest.mark.parametrize("hop_s", [0.1, 0.48, 10.0])
def test_central_times_cover_the_hop(name, hop_s):
    network = get_network(name, hop_s=hop_s)
    for layer in network.layers:
        steps = np.arange(layer.n_times)[network.central_times(layer)]
        assert steps.mean() == pytest.approx((layer.n_times - 1) / 2)
        covered_s = len(steps) * network.window_s / layer.n_times
        step_s = network.window_s / layer.n_times
        assert abs(covered_s - min(hop_s, network.window_s)) <= step_s + 1e-9 or len(steps) <= 2


@EVERY
def test_two_of_the_same_agree(name, music):
    frames = get_network(name, seed=3).frames(music)[:1]
    one, two = (layers_of(get_network(name, seed=3), frames) for _ in range(2))
    for layer, parts in one.items():
        for ours, theirs in zip(parts, two[layer], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@EVERY
def test_a_frame_does_not_depend_on_its_neighbours(name, music):
    network = get_network(name)
    frames = network.frames(music)[:3]
    together, alone = layers_of(network, frames), layers_of(network, frames[1:2])
    for layer, parts in together.items():
        squared = sum(np.sum(part[1] ** 2) for part in parts)
        expected = sum(np.sum(part[0] ** 2) for part in alone[layer])
        assert squared == pytest.approx(expected, rel=1e-5)


@EVERY
def test_frames_follow_the_hop_and_see_only_their_window(name, music):
    network = get_network(name, hop_s=0.48)
    music = np.concatenate([music, music[::-1]])
    frames = network.frames(music)
    n_samples = round(network.window_s * network.sampling_hz)
    assert len(frames) == 1 + (music.size - n_samples) // round(0.48 * network.sampling_hz)
    changed = music.copy()
    start = round(2 * 0.48 * network.sampling_hz)
    changed[start + n_samples + 512 :] = 0
    changed[: start - 512] = 0
    np.testing.assert_allclose(network.frames(changed)[2], frames[2], atol=1e-5)
    assert not np.allclose(network.frames(changed)[5], frames[5], atol=1e-2)
    assert len(network.frames(music[: n_samples - 200])) == 0
    assert layers_of(network, frames[:1])


@EVERY
def test_frame_times_are_centres(name):
    network = get_network(name, hop_s=0.96)
    times = network.frame_times_s(4)
    assert times[0] == pytest.approx(network.window_s / 2)
    np.testing.assert_allclose(np.diff(times), 0.96)


@EVERY
def test_identity_is_stable_and_changes_with_what_matters(name):
    identity = get_network(name).identity()
    assert identity == get_network(name).identity()
    assert identity != get_network(name, hop_s=0.96).identity()
    seeded = get_network(name, seed=1).identity()
    assert (identity == seeded) == (not NETWORKS[name].weight_files)
    network = get_network(name)
    network.version += 1
    assert network.identity() != identity


@EVERY
def test_untrained_weights_say_so(name):
    expected = "random" if NETWORKS[name].weight_files else "none"
    assert get_network(name).weights["source"] == expected
    assert NETWORKS[name].summary


def test_identities_differ_between_networks():
    names = [param.values[0] for param in _params() if not param.marks[0].args[0]]
    assert len({get_network(name).identity() for name in names}) == len(names)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="vggish, baseline"):
        get_network("vgish")


def test_an_optional_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ResourceUnavailableError, match=r"clap: needs .*musicotopy\[embeddings\]"):
        get_network("clap")
    with pytest.raises(ResourceUnavailableError, match=r"wavlm-base: .*musicotopy\[torchaudio\]"):
        get_network("wavlm-base")
    assert get_network("baseline").layers


def test_names_can_be_listed_without_numerical_libraries():
    code = (
        "import sys, bidsapp.audio.networks as n; list(n.NETWORKS);"
        "heavy = {'numpy', 'torch', 'librosa', 'scipy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
