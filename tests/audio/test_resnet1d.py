from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d, max_pool1d

from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.resnet1d import LAYERS, SAMPLES, ResNet, ResNet1d
from bidsapp.errors import InputInvalidError, ResourceUnavailableError

CHANNELS = [64, 64, 64, 128, 128, 256, 256, 512, 512, 50]
LENGTHS = [12544, 3136, 3136, 784, 784, 196, 196, 49, 49, 1]


@pytest.fixture(scope="module")
def network():
    return get_network("resnet1d", seed=1)


def test_table_1(network):
    assert sum(parameter.numel() for parameter in network.module.parameters()) == 11_195_890
    assert [layer.name for layer in network.layers] == list(LAYERS)
    assert len(LAYERS) == 10
    assert [layer.n_channels for layer in network.layers] == CHANNELS
    assert [layer.n_times for layer in network.layers] == LENGTHS
    assert network.window_s == pytest.approx(3.136)
    convolutions = [m for m in network.module.modules() if isinstance(m, torch.nn.Conv1d)]
    taps = sorted(m.kernel_size[0] for m in convolutions)
    assert taps == [1] * 3 + [9] * 16 + [49]


def test_shapes_are_those_declared(network):
    x = torch.zeros(1, SAMPLES)
    with torch.no_grad():
        for name, n_channels, length in zip(LAYERS, CHANNELS, LENGTHS, strict=True):
            x = network.module.layer(name, x)
            assert x.shape == ((1, n_channels, length) if name != "fc" else (1, n_channels))


def plain_forward(state, x):
    """Every layer with plain convolutions, batch norms folded; from the paper's table."""

    def norm(key, y):
        mean, var = state[f"{key}.running_mean"], state[f"{key}.running_var"]
        scale = state[f"{key}.weight"] / torch.sqrt(var + 1e-5)
        shape = (1, -1, 1)
        return (y - mean.view(shape)) * scale.view(shape) + state[f"{key}.bias"].view(shape)

    x = norm("norm1", conv1d(x[:, None], state["conv1.weight"], stride=4, padding=24)).clamp(0)
    layers = [x]
    x = max_pool1d(x, 9, 4, 4)
    for stage, place in itertools.product((2, 3, 4, 5), (1, 2)):
        key = f"conv{stage}_{place}"
        stride = 4 if stage > 2 and place == 1 else 1
        y = conv1d(x, state[f"{key}.conv_a.weight"], stride=stride, padding=4)
        y = conv1d(norm(f"{key}.norm_a", y).clamp(0), state[f"{key}.conv_b.weight"], padding=4)
        y = norm(f"{key}.norm_b", y)
        if stride == 4:
            x = norm(f"{key}.carry.1", conv1d(x, state[f"{key}.carry.0.weight"], stride=4))
        x = (x + y).clamp(0)
        layers.append(x)
    logits = x.mean(2) @ state["fc.weight"].T + state["fc.bias"]
    return [*layers, 1 / (1 + torch.exp(-logits))]


def test_agrees_with_a_plain_forward_pass(music):
    module = ResNet().eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.ndim == 1:
                value.add_(0.3 * torch.rand(value.shape, generator=generator))
            elif "weight" in name:
                value.mul_(1.5)
    network = ResNet1d(module, {}, 0.48)
    frames = network.frames(music)[:1]
    expected = plain_forward(module.state_dict(), torch.tensor(frames))
    parts: dict[int, list[torch.Tensor]] = {}
    for index, columns in network.blocks(frames, memory_bytes=2**24):
        layer = network.layers[index]
        parts.setdefault(index, []).append(columns.reshape(1, layer.n_times, -1).clone())
    for index, layer in enumerate(expected):
        ours = torch.cat(parts[index], dim=2).transpose(1, 2).reshape(layer.shape)
        torch.testing.assert_close(ours, layer, rtol=1e-4, atol=1e-4)


def test_untrained_networks_differ_by_seed_and_stay_in_range(music):
    courses = {}
    for seed in (1, 2, 1):
        network = get_network("resnet1d", seed=seed)
        found = dict(network.channels(network.frames(music)[:2], memory_bytes=2**28))
        assert all(np.isfinite(values).all() for values in found.values())
        if seed in courses:
            np.testing.assert_array_equal(found[9], courses[seed][9])
        courses[seed] = found
    assert not np.allclose(courses[1][0], courses[2][0])


def test_central_averages_are_those_of_sliding_over_the_whole_sound(network, music):
    """One hop of 1,024 × 7 samples, so that the windows meet the grid of the deepest layers."""
    hop = 1024 * 7
    sound = np.concatenate([music, music[::-1]])[: SAMPLES + 6 * hop]
    windows = ResNet1d(network.module, {}, 0.48)
    windows._hop, windows.hop_s = hop, hop / 16_000
    found = dict(windows.channels(windows.frames(sound), memory_bytes=2**30))
    x = torch.tensor(sound)[None]
    with torch.no_grad():
        for index, name in enumerate(LAYERS[:-1]):
            x = network.module.layer(name, x)
            layer = network.layers[index]
            step = SAMPLES // layer.n_times
            central = windows.central_times(layer)
            for frame in range(1, 6):
                start = frame * hop // step
                expected = x[0, :, start + central.start : start + central.stop].mean(1)
                np.testing.assert_allclose(
                    found[index][frame], expected, rtol=1e-3, atol=1e-4 * float(x.max())
                )


def test_weights_of_any_number_of_tags_load(tmp_path, music):
    torch.manual_seed(0)
    module = ResNet(n_tags=7, width=8)
    path = tmp_path / "resnet1d.pth"
    torch.save(module.state_dict(), path)
    by_name = get_network("resnet1d", weights="tagger", weights_dir=tmp_path)
    by_file = get_network("resnet1d", weights=path)
    assert by_name.identity() == by_file.identity()
    assert by_name.layers[-1].n_channels == 7
    assert by_name.layers[-2].n_channels == 64
    assert by_name.weights["source"] == "file"
    frames = by_file.frames(music)[:1]
    found = dict(by_file.channels(frames, memory_bytes=2**28))
    expected = torch.sigmoid(module.eval()(torch.tensor(frames)))
    np.testing.assert_allclose(found[9], expected.detach().numpy(), rtol=1e-5)


def test_wrong_weights_are_refused(tmp_path):
    state = ResNet(n_tags=3, width=8).state_dict()
    path = tmp_path / "other.pth"
    torch.save({key: value for key, value in state.items() if "conv4_2" not in key}, path)
    with pytest.raises(InputInvalidError, match="conv4_2"):
        get_network("resnet1d", weights=path)
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(InputInvalidError, match="no conv1 and fc"):
        get_network("resnet1d", weights=path)
    with pytest.raises(ResourceUnavailableError, match=r"resnet1d\.pth"):
        get_network("resnet1d", weights="tagger", weights_dir=tmp_path)
