from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr

from bidsapp.errors import InputInvalidError
from bidsapp.models.rdm import compare, midranks, n_items_of, partial_compare, rdm


def test_correlation_distances_equal_scipy() -> None:
    x = np.random.default_rng(0).standard_normal((7, 12))
    upper = np.triu_indices(7, 1)
    np.testing.assert_allclose(rdm(x, "spearman"), 1 - spearmanr(x, axis=1).statistic[upper])
    np.testing.assert_allclose(rdm(x, "pearson"), pdist(x, "correlation"))
    np.testing.assert_allclose(rdm(x, "euclid"), pdist(x), atol=1e-12)


def test_crossnobis_is_the_mean_over_pairs_of_folds_and_unbiased() -> None:
    rng = np.random.default_rng(1)
    folds = rng.standard_normal((3, 5, 8))
    differences = folds[:, 1] - folds[:, 3]
    products = [differences[a] @ differences[b] / 8 for a in range(3) for b in range(3) if a != b]
    found = rdm(folds[0], "crossnobis", folds=folds)
    assert found[5] == pytest.approx(np.mean(products))
    noise = [
        rdm(folds[0], "crossnobis", folds=rng.standard_normal((2, 6, 30))).mean()
        for _ in range(200)
    ]
    assert abs(np.mean(noise)) < 3 * np.std(noise) / np.sqrt(200)
    with pytest.raises(InputInvalidError, match="at least two"):
        rdm(folds[0], "crossnobis")


def test_pattern_without_variation_has_nan() -> None:
    x = np.random.default_rng(2).standard_normal((4, 6))
    assert np.isnan(rdm(x[:, :2], "pearson")).all()
    assert np.isfinite(rdm(x[:, :2], "spearman")).all()
    x[1] = 0.1
    for kind in ("spearman", "pearson"):
        assert np.isnan(rdm(x, kind)).tolist() == [True, False, False, True, True, False]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=3, max_size=30), st.integers(0, 99))
def test_compare_equals_scipy(values: list[int], seed: int) -> None:
    a = np.array(values, dtype=np.float64)
    b = np.random.default_rng(seed).standard_normal(a.size)
    if np.ptp(a) == 0:
        assert np.isnan(compare(a, b, "spearman"))
        return
    assert compare(a, b, "spearman") == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    assert compare(a, b, "pearson") == pytest.approx(pearsonr(a, b).statistic, abs=1e-12)


def test_rho_a_is_spearman_with_ties_broken_at_random() -> None:
    rng = np.random.default_rng(3)
    a, b = np.round(rng.standard_normal(15)), rng.standard_normal(15)
    broken = [spearmanr(a + 1e-6 * rng.random(15), b).statistic for _ in range(3000)]
    assert compare(a, b, "rho-a") == pytest.approx(np.mean(broken), abs=0.005)


def test_partial_is_the_correlation_of_residuals() -> None:
    rng = np.random.default_rng(4)
    z = rng.standard_normal((2, 45))
    a, b = rng.standard_normal(45) + z[0], rng.standard_normal(45) + z.sum(axis=0)
    ranks = midranks(np.array([a, b, *z])).astype(float)
    design = np.column_stack([np.ones(45), ranks[2:].T])
    rest = ranks[:2].T - design @ np.linalg.lstsq(design, ranks[:2].T)[0]
    expected = np.corrcoef(rest.T)[0, 1]
    assert partial_compare(a, b, z) == pytest.approx(expected, abs=1e-12)
    assert partial_compare(a, b, z[:0]) == pytest.approx(compare(a, b, "spearman"))
    assert np.isnan(partial_compare(a, b, np.array([a])))


def test_items_of_pairs() -> None:
    assert [n_items_of(n * (n - 1) // 2) for n in (2, 3, 480, 2000)] == [2, 3, 480, 2000]
    for wrong in (0, 2, 114_959):
        with pytest.raises(InputInvalidError, match="no upper triangle"):
            n_items_of(wrong)
