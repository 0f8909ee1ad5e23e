"""Responses, planted directions, topography and noise, each against what defines it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from bidsapp.resources import functional_gradient
from bidsapp.simulate.bold import NoiseModel, planted_signal, run_noise
from bidsapp.simulate.nuisance import MOTION, ar1, confounds, cosines, draw_nuisance
from bidsapp.simulate.signals import (
    LayerFeatures,
    Playing,
    canonical_hrf,
    distinct_courses,
    response_matrix,
)
from bidsapp.simulate.spaces import fsaverage5_space, mni_space
from bidsapp.simulate.topography import HESCHL_MM, plant, smooth_fields


def _features(n_frames=40, n_pieces=2, n_layers=3, k=6, seed=0):
    rng = np.random.default_rng(seed)
    return LayerFeatures(
        network="random",
        layers=tuple(f"layer{n}" for n in range(n_layers)),
        pieces=tuple(f"piece{n}.wav" for n in range(n_pieces)),
        frame_piece=np.repeat(np.arange(n_pieces), n_frames),
        frame_time_s=np.tile(0.48 + 0.48 * np.arange(n_frames), n_pieces),
        scores=tuple(ar1(n_frames * n_pieces, k, 0.8, rng) for _ in range(n_layers)),
    )


def test_the_response_peaks_at_five_seconds_and_undershoots():
    time = np.arange(0, 32, 0.01)
    hrf = canonical_hrf(time)
    assert time[hrf.argmax()] == pytest.approx(5.0, abs=0.05)
    assert 10 < time[hrf.argmin()] < 20
    assert hrf[0] == 0


def test_responses_equal_a_convolution_written_as_a_loop():
    features = _features()
    playing = [Playing(1, onset_s=3.0, duration_s=12.0, stim_start_s=2.0)]
    times = np.arange(25) + 0.5
    matrix = response_matrix(times, playing, features)
    for row, time in enumerate(times):
        for frame, (piece, at) in enumerate(
            zip(features.frame_piece, features.frame_time_s, strict=True)
        ):
            heard = piece == 1 and 2.0 <= at <= 14.0
            delay = time - (3.0 + at - 2.0)
            expected = 0.48 * canonical_hrf(np.array(delay)) if heard and delay > 0 else 0.0
            assert matrix[row, frame] == pytest.approx(float(expected), abs=1e-12)


def test_a_repeated_piece_adds_up():
    features = _features()
    times = np.arange(60.0)
    parts = [Playing(0, 2.0, 15.0), Playing(0, 30.0, 15.0)]
    both = response_matrix(times, parts, features)
    apart = sum(response_matrix(times, [part], features) for part in parts)
    np.testing.assert_allclose(both, apart, atol=1e-12)


def test_planted_courses_have_unit_variance_and_say_what_other_layers_do_not():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(3), 60)
    shared = ar1(180, 4, 0.8, rng)
    own = [ar1(180, 2, 0.8, rng) for _ in range(6)]
    layers = [np.hstack([shared, 0.5 * part]) @ rng.standard_normal((6, 6)) for part in own]
    weights = distinct_courses(layers, groups, 2, shrink=0.01)
    for layer, part, weight in zip(layers, own, weights, strict=True):
        centred = layer.copy()
        for group in range(3):
            centred[groups == group] -= centred[groups == group].mean(axis=0)
        course = centred @ weight
        np.testing.assert_allclose((course**2).mean(axis=0), 1, rtol=1e-6)
        # of the layer itself, a tenth of the variance is its own
        explained = part @ np.linalg.lstsq(part, course, rcond=None)[0]
        assert 1 - ((course - explained) ** 2).mean() > 0.5


def test_depth_follows_the_functional_gradient_up_to_the_radius():
    space = fsaverage5_space()
    topography = plant(space.coordinates_mm, 24, radius_mm=50.0)
    gradient = functional_gradient("fsaverage5", 1)[space.index]
    near = np.linalg.norm(space.coordinates_mm[:, None] - HESCHL_MM, axis=2).min(axis=1) < 50.0
    assert ((topography.layer == 0) == ~near).all()
    known = near & np.isfinite(gradient)
    rho = spearmanr(topography.layer[known], gradient[known]).statistic
    assert rho > 0.995
    counts = np.bincount(topography.layer[known], minlength=25)[1:]
    assert counts.min() > 0.8 * known.sum() / 24
    assert (topography.amplitude[~near] == 0).all()
    assert (topography.amplitude[near] >= 0.7).all()
    assert plant(space.coordinates_mm, 24, radius_mm=0.0).layer.max() == 0


def test_what_is_planted_in_a_unit_depends_on_its_place_only():
    shift = np.array([[2.0, -3.0, 1.0], [0.0, 4.0, -2.0]])
    surface, volume = fsaverage5_space().coordinates_mm, mni_space(6).coordinates_mm
    together = plant(np.concatenate([surface, volume]), 24, shift_mm=shift)
    for places, part in (
        (surface, slice(None, len(surface))),
        (volume, slice(len(surface), None)),
    ):
        alone = plant(places, 24, shift_mm=shift)
        np.testing.assert_array_equal(alone.layer, together.layer[part])
        np.testing.assert_allclose(alone.amplitude, together.amplitude[part], atol=1e-5)
        assert 0.4 <= (alone.layer == 0).mean() <= 0.6
        counts = np.bincount(alone.layer, minlength=25)[1:]
        assert counts.min() > 0.2 * counts.mean()


def test_smooth_fields_have_the_covariance_they_state():
    line = np.arange(0, 60, 5.0)[:, None] * np.array([1.0, 0, 0])
    fields = np.concatenate(
        [smooth_fields(line, 100, length_mm=15.0, seed=seed) for seed in range(40)]
    )
    expected = np.exp(-((line[:, :1] - line[:, 0]) ** 2) / (2 * 15.0**2))
    np.testing.assert_allclose(fields.T @ fields / len(fields), expected, atol=0.12)


@settings(max_examples=20, deadline=None)
@given(phi=st.floats(0.0, 0.9), seed=st.integers(0, 1000))
def test_ar1_has_unit_variance_and_its_coefficient(phi, seed):
    series = ar1(400, 60, phi, np.random.default_rng(seed))
    assert series.var() == pytest.approx(1.0, abs=0.15)
    lag = (series[1:] * series[:-1]).mean() / series.var()
    assert lag == pytest.approx(phi, abs=0.06)


def test_cosines_are_those_of_nilearn():
    from nilearn.glm.first_level.design_matrix import create_cosine_drift

    ours = cosines(200, 1.5)
    theirs = create_cosine_drift(1 / 128, np.arange(200) * 1.5)[:, :-1]
    theirs = theirs[:, : ours.shape[1]]
    scale = np.linalg.norm(theirs, axis=0) * np.linalg.norm(ours, axis=0)
    np.testing.assert_allclose(np.abs((ours * theirs).sum(axis=0)) / scale, 1, rtol=1e-9)


def test_confounds_follow_from_the_motion():
    rng = np.random.default_rng(0)
    nuisance = draw_nuisance(120, 1.0, rng)
    columns, metadata = confounds(nuisance, np.ones(120), np.ones(119), 1.0, rng)
    assert len({len(column) for column in columns.values()}) == 1
    for number, name in enumerate(MOTION):
        np.testing.assert_array_equal(columns[name], nuisance.motion[:, number])
        change = columns[f"{name}_derivative1"]
        assert np.isnan(change[0])
        np.testing.assert_allclose(change[1:], np.diff(columns[name]))
        np.testing.assert_allclose(columns[f"{name}_power2"], columns[name] ** 2)
        np.testing.assert_allclose(columns[f"{name}_derivative1_power2"][1:], change[1:] ** 2)
    steps = np.abs(np.diff(nuisance.motion, axis=0)) * [1, 1, 1, 50, 50, 50]
    np.testing.assert_allclose(columns["framewise_displacement"][1:], steps.sum(axis=1))
    components = {name for name in columns if "_comp_cor_" in name}
    assert components == {name for name in metadata if "_comp_cor_" in name}
    for name in components:
        assert np.linalg.norm(columns[name]) == pytest.approx(1.0)


def test_units_carry_their_own_layer_and_null_units_nothing():
    places = mni_space(10).coordinates_mm
    topography = plant(places, 3)
    rng = np.random.default_rng(2)
    responses = [ar1(150, n_courses, 0.7, rng) for n_courses in (2, 1, 3)]
    signal = planted_signal(responses, topography, places, seed=0)
    assert not signal[:, topography.layer == 0].any()
    np.testing.assert_allclose(signal.std(axis=0), topography.amplitude, rtol=1e-4)
    for number, response in enumerate(responses, start=1):
        course = signal[:, topography.layer == number]
        design = np.column_stack([response, np.ones(len(response))])
        rest = course - design @ np.linalg.lstsq(design, course, rcond=None)[0]
        assert np.abs(rest).max() < 1e-4


def test_noise_is_shared_between_spaces_only_where_it_is_smooth():
    nuisance = draw_nuisance(200, 1.0, np.random.default_rng(0))
    model = NoiseModel(drift=0.0)
    places = np.random.default_rng(1).uniform(-60, 60, (300, 3))
    one = run_noise(nuisance, places, model, [0, 1, 2])
    more = run_noise(nuisance, places[:299], model, [0, 1, 2])
    assert one.std() == pytest.approx(1.04, abs=0.1)
    same = np.mean([np.corrcoef(one[:, n], more[:, n])[0, 1] for n in range(299)])
    shared = (0.5**2 + 0.35**2 + 0.25**2) / (0.8**2 + 0.5**2 + 0.35**2 + 0.25**2)
    assert same == pytest.approx(shared, abs=0.06)
    np.testing.assert_array_equal(one, run_noise(nuisance, places, model, [0, 1, 2]))
