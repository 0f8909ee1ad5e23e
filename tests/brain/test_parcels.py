from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.brain.geometry import surface_units, volume_units
from bidsapp.brain.parcels import bisect, geometric_parcels, parcel_means, proportional_shares
from bidsapp.brain.units import unit_space
from bidsapp.errors import InputInvalidError

AFFINE = np.diag([3.0, 3, 3, 1])


@given(st.integers(1, 300), st.data())
@settings(deadline=None)
def test_bisection_is_a_balanced_partition(n_points, data):
    n_parts = data.draw(st.integers(1, n_points))
    seed = data.draw(st.integers(0, 100))
    decimals = data.draw(st.sampled_from([0, 6]))  # with and without ties
    points = np.random.default_rng(seed).standard_normal((n_points, 3)).round(decimals)
    sizes = np.bincount(bisect(points, n_parts), minlength=n_parts)
    assert sizes.size == n_parts
    assert sizes.sum() == n_points
    assert sizes.max() - sizes.min() <= 1


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20), st.integers(1, 1000))
def test_shares_are_proportional_and_never_empty(sizes, n_parcels):
    shares = proportional_shares(sizes, n_parcels)
    quota = np.array(sizes) * n_parcels / sum(sizes)
    for share, size, exact in zip(shares, sizes, quota, strict=True):
        assert 1 <= share <= size
        assert abs(share - exact) < 1 or share in (1, size)
    if n_parcels <= sum(sizes) and quota.min() >= 1:
        assert sum(shares) == n_parcels


@given(st.integers(0, 50), st.integers(2, 40))
@settings(deadline=None, max_examples=30)
def test_parcels_never_mix_hemispheres_and_cover_the_valid_units(seed, n_parcels):
    rng = np.random.default_rng(seed)
    mask = rng.random((7, 6, 5)) > 0.3
    affine = AFFINE.copy()
    affine[0, 3] = -9
    units = volume_units(mask, affine, space="MNI152NLin6Asym")
    valid = rng.random(units.n_units) > 0.2
    labels = geometric_parcels(units, n_parcels, valid=valid)
    np.testing.assert_array_equal(labels >= 0, valid)
    assert set(labels[valid]) == set(range(labels.max() + 1))
    assert labels.max() + 1 == n_parcels
    for parcel in range(n_parcels):
        assert len(set(units.structure[labels == parcel])) == 1
    for side in "LR":
        sizes = np.bincount(labels[valid & (units.structure == side)])
        sizes = sizes[sizes > 0]
        assert sizes.max() - sizes.min() <= 1


def test_parcels_of_fsaverage5_are_compact_and_repeatable():
    units = surface_units(10242, 10242, space="fsaverage5")
    labels = geometric_parcels(units, 400)
    np.testing.assert_array_equal(labels, geometric_parcels(units, 400))
    assert set(labels[:10242]) == set(range(200))
    assert set(labels[10242:]) == set(range(200, 400))
    xyz = units.coordinates_mm()
    spread = [xyz[labels == k].std(axis=0).max() for k in range(400)]
    assert np.median(spread) < 8  # mm
    shuffled = np.random.default_rng(0).permutation(labels[:10242])
    random = [xyz[:10242][shuffled == k].std(axis=0).max() for k in range(200)]
    assert max(spread) < min(random)


def test_a_structure_without_coordinates_is_refused(make):
    units = unit_space([make.plain("cifti", n_trs=4)])
    with pytest.raises(InputInvalidError, match=r"no mesh for 20 vertices of L.*--atlas"):
        geometric_parcels(units, 11)


def test_more_parcels_than_units_gives_one_each(make):
    units = unit_space([make.plain("cifti", n_trs=4)], meshes=make.surfaces())
    assert sorted(geometric_parcels(units, 1000)) == list(range(44))


def test_fewer_parcels_than_structures_gives_one_per_structure(make):
    units = unit_space([make.plain("cifti", n_trs=4)], meshes=make.surfaces())
    assert geometric_parcels(units, 1).max() == 2


def test_no_valid_unit_gives_no_parcel(make):
    units = unit_space([make.plain("cifti", n_trs=4)])
    labels = geometric_parcels(units, 5, valid=np.zeros(44, dtype=bool))
    assert (labels == -1).all()


@pytest.mark.parametrize("n_parcels", [0, -3])
def test_the_number_must_be_positive(make, n_parcels):
    with pytest.raises(ValueError, match=str(n_parcels)):
        geometric_parcels(unit_space([make.plain("cifti", n_trs=4)]), n_parcels)


@given(st.integers(0, 1000), st.sampled_from([1, 400, 10**9]))
@settings(deadline=None, max_examples=40)
def test_means_are_nanmeans_whatever_the_chunk(seed, memory_bytes):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((6, 23)).astype(np.float32)
    data[rng.random(data.shape) < 0.2] = np.nan
    data[:, 4] = np.nan
    labels = rng.integers(-1, 5, 23)
    labels[labels == 3] = -1  # an empty parcel
    means = parcel_means(data, labels, 5, memory_bytes=memory_bytes)
    assert means.shape == (6, 5)
    assert np.isnan(means[:, 3]).all()
    for row in range(6):
        for parcel in range(5):
            here = data[row, labels == parcel]
            here = here[np.isfinite(here)]
            if here.size:
                np.testing.assert_allclose(means[row, parcel], here.mean(), rtol=1e-5, atol=1e-7)
            else:
                assert np.isnan(means[row, parcel])


def test_means_read_a_memory_map(tmp_path):
    data = np.random.default_rng(0).standard_normal((10, 50)).astype(np.float32)
    np.save(tmp_path / "y.npy", data)
    mapped = np.load(tmp_path / "y.npy", mmap_mode="r")
    labels = np.arange(50) // 10
    expected = data.reshape(10, 5, 10).mean(axis=2)
    np.testing.assert_allclose(parcel_means(mapped, labels, 5), expected, atol=1e-6)
