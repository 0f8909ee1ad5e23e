"""The fused null against a slow oracle, and what must never change it."""

from __future__ import annotations

from importlib.resources import files

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bidsapp.stats.proportions import clopper_pearson
from bidsapp.stats.spins.mesh import spin_indices, spin_mesh
from bidsapp.stats.spins.null import SpinNull, advance, spin_null, spin_problem, start_null
from bidsapp.stats.spins.p_values import spin_test
from bidsapp.stats.spins.rotations import haar_rotations, mirrored

N_SIDE = 642


def sphere(side):
    path = files("nilearn") / "datasets" / "data" / "fsaverage5" / f"sphere_{side}.gii.gz"
    return nib.load(path).darrays[0].data[:N_SIDE].astype(float)


SPHERE = sphere("left")
MESH = spin_mesh(SPHERE, sphere("right"), grid=64)


def smooth_maps(n_maps, seed, width=0.35):
    """Isotropic smooth noise, independent between hemispheres."""
    rng = np.random.default_rng(seed)
    unit = SPHERE / 100
    kernel = np.exp((unit @ unit.T - 1) / width**2)
    noise = rng.standard_normal((n_maps, 2, N_SIDE)) @ kernel
    return (noise / noise.std(axis=-1, keepdims=True)).reshape(n_maps, -1)


def wall(maps, centre=(1.0, 0.0, 0.0), share=0.85):
    """Set a cap of both hemispheres to NaN, as the medial wall is."""
    maps = maps.copy()
    cap = np.tile(SPHERE @ centre / 100 > share, 2)
    maps[:, cap] = np.nan
    return maps


def oracle(references, maps, seed, n_rotations, statistic):
    """Rank once, gather, drop what is missing on either side, correlate."""
    ranks = [stats.rankdata(m, axis=1, nan_policy="omit") for m in (references, maps)]
    x, y = ranks if statistic == "spearman" else (references, maps)
    indices = spin_indices(MESH, haar_rotations(seed, 0, n_rotations), backend="kdtree")
    out = np.full((n_rotations, len(references), len(maps)), np.nan)
    overlap = np.full(out.shape, np.nan)
    for r, k, t in np.ndindex(out.shape):
        turned = x[k][indices[r]]
        good = np.isfinite(turned) & np.isfinite(y[t])
        overlap[r, k, t] = good.sum() / np.isfinite(y[t]).sum()
        out[r, k, t] = stats.pearsonr(turned[good], y[t][good])[0]
    return out, overlap


@pytest.fixture(scope="module")
def maps():
    """Three maps with three different patterns of missing units; the last has ties."""
    drawn = smooth_maps(3, 1)
    drawn = np.vstack([wall(drawn[:1]), wall(drawn[1:2], (0, 1, 0), 0.5), wall(drawn[2:])])
    drawn[2] = np.round(2 * drawn[2])
    drawn[0, 17:60] = np.nan
    return drawn


@pytest.fixture(scope="module")
def references():
    return wall(smooth_maps(2, 2))


@pytest.mark.parametrize("statistic", ["pearson", "spearman"])
def test_null_equals_the_oracle(references, maps, statistic):
    null = spin_null(
        MESH, references, maps, n_rotations=12, seed=3, statistics=[statistic], chunk=5
    )
    expected, overlap = oracle(references, maps, 3, 12, statistic)
    assert np.allclose(null.correlations[:, 0], expected, atol=1e-12)
    assert np.allclose(null.overlap, overlap, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_the_null_is_that_of_neuromaps_on_the_same_rotations(references, maps, monkeypatch):
    """neuromaps' alexander_bloch makes the surrogates, from its own nearest vertices."""
    theirs = pytest.importorskip("neuromaps.nulls.spins")
    nulls = pytest.importorskip("neuromaps.nulls")
    n = 99
    rotations = haar_rotations(3, 0, n)
    pairs = iter(zip(rotations, mirrored(rotations), strict=True))
    monkeypatch.setattr(theirs, "_gen_rotation", lambda seed=None: next(pairs))
    triangle = nib.gifti.GiftiDataArray(np.zeros((1, 3), np.int32), "NIFTI_INTENT_TRIANGLE")
    surfaces = tuple(
        nib.gifti.GiftiImage(
            darrays=[
                nib.gifti.GiftiDataArray(points.astype(np.float32), "NIFTI_INTENT_POINTSET"),
                triangle,
            ]
        )
        for points in (SPHERE, sphere("right"))
    )
    surrogates = nulls.alexander_bloch(None, n_perm=n, seed=0, surfaces=surfaces)
    drawn = references[0][surrogates].T  # (n, n_units)
    null = spin_null(MESH, references[:1], maps, n_rotations=n, seed=3, statistics=["pearson"])
    test = spin_test(null, overlap_floor=0.0)
    for t, values in enumerate(maps):
        good = np.isfinite(drawn) & np.isfinite(values)
        expected = np.array(
            [stats.pearsonr(x[g], values[g])[0] for x, g in zip(drawn, good, strict=True)]
        )
        np.testing.assert_allclose(null.correlations[:, 0, 0, t], expected, atol=1e-10)
        b = np.count_nonzero(np.abs(expected) >= abs(test.r[0, 0, t]) - 1e-10)
        assert test.p[0, 0, t] == (b + 1) / (n + 1)


def test_observed_correlation_is_scipys(references, maps):
    null = spin_null(MESH, references, maps, n_rotations=1, statistics=["pearson", "spearman"])
    for k, t in np.ndindex(2, 3):
        pair = references[k], maps[t]
        good = np.isfinite(pair[0]) & np.isfinite(pair[1])
        r = stats.pearsonr(pair[0][good], pair[1][good])[0]
        assert null.observed[0, k, t] == pytest.approx(r, abs=1e-12)
        ranked = [stats.rankdata(m[np.isfinite(m)]) for m in pair]
        full = [np.full(len(m), np.nan) for m in pair]
        for out, m, values in zip(full, pair, ranked, strict=True):
            out[np.isfinite(m)] = values
        rho = stats.pearsonr(full[0][good], full[1][good])[0]
        assert null.observed[1, k, t] == pytest.approx(rho, abs=1e-12)


def test_ranking_once_is_close_to_ranking_each_overlap(references, maps):
    null = spin_null(MESH, references, maps, n_rotations=20, seed=5)
    indices = spin_indices(MESH, haar_rotations(5, 0, 20))
    for r, k, t in np.ndindex(20, 2, 3):
        turned = references[k][indices[r]]
        exact = stats.spearmanr(turned, maps[t], nan_policy="omit")[0]
        assert null.correlations[r, 0, k, t] == pytest.approx(exact, abs=0.05)


@settings(deadline=None, max_examples=10)
@given(
    rate=st.floats(0.2, 3.0),
    offset=st.floats(-50, 50),
    which=st.sampled_from(["map", "reference", "both"]),
)
def test_spearman_p_is_invariant_under_monotone_transforms(references, maps, rate, offset, which):
    def bend(values):
        return np.exp(rate * values) + offset

    bent_maps = bend(maps) if which != "reference" else maps
    bent_references = bend(references) if which != "map" else references
    before = spin_test(spin_null(MESH, references, maps, n_rotations=60, seed=1))
    after = spin_test(spin_null(MESH, bent_references, bent_maps, n_rotations=60, seed=1))
    assert np.array_equal(before.p, after.p)
    assert np.array_equal(before.p_fwe, after.p_fwe)
    assert np.allclose(before.r, after.r, atol=1e-12)


def test_chunks_and_threads_change_nothing(references, maps):
    whole = spin_null(MESH, references, maps, n_rotations=70, seed=2, chunk=70)
    for chunk, n_threads in [(1, 1), (7, 3), (64, 2)]:
        parts = spin_null(
            MESH, references, maps, n_rotations=70, seed=2, chunk=chunk, n_threads=n_threads
        )
        assert np.allclose(parts.correlations, whole.correlations, atol=1e-12)
        assert np.array_equal(spin_test(parts).p, spin_test(whole).p)


def test_a_map_does_not_depend_on_its_company(references, maps):
    together = spin_null(MESH, references, maps, n_rotations=30)
    alone = spin_null(MESH, references[1:], maps[2:], n_rotations=30)
    assert np.allclose(together.correlations[:, :, 1:, 2:], alone.correlations, atol=1e-12)


def test_interrupted_work_goes_on_where_it_stopped(references, maps, tmp_path):
    problem = spin_problem(MESH, references, maps, seed=4)
    whole = start_null(problem, 50)
    for _ in advance(problem, whole, chunk=10):
        pass
    half = start_null(problem, 50)
    for done in advance(problem, half, chunk=10):
        if done == 20:
            break
    np.savez(tmp_path / "state.npz", **half.to_arrays())
    with np.load(tmp_path / "state.npz") as saved:
        again = start_null(problem, 50, saved)
    assert again.done == 20
    assert list(advance(problem, again, chunk=10)) == [30, 40, 50]
    assert np.array_equal(again.correlations, whole.correlations)
    assert np.array_equal(again.overlap, whole.overlap)


@pytest.mark.parametrize("change", ["maps", "references", "seed", "statistics", "convention"])
def test_a_state_of_another_problem_is_refused(references, maps, change):
    given_ = {"seed": 0, "statistics": ["spearman"], "convention": "neuromaps"}
    saved = start_null(spin_problem(MESH, references, maps, **given_), 10).to_arrays()
    other = dict(given_)
    other |= {"seed": 1} if change == "seed" else {}
    other |= {"statistics": ["pearson"]} if change == "statistics" else {}
    other |= {"convention": "brainspace"} if change == "convention" else {}
    changed = spin_problem(
        MESH,
        references + (change == "references") * np.eye(1, references.shape[1]),
        maps + (change == "maps") * np.eye(1, maps.shape[1], 5),
        **other,
    )
    with pytest.raises(ValueError, match="other maps, seed or settings"):
        start_null(changed, 10, saved)


def test_the_device_path_equals_the_cpu(references, maps):
    both = ["pearson", "spearman"]
    cpu = spin_null(MESH, references, maps, n_rotations=20, statistics=both)
    torch_route = spin_null(
        MESH, references, maps, n_rotations=20, statistics=both, device="cpu:0"
    )
    assert np.allclose(cpu.correlations, torch_route.correlations, atol=1e-12)
    assert np.array_equal(spin_test(cpu).p, spin_test(torch_route).p)


def test_the_conventions_differ_in_draws_but_not_in_distribution():
    reference, tested = smooth_maps(1, 8), smooth_maps(1, 9)
    nulls = [
        spin_null(MESH, reference, tested, n_rotations=500, convention=convention)
        for convention in ("neuromaps", "brainspace")
    ]
    values = [null.correlations.ravel() for null in nulls]
    assert not np.allclose(*values)
    assert stats.ks_2samp(*values).pvalue > 0.01


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_hemisphere_map_on_both_spheres_or_on_its_own(references, maps, side):
    part = slice(0, N_SIDE) if side == "left" else slice(N_SIDE, None)
    half = np.full_like(maps, np.nan)
    half[:, part] = maps[:, part]
    both = spin_null(MESH, references, half, n_rotations=25, seed=6, statistics=["pearson"])
    own = spin_mesh(
        *[SPHERE if side == "left" else None, sphere("right") if side == "right" else None],
        grid=64,
    )
    alone = spin_null(
        own, references[:, part], maps[:, part], n_rotations=25, seed=6, statistics=["pearson"]
    )
    assert np.allclose(both.correlations, alone.correlations, atol=1e-12)
    assert np.allclose(both.overlap, alone.overlap)


def test_constant_and_empty_maps_are_nan_and_disturb_nothing(references, maps):
    odd = np.vstack([maps, np.full_like(maps[:1], 4.2), np.full_like(maps[:1], np.nan)])
    odd[3, :9] = np.nan
    result = spin_test(spin_null(MESH, references, odd, n_rotations=40))
    expected = spin_test(spin_null(MESH, references, maps, n_rotations=40))
    for name in ("r", "p", "p_low", "p_high", "p_fwe"):
        assert np.all(np.isnan(getattr(result, name)[..., 3:])), name
        assert np.allclose(getattr(result, name)[..., :3], getattr(expected, name)), name


def test_a_constant_reference_is_nan(maps):
    result = spin_test(spin_null(MESH, np.ones((1, 2 * N_SIDE)), maps, n_rotations=10))
    assert np.all(np.isnan(result.r))
    assert np.all(np.isnan(result.p))


def test_zero_is_a_value_like_any_other():
    """A map around zero and the same map around ten have the same null."""
    reference, tested = wall(smooth_maps(1, 3)), wall(smooth_maps(1, 4))
    tested[0, :300] = np.where(np.isnan(tested[0, :300]), np.nan, 0.0)
    for statistic in ("pearson", "spearman"):
        nulls = [
            spin_null(
                MESH, reference, tested + shift, n_rotations=30, statistics=[statistic]
            ).correlations
            for shift in (0.0, 10.0)
        ]
        assert np.allclose(*nulls, atol=1e-10)


def test_planted_relation_is_found_and_unrelated_is_not():
    reference, noise = wall(smooth_maps(1, 20)), smooth_maps(3, 21)
    layer = np.digitize(reference[0] + 0.5 * noise[0], np.linspace(-2, 2, 23)).astype(float)
    layer[np.isnan(reference[0]) | (noise[1] < -0.5)] = np.nan
    result = spin_test(
        spin_null(MESH, reference, np.vstack([layer, noise[2]]), n_rotations=500, seed=1)
    )
    assert result.r[0, 0, 0] > 0.7
    assert result.p[0, 0, 0] == pytest.approx(1 / 501)
    assert result.p_fwe[0, 0, 0] == pytest.approx(1 / 501)
    assert result.p[0, 0, 1] > 0.1


def test_rotating_the_map_instead_gives_the_same_observed_and_a_similar_p():
    reference, tested = wall(smooth_maps(1, 30)), wall(smooth_maps(1, 31))
    here = spin_test(spin_null(MESH, reference, tested, n_rotations=800))
    swapped = spin_test(spin_null(MESH, tested, reference, n_rotations=800))
    assert here.r == pytest.approx(swapped.r)
    assert here.p[0, 0, 0] == pytest.approx(swapped.p[0, 0, 0], abs=0.08)


def test_units_must_fit_the_spheres(references, maps):
    with pytest.raises(ValueError, match="1283 units, but the spheres 1284"):
        spin_problem(MESH, references, maps[:, 1:], seed=0)


# -- p-values ------------------------------------------------------------------------------


def hand_made(observed, null, overlap=None):
    observed, null = np.asarray(observed, float), np.asarray(null, float)
    shape = (len(null), 1, len(observed))
    share = np.ones(shape) if overlap is None else np.asarray(overlap).reshape(shape)
    return SpinNull(
        observed.reshape(1, 1, -1), null.reshape(len(null), 1, 1, -1), share, len(null), ""
    )


def test_p_counts_ties_and_both_signs_and_adds_one():
    null = hand_made([0.5], [[0.1], [-0.5], [0.7], [0.49], [-0.9]])
    result = spin_test(null)
    assert result.p.item() == pytest.approx((3 + 1) / (5 + 1))
    assert result.n_used.item() == 5


def test_family_wise_p_compares_with_the_largest_size_of_each_rotation():
    null = hand_made([0.5, -0.3], [[0.1, -0.6], [0.2, 0.1], [-0.4, 0.3]])
    result = spin_test(null)
    assert np.allclose(result.p_fwe[0, 0], [(1 + 1) / 4, (2 + 1) / 4])
    assert np.all(result.p_fwe >= result.p)


def test_rotations_below_the_overlap_floor_are_refused_and_counted():
    null = hand_made([0.5], [[0.9], [0.9], [0.1]], [0.2, 0.8, 0.9])
    result = spin_test(null, overlap_floor=0.5)
    assert result.n_used.item() == 2
    assert result.p.item() == pytest.approx((1 + 1) / 3)
    assert result.overlap_min.item() == pytest.approx(0.2)
    assert result.overlap_median.item() == pytest.approx(0.8)


def test_a_rotation_refused_for_one_map_leaves_the_family():
    null = hand_made([0.5, 0.5], [[0.1, 0.9], [0.1, 0.1]], [[0.2, 0.8], [0.9, 0.9]])
    result = spin_test(null)
    assert np.allclose(result.p_fwe[0, 0], [1 / 2, 1 / 2])


def test_unfinished_rotations_do_not_count():
    null = hand_made([0.5], [[0.9], [0.9], [0.9]])
    null.done = 1
    assert spin_test(null).n_used.item() == 1


@settings(deadline=None)
@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_monte_carlo_interval_is_scipys_exact_interval(case):
    b, n = case
    low, high = clopper_pearson(np.array([b]), np.array([n]))
    expected = stats.binomtest(b, n).proportion_ci(method="exact")
    assert np.allclose([low[0], high[0]], [expected.low, expected.high], atol=1e-10)
    assert low[0] <= b / n <= high[0]
