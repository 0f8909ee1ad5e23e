"""Identification against its formula written as loops; ties, groups and oracles."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.stats.identification import (
    class_means,
    closest_candidate,
    dimension_correlations,
    identify,
    n_arrangements,
    row_correlations,
    turn_within,
)


def slow_accuracy(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Equation 3 of the paper, as loops, ties counted half."""
    n = len(predicted)
    accuracy = []
    for i in range(n):
        r = [np.corrcoef(predicted[i], targets[j])[0, 1] for j in range(n)]
        wins = sum(r[j] < r[i] for j in range(n) if j != i)
        ties = sum(r[j] == r[i] for j in range(n) if j != i)
        accuracy.append((wins + ties / 2) / (n - 1))
    return np.array(accuracy)


@pytest.fixture
def noisy() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    targets = rng.standard_normal((17, 9))
    return targets + 2 * rng.standard_normal(targets.shape), targets


def test_it_is_the_formula_of_the_paper(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, targets = noisy
    result = identify(predicted, targets, np.zeros(17, int))
    np.testing.assert_allclose(result.accuracy, slow_accuracy(predicted, targets), atol=1e-12)
    assert 0.5 < float(result.mean) < 1
    assert float(identify(targets, targets, np.zeros(17, int)).mean) == 1.0


def test_the_row_of_the_prediction_is_compared(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, targets = noisy
    other_way = identify(targets, predicted, np.zeros(17, int))
    assert not np.allclose(identify(predicted, targets, np.zeros(17, int)).rank, other_way.rank)


def test_constant_predictions_give_one_half(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    _, targets = noisy
    group = np.zeros(17, int)
    for constant in (np.full_like(targets, 0.1), np.zeros_like(targets)):
        result = identify(constant, targets, group)
        np.testing.assert_array_equal(result.accuracy, 0.5)
    same_row = np.tile(targets[3], (17, 1))
    assert float(identify(same_row, targets, group).mean) == pytest.approx(0.5)


def test_differences_below_rounding_are_ties(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, targets = noisy
    twice = np.vstack([targets, targets * (1 + 1e-13)])
    both = identify(np.vstack([predicted, predicted]), twice, np.zeros(34, int))
    once = identify(predicted, targets, np.zeros(17, int))
    np.testing.assert_array_equal(both.rank[:17], both.rank[17:])
    np.testing.assert_allclose(both.rank[:17], 2 * once.rank - 0.5)


def test_groups_bound_the_candidates(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, targets = noisy
    group = np.array([0] * 6 + [1] * 5 + [2] + [-1] * 5)
    result = identify(predicted, targets, group)
    for clips in (slice(0, 6), slice(6, 11)):
        alone = identify(predicted[clips], targets[clips], group[clips] * 0)
        np.testing.assert_array_equal(result.rank[clips], alone.rank)
    assert np.isnan(result.rank[11:]).all()
    assert list(result.n_candidates) == [6] * 6 + [5] * 5 + [1] * 6
    assert np.isnan(float(identify(predicted, targets, np.arange(17)).mean))
    closest = closest_candidate(predicted, targets, group)
    assert (group[closest] == group).all()


def test_ranks_give_recall_and_reciprocal_rank() -> None:
    targets = np.eye(4) + 0.1 * np.arange(16).reshape(4, 4) ** 0.5
    predicted = targets[[0, 1, 3, 2]]
    result = identify(predicted, targets, np.zeros(4, int))
    assert list(result.rank[:2]) == [1, 1]
    assert float(result.recall(1)) == 0.5
    assert float(result.recall(4)) == 1.0
    expected = np.mean(1 / result.rank)
    assert float(result.mean_reciprocal_rank) == pytest.approx(expected)
    assert float(result.median_rank) == np.median(result.rank)


def test_many_sets_at_once_equal_one_by_one(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, targets = noisy
    orders = np.array([np.arange(17), np.roll(np.arange(17), 3)])
    group = np.arange(17) % 3
    together = identify(np.stack([predicted] * 2), targets[orders], group)
    for k, order in enumerate(orders):
        alone = identify(predicted, targets[order], group)
        np.testing.assert_array_equal(together.rank[k], alone.rank)
        assert float(together.mean[k]) == pytest.approx(float(alone.mean))
        assert float(together.median_rank[k]) == float(alone.median_rank)


def test_scale_and_shift_of_a_row_change_nothing(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, targets = noisy
    scale = np.random.default_rng(1).uniform(0.1, 10, (17, 1))
    changed = row_correlations(predicted * scale + 1000 * scale, targets)
    np.testing.assert_allclose(changed, row_correlations(predicted, targets), atol=1e-9)


def test_the_genre_oracle_knows_the_genre_and_no_more() -> None:
    rng = np.random.default_rng(5)
    genre = np.repeat(np.arange(10), 54)
    centres = 3 * rng.standard_normal((10, 64))
    targets = centres[genre] + rng.standard_normal((540, 64))
    test = np.arange(540) % 9 == 0
    predicted = class_means(targets, genre, ~test)
    all_group, own_group = np.where(test, 0, -1), np.where(test, genre, -1)
    overall = identify(predicted, targets, all_group)
    within = identify(predicted, targets, own_group)
    # the true clip lies at chance among the six of its genre, above the 54 others
    assert float(overall.mean) == pytest.approx(1 - 2.5 / 59, abs=0.01)
    assert float(within.mean) == pytest.approx(0.5, abs=0.08)
    absent = class_means(targets, np.where(test, 99, genre), ~test)
    np.testing.assert_allclose(absent[test], targets[~test].mean(axis=0)[None].repeat(60, 0))


def test_correlations_by_dimension(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, targets = noisy
    r = dimension_correlations(predicted, targets)
    expected = [np.corrcoef(predicted[:, k], targets[:, k])[0, 1] for k in range(9)]
    np.testing.assert_allclose(r, expected)
    predicted = np.column_stack([predicted[:, :8], np.ones(17)])
    assert np.isnan(dimension_correlations(predicted, targets)[8])


def test_exchanges_stay_within_classes() -> None:
    classes = np.array([0, 1, 0, 2, 1, 0, 2, 0])
    drawn = turn_within(200, classes, seed=4)
    np.testing.assert_array_equal(np.sort(drawn, axis=1), np.tile(np.arange(8), (200, 1)))
    assert (classes[drawn] == classes).all()
    assert len(np.unique(drawn, axis=0)) == 8 * 2 * 2  # 2 n of four clips, and of two and two
    np.testing.assert_array_equal(turn_within(5, classes, seed=4), drawn[:5])


@pytest.mark.parametrize("n_clips", [4, 5, 6, 35])
def test_exchanges_leave_neighbours_together(n_clips: int) -> None:
    """In an order that is not that of the clips; every clip comes everywhere equally often."""
    rng = np.random.default_rng(0)
    place = rng.permutation(n_clips)
    in_order = np.argsort(place)
    drawn = turn_within(4000, np.zeros(n_clips, int), 3, place)
    steps = np.abs(np.diff(place[drawn[:, in_order]], axis=1))
    n_parts = -(-n_clips // 5)
    torn = ~np.isin(steps, (1, n_clips - 1))
    assert torn.sum(axis=1).max() == n_parts - 1
    assert (steps == n_clips - 1).sum(axis=1).max() <= 1
    counts = np.stack([np.bincount(own, minlength=n_clips) for own in drawn.T])
    np.testing.assert_allclose(counts / 4000, 1 / n_clips, atol=0.03)


@pytest.mark.parametrize("sizes", [(1, 2), (2, 2, 2), (3, 2), (5, 1), (4, 3)])
def test_orders_are_counted_that_exchanges_can_give(sizes: tuple[int, ...]) -> None:
    classes = np.repeat(np.arange(len(sizes)), sizes)
    drawn = np.unique(turn_within(3000, classes, seed=1), axis=0)
    assert len(drawn) == n_arrangements(classes)
    assert n_arrangements(np.append(classes, [-1, -1])) == len(drawn)
