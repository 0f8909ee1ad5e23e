"""Roughness and harmonicity: published values, bounds and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.models.consonance import harmonicity as spectrum_harmonicity
from bidsapp.models.consonance import roughness
from tests.models.tones import chord_partials, class_spectrum


def classes(*members: int) -> np.ndarray:
    weights = np.zeros(12)
    weights[list(members)] = 1.0
    return weights


def harmonicity(weights: np.ndarray) -> np.ndarray:
    return spectrum_harmonicity(class_spectrum(weights))


def test_roughness_of_a_major_triad_is_the_published_value():
    assert roughness(*chord_partials([60, 64, 67])) == pytest.approx(0.1202426, abs=5e-8)


def test_harmonicity_of_triads_is_the_published_value():
    assert harmonicity(classes(0, 4, 7)) == pytest.approx(0.9373149, abs=5e-8)
    assert harmonicity(classes(0, 3, 6)) == pytest.approx(0.7225033, abs=5e-8)


def test_roughness_orders_intervals_as_music_theory_does():
    values = {step: roughness(*chord_partials([60, 60 + step])) for step in (1, 6, 7, 12)}
    assert values[1] > values[6] > values[7] > values[12]


def test_a_pair_is_roughest_at_a_quarter_of_a_critical_band():
    bandwidth = 1.72 * 440.0**0.65
    distances = np.linspace(0.01, 1.3, 130)
    centred = [(440 - d * bandwidth / 2, 440 + d * bandwidth / 2) for d in distances]
    values = np.array([roughness(pair, [1.0, 1.0]) for pair in centred])
    assert distances[values.argmax()] == pytest.approx(0.25, abs=0.01)
    assert values.max() == pytest.approx(0.5, rel=1e-3)
    assert (values[distances > 1.21] == 0).all()


def test_silence_is_missing_and_one_partial_is_smooth():
    assert np.isnan(roughness([440.0], [0.0]))
    assert roughness([440.0], [2.0]) == 0.0
    assert np.isnan(harmonicity(np.zeros(12)))
    assert np.isfinite(harmonicity(np.vstack([np.zeros(12), classes(0)]))[1])


@given(st.lists(st.floats(0.0, 1.0), min_size=12, max_size=12), st.integers(0, 11))
def test_harmonicity_does_not_change_with_transposition_or_scale(weights, step):
    given_weights = np.array(weights)
    if given_weights.sum() < 1e-3:
        return
    value = harmonicity(given_weights)
    assert value >= 0
    assert harmonicity(3.0 * np.roll(given_weights, step)) == pytest.approx(value, abs=1e-9)


def test_spectrum_has_a_peak_at_each_class_and_at_its_fifth():
    spectrum = class_spectrum(classes(2))
    assert spectrum.argmax() == 200
    assert spectrum[902] > 0.3 * spectrum[200]
