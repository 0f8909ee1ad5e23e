from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.cifti2 import BrainModelAxis

from bidsapp import resources
from bidsapp.brain.cortex import cortex_columns, cortex_mask
from bidsapp.brain.geometry import UnitSpace, cifti_units, surface_units, volume_units
from bidsapp.brain.parcels import geometric_parcels, standard_parcels
from bidsapp.errors import InputInvalidError

SHAPE = (33, 39, 32)
AFFINE = np.array([[-6.0, 0, 0, 96], [0, 6, 0, -134], [0, 0, 6, -72], [0, 0, 0, 1]])
N_FSLR = 32492


def volume(mask: np.ndarray, space: str = "MNI152NLin2009cAsym") -> UnitSpace:
    return volume_units(mask, AFFINE, space=space)


def cifti(left: np.ndarray, right: np.ndarray, deep: dict[str, int]) -> UnitSpace:
    axis = BrainModelAxis.from_surface(left, N_FSLR, "CIFTI_STRUCTURE_CORTEX_LEFT")
    axis = axis + BrainModelAxis.from_surface(right, N_FSLR, "CIFTI_STRUCTURE_CORTEX_RIGHT")
    for k, (name, n_voxels) in enumerate(deep.items()):
        voxels = np.argwhere(np.ones((n_voxels // 10, 10, 1)))
        voxels[:, 2] = 5 * k
        axis = axis + BrainModelAxis(
            f"CIFTI_STRUCTURE_{name}", voxel=voxels, affine=AFFINE, volume_shape=(91, 109, 91)
        )
    return cifti_units(axis, space="fsLR", density="91k")


def sizes_by_structure(labels: np.ndarray, structure: np.ndarray) -> list[np.ndarray]:
    found = []
    for name in np.unique(structure):
        sizes = np.bincount(labels[(structure == name) & (labels >= 0)])
        found.append(sizes[sizes > 0])
    return found


@given(st.integers(0, 1000), st.integers(2, 120))
@settings(deadline=None, max_examples=6)
def test_two_participants_with_other_masks_share_their_parcels(seed, n_parcels):
    rng = np.random.default_rng(seed)
    masks = [rng.random(SHAPE) > share for share in (0.2, 0.7)]
    labels = []
    for mask in masks:
        full = np.full(SHAPE, -2)
        full[mask] = standard_parcels(volume(mask), n_parcels)
        labels.append(full)
    both = masks[0] & masks[1]
    np.testing.assert_array_equal(labels[0][both], labels[1][both])
    assert labels[0].max() + 1 == n_parcels


def test_geometric_parcels_would_differ_between_them():
    masks = [np.random.default_rng(k).random(SHAPE) > 0.5 for k in (0, 1)]
    full = [np.full(SHAPE, -2), np.full(SHAPE, -2)]
    for mask, here in zip(masks, full, strict=True):
        here[mask] = geometric_parcels(volume(mask), 100)
    both = masks[0] & masks[1]
    assert (full[0][both] != full[1][both]).any()


def test_parcels_of_a_volume_are_balanced_and_divide_the_brain_of_the_template():
    from nilearn.datasets import load_mni152_brain_mask
    from nilearn.image import resample_img

    units = volume(np.ones(SHAPE, bool))
    labels = standard_parcels(units, 100)
    assert set(labels) == set(range(-1, 100))
    for sizes in sizes_by_structure(labels, units.structure):
        assert sizes.max() - sizes.min() <= 1
    for parcel in range(100):
        assert len(set(units.structure[labels == parcel])) == 1
    brain = resample_img(
        load_mni152_brain_mask(),
        target_affine=AFFINE,
        target_shape=SHAPE,
        interpolation="nearest",
    ).get_fdata()
    agreement = (brain.ravel() > 0) == (labels >= 0)
    assert agreement.mean() > 0.995  # ties between two nearest voxels


def test_a_grid_outside_the_template_is_refused():
    affine = AFFINE.copy()
    affine[:3, 3] += 1000
    units = volume_units(np.ones((3, 3, 3), bool), affine, space="MNI152NLin6Asym")
    with pytest.raises(InputInvalidError, match="MNI152NLin6Asym"):
        standard_parcels(units, 4)


@pytest.mark.parametrize("space", ["T1w", "native", "MNIPediatricAsym"])
def test_other_volumes_fall_back_to_their_own_units(space):
    rng = np.random.default_rng(0)
    units = volume(rng.random(SHAPE) > 0.8, space)
    np.testing.assert_array_equal(standard_parcels(units, 30), geometric_parcels(units, 30))


@pytest.mark.parametrize(("space", "size"), [("fsaverage5", 10242), ("fsLR", N_FSLR)])
def test_parcels_of_a_mesh_divide_its_cortex(space, size):
    units = surface_units(size, size, space=space)
    labels = standard_parcels(units, 200)
    np.testing.assert_array_equal(labels >= 0, cortex_mask(units))
    for sizes in sizes_by_structure(labels, units.structure):
        assert sizes.size == 100
        assert sizes.max() - sizes.min() <= 1


def test_a_mesh_without_mask_falls_back_to_its_own_units(make):
    units = surface_units(300, 300, space="fsnative", meshes=make.surfaces(300))
    np.testing.assert_array_equal(standard_parcels(units, 20), geometric_parcels(units, 20))


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=5)
def test_cifti_files_with_other_vertices_share_their_parcels(seed):
    rng = np.random.default_rng(seed)
    deep = {"THALAMUS_LEFT": 130, "PUTAMEN_RIGHT": 70}
    full = []
    for share in (0.9, 0.3):
        left, right = (np.flatnonzero(rng.random(N_FSLR) < share) for _ in range(2))
        units = cifti(left, right, deep)
        labels = standard_parcels(units, 150)
        full.append(cortex_columns(units).scatter(labels))
        is_deep = ~np.isin(units.structure, ["L", "R"])
        full[-1] = np.concatenate([full[-1], labels[is_deep]])
        assert (labels[is_deep] >= 0).all()
        mixed = [set(units.structure[labels == k]) for k in range(labels.max() + 1)]
        assert max(len(structures) for structures in mixed) == 1
    both = np.isfinite(full[0]) & np.isfinite(full[1])
    np.testing.assert_array_equal(full[0][both], full[1][both])


def test_cifti_without_depths_has_the_parcels_of_the_mesh():
    everywhere = np.arange(N_FSLR)
    dense = standard_parcels(cifti(everywhere, everywhere, {}), 200)
    pair = standard_parcels(surface_units(N_FSLR, N_FSLR, space="fsLR"), 200)
    np.testing.assert_array_equal(dense, pair)


def test_cifti_parcels_are_balanced():
    left, right = np.split(resources.cortex_mask("fsLR32k"), 2)
    units = cifti(np.flatnonzero(left), np.flatnonzero(right), {"THALAMUS_LEFT": 1300})
    labels = standard_parcels(units, 400)
    assert set(labels) == set(range(400))
    for sizes in sizes_by_structure(labels, units.structure):
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("n_parcels", [0, -3])
def test_the_number_must_be_positive(n_parcels):
    with pytest.raises(ValueError, match=str(n_parcels)):
        standard_parcels(surface_units(10242, 10242, space="fsaverage5"), n_parcels)


# coordinates of fsLR-32k, which the parcels are cut by


def test_fslr_has_coordinates_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))  # empty
    pair = surface_units(N_FSLR, N_FSLR, space="fsLR")
    (left, _), (right, _) = resources.fslr_midthickness()
    np.testing.assert_array_equal(pair.coordinates_mm(), np.concatenate([left, right]))
    vertices = np.array([31_000, 5, 700])
    units = cifti(vertices, vertices, {"THALAMUS_LEFT": 10})
    xyz = units.coordinates_mm()
    np.testing.assert_array_equal(xyz[:3], left[vertices])
    np.testing.assert_array_equal(xyz[3:6], right[vertices])
    assert np.isfinite(xyz).all()


def test_a_cifti_file_of_one_hemisphere_has_coordinates():
    axis = BrainModelAxis.from_surface(np.arange(50), N_FSLR, "CIFTI_STRUCTURE_CORTEX_RIGHT")
    xyz = cifti_units(axis, space="fsLR").coordinates_mm()
    assert (xyz[:, 0] > 0).mean() > 0.9
