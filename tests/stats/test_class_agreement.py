"""Agreement of classes against sets, and exchanged clips."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.stats.class_agreement import (
    agreements,
    exchange_agreements,
    overlaps,
    top_classes,
)
from bidsapp.stats.identification import turn_within


def test_agreement_is_that_of_sets_of_the_most_probable_classes() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((5, 9)), rng.standard_normal((4, 9))
    for n in (1, 2, 3):
        union = agreements(top_classes(first, n), top_classes(second, n))
        share = overlaps(top_classes(first, n), top_classes(second, n))
        for i, one in enumerate(first):
            for j, other in enumerate(second):
                a, b = (set(np.argsort(-values)[:n].tolist()) for values in (one, other))
                assert union[i, j] == pytest.approx(len(a & b) / len(a | b))
                assert share[i, j] == pytest.approx(len(a & b) / n)


def test_of_equal_classes_the_first_is_taken() -> None:
    marked = top_classes(np.array([[0.0, 1.0, 1.0, 1.0]]), 2)
    assert marked.tolist() == [[False, True, True, False]]


@pytest.mark.parametrize("n_folds", [1, 3])
def test_exchanged_agreements_are_those_of_other_clips_of_the_fold(n_folds: int) -> None:
    rng = np.random.default_rng(2)
    fold = np.arange(18) % (n_folds + 1) - 1
    true = top_classes(rng.standard_normal((18, 6)), 2)
    orders = turn_within(50, fold, seed=1)
    exchange = exchange_agreements(true, true, fold, orders)
    assert exchange.observed == 1
    clips = np.flatnonzero(fold >= 0)
    table = agreements(true, true)
    means = np.array([table[clips, order[clips]].mean() for order in orders])
    widening = np.sqrt(2) if n_folds > 1 else 1.0
    expected = means.mean() + widening * (means - means.mean())
    np.testing.assert_allclose(exchange.null, expected, atol=1e-9)
    unmoved = (orders[:, clips] == clips).all(axis=1).sum()
    assert exchange.p == (1 + unmoved) / 51
