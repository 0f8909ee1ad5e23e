"""Shifts of labels: what they keep, what they share, and what p values they give."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.stats.label_nulls import chance, label_null, shifted_labels
from bidsapp.stats.samples import Samples


def two_people(n=40):
    run = np.tile(np.repeat([3, 7], n), 2)
    labels = np.tile(np.repeat([0, -1, 1, 2, 1, 0, 2, -1], n // 4), 2)
    return Samples(run, np.tile(np.arange(n) * 2.0, 4), np.repeat([0, 1], 2 * n)), labels


def test_shifts_stay_in_runs_and_are_shared_by_participants():
    samples, labels = two_people()
    for index in range(20):
        moved = shifted_labels(labels, samples, index, seed=1)
        first, second = moved.reshape(2, 2, -1)
        assert np.array_equal(first, second)
        for before, after in zip(labels.reshape(4, -1), moved.reshape(4, -1), strict=True):
            rolled = [
                shift for shift in range(40) if np.array_equal(np.roll(before, shift), after)
            ]
            assert 10 <= rolled[0] <= 30


def test_runs_of_one_name_move_alike_in_different_analyses():
    """The group's runs are numbered otherwise than those of a participant who lacks one."""
    labels = np.tile(np.arange(30), 2)
    times = np.tile(np.arange(30.0), 2)
    whole = Samples(np.repeat([0, 1], 30), times)
    part = whole.take(np.arange(30, 60))
    for index in range(5):
        moved = shifted_labels(labels, whole, index, names=["run-1", "run-2"])[30:]
        own = Samples(np.zeros(30, np.int64), part.time_s)
        assert np.array_equal(moved, shifted_labels(labels[30:], own, index, names=["run-2"]))


def test_null_does_not_depend_on_its_parts():
    samples, labels = two_people()
    weight = np.arange(len(labels))

    def score(y):
        return float(weight[y == 1].mean())

    whole = label_null(score, labels, samples, 9, seed=4)
    parts = [label_null(score, labels, samples, 3, seed=4, first=k) for k in (0, 3, 6)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, label_null(score, labels, samples, 9, seed=5))


def test_chance():
    found = chance(0.5, np.linspace(0.1, 0.3, 99))
    assert found.p == 0.01
    assert found.mean == pytest.approx(0.2)
    assert 0.1 < found.low < found.high < 0.3
    assert chance(0.0, np.linspace(0.1, 0.3, 99)).p == 1
    with pytest.raises(InputInvalidError, match="shift"):
        chance(0.5, np.zeros(0))


def test_p_is_uniform_without_effect():
    rng = np.random.default_rng(0)
    samples, labels = two_people()
    p = []
    for seed in range(200):
        noise = np.tile(rng.standard_normal((2, 40)).cumsum(axis=1).ravel(), 2)

        def score(y, noise=noise):
            return float(noise[y == 1].mean() - noise[y == 0].mean())

        null = label_null(score, labels, samples, 19, min_shift=1, seed=seed)
        p.append(chance(score(labels), null).p)
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.06)
