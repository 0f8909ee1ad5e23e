"""Scores by song: scikit-learn as oracle, coverage, and error rates on null data."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

from bidsapp.stats.by_song import (
    chance_scores,
    compare,
    measures,
    permuted_labels,
    song_confusions,
    song_intervals,
)


def songs_of(n_songs: int, windows: int) -> np.ndarray:
    return np.repeat(np.arange(n_songs), windows)


def draw(rng, n_songs, windows, right):
    """True and predicted classes whose errors and classes are shared within songs."""
    songs = songs_of(n_songs, windows)
    true = rng.integers(0, 4, n_songs)[songs]
    hits = (rng.random(n_songs) < right)[songs]
    return true, np.where(hits, true, (true + 1 + rng.integers(0, 3, n_songs)[songs]) % 4), songs


def test_measures_are_scikit_learns():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    values = measures(song_confusions(true, predicted, songs_of(30, 10), 4).sum(axis=0))
    expected = [
        f1_score(true, predicted, average="macro"),
        balanced_accuracy_score(true, predicted),
        np.mean(true == predicted),
        *recall_score(true, predicted, average=None),
    ]
    np.testing.assert_allclose(values, expected)


def test_absent_classes_do_not_count():
    values = measures(song_confusions(np.array([0, 1]), np.array([0, 2]), np.array([0, 1]), 4)[0])
    assert values[0] == values[1] == 1.0
    assert np.isnan(values[4:]).all()


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(1)
    covered = []
    for seed in range(120):
        true, predicted, songs = draw(rng, 60, 5, 0.6)
        low, high = song_intervals(song_confusions(true, predicted, songs, 4), 300, seed)
        covered.append(low[2] <= 0.6 <= high[2])
    assert np.mean(covered) > 0.87


def test_one_song_has_no_interval():
    low, high = song_intervals(np.ones((1, 4, 4)), 10, 0)
    assert np.isnan([low, high]).all()


def test_comparison_of_equal_models_holds_its_error_rate_and_finds_a_difference():
    rng = np.random.default_rng(2)
    p = []
    for seed in range(150):
        true, first, songs = draw(rng, 40, 4, 0.5)
        hits = (rng.random(40) < 0.5)[songs]
        second = np.where(hits, true, (true + 1) % 4)
        first = np.where((rng.random(40) < 0.5)[songs], true, (true + 1) % 4)
        tables = [song_confusions(true, x, songs, 4) for x in (first, second)]
        p.append(compare(*tables, 99, seed).p)
    assert np.mean(np.array(p) <= 0.05) < 0.11
    assert min(p) >= 0.01
    better = np.where((rng.random(40) < 0.9)[songs], true, (true + 1) % 4)
    result = compare(song_confusions(true, better, songs, 4), tables[1], 199, 0)
    assert result.p <= 0.05
    assert 0 < result.low <= result.difference <= result.high


def test_a_model_compared_with_itself_differs_by_nothing():
    true, predicted, songs = draw(np.random.default_rng(3), 20, 3, 0.5)
    table = song_confusions(true, predicted, songs, 4)
    result = compare(table, table, 50, 0)
    assert (result.difference, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)


def test_permuted_songs_keep_their_fold_and_their_labels_together():
    songs = np.array([0, 0, 1, 1, 2, 2, 2, 3, 3])
    folds = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3])
    drawn = [
        permuted_labels(labels, songs, folds, np.random.default_rng(seed)) for seed in range(20)
    ]
    assert {tuple(row[:4]) for row in drawn} == {(0, 0, 1, 1), (1, 1, 0, 0)}
    assert all(set(row[4:]) <= {2, 3} for row in drawn)


def test_songs_with_the_same_sequence_of_labels_have_a_null_too():
    songs = songs_of(6, 8)
    labels = np.tile([0, 0, 0, 0, 1, 1, 1, 1], 6)
    drawn = permuted_labels(labels, songs, np.zeros_like(songs), np.random.default_rng(0))
    assert (drawn != labels).any()
    assert (drawn.reshape(6, 8).sum(axis=1) == 4).all()
    null = chance_scores(labels, labels, songs, np.zeros_like(songs), 2, 50, 0)[:, 0]
    assert null.max() < 1.0
    assert null.mean() == pytest.approx(0.5, abs=0.1)


def test_chance_is_reached_by_predictions_without_a_relation():
    rng = np.random.default_rng(4)
    rates = []
    for seed in range(100):
        true, _, songs = draw(rng, 30, 4, 0.5)
        predicted = rng.integers(0, 4, 30)[songs]
        null = chance_scores(true, predicted, songs, songs % 3, 4, 39, seed)[:, 1]
        observed = measures(song_confusions(true, predicted, songs, 4).sum(axis=0))[1]
        rates.append((1 + np.sum(null >= observed)) / 40)
    assert np.mean(np.array(rates) <= 0.05) < 0.12
    assert np.mean(rates) == pytest.approx(0.5, abs=0.12)
