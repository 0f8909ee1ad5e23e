"""Grad-CAM against the definition, against captum where it is installed, and its sanity checks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bidsapp.models.cnn3d.explain import map_similarity
from bidsapp.models.harmonic.explain import branch_maps, brightness, cascade, on_spectrogram
from bidsapp.models.harmonic.networks import HarmonicSettings, build

SETTINGS = HarmonicSettings()
MEL = (
    torch.randn(3, 256, 259, generator=torch.Generator().manual_seed(1)).numpy() * 20 - 30
).astype(np.float32)
CLASSES = np.array([0, 2, 3])


def test_maps_are_the_weighted_channels_of_each_branch():
    network = build(SETTINGS)
    maps = branch_maps(network, MEL, CLASSES)
    assert maps.shape == (3, 12, 259)
    values = network.maps(torch.from_numpy(MEL)).detach()
    step = 1e-2
    base = network.head(values)[1, 2].item()
    slopes = torch.zeros(32)
    for channel in range(32):
        moved = values.clone()
        moved[1, 4, channel] += step  # the sum of all slopes over time, by a finite difference
        slopes[channel] = (network.head(moved)[1, 2].item() - base) / step / 259
    expected = torch.relu((slopes[:, None] * values[1, 4]).sum(dim=0)).numpy()
    np.testing.assert_allclose(maps[1, 4], expected, atol=0.02 * maps[1].max())


def test_maps_are_captums():
    attr = pytest.importorskip("captum.attr")
    network = build(SETTINGS)

    class Tail(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.last = torch.nn.Identity()

        def forward(self, x):
            maps = network.maps(x)
            kept = self.last(maps[:, 3])
            return network.head(torch.cat([maps[:, :3], kept[:, None], maps[:, 4:]], dim=1))

    tail = Tail()
    oracle = attr.LayerGradCam(tail, tail.last)
    x = torch.from_numpy(MEL).requires_grad_()
    theirs = oracle.attribute(x, target=torch.from_numpy(CLASSES), relu_attributions=True)
    ours = branch_maps(network, MEL, CLASSES)[:, 3]
    np.testing.assert_allclose(ours, theirs.detach().numpy()[:, 0], atol=1e-6 * ours.max())


def test_maps_lie_on_the_bands_of_their_branches():
    maps = branch_maps(build(SETTINGS), MEL, CLASSES)
    laid = on_spectrogram(maps, SETTINGS.bands, 256)
    np.testing.assert_array_equal(laid[:, SETTINGS.bands[3]], np.repeat(maps[:, 3:4], 6, axis=1))
    assert np.isnan(laid[:, 0]).all()
    assert np.isfinite(laid).any(axis=2).sum() == 3 * 72


def test_brightness_is_the_mean_share_of_the_maximum():
    maps = np.array([[[0.0, 2.0], [4.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    np.testing.assert_allclose(brightness(maps), [0.5, 0.0])
    np.testing.assert_allclose(brightness(5 * maps), brightness(maps))


def test_random_layers_change_the_maps_and_leave_the_network_alone():
    network = build(SETTINGS)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    reference = branch_maps(network, MEL, CLASSES)
    steps = cascade(network, 5)
    assert [name for name, _ in steps] == ["dense", "filters"]
    for _, changed in steps:
        maps = branch_maps(changed, MEL, CLASSES)
        likeness = map_similarity(reference.reshape(3, -1), maps.reshape(3, -1))
        assert likeness < 0.9
    torch.testing.assert_close(dict(network.state_dict()), state)
