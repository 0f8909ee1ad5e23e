"""Preference along a gradient: amplitude alone is no preference, a moving peak is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError
from bidsapp.stats.preference import gradient_claims

N_LAYERS, N_PARCELS, N_COPIES = 6, 80, 59
LAYERS = np.arange(N_LAYERS)
GRADIENT = np.linspace(-1.0, 1.0, N_PARCELS)
Array = NDArray[np.float64]


def bump(centre: Array) -> Array:
    """(n_layers, n_parcels) profile that peaks at a layer."""
    return np.exp(-(((LAYERS[:, None] - centre) / 1.3) ** 2))


def noise(rng: np.random.Generator, n: int) -> Array:
    """Scores of displaced music: smoother layers have wider nulls."""
    return np.asarray(rng.normal(size=(n, N_LAYERS, N_PARCELS)) * (0.5 + 0.2 * LAYERS[:, None]))


def claims(rng: np.random.Generator, truth: Array) -> tuple[float, float]:
    copies = noise(rng, N_COPIES + 1)
    result = gradient_claims(truth + copies[0], copies[1:], GRADIENT)
    return result.alignment.p, result.preference.p


def test_a_peak_that_moves_along_the_gradient_is_preference() -> None:
    rng = np.random.default_rng(0)
    truth = 1.5 * bump((GRADIENT + 1) / 2 * (N_LAYERS - 1))
    p = np.array([claims(rng, truth) for _ in range(40)])
    assert (p <= 0.05).mean(axis=0).min() > 0.9


def test_amplitude_along_the_gradient_is_alignment_but_no_preference() -> None:
    rng = np.random.default_rng(1)
    truth = 2.0 * bump(np.full(N_PARCELS, 1.0)) * (GRADIENT + 1.5)
    p = np.array([claims(rng, truth) for _ in range(200)])
    rates = (p <= 0.05).mean(axis=0)
    assert rates[0] > 0.9
    assert rates[1] <= 0.09


def test_rates_hold_without_any_effect() -> None:
    rng = np.random.default_rng(2)
    p = np.array([claims(rng, np.zeros((N_LAYERS, N_PARCELS))) for _ in range(300)])
    rates = (p <= 0.05).mean(axis=0)
    assert np.all(rates >= 0.02)
    assert np.all(rates <= 0.085)


def test_the_preference_map_says_where_deeper_layers_do_better() -> None:
    rng = np.random.default_rng(3)
    truth = 3 * bump((GRADIENT + 1) / 2 * (N_LAYERS - 1))
    copies = noise(rng, N_COPIES + 1)
    result = gradient_claims(truth + copies[0], copies[1:], GRADIENT)
    assert np.corrcoef(result.preference_map, GRADIENT)[0, 1] > 0.6
    assert np.abs(result.profile).max() == pytest.approx(1.0)


def test_parcels_without_a_score_or_a_reference_are_left_out() -> None:
    rng = np.random.default_rng(4)
    copies = noise(rng, N_COPIES + 1)
    scores, gradient = copies[0].copy(), GRADIENT.copy()
    scores[2, 5] = np.nan
    gradient[9] = np.nan
    result = gradient_claims(scores, copies[1:], gradient)
    assert np.isnan(result.preference_map[[5, 9]]).all()
    assert np.isfinite(np.delete(result.amplitude, [5, 9])).all()
    kept = np.delete(np.arange(N_PARCELS), [5, 9])
    alone = gradient_claims(copies[0][:, kept], copies[1:][:, :, kept], GRADIENT[kept])
    assert alone.preference.p == result.preference.p


def test_too_few_parcels_are_refused() -> None:
    rng = np.random.default_rng(5)
    copies = noise(rng, 5)
    with pytest.raises(InputInvalidError, match="10 parcels, not 6 and 4"):
        gradient_claims(copies[0][:, :4], copies[1:, :, :4], GRADIENT[:4])
