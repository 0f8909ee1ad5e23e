"""Streaming means, effect sizes, inter-subject correlation, bootstrap and layer components."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.decomposition import PCA

from bidsapp.stats.bootstrap import (
    best_layer_confidence,
    bootstrap_interval,
    jackknife_interval,
    resample_counts,
    resampled_means,
)
from bidsapp.stats.group import FisherMean, GroupMean, cohens_d, hedges_correction
from bidsapp.stats.isc import InterSubjectSum
from bidsapp.stats.layer_pca import layer_pca, rgb_map
from bidsapp.stats.metrics import centroid_layer


def draw(shape, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    values[rng.random(shape) < missing] = np.nan
    return values


def added(accumulator, values):
    for participant in values:
        accumulator.add(participant)
    return accumulator


# -- means and effect sizes ----------------------------------------------------------------


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), offset=st.sampled_from([0.0, 1e6]), missing=st.floats(0, 0.7))
@pytest.mark.filterwarnings("ignore:Mean of empty:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Degrees of freedom:RuntimeWarning")
def test_streaming_mean_and_sd_are_numpys(seed, offset, missing):
    values = draw((7, 3, 5), seed, missing) + offset
    group = added(GroupMean((3, 5)), values)
    n = np.isfinite(values).sum(0)
    assert np.array_equal(group.n, n)
    assert np.allclose(group.mean, np.nanmean(values, 0), equal_nan=True)
    expected = np.where(n > 1, np.nanstd(values, axis=0, ddof=1), np.nan)
    assert np.allclose(group.sd, expected, equal_nan=True, atol=1e-6)


def test_fisher_mean_is_the_back_transformed_mean_of_z():
    r = np.tanh(draw((9, 4), 1, 0.2))
    group = added(FisherMean((4,)), r)
    assert np.allclose(group.mean_r, np.tanh(np.nanmean(np.arctanh(r), axis=0)))
    assert np.isnan(FisherMean((2,)).mean_r).all()


def test_memory_does_not_grow_with_participants():
    def peak(n_participants):
        group = FisherMean((4, 5000))
        rng = np.random.default_rng(0)
        tracemalloc.start()
        for _ in range(n_participants):
            group.add(rng.uniform(-0.9, 0.9, (4, 5000)))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(40) < 1.1 * peak(5)


def test_interval_of_d_inverts_the_noncentral_t():
    values = draw((16, 6), 3) + np.array([0, 0.2, 0.5, 1, -1, 3])
    effect = cohens_d(added(GroupMean((6,)), values), confidence=0.9)
    t = stats.ttest_1samp(values, 0).statistic
    assert np.allclose(effect.d, t / 4)
    assert np.allclose(stats.nct.sf(t, 15, effect.low * 4), 0.05, atol=1e-4)
    assert np.allclose(stats.nct.cdf(t, 15, effect.high * 4), 0.05, atol=1e-4)
    assert np.all((effect.low < effect.d) & (effect.d < effect.high))


def test_interval_of_d_covers_the_truth():
    values = draw((12, 4000), 4) + 0.6
    effect = cohens_d(added(GroupMean((4000,)), values))
    covered = np.mean((effect.low < 0.6) & (effect.high > 0.6))
    assert covered == pytest.approx(0.95, abs=0.015)


def test_d_is_nan_where_it_is_undefined():
    values = np.array([[1.0, np.nan, 2.0], [1.0, np.nan, np.nan]])
    effect = cohens_d(added(GroupMean((3,)), values))
    assert np.isnan([effect.d, effect.low, effect.high]).all()


# -- inter-subject correlation -------------------------------------------------------------


def test_streaming_isc_equals_the_definition():
    data = draw((5, 40, 6), 5) + draw((1, 40, 6), 6)
    group = added(InterSubjectSum(40, 6), data)
    z = (data - data.mean(1, keepdims=True)) / data.std(1, keepdims=True)
    for k in range(5):
        others = np.delete(z, k, axis=0).mean(axis=0)
        expected = [stats.pearsonr(data[k, :, u], others[:, u])[0] for u in range(6)]
        assert np.allclose(group.correlate(data[k]), expected)


def test_isc_finds_shared_signal_and_not_noise():
    shared = np.zeros((1, 400, 2))
    shared[..., 0] = draw((400,), 9)
    data = draw((8, 400, 2), 10) + shared
    group = added(InterSubjectSum(400, 2), data)
    r = np.mean([group.correlate(d) for d in data], axis=0)
    assert r[0] > 0.5
    assert abs(r[1]) < 0.1


def test_isc_leaves_out_missing_and_constant_units():
    data = draw((4, 30, 5), 11) + draw((1, 30, 5), 12)
    data[0, 3, 0] = np.nan
    data[1, :, 1] = 7.3
    data[1:, :, 2] = np.nan
    data[:, :, 3] = np.nan
    group = added(InterSubjectSum(30, 5), data)
    r = np.array([group.correlate(d) for d in data])
    expected = np.zeros((4, 5), bool)
    expected[0, 0] = expected[1, 1] = True
    expected[:, 2:4] = True
    assert np.array_equal(np.isnan(r), expected)
    rest = added(InterSubjectSum(30, 5), data[1:])
    assert np.allclose(r[1:, 0], [rest.correlate(d)[0] for d in data[1:]])


# -- bootstrap -----------------------------------------------------------------------------


def test_counts_are_resamples():
    counts = resample_counts(12, 500, 1)
    assert np.all(counts.sum(axis=1) == 12)
    assert np.allclose(counts.mean(axis=0), 1, atol=0.15)
    assert np.array_equal(counts, resample_counts(12, 500, 1))
    assert not np.array_equal(counts, resample_counts(12, 500, 2))


def test_resampled_means_are_means_of_resamples():
    values = draw((6, 2, 3), 13, 0.2)
    counts = resample_counts(6, 20, 0)
    means = resampled_means(values, counts)
    for row, mean in zip(counts, means, strict=True):
        drawn = np.repeat(values, row.astype(int), axis=0)
        present = np.isfinite(drawn)
        total = np.where(present, drawn, 0).sum(0)
        expected = np.where(present.any(0), total / np.maximum(present.sum(0), 1), np.nan)
        assert np.allclose(mean, expected, equal_nan=True)


def test_interval_is_the_studentised_bootstrap_written_out():
    values = np.exp(draw((12, 2), 14))
    counts = resample_counts(12, 400, 0)
    low, high = bootstrap_interval(values, counts)
    for k in range(2):
        column, mean = values[:, k], values[:, k].mean()
        ratios = []
        for row in counts.astype(int):
            sample = np.repeat(column, row)
            ratios.append((sample.mean() - mean) / (sample.std(ddof=1) / np.sqrt(12)))
        error = column.std(ddof=1) / np.sqrt(12)
        above, below = np.quantile(ratios, [0.975, 0.025])
        assert low[k] == pytest.approx(mean - above * error, rel=1e-9)
        assert high[k] == pytest.approx(mean - below * error, rel=1e-9)


def test_interval_leaves_out_missing_values():
    values = draw((30, 2), 15)
    holed = np.vstack([values, np.full((5, 2), np.nan)])
    low, high = bootstrap_interval(values, resample_counts(30, 5000, 0))
    low_holed, high_holed = bootstrap_interval(holed, resample_counts(35, 5000, 0))
    assert np.allclose(low, low_holed, atol=0.05)
    assert np.allclose(high, high_holed, atol=0.05)
    nothing = bootstrap_interval(np.full((5, 2), [1.0, np.nan]), resample_counts(5, 50, 0))
    assert np.isnan(nothing).all()


def test_confidence_is_high_where_a_layer_leads_and_low_where_none_does():
    scores = 0.1 + 0.05 * draw((20, 6, 2), 16)
    scores[:, 3, 0] += 0.2
    best, confidence = best_layer_confidence(scores, resample_counts(20, 500, 0))
    assert best[0] == 4
    assert confidence[0] == 1.0
    assert 1 / 6 < confidence[1] < 0.95


def test_confidence_is_nan_without_a_best_layer():
    scores = -np.abs(draw((5, 3, 2), 17))
    scores[:, :, 1] = np.nan
    best, confidence = best_layer_confidence(scores, resample_counts(5, 50, 0))
    assert best.tolist() == [0, 0]
    assert np.isnan(confidence).all()


# -- components ----------------------------------------------------------------------------


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_components_are_sklearns(seed):
    scores = draw((5, 3), seed) @ draw((3, 60), seed + 1) + 0.1 * draw((5, 60), seed + 2)
    ours, theirs = layer_pca(scores, 3), PCA(3).fit(scores.T)
    assert np.allclose(ours.explained, theirs.explained_variance_ratio_)
    signs = np.sign((ours.loadings.T * theirs.components_).sum(1))
    assert np.allclose(ours.loadings.T * signs[:, None], theirs.components_, atol=1e-8)
    assert np.allclose(ours.topographies.T * signs, theirs.transform(scores.T), atol=1e-8)


def test_components_do_not_depend_on_the_order_of_units_nor_flip_with_the_scores():
    scores = draw((6, 80), 18)
    order = np.random.default_rng(0).permutation(80)
    first, second = layer_pca(scores), layer_pca(scores[:, order])
    assert np.allclose(first.topographies[:, order], second.topographies)
    assert np.allclose(first.loadings, layer_pca(-scores).loadings)
    top = np.abs(first.loadings).argmax(axis=0)
    assert np.all(first.loadings[top, range(3)] > 0)


def test_missing_units_stay_missing_and_change_nothing_else():
    scores = draw((4, 50), 19)
    holed = np.hstack([scores, draw((4, 3), 20)])
    holed[2, 50:] = np.nan
    whole, part = layer_pca(scores, 2), layer_pca(holed, 2)
    assert np.allclose(whole.topographies, part.topographies[:, :50])
    assert np.isnan(part.topographies[:, 50:]).all()


def test_planted_profiles_are_recovered():
    rng = np.random.default_rng(21)
    early, late = np.eye(8)[0] + np.eye(8)[1], np.eye(8)[7]
    where = np.repeat([0, 1, 2], 100)
    scores = np.outer(early, where == 0) + 0.7 * np.outer(late, where == 1)
    pca = layer_pca(scores + 0.02 * rng.standard_normal(scores.shape), 2)
    assert abs(pca.loadings[:, 0] @ early) > 1.3
    assert pca.explained.sum() > 0.97


def test_too_many_components_are_refused():
    with pytest.raises(ValueError, match="4 components cannot come from 3 layers"):
        layer_pca(draw((3, 10)), 4)
    with pytest.raises(ValueError, match="at 0 complete units"):
        layer_pca(np.full((3, 10), np.nan), 2)


def test_colours_are_scaled_positive_scores():
    topographies = np.array([[-1.0, 0.0, 1.0, 2.0], [4.0, np.nan, 2.0, -3.0], [-1, -1, -1, -1]])
    colours = rgb_map(topographies, percentile=100)
    assert np.allclose(colours[:, 0], [0, 0, 0.5, 1])
    assert np.allclose(colours[:, 1], [1, np.nan, 0.5, 0], equal_nan=True)
    assert np.all(colours[:, 2] == 0)
    with pytest.raises(ValueError, match="three components"):
        rgb_map(topographies[:2])


def test_hedges_g_is_unbiased() -> None:
    """The mean of g over samples is the true effect, that of d is larger."""
    rng = np.random.default_rng(3)
    x = rng.normal(0.7, 1.0, (40_000, 5))
    d = x.mean(axis=1) / x.std(axis=1, ddof=1)
    g = d * hedges_correction(5)
    assert d.mean() > 0.85
    assert g.mean() == pytest.approx(0.7, abs=0.01)
    assert np.isnan(hedges_correction(2))


@pytest.mark.parametrize("n", [5, 12, 37])
def test_the_interval_of_a_centroid_covers_it(n: int) -> None:
    rng = np.random.default_rng(n)
    profile = np.array([0.05, 0.1, 0.2, 0.15, 0.05])
    (centroid,) = centroid_layer(profile[:, None])
    covered = []
    for _ in range(400):
        low, high = jackknife_interval(rng.normal(profile, 0.05, (n, 5)), centroid_layer)
        covered.append(low <= centroid <= high)
    assert 0.91 < np.mean(covered) < 0.98


def test_the_jackknife_of_a_mean_is_students_interval() -> None:
    values = np.random.default_rng(0).normal(1.0, 2.0, (9, 1))
    found = jackknife_interval(values, lambda means: means[0])
    expected = stats.t.interval(0.95, 8, values.mean(), stats.sem(values[:, 0]))
    np.testing.assert_allclose(found, expected)
    missing = np.vstack([values, [[np.nan]]])
    np.testing.assert_allclose(jackknife_interval(missing, lambda means: means[0]), expected)
    assert np.isnan(jackknife_interval(values[:4], lambda means: means[0])).all()
