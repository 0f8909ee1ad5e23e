"""Quadrants and agreement of predictions, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.stats.quadrants import (
    CENTRES,
    MISSING,
    TIE,
    concordance,
    panel_agreement,
    quadrants,
    r_squared,
)


def test_each_quadrant_lies_where_its_signs_say():
    np.testing.assert_array_equal(quadrants(CENTRES[:, 0], CENTRES[:, 1]), [0, 1, 2, 3])
    np.testing.assert_array_equal(
        quadrants(5 + CENTRES[:, 0], 4 + CENTRES[:, 1], (5.0, 4.0)), [0, 1, 2, 3]
    )


def test_ratings_on_a_threshold_are_ties_and_absent_ones_are_missing():
    valence, arousal = [0.0, 1.0, 0.0, np.nan, np.nan], [1.0, 0.0, 0.0, 1.0, 0.0]
    assert quadrants(valence, arousal).tolist() == [TIE, TIE, TIE, MISSING, MISSING]


def test_agreement_of_two_panels_is_what_simulated_panels_show():
    rng = np.random.default_rng(0)
    means = rng.uniform(3.5, 6.5, (400, 2))
    spreads = rng.uniform(1.0, 2.0, (400, 2))
    expected = panel_agreement(means, spreads, 10, (5.0, 5.0))
    other = means + rng.standard_normal((2000, 400, 2)) * spreads * np.sqrt(2 / 10)
    same = ((other > 5) == (means > 5)).all(axis=2).mean()
    assert expected == pytest.approx(same, abs=0.005)
    assert panel_agreement(means, np.zeros((400, 2)), 10, (5.0, 5.0)) == 1.0
    assert np.isnan(panel_agreement(means, np.full((400, 2), np.nan), 10, (5.0, 5.0)))


def test_scores_of_perfect_constant_and_shifted_predictions():
    x = np.random.default_rng(1).normal(size=50)
    assert r_squared(x, x) == concordance(x, x) == pytest.approx(1.0)
    assert r_squared(x, np.full(50, x.mean())) == pytest.approx(0.0)
    assert concordance(x, np.full(50, x.mean())) == pytest.approx(0.0)
    assert concordance(x, x + 2) == pytest.approx(2 * x.var() / (2 * x.var() + 4))
    assert np.isnan(r_squared(np.ones(3), np.zeros(3)))
    assert np.isnan(concordance(np.empty(0), np.empty(0)))
