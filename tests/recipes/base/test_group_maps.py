"""Group maps against the test that holds everything in memory, and their memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bidsapp.recipes.base import group_maps as module
from bidsapp.recipes.base.group_maps import GroupMapOptions, choose_best, group_maps, needed
from bidsapp.recipes.base.stack import ScoreStack
from bidsapp.stats.metrics import centroid_layer
from bidsapp.stats.signflip import sign_flip_test

N_LAYERS, N_UNITS = 4, 900


def filled(path: Path, z: np.ndarray) -> ScoreStack:
    """Return an open stack of z (n_participants, n_layers, n_units)."""
    stack = ScoreStack(path / "scores", (z.shape[1], z.shape[0], z.shape[2]))
    stack.__enter__()
    for number, values in enumerate(z):
        stack.put(number, values)
    return stack


def scores(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, N_LAYERS, N_UNITS)).astype(np.float32) * 0.1
    z[:, 1, :50] += 0.3
    return z


def run(stack: ScoreStack, **settings: object) -> module.GroupMaps:
    usual = {"min_share": 0.5, "n_flips": 5000, "n_tfce_flips": 1000}
    usual |= {"alternative": "greater", "best_layer": "positive", "tfce": False}
    chosen = GroupMapOptions(**usual | settings)  # type: ignore[arg-type]
    return group_maps(stack, chosen, seed=4, label="", quiet=True)


def test_stack_gives_back_what_was_put(tmp_path: Path) -> None:
    z = scores(3)
    with ScoreStack(tmp_path / "deep" / "scores", (N_LAYERS, 3, N_UNITS)) as stack:
        for number, values in enumerate(z):
            stack.put(number, values)
        assert np.array_equal(stack.slab(2, slice(100, 177)), z[:, 2, 100:177])
        seen = np.zeros((N_LAYERS, N_UNITS), int)
        for layer, units in stack.slabs(400):
            seen[layer, units] += 1
        assert np.all(seen == 1)
    assert not stack.path.exists()


@pytest.mark.parametrize("n", [6, 16])
def test_equals_the_test_in_memory(
    tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact flips (n = 6) and random ones (n = 16), in slabs of another size."""
    monkeypatch.setattr(module, "_SLAB_BYTES", 1 << 20)
    z = scores(n)
    z[1:3, :, 5] = np.nan
    found = run(filled(tmp_path, z), n_flips=500, min_share=0.0)
    slow = sign_flip_test(z, n_permutations=500, seed=4, alternative="greater")
    assert found.test is not None
    assert found.test.exact == slow.exact == (n == 6)
    assert np.allclose(found.test.t, slow.t, rtol=1e-6)
    assert np.allclose(found.test.p_fwe, slow.p_fwe)
    assert np.allclose(found.test.q, slow.q)
    assert np.allclose(found.test.d, slow.t / np.sqrt(slow.n), rtol=1e-5)
    assert found.test.p_fwe.min() >= found.test.smallest_p - 1e-12
    assert np.allclose(np.arctanh(found.mean_r), np.nanmean(z, axis=0), atol=1e-6)
    assert np.array_equal(found.significant(0.05), (slow.p_fwe < 0.05).any(axis=0))


def test_one_strong_unit_reaches_the_smallest_exact_p(tmp_path: Path) -> None:
    z = scores(7)
    z[:, 2, 10] = 5 + np.linspace(0, 0.01, 7)
    found = run(filled(tmp_path, z))
    assert found.test is not None
    assert found.test.p_fwe[2, 10] == pytest.approx(1 / 2**7)


def test_n_is_counted_and_too_few_are_missing(tmp_path: Path) -> None:
    z = scores(6)
    z[:3, :, 0] = np.nan
    z[:4, :, 1] = np.nan
    z[:, :, 2] = np.nan
    found = run(filled(tmp_path, z), min_share=0.5)
    assert found.n[:4].tolist() == [3, 2, 0, 6]
    assert np.isfinite(found.mean_r[:, 0]).all()
    assert np.isnan(found.mean_r[:, 1:3]).all()
    assert found.best[1] == found.best[2] == 0
    assert found.test is not None
    assert np.isnan(found.test.t[:, 1:3]).all()
    assert np.isfinite(found.test.t[:, 0]).all()
    assert np.isnan(found.centroid[1])


def test_needed() -> None:
    assert [needed(n, 0.5) for n in (1, 2, 3, 7)] == [1, 1, 2, 4]
    assert needed(7, 0.0) == 1


def test_one_participant_has_a_mean_but_no_test(tmp_path: Path) -> None:
    z = scores(1)
    found = run(filled(tmp_path, z))
    assert found.test is None
    assert np.allclose(found.mean_r, np.tanh(z[0]), atol=1e-6)
    assert not found.significant(0.05).any()


def test_best_and_centroid_come_from_the_mean(tmp_path: Path) -> None:
    found = run(filled(tmp_path, scores(9)))
    positive = (found.mean_r > 0).any(axis=0)
    assert np.array_equal(found.best > 0, positive)
    assert np.array_equal(found.best[positive], found.mean_r.argmax(axis=0)[positive] + 1)
    assert np.allclose(found.centroid, centroid_layer(found.mean_r), equal_nan=True)
    assert np.all(found.best[:50] == 2)


def test_argmax_everywhere_has_no_threshold() -> None:
    r = np.array([[-0.3, 0.2, np.nan, -0.1], [-0.1, 0.1, 0.5, -0.2]])
    assert choose_best(r, "positive").tolist() == [0, 1, 2, 0]
    assert choose_best(r, "everywhere").tolist() == [2, 1, 0, 1]


def test_null_data_keep_the_family_wise_rate(tmp_path: Path) -> None:
    """One of twenty null groups may have a significant unit; with six participants, exactly."""
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(1000 + seed)
        with ScoreStack(tmp_path / "null", (2, 6, 60)) as stack:
            for number in range(6):
                stack.put(number, rng.standard_normal((2, 60)))
            hits += run(stack).significant(0.05).any()
    assert hits <= 11


def test_memory_does_not_grow_with_participants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SLAB_BYTES", 2 << 20)
    peaks = []
    for n in (10, 40):
        rng = np.random.default_rng(n)
        with ScoreStack(tmp_path / "scores", (6, n, 5000)) as stack:
            run(filled(tmp_path, scores(8)), n_flips=300)  # compiled before it is measured
            tracemalloc.start()
            for number in range(n):
                stack.put(number, rng.standard_normal((6, 5000)))
            run(stack, n_flips=300)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 40 * 6 * 5000 * 4  # less than the scores themselves
