"""Acoustic features: what is removed of the brain, and what it leaves for the layers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bidsapp.errors import UsageError
from bidsapp.models.rdm import rdm
from bidsapp.recipes.rsa.acoustics import of_columns
from bidsapp.recipes.rsa.nuisances import check_names
from bidsapp.recipes.rsa.prepare import FEATURES
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.stats.rsa.acoustics import acoustic_regression
from bidsapp.stats.rsa.pairs import difference_rdm, different_rdms, pair_mask

SETTINGS = RsaSettings()
BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_nothing_linear_in_the_features_is_left(rng: np.random.Generator) -> None:
    columns = {"loudness": rng.standard_normal((60, 1)), "mel": rng.standard_normal((60, 64))}
    regression = acoustic_regression(columns, 20)
    assert regression.names == ("loudness", "mel")
    patterns = rng.standard_normal((60, 5)).astype(np.float32)
    patterns[:, 1] += 3 * columns["loudness"][:, 0] + 2
    patterns[3, 4] = np.nan
    left = regression.removed_from(patterns)
    assert abs(np.corrcoef(left[:, 1], columns["loudness"][:, 0])[0, 1]) < 1e-5
    np.testing.assert_allclose(left[:, :4].mean(axis=0), patterns[:, :4].mean(axis=0), atol=1e-5)
    assert np.isnan(left[:, 4]).all()


def test_hat_matrix_is_what_the_regression_makes_alike(rng: np.random.Generator) -> None:
    """Gram matrix of regressed white noise: identity less the hat matrix."""
    regression = acoustic_regression({"loudness": rng.standard_normal((12, 1))}, 12)
    noise = rng.standard_normal((12, 200_000)).astype(np.float32)
    left = regression.removed_from(noise).astype(float)
    gram = left @ left.T / left.shape[1]
    np.testing.assert_allclose(gram[np.triu_indices(12, 1)], regression.hat_rdm, atol=0.02)


def test_few_clips_allow_for_few_features(rng: np.random.Generator) -> None:
    columns = {name: rng.standard_normal((40, 1)) for name in ("loudness", "onsets", "centroid")}
    columns["onsets"][:] = 1.0  # constant
    regression = acoustic_regression(columns, 5)
    assert regression.names == ("loudness",)
    assert regression.left_out == ("onsets", "centroid")
    nothing = acoustic_regression(columns, 2)
    assert not nothing.names
    patterns = np.ones((40, 2), np.float32)
    assert nothing.removed_from(patterns) is patterns


def test_shares_tell_acoustic_layers(rng: np.random.Generator) -> None:
    loudness = rng.standard_normal((40, 1))
    every = np.ones(40, dtype=bool)
    heard = of_columns({"loudness": loudness}, every, 12, SETTINGS)
    pairs = pair_mask(np.repeat(np.arange(10), 4))
    models = np.array([rdm(loudness * 2, "euclid"), rdm(rng.standard_normal((40, 9)), "spearman")])
    same, other = heard.shares(models, pairs)
    assert same == pytest.approx(1.0)
    assert other < 0.05
    assert np.isnan(heard.shares(np.full((1, pairs.size), np.nan), pairs)).all()
    assert np.isnan(of_columns({}, every, 12, SETTINGS).shares(models, pairs)).all()


def test_nuisances_that_are_the_same_are_one(rng: np.random.Generator) -> None:
    place = np.arange(12.0)
    pairs = np.ones(66, dtype=bool)
    stack = np.array([difference_rdm(30 * place), difference_rdm(place), rng.random(66)])
    names, kept = different_rdms(("lag", "order", "motion"), stack, pairs)
    assert names == ("lag", "motion")
    np.testing.assert_array_equal(kept, stack[[0, 2]])
    assert different_rdms((), np.empty((0, 66)), pairs)[0] == ()


def test_unknown_features_are_refused() -> None:
    check_names("acoustics", ("mel", "loudness"), FEATURES)
    with pytest.raises(UsageError, match="tempo"):
        check_names("acoustics", ("tempo",), FEATURES)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import acoustic_brain

    yield acoustic_brain
    sys.modules.pop("acoustic_brain")


def test_a_brain_that_follows_loudness_only(bench) -> None:
    """It passes as a follower of the layers unless loudness is regressed out; layers still do."""
    loud, planted = bench.WORLDS[2], bench.World("planted", 0.5, planted=0.3)

    def rate(world: object, method: str) -> float:
        rng = np.random.default_rng(3)
        tests = [bench.study(rng, world, method, 39) for _ in range(20)]
        return float(np.mean([np.nanmin(item.p_fwe) <= 0.05 for item in tests]))

    assert rate(loud, "difference") > 0.6
    assert rate(loud, "regressed 1") <= 0.15
    assert rate(planted, "regressed 1") > 0.6
