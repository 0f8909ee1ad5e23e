"""Prevalence: closed forms, error rates without effect, coverage with one."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.stats.prevalence import bayesian_prevalence, minimum_statistic, prevalence_p


def draw(rng, n, effect):
    return rng.standard_normal(n) + effect, rng.standard_normal((n, 99))


def test_global_null_keeps_its_level():
    rng = np.random.default_rng(0)
    p = [
        minimum_statistic(*draw(rng, 6, 0.0), n_second_level=400, seed=k).p_global
        for k in range(400)
    ]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.025)


def test_bound_holds_when_half_show_the_effect():
    rng = np.random.default_rng(1)
    over = 0
    for k in range(300):
        effect = np.where(rng.uniform(size=8) < 0.5, 4.0, 0.0)
        found = minimum_statistic(*draw(rng, 8, effect), n_second_level=400, seed=k)
        over += found.p_majority <= 0.05
    assert over / 300 <= 0.08


def test_everyone_shows_it():
    found = minimum_statistic(*draw(np.random.default_rng(2), 12, 6.0))
    assert found.p_global == found.smallest_p == 0.01
    assert found.p_majority < 0.05
    assert found.bound > 0.5
    assert prevalence_p(1 / 10_001, 12, found.bound) == pytest.approx(0.05)


def test_no_bound_where_participants_only_share_something():
    rng = np.random.default_rng(4)
    bounds = []
    for k in range(200):
        scores = rng.standard_normal((10, 100)) + 2 * rng.standard_normal(100)
        found = minimum_statistic(scores[:, 0], scores[:, 1:], n_second_level=400, seed=k)
        bounds.append(found.bound)
    assert np.isfinite(bounds).mean() <= 0.09


def test_bayesian_prevalence():
    none = bayesian_prevalence(0, 20)
    assert none.most_probable == none.low == 0
    everyone = bayesian_prevalence(20, 20)
    assert everyone.most_probable == everyone.high == 1
    half = bayesian_prevalence(10, 20)
    assert half.most_probable == pytest.approx((0.5 - 0.05) / 0.95)
    assert half.low < half.most_probable < half.high
    wide = bayesian_prevalence(10, 20, level=0.99)
    assert wide.low < half.low
    assert wide.high > half.high


def test_interval_covers():
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(300):
        share = rng.uniform()
        k = rng.binomial(15, 0.05 + 0.95 * share)
        found = bayesian_prevalence(int(k), 15)
        inside += found.low <= share <= found.high
    assert inside / 300 == pytest.approx(0.95, abs=0.04)


def test_refusals():
    with pytest.raises(InputInvalidError, match="at least 2"):
        minimum_statistic(np.ones(1), np.ones((1, 5)))
    with pytest.raises(InputInvalidError, match="3 of 2"):
        bayesian_prevalence(3, 2)
