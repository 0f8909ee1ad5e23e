"""Exchange of held-out clips: its scores as loops, its error rate, and p-values of folds."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.stats.clip_exchange import (
    averaged,
    candidate_accuracy,
    exchange_clips,
    merged_p,
    smallest_merged_p,
    stacked,
)
from bidsapp.stats.identification import identify, permute_within

FOLD = np.repeat([0, 1, -1], [9, 8, 3])


def drawn(seed: int, signal: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.standard_normal((20, 6))
    return signal * targets + rng.standard_normal((20, 6)), targets


def test_scores_are_those_of_exchanged_embeddings() -> None:
    predicted, targets = drawn(0, 1.0)
    orders = permute_within(7, FOLD, seed=1)
    result = exchange_clips(predicted, targets, FOLD, FOLD, orders)
    for fold in (0, 1):
        own = np.where(fold == FOLD, 0, -1)
        assert result.observed[fold] == pytest.approx(
            float(identify(predicted, targets, own).mean)
        )
        for k, order in enumerate(orders):
            score = float(identify(predicted, targets[order], own).mean)
            assert result.null[fold, k] == pytest.approx(score)
    whole = identify(predicted, targets, FOLD)
    assert float(result.accuracy) == pytest.approx(float(whole.mean))
    assert result.null_accuracy.shape == (7,)


def test_every_candidate_gets_the_accuracy_it_would_have() -> None:
    predicted, targets = drawn(2, 1.0)
    accuracy = candidate_accuracy(predicted, targets)
    group = np.zeros(20, int)
    np.testing.assert_allclose(np.diag(accuracy), identify(predicted, targets, group).accuracy)
    np.testing.assert_allclose(accuracy.mean(axis=1), 0.5)
    np.testing.assert_allclose(candidate_accuracy(np.ones((20, 6)), targets), 0.5)


def test_groups_within_folds_are_exchanged_by_themselves() -> None:
    predicted, targets = drawn(3, 2.0)
    genre = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, *[4] * 4, *[5] * 4, -1, -1, -1])
    result = exchange_clips(predicted, targets, genre, FOLD, permute_within(99, genre, seed=0))
    assert list(result.n_clips) == [8, 8]
    assert float(result.accuracy) == pytest.approx(float(identify(predicted, targets, genre).mean))
    alone = np.where(genre >= 0, np.arange(20), -1)
    none = exchange_clips(predicted, targets, alone, FOLD, permute_within(9, alone, seed=0))
    assert np.isnan(none.accuracy)
    assert np.isnan(none.p)


def test_a_strong_signal_reaches_the_smallest_p_and_noise_does_not() -> None:
    orders = permute_within(199, FOLD, seed=5)
    strong = exchange_clips(*drawn(4, 5.0), FOLD, FOLD, orders)
    assert float(strong.p) == pytest.approx(smallest_merged_p(199, 2))
    many = [exchange_clips(*drawn(seed, 0.0), FOLD, FOLD, orders) for seed in range(100, 300)]
    p = np.array([float(item.p) for item in many])
    assert (p <= 0.05).mean() < 0.09
    each = stacked(many[:20])
    np.testing.assert_allclose(each.p, p[:20])
    assert (each.p_family >= each.p - 1e-12).all()
    assert (each.p_family <= 0.05).sum() <= 1


def test_the_mean_of_participants_has_their_mean_null() -> None:
    orders = permute_within(50, FOLD, seed=6)
    parts = [exchange_clips(*drawn(seed, 0.7), FOLD, FOLD, orders) for seed in range(5)]
    group = averaged(parts)
    assert float(group.accuracy) == pytest.approx(np.mean([float(x.accuracy) for x in parts]))
    np.testing.assert_allclose(group.null, np.mean([x.null for x in parts], axis=0))
    assert float(group.p) <= max(float(x.p) for x in parts)


@pytest.mark.parametrize("dependence", ["none", "complete", "opposite"])
def test_merged_p_values_hold_for_any_dependence(dependence: str) -> None:
    rng = np.random.default_rng(8)
    u = rng.uniform(size=20_000)
    second = {"none": rng.uniform(size=20_000), "complete": u, "opposite": 1 - u}[dependence]
    merged = merged_p(np.stack([u, second]))
    assert (merged <= 0.05).mean() <= 0.052
    assert (merged <= 0.01).mean() <= 0.012


def test_one_fold_needs_no_merging() -> None:
    np.testing.assert_array_equal(merged_p([[0.2, 0.01]]), [0.2, 0.01])
    assert np.isnan(merged_p([0.2, np.nan]))
    assert smallest_merged_p(99, 1) == 0.01
    assert smallest_merged_p(99, 6) == pytest.approx(np.e / 100)
