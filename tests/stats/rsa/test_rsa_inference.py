from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_1samp

from bidsapp.errors import InputInvalidError
from bidsapp.stats.bootstrap import best_layer_confidence, resample_counts
from bidsapp.stats.rsa.inference import clip_test, faithful_test, maximum_of_noise
from bidsapp.stats.rsa.order import check_orders


def test_faithful_test_equals_scipy():
    rho = np.random.default_rng(0).standard_normal((8, 10, 40)) * 0.1
    found = faithful_test(rho)
    expected = ttest_1samp(rho.max(axis=1), 0, alternative="greater")
    np.testing.assert_allclose(found.t, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)
    np.testing.assert_allclose(found.q, false_discovery_control(expected.pvalue))
    np.testing.assert_allclose(found.mean_layer, rho.argmax(axis=1).mean(axis=0) + 1)
    assert found.q_threshold == 0.005


def test_faithful_test_leaves_out_missing_values():
    rho = np.random.default_rng(0).standard_normal((5, 3, 4))
    rho[0, 1, 0], rho[0, :, 1], rho[1:, :, 2], rho[:, :, 3] = np.nan, np.nan, np.nan, np.nan
    found = faithful_test(rho)
    assert found.mean_max[0] == pytest.approx(np.nanmax(rho[:, :, 0], axis=1).mean())
    assert found.t[1] == pytest.approx(ttest_1samp(rho[1:, :, 1].max(axis=1), 0).statistic)
    np.testing.assert_array_equal(np.isnan(found.p), [False, False, True, True])
    np.testing.assert_array_equal(np.isnan(found.mean_layer), [False, False, False, True])
    assert not found.significant[2:].any()


@pytest.mark.parametrize(("correlation", "t"), [(0.0, 7.4), (0.5, 3.8), (0.9, 1.4)])
def test_the_maximum_of_noise_is_the_one_of_the_notes(correlation, t):
    assert maximum_of_noise(10, 8, correlation).t == pytest.approx(t, abs=0.1)


def test_the_maximum_of_noise_equals_draws():
    rng = np.random.default_rng(0)
    scores = np.sqrt(0.3) * rng.standard_normal((200_000, 1)) + np.sqrt(0.7) * rng.standard_normal(
        (200_000, 6)
    )
    found = maximum_of_noise(6, 1, 0.3)
    assert found.mean == pytest.approx(scores.max(axis=1).mean(), abs=0.01)
    assert found.sd == pytest.approx(scores.max(axis=1).std(), abs=0.01)


def test_one_layer_has_no_inflation():
    found = maximum_of_noise(1, 8)
    assert (found.mean, found.sd) == pytest.approx((0, 1), abs=1e-6)


def null_of(rng, observed, m):
    null = rng.standard_normal((m, *observed.shape))
    return clip_test(observed, (null >= observed).sum(axis=0), null.max(axis=(1, 2)))


def test_clip_test_on_null_scores():
    rng = np.random.default_rng(1)
    p, family = [], []
    for _ in range(300):
        found = null_of(rng, rng.standard_normal((4, 25)), 99)
        p.append(found.p <= 0.05)
        family.append(found.significant.any())
    assert np.mean(p) == pytest.approx(0.05, abs=0.01)
    assert np.mean(family) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_clip_test_on_planted_scores():
    rng = np.random.default_rng(2)
    observed = rng.standard_normal((4, 25))
    observed[2, :5] += 8
    observed[:, 24] = np.nan
    found = null_of(rng, observed, 999)
    np.testing.assert_array_equal(found.p_fwe[2, :5], 0.001)
    np.testing.assert_array_equal(found.p[2, :5], 0.001)
    assert (found.q[2, :5] < 0.05).all()
    assert found.significant[:5].all()
    assert not found.significant[5:].any()
    assert np.isnan(found.p[:, 24]).all()


def test_the_observed_order_drawn_again_counts_as_reaching_itself():
    observed = np.array([[0.3]])
    found = clip_test(observed, np.array([[1]]), np.array([0.3 - 1e-8, 0.1]))
    assert found.p_fwe[0, 0] == found.p[0, 0] == pytest.approx(2 / 3)


def test_best_layer_over_clips_is_confident_where_clips_agree():
    """Clips stand where participants do: scores of the pairs that involve each clip."""
    rng = np.random.default_rng(3)
    scores = 0.1 * rng.standard_normal((12, 4, 2)) + 0.2
    scores[:, 1, 0] += 0.3
    best, confidence = best_layer_confidence(scores, resample_counts(12, 500, 0))
    assert best[0] == 2
    assert confidence[0] > 0.99 > confidence[1]


def test_a_common_order_is_seen():
    order = [3, 1, 0, 2]
    found = check_orders([[order], [order], [order]])
    assert found.common
    assert (found.n_orders, found.similarity, found.balanced) == (1, 1.0, False)


def test_orders_drawn_by_chance_are_not_common():
    rng = np.random.default_rng(0)
    found = check_orders([[list(rng.permutation(16))] for _ in range(8)])
    assert not found.common
    assert found.n_orders == 8
    assert abs(found.similarity) < 0.2


def test_nearly_the_same_order_is_common():
    assert check_orders([[list(range(16))], [[1, 0, *range(2, 16)]]]).common


def test_a_latin_square_is_balanced_and_not_common():
    square = [[(start + k) % 4 for k in range(4)] for start in range(4)]
    found = check_orders([square, square])
    assert found.balanced
    assert not found.common
    assert np.isnan(found.similarity)


def test_no_presentations_are_refused():
    with pytest.raises(InputInvalidError):
        check_orders([[[]]])
