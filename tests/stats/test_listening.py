"""Exact test of forced choices."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from bidsapp.errors import InputInvalidError
from bidsapp.stats.listening import choice_test


@pytest.mark.parametrize("n_options", [2, 3, 5])
@pytest.mark.parametrize("n_correct", [0, 4, 9, 12])
def test_one_listener_is_the_binomial_test(n_options, n_correct):
    correct = np.arange(12) % n_options
    chosen = np.where(np.arange(12) < n_correct, correct, (correct + 1) % n_options)
    counts = np.eye(n_options, dtype=int)[chosen]
    test = choice_test(counts, correct)
    expected = binomtest(n_correct, 12, 1 / n_options, alternative="greater").pvalue
    assert test.p == pytest.approx(expected)
    assert (test.n_trials, test.n_answers, test.n_correct) == (12, 12, n_correct)
    assert test.accuracy == pytest.approx(n_correct / 12)
    assert test.chance == pytest.approx(1 / n_options)


def test_several_listeners_against_every_arrangement():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, (6, 3))
    correct = rng.integers(0, 3, 6)
    rows = np.arange(6)
    observed = counts[rows, correct].sum()
    sums = [counts[rows, list(options)].sum() for options in product(range(3), repeat=6)]
    assert choice_test(counts, correct).p == pytest.approx(np.mean(np.array(sums) >= observed))


def test_listeners_who_share_tastes_do_not_make_it_small():
    """Hundred answers alike to three trials are three draws, not three hundred."""
    counts = np.array([[100, 0]] * 3)
    test = choice_test(counts, np.zeros(3, int))
    assert test.p == pytest.approx(1 / 8)
    assert test.n_answers == 300


def test_trials_without_answers_do_not_count():
    counts = np.array([[1, 0], [0, 0], [0, 1]])
    test = choice_test(counts, np.array([0, 0, 1]))
    assert (test.n_trials, test.p) == (2, pytest.approx(0.25))


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(InputInvalidError, match="0 answers to 2 trials"):
        choice_test(np.zeros((2, 2), int), np.zeros(2, int))
    with pytest.raises(InputInvalidError, match="of 1 options"):
        choice_test(np.ones((2, 1), int), np.zeros(2, int))
    for wrong in ([0, 2], [0, -1], [0]):
        with pytest.raises(InputInvalidError, match="positions from 0 to 1"):
            choice_test(np.ones((2, 2), int), np.array(wrong))
