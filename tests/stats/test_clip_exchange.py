"""Exchange of held-out clips: its scores as loops, and its error rate with full decoding."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.stats.clip_exchange import (
    WIDENING,
    Exchange,
    averaged,
    candidate_accuracy,
    difference,
    exchange_clips,
    shifted_interval,
    stacked,
)
from bidsapp.stats.identification import identify, turn_within

FOLD = np.repeat([0, 1, -1], [9, 8, 3])
ONE = np.repeat([0, -1], [17, 3])


def drawn(seed: int, signal: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.standard_normal((20, 6))
    return signal * targets + rng.standard_normal((20, 6)), targets


def test_scores_are_those_of_exchanged_embeddings() -> None:
    predicted, targets = drawn(0, 1.0)
    orders = turn_within(7, FOLD, seed=1)
    result = exchange_clips(predicted, targets, FOLD, FOLD, orders)
    assert float(result.observed) == pytest.approx(float(identify(predicted, targets, FOLD).mean))
    for k, order in enumerate(orders):
        score = float(identify(predicted, targets[order], FOLD).mean)
        assert result.null[k] == pytest.approx(0.5 + WIDENING * (score - 0.5))
    orders = turn_within(7, ONE, seed=1)
    alone = exchange_clips(predicted, targets, ONE, ONE, orders)
    for k, order in enumerate(orders):
        score = float(identify(predicted, targets[order], ONE).mean)
        assert alone.null[k] == pytest.approx(score)


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
    result = exchange_clips(predicted, targets, genre, FOLD, turn_within(99, genre, seed=0))
    expected = float(identify(predicted, targets, genre).mean)
    assert float(result.observed) == pytest.approx(expected)
    assert result.null.mean() == pytest.approx(0.5, abs=0.05)
    alone = np.where(genre >= 0, np.arange(20), -1)
    none = exchange_clips(predicted, targets, alone, FOLD, turn_within(9, alone, seed=0))
    assert np.isnan(none.observed)
    assert np.isnan(none.p)


def test_a_strong_signal_reaches_the_smallest_p() -> None:
    fold = np.repeat([0, 1, 2, 3], 10)
    orders = turn_within(199, fold, seed=5)
    rng = np.random.default_rng(4)
    targets = rng.standard_normal((40, 6))
    predicted = 5 * targets + rng.standard_normal((40, 6))
    assert float(exchange_clips(predicted, targets, fold, fold, orders).p) == 1 / 200
    useless = exchange_clips(np.ones((40, 6)), targets, fold, fold, orders)
    assert float(useless.observed) == 0.5
    assert float(useless.p) == 1.0


def test_one_fold_rejects_at_the_nominal_rate() -> None:
    orders = turn_within(199, ONE, seed=5)
    many = [exchange_clips(*drawn(seed, 0.0), ONE, ONE, orders) for seed in range(100, 400)]
    p = np.array([float(item.p) for item in many])
    assert 0.02 < (p <= 0.05).mean() < 0.09
    assert 0.4 < p.mean() < 0.6
    each = stacked(many[:20])
    np.testing.assert_allclose(each.p, p[:20])
    assert (each.p_family >= each.p).all()
    assert (each.p_family <= 0.05).sum() <= 1


def test_the_mean_of_participants_has_their_mean_null() -> None:
    orders = turn_within(50, FOLD, seed=6)
    parts = [exchange_clips(*drawn(seed, 0.7), FOLD, FOLD, orders) for seed in range(5)]
    group = averaged(parts)
    assert float(group.observed) == pytest.approx(np.mean([x.observed for x in parts]))
    np.testing.assert_allclose(group.null, np.mean([x.null for x in parts], axis=0))
    assert float(group.p) <= max(float(x.p) for x in parts)
    regions = [stacked(parts), stacked(parts[::-1])]
    regions[0].observed[1] = np.nan
    regions[0].null[:, 1] = np.nan
    mean = averaged(regions)
    assert mean.observed[1] == regions[1].observed[1]
    np.testing.assert_array_equal(mean.null[:, 1], regions[1].null[:, 1])


def test_the_interval_of_a_difference_holds_what_its_moved_null_does_not_reject() -> None:
    null = np.linspace(-0.2, 0.2, 401)
    gain = difference(Exchange(np.array(0.9), 0.5 + null), Exchange(np.array(0.6), 0.5 - 0 * null))
    assert float(gain.observed) == pytest.approx(0.3)
    assert shifted_interval(gain) == pytest.approx((0.11, 0.49))
    low, high = shifted_interval(gain, 0.5)
    assert (low, high) == pytest.approx((0.2, 0.4))
