"""False-positive rate of the spin test's p-values on pairs of unrelated smooth maps.

Each pair has its own maps and its own rotations, so the pairs are independent and the standard
error of a rate of .05 over 1,000 pairs is .007.
"""

from __future__ import annotations

from importlib.resources import files

import nibabel as nib
import numpy as np
import pytest

from bidsapp.stats.spins.mesh import spin_mesh
from bidsapp.stats.spins.null import spin_null
from bidsapp.stats.spins.p_values import some_maps, spin_test

N_SIDE, N_PAIRS, N_ROTATIONS, N_MAPS = 642, 1000, 199, 5
WIDTH = 0.25  # of the smoothing kernel, in units of the sphere's radius


def spheres():
    folder = files("nilearn") / "datasets" / "data" / "fsaverage5"
    return [
        nib.load(folder / f"sphere_{side}.gii.gz").darrays[0].data[:N_SIDE].astype(float)
        for side in ("left", "right")
    ]


def smooth(rng, kernels, n_maps):
    noise = [rng.standard_normal((n_maps, N_SIDE)) @ kernel for kernel in kernels]
    maps = np.hstack(noise)
    return maps / maps.std(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def p_values():
    """For each pair: p of a smooth, a skewed and a thresholded map, p of a family, of a pair."""
    points = spheres()
    mesh = spin_mesh(*points, grid=64)
    kernels = [np.exp((p @ p.T / 1e4 - 1) / WIDTH**2) for p in points]
    medial = np.hstack([points[0][:, 0] > 85, points[1][:, 0] < -85])
    drawn = {"pearson": [], "skewed": [], "spearman": [], "thresholded": []}
    drawn |= {"family": [], "uncorrected family": []}
    for pair in range(N_PAIRS):
        rng = np.random.default_rng([77, pair])
        reference, maps = smooth(rng, kernels, 1), smooth(rng, kernels, N_MAPS)
        reference[:, medial] = np.nan
        skewed, thresholded = np.exp(2.5 * maps[:1]), maps[:1].copy()
        thresholded[maps[1:2] < 0] = np.nan
        tested = np.vstack([maps, skewed, thresholded])
        tested[:, medial] = np.nan
        null = spin_null(
            mesh,
            reference,
            tested,
            n_rotations=N_ROTATIONS,
            seed=pair,
            statistics=["pearson", "spearman"],
            chunk=N_ROTATIONS,
        )
        result = spin_test(null)
        drawn["pearson"].append(result.p[0, 0, 0])
        drawn["spearman"].append(result.p[1, 0, 0])
        drawn["skewed"].append(result.p[1, 0, N_MAPS])
        drawn["thresholded"].append(result.p[1, 0, N_MAPS + 1])
        family = spin_test(some_maps(null, range(N_MAPS)))
        drawn["family"].append(family.p_fwe[1].min())
        drawn["uncorrected family"].append(family.p[1].min())
    return {name: np.array(values) for name, values in drawn.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pearson", "spearman", "skewed", "thresholded", "family"])
def test_false_positive_rate_at_05(p_values, name, capsys):
    rate = np.mean(p_values[name] <= 0.05)
    with capsys.disabled():
        print(f"\nspin test, {name}: {rate:.3f} of {N_PAIRS} unrelated pairs at p <= .05", end=" ")
    assert 0.03 <= rate <= 0.07


@pytest.mark.slow
def test_p_values_are_uniform(p_values):
    for name in ("pearson", "spearman"):
        for level in (0.1, 0.2, 0.5):
            error = 3 * np.sqrt(level * (1 - level) / N_PAIRS)
            assert np.mean(p_values[name] <= level) == pytest.approx(level, abs=error)


@pytest.mark.slow
def test_skewing_a_map_changes_no_rank_p(p_values):
    assert np.array_equal(p_values["skewed"], p_values["spearman"])


@pytest.mark.slow
def test_without_the_maximum_the_family_would_err_more_often(p_values):
    """The family-wise test must be able to fail: five unrelated maps err three times as often."""
    assert np.mean(p_values["uncorrected family"] <= 0.05) > 0.12
