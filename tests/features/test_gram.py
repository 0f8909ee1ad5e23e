from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from bidsapp.features import gram as module
from bidsapp.features.gram import accumulate, centre, gram_pca


def features(n=60, d=200, seed=0, mean=0.0):
    """Frames with a decaying spectrum, as float32 columns."""
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((n, n)) * np.arange(1, n + 1) ** -1.0
    return (factors @ rng.standard_normal((n, d)) + mean).astype(np.float32)


def gram_of(x, slices=1):
    gram = np.zeros((len(x), len(x)))
    for part in np.array_split(x, slices, axis=1):
        accumulate(gram, torch.from_numpy(np.ascontiguousarray(part)))
    return gram


def same_up_to_sign(a, b, tolerance):
    for ours, theirs in zip(a.T, b.T, strict=True):
        sign = np.sign(ours @ theirs)
        np.testing.assert_allclose(ours, sign * theirs, atol=tolerance * np.abs(theirs).max())


def test_gram_is_the_sum_over_centred_features():
    x = features(d=10_000)
    exact = x.astype(float) - x.mean(axis=0, dtype=float)
    np.testing.assert_allclose(gram_of(x), exact @ exact.T, atol=1e-6 * np.sum(exact**2) / 60)


@given(slices=st.integers(1, 50), columns=st.sampled_from([7, 64, 4096]))
@settings(max_examples=15, deadline=None)
def test_gram_does_not_depend_on_how_features_arrive(slices, columns):
    x = features(n=20, d=300)
    original = module._COLUMNS_AT_ONCE
    module._COLUMNS_AT_ONCE = columns
    try:
        got = gram_of(x, slices)
    finally:
        module._COLUMNS_AT_ONCE = original
    np.testing.assert_allclose(got, gram_of(x), atol=1e-5 * np.abs(got).max())
    np.testing.assert_allclose(got, got.T, rtol=1e-6)


def test_a_large_mean_costs_no_digits():
    plain, lifted = gram_of(features()), gram_of(features(mean=1024.0))
    np.testing.assert_allclose(lifted, plain, atol=2e-4 * np.abs(plain).max())
    uncentred = features(mean=1024.0)
    rounded = (uncentred @ uncentred.T).astype(float)
    rounded -= rounded.mean(0) + rounded.mean(1)[:, None] - rounded.mean()
    assert np.abs(rounded - plain).max() > 20 * np.abs(lifted - plain).max()


def test_columns_are_left_as_they_were():
    x = torch.from_numpy(features())
    before = x.clone()
    accumulate(np.zeros((60, 60)), x)
    assert torch.equal(x, before)


def test_centre_moves_the_origin_to_the_mean_of_the_rows():
    x = features().astype(float)
    rows = np.array([3, 10, 11, 40])
    moved = x - x[rows].mean(axis=0)
    np.testing.assert_allclose(centre(x @ x.T, rows), moved @ moved[rows].T, atol=1e-8)


@pytest.mark.parametrize("n_components", [1, 10, 30])
def test_oracle_is_a_full_svd(n_components):
    x = features(mean=2.0)
    train = np.arange(60) % 4 != 1
    oracle = PCA(n_components, svd_solver="full").fit(x[train].astype(float))
    ours = gram_pca(gram_of(x, slices=5), train, n_components)
    same_up_to_sign(ours.scores, oracle.transform(x.astype(float)), 3e-4)
    np.testing.assert_allclose(ours.explained_ratio, oracle.explained_variance_ratio_, rtol=1e-4)


@pytest.mark.parametrize("origin", [0.0, 100.0])
def test_any_origin_of_the_gram_gives_the_same_components(origin):
    x = features().astype(float)
    train = np.arange(40)
    expected = gram_pca(x @ x.T, train, 8)
    moved = x + origin
    got = gram_pca(moved @ moved.T, train, 8)
    np.testing.assert_allclose(got.scores, expected.scores, atol=1e-6)


def test_other_frames_change_nothing_but_their_own_scores():
    x = features()
    train, test = np.arange(45), np.arange(45, 60)
    before = gram_pca(x.astype(float) @ x.T, train, 10)
    x[test] = 50 * np.random.default_rng(1).standard_normal(x[test].shape)
    after = gram_pca(x.astype(float) @ x.T, train, 10)
    np.testing.assert_allclose(after.scores[train], before.scores[train], atol=1e-8)
    np.testing.assert_allclose(after.explained_ratio, before.explained_ratio, atol=1e-12)
    assert not np.allclose(after.scores[test], before.scores[test], atol=1.0)


def test_rank_bounds_the_components():
    assert gram_pca(gram_of(features(d=3)), np.arange(60), 50).scores.shape == (60, 3)
    assert gram_pca(gram_of(features(d=200)), np.arange(6), 50).scores.shape == (60, 5)
    one = gram_pca(gram_of(features(d=1)), np.arange(60), 50)
    assert one.scores.shape == (60, 1)
    assert one.explained_ratio[0] == pytest.approx(1.0)


def test_signs_and_order_are_fixed():
    pca = gram_pca(gram_of(features()), np.arange(50), 20)
    largest = np.abs(pca.scores[:50]).argmax(axis=0)
    assert np.all(pca.scores[largest, np.arange(20)] > 0)
    assert np.all(np.diff(pca.explained_ratio) <= 0)


def test_positions_and_mask_say_the_same():
    gram = gram_of(features())
    mask = np.arange(60) < 30
    np.testing.assert_array_equal(
        gram_pca(gram, mask, 5).scores, gram_pca(gram, np.flatnonzero(mask), 5).scores
    )


def test_training_frames_must_differ():
    with pytest.raises(ValueError, match="at least two"):
        gram_pca(np.eye(5), [2], 3)
    with pytest.raises(ValueError, match="all the same"):
        gram_pca(np.ones((5, 5)), [0, 1, 2], 3)
