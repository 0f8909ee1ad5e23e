"""Sizes, groups and determinism of the networks over mel spectrograms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bidsapp.errors import UsageError
from bidsapp.models.harmonic.bands import ABSENT
from bidsapp.models.harmonic.networks import NETWORKS2D, HarmonicSettings, build, n_parameters

SETTINGS = HarmonicSettings()


def mel(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 256, 259, generator=torch.Generator().manual_seed(seed)) * 20 - 30


def test_the_harmonic_network_has_about_a_hundred_thousand_parameters():
    assert 90_000 < n_parameters(build(SETTINGS)) < 110_000
    assert 5e6 < n_parameters(build(replace(SETTINGS, kind="cnn"))) < 1e7
    same = {
        n_parameters(build(replace(SETTINGS, kind=k))) for k in ("contiguous", "random", "dealt")
    }
    assert same == {n_parameters(build(SETTINGS))}
    assert n_parameters(build(replace(SETTINGS, kind="learnable"))) < 150_000


def test_absent_bands_do_not_count():
    settings = replace(SETTINGS, rule="harmonics", n_harmonics=3)
    network = build(settings)
    n_bands = int((settings.bands != ABSENT).sum())
    dense = network.dense.weight.numel() + 4
    expected = 2 + 32 * 13 * n_bands + 3 * 384 + dense
    assert n_parameters(network) == expected


@pytest.mark.parametrize("kind", list(NETWORKS2D))
def test_every_kind_gives_four_logits_and_repeats_itself(kind):
    settings = replace(SETTINGS, kind=kind, seed=2)
    one, two = build(settings), build(settings)
    x = mel(2)
    with torch.no_grad():
        maps = one.maps(x)
        assert maps.ndim >= 4
        assert maps.shape[0] == 2
        assert maps.min() >= 0
        torch.testing.assert_close(one(x), one.head(maps))
        assert torch.equal(one(x), two(x))
        assert one(x).shape == (2, 4)
        assert not torch.equal(one(x), build(replace(settings, seed=3))(x))


def test_a_branch_sees_its_own_bands_only():
    network, x = build(SETTINGS), mel(1)
    changed = x.clone()
    changed[:, SETTINGS.bands[5]] += 15.0
    with torch.no_grad():
        differs = (network.maps(x) != network.maps(changed)).flatten(2).any(dim=2)[0]
    assert differs.tolist() == [branch == 5 for branch in range(12)]


def test_branches_are_plain_convolutions_over_gathered_bands():
    network, x = build(SETTINGS), mel(1)
    with torch.no_grad():
        maps = network.maps(x)[0]
        for branch in (0, 7):
            own = network.normalised(x)[:, SETTINGS.bands[branch]]
            rows = slice(32 * branch, 32 * branch + 32)
            y = torch.nn.functional.conv1d(own, network.filters.weight[rows], padding=6)
            expected = torch.relu(y / np.sqrt(1 + network.norm.eps))[0]
            torch.testing.assert_close(maps[branch], expected, atol=1e-4, rtol=1e-4)


def test_unknown_kinds_are_refused():
    with pytest.raises(UsageError, match="choose one of harmonic"):
        build(replace(SETTINGS, kind="vgg"))  # type: ignore[arg-type]
