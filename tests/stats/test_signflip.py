"""Sign flips against nilearn, an explicit loop, and on null and planted data."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.signflip import SignFlips, sign_flip_test


def draw(shape, seed=0, mean=0.0):
    return np.random.default_rng(seed).standard_normal(shape) + mean


def explicit(values, alternative):
    """All sign patterns, scipy's t, the definition of p."""
    sided = {"two-sided": np.abs, "greater": lambda t: t, "less": lambda t: -t}[alternative]

    def t_of(data):
        return np.asarray(stats.ttest_1samp(data, 0, nan_policy="omit").statistic)

    flipped = [
        sided(t_of(values * np.array(signs)[:, None]))
        for signs in product([1, -1], repeat=len(values))
    ]
    null, observed = np.array(flipped), sided(t_of(values))
    p = np.mean(null >= observed - 1e-9, axis=0)
    p_fwe = np.mean(null.max(axis=1, keepdims=True) >= observed - 1e-9, axis=0)
    return t_of(values), p, p_fwe


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("missing", [False, True])
def test_exact_test_equals_an_explicit_loop(alternative, missing):
    values = draw((7, 12), 1, 0.4)
    if missing:
        values[0, :5] = values[3, 4] = np.nan
    result = sign_flip_test(values, alternative=alternative)
    t, p, p_fwe = explicit(values, alternative)
    assert result.exact
    assert np.allclose(result.t, t)
    assert np.allclose(result.p, p)
    assert np.allclose(result.p_fwe, p_fwe)


def test_t_is_scipys_and_q_is_benjamini_hochberg():
    values = draw((20, 30), 2, 0.3)
    result = sign_flip_test(values, n_permutations=200)
    assert np.allclose(result.t, stats.ttest_1samp(values, 0).statistic)
    assert np.allclose(result.q, benjamini_hochberg(result.p))


@pytest.mark.filterwarnings("ignore")
def test_t_and_maxima_agree_with_nilearn():
    from nilearn.mass_univariate import permuted_ols

    values = draw((20, 300), 3)
    values[:, 0] += 2
    theirs = permuted_ols(
        np.ones((20, 1)),
        values,
        model_intercept=False,
        n_perm=2000,
        random_state=0,
        output_type="dict",
        verbose=0,
    )
    ours = SignFlips(20, n_permutations=2000, seed=1)
    tests = ours.add(values)
    assert np.allclose(tests.t, theirs["t"][0], atol=1e-5)
    quantiles = [0.5, 0.8, 0.9, 0.95]
    expected = np.quantile(theirs["h0_max_t"], quantiles)
    assert np.allclose(np.quantile(ours.largest, quantiles), expected, rtol=0.05)
    p_theirs = 10.0 ** -theirs["logp_max_t"][0]
    assert np.allclose(ours.family_wise(tests.t), p_theirs, atol=0.04)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), units_at_once=st.integers(1, 40))
def test_chunks_change_nothing(seed, units_at_once):
    values = draw((9, 3, 20), seed, 0.3)
    values[np.random.default_rng(seed).random(values.shape) < 0.1] = np.nan
    whole = sign_flip_test(values, n_permutations=100)
    parts = sign_flip_test(values, n_permutations=100, units_at_once=units_at_once)
    assert np.allclose(whole.t, parts.t, rtol=1e-12)
    for name in ("p", "p_fwe", "q", "n"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-6, 1e6))
def test_scaling_changes_no_p_and_sign_mirrors_the_sides(seed, scale):
    values = draw((8, 15), seed, 0.2)
    options = {"n_permutations": 128, "seed": 3}
    before, after = (sign_flip_test(v, **options) for v in (values, values * scale))
    assert np.array_equal(before.p, after.p)
    assert np.array_equal(before.p_fwe, after.p_fwe)
    greater = sign_flip_test(values, alternative="greater", **options)
    less = sign_flip_test(-values, alternative="less", **options)
    assert np.array_equal(greater.p, less.p)
    assert np.allclose(greater.t, -less.t)


def test_random_flips_are_the_same_for_any_number_of_them():
    few, many = (SignFlips(70, n_permutations=n, seed=5).signs for n in (10, 100))
    assert np.array_equal(few, many[:10])
    assert few.shape == (10, 70)
    assert set(np.unique(many)) == {-1, 1}
    assert abs(many.mean()) < 0.05
    assert not np.array_equal(many, SignFlips(70, n_permutations=100, seed=6).signs)


@pytest.mark.parametrize(
    ("n", "alternative", "smallest"),
    [(5, "two-sided", 0.0625), (8, "two-sided", 2 / 256), (8, "greater", 1 / 256)],
)
def test_smallest_p_of_an_exact_test_is_reached(n, alternative, smallest):
    result = sign_flip_test(draw((n, 1), 0, 50.0), alternative=alternative)
    assert result.exact
    assert result.smallest_p == smallest
    assert result.p[0] == smallest


def test_smallest_p_of_a_random_test():
    result = sign_flip_test(draw((30, 1), 0, 50.0), n_permutations=999)
    assert not result.exact
    assert result.smallest_p == result.p[0] == 1 / 1000


def test_missing_constant_and_empty_units_disturb_nothing():
    values = draw((10, 6), 4, 0.5)
    odd = np.hstack([values, np.zeros((10, 1)), np.full((10, 1), np.nan), draw((10, 1), 5)])
    odd[1:, 8] = np.nan
    result, expected = sign_flip_test(odd), sign_flip_test(values)
    for name in ("t", "p", "p_fwe", "q"):
        assert np.all(np.isnan(getattr(result, name)[6:])), name
        assert np.allclose(getattr(result, name)[:6], getattr(expected, name)), name
    assert result.n[6:].tolist() == [10, 0, 1]


def test_a_unit_that_everybody_shares_exactly_is_as_significant_as_can_be():
    result = sign_flip_test(np.full((9, 1), 0.25), n_permutations=600)
    assert result.t[0] == np.inf
    assert result.p[0] == result.smallest_p
    assert result.p_fwe[0] == result.smallest_p


def test_units_with_too_few_participants_are_not_tested():
    values = draw((12, 3), 6)
    values[:7, 1] = np.nan
    result = sign_flip_test(values, n_permutations=100, min_participants=6)
    assert np.isnan(result.p).tolist() == [False, True, False]


def test_families_have_their_own_maximum():
    values = draw((10, 2, 40), 7)
    values[:, 1] *= 5
    values[:, 1, 0] += 30
    apart = sign_flip_test(values, family_per_layer=True)
    for layer in range(2):
        alone = sign_flip_test(values[:, layer])
        assert np.array_equal(apart.p_fwe[layer], alone.p_fwe)
    together = sign_flip_test(values)
    assert np.all(together.p_fwe >= apart.p_fwe)
    assert together.p_fwe[0].min() > apart.p_fwe[0].min()


def test_family_wise_error_is_held_on_null_data_and_not_without_the_maximum(capsys):
    rng = np.random.default_rng(2)
    reached, uncorrected, n_groups = 0, 0, 1000
    for seed in range(n_groups):
        values = rng.standard_normal((14, 25)) + 0.5 * rng.standard_normal((14, 1))
        result = sign_flip_test(values, n_permutations=199, seed=seed)
        reached += result.p_fwe.min() <= 0.05
        uncorrected += result.p.min() <= 0.05
    with capsys.disabled():
        print(f"\nsign-flip max-T, 25 units, {n_groups} null groups: {reached / n_groups:.3f}")
    assert 0.03 <= reached / n_groups <= 0.07
    assert uncorrected / n_groups > 0.3


def test_a_planted_unit_is_found_and_the_others_are_not():
    values = draw((15, 200), 8)
    values[:, 17] += 2.5
    result = sign_flip_test(values, n_permutations=9999)
    assert np.flatnonzero(result.p_fwe < 0.05).tolist() == [17]
    assert result.q[17] < 0.05


def test_one_participant_is_refused():
    with pytest.raises(ValueError, match="at least 2 participants"):
        SignFlips(1)
