"""Model and nuisance RDMs against plain definitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from bidsapp.audio.networks.base import Layer
from bidsapp.errors import UsageError
from bidsapp.features.courses import CourseBank
from bidsapp.features.hrf import hrf
from bidsapp.models.rdm import compare, rdm
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.rsa.items import make_items
from bidsapp.recipes.rsa.layer_models import (
    layer_models,
    model_rdm,
    predicted_patterns,
    standardised,
)
from bidsapp.recipes.rsa.nuisances import lag_rdm, nuisances, run_rdm
from bidsapp.recipes.rsa.settings import RsaSettings

Make = Callable[..., Inputs]

HOP_S, LENGTH_S = 0.5, 24.0


def make_bank(folder: Path, n_channels: int = 8) -> tuple[CourseBank, np.ndarray]:
    """Two sounds of 24 s, one layer, frames of 1 s."""
    per_piece = int((LENGTH_S - 1.0) / HOP_S) + 1
    course = np.random.default_rng(2).standard_normal((2 * per_piece, n_channels))
    folder.mkdir(exist_ok=True)
    np.save(folder / "course-01.npy", course.astype(np.float32))
    bank = CourseBank(
        network="toy",
        layers=(Layer("one", "toy", n_channels),),
        weights={"source": "random"},
        window_s=1.0,
        hop_s=HOP_S,
        pieces=("a", "b"),
        piece_s=(LENGTH_S, LENGTH_S),
        frame_piece=np.repeat([0, 1], per_piece),
        frame_time_s=np.tile(0.5 + HOP_S * np.arange(per_piece), 2),
        key="k",
        folder=folder,
    )
    return bank, course


def two_clips(
    n_runs: int = 2, onset_s: float = 10.0
) -> list[list[tuple[str, float, float, float]]]:
    later = onset_s + LENGTH_S + 10
    return [[("a", onset_s, LENGTH_S, 0.0), ("b", later, LENGTH_S, 0.0)]] * n_runs


def test_responses_are_convolved_within_clips(make_inputs: Make, tmp_path: Path) -> None:
    bank, course = make_bank(tmp_path)
    inputs = make_inputs(two_clips(), tr_s=HOP_S, n_trs=400, start_time_s=0.0, sound_s=LENGTH_S)
    items = make_items(inputs, RsaSettings())
    found = predicted_patterns(bank, course, items)
    kernel = hrf(HOP_S)
    per_piece = len(course) // 2
    for piece in range(2):
        mine = course[piece * per_piece : (piece + 1) * per_piece]
        padded = np.concatenate([mine[:1], mine, mine[-1:]])  # margins of half a window
        heard = np.stack([np.convolve(c, kernel)[: len(padded)] for c in padded.T], axis=1)
        clock = HOP_S * np.arange(len(padded))
        times = items.stretch_time_s[items.clip == piece, 0, 0]
        expected = np.stack([np.interp(times, clock, c) for c in heard.T], axis=1)
        np.testing.assert_allclose(found[items.clip == piece], expected, atol=1e-6)


def test_rdm_of_a_layer_is_a_cosine_distance(make_inputs: Make, tmp_path: Path) -> None:
    bank, _course = make_bank(tmp_path)
    inputs = make_inputs(two_clips(), sound_s=LENGTH_S)
    items = make_items(inputs, RsaSettings())
    patterns = predicted_patterns(bank, np.asarray(bank.course(0)), items)
    found = layer_models(bank, items, RsaSettings())
    np.testing.assert_allclose(found.rdms[0], pdist(standardised(patterns), "cosine"), atol=1e-12)
    as_they_are = layer_models(bank, items, replace(RsaSettings(), standardise_channels=False))
    expected = pdist(patterns - patterns.mean(axis=0), "cosine")
    np.testing.assert_allclose(as_they_are.rdms[0], expected, atol=1e-12)


def test_layers_can_be_compared_as_the_brain_is() -> None:
    patterns = np.random.default_rng(0).standard_normal((10, 40))
    alike = replace(RsaSettings(), layer_dissimilarity="brain")
    ranked = pdist(rankdata(patterns, axis=1), "correlation")
    np.testing.assert_allclose(model_rdm(patterns, alike), ranked, atol=1e-12)
    straight = pdist(patterns)
    for kind in ("euclid", "crossnobis"):
        settings = replace(RsaSettings(), dissimilarity=kind)
        np.testing.assert_allclose(model_rdm(patterns, settings), straight, atol=1e-12)


def test_silent_channels_and_small_layers() -> None:
    patterns = np.random.default_rng(0).standard_normal((10, 4))
    patterns[:, 1] = 3.0
    assert standardised(patterns).shape == (10, 3)
    np.testing.assert_allclose(model_rdm(patterns, RsaSettings()), pdist(patterns), atol=1e-12)
    assert np.isnan(model_rdm(patterns[:, :0], RsaSettings())).all()


def test_voxels_that_mix_channels_find_the_items_as_the_model_does() -> None:
    """What all channels share (their loudness) is part of a layer for voxels that mix them."""
    rng = np.random.default_rng(1)
    loudness = rng.standard_normal((40, 1))
    channels = standardised(2 * loudness + rng.standard_normal((40, 64)))
    voxels = channels @ rng.standard_normal((64, 20_000))
    brain = rdm(voxels, "spearman")
    alike = compare(brain, model_rdm(channels, RsaSettings()), "spearman")
    ranked = replace(RsaSettings(), layer_dissimilarity="brain")
    assert alike > 0.98
    assert compare(brain, model_rdm(channels, ranked), "spearman") < 0.5


def test_lag_and_run_of_items(make_inputs: Make) -> None:
    inputs = make_inputs(
        [
            [("a", 10, 20, 0), ("b", 40, 20, 0), ("c", 70, 20, 0)],
            [("b", 10, 20, 0), ("a", 40, 20, 0)],
        ]
    )
    items = make_items(inputs, RsaSettings(item_unit="clip"))
    # pairs ab, ac, bc: 30 s in both runs, 60 s and 30 s in the first
    np.testing.assert_allclose(lag_rdm(items), [30, 60, 30])
    np.testing.assert_allclose(run_rdm(items), [0, 0.5, 0.5])


def test_nuisances_are_those_that_vary(make_inputs: Make) -> None:
    inputs = make_inputs(two_clips())
    items = make_items(inputs, RsaSettings())
    pairs = np.ones(items.n_items * (items.n_items - 1) // 2, dtype=bool)
    found = nuisances(inputs, items, ("position", "lag", "order", "run", "motion"), pairs)
    assert found.names == ("position", "lag", "order")
    assert found.left_out == ("run", "motion")
    with pytest.raises(UsageError, match="'tempo' is not known"):
        nuisances(inputs, items, ("tempo",), pairs)
