from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel import Nifti1Image
from nibabel.affines import apply_affine

from bidsapp.brain.cortex import cortex_mask
from bidsapp.brain.geometry import surface_units, volume_units
from bidsapp.brain.projection import (
    DEPTHS,
    MIN_WEIGHT,
    MNI305_TO_MNI152,
    volume_projection,
)
from bidsapp.errors import InputInvalidError

SHAPE = (50, 58, 50)
AFFINE = np.array([[4.0, 0, 0, -98], [0, 4, 0, -134], [0, 0, 4, -72], [0, 0, 0, 1]])
SPACE = "MNI152NLin2009cAsym"
CORTEX = cortex_mask(surface_units(10242, 10242, space="fsaverage5"))


def grid(mask: np.ndarray | None = None, affine: np.ndarray = AFFINE, space: str = SPACE):
    return volume_units(np.ones(SHAPE, bool) if mask is None else mask, affine, space=space)


def surfaces() -> tuple[np.ndarray, np.ndarray]:
    from nilearn.datasets import load_fsaverage

    meshes = load_fsaverage("fsaverage5")
    sides = ("left", "right")
    pial, white = (
        np.concatenate([meshes[name].parts[side].coordinates for side in sides]).astype(float)
        for name in ("pial", "white_matter")
    )
    return pial, white


@pytest.mark.parametrize("flip", [False, True])
def test_sampling_is_that_of_nilearn_where_nothing_is_missing(flip):
    from nilearn.datasets import load_fsaverage
    from nilearn.surface import vol_to_surf

    volume = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    affine = AFFINE.copy()
    if flip:  # stored from right to left
        volume = volume[::-1]
        affine[0] = [-4, 0, 0, -98 + 4 * (SHAPE[0] - 1)]
    projection = volume_projection(grid(affine=affine), mni305=False)
    ours = projection.apply(volume.reshape(1, -1))
    image, meshes = Nifti1Image(volume, affine), load_fsaverage("fsaverage5")
    theirs = np.concatenate(
        [
            vol_to_surf(
                image,
                meshes["pial"].parts[side],
                inner_mesh=meshes["white_matter"].parts[side],
                kind="depth",
                n_samples=len(DEPTHS),
            )
            for side in ("left", "right")
        ]
    )
    np.testing.assert_allclose(ours[0, CORTEX], theirs[CORTEX], atol=1e-5)
    assert np.isnan(ours[0, ~CORTEX]).all()


@pytest.mark.parametrize("mni305", [False, True])
def test_the_projection_of_coordinates_is_where_the_vertices_are(mni305):
    """Linear interpolation reproduces x, y and z, so the middle of the cortex must come out."""
    units = grid()
    projection = volume_projection(units, mni305=mni305)
    found = projection.apply(units.coordinates_mm().T)
    expected = np.mean(surfaces(), axis=0)
    if mni305:
        expected = apply_affine(np.array(MNI305_TO_MNI152), expected)
    np.testing.assert_allclose(found.T[CORTEX], expected[CORTEX], atol=1e-3)
    assert projection.provenance["CortexVerticesReached"] == CORTEX.sum()
    assert (projection.provenance["Affine"] == MNI305_TO_MNI152) == mni305


def test_the_affine_is_the_published_one():
    """Worked example of the FreeSurfer wiki (CoordinateSystems, 8)."""
    point = apply_affine(np.array(MNI305_TO_MNI152), [10, -20, 35])
    np.testing.assert_allclose(point, [10.695, -18.409, 36.137], atol=0.003)


def test_missing_voxels_are_left_out_and_weights_rescaled():
    rng = np.random.default_rng(1)
    mask = rng.random(SHAPE) > 0.3
    units = grid(mask)
    maps = rng.standard_normal((2, units.n_units))
    maps[0, rng.random(units.n_units) < 0.3] = np.nan  # the second map has all voxels
    maps[1, 0] = np.inf
    ours = volume_projection(units, mni305=False).apply(maps)
    pial, white = surfaces()
    to_voxel = np.linalg.inv(AFFINE)
    volumes = np.full((2, *SHAPE), np.nan)
    volumes[:, mask] = maps
    for vertex in rng.choice(np.flatnonzero(CORTEX), 60, replace=False):
        total, weight = np.zeros(2), np.zeros(2)
        for depth in DEPTHS:
            point = apply_affine(to_voxel, pial[vertex] + depth * (white[vertex] - pial[vertex]))
            low = np.floor(point).astype(int)
            for corner in np.ndindex(2, 2, 2):
                share = np.prod(np.where(corner, point - low, 1 - (point - low))) / len(DEPTHS)
                value = volumes[(slice(None), *(low + corner))]
                fine = np.isfinite(value)
                total[fine] += share * value[fine]
                weight[fine] += share
        expected = np.where(weight >= MIN_WEIGHT, total / np.maximum(weight, 1e-9), np.nan)
        np.testing.assert_allclose(ours[:, vertex], expected, rtol=1e-4, atol=1e-5)


@given(st.integers(0, 1000), st.floats(0.0, 0.95))
@settings(deadline=None, max_examples=8)
def test_a_constant_stays_the_constant_whatever_is_missing(seed, share):
    units = grid()
    values = np.full(units.n_units, 3.5)
    values[np.random.default_rng(seed).random(units.n_units) < share] = np.nan
    found = volume_projection(units, mni305=False).apply(values[np.newaxis])
    finite = found[np.isfinite(found)]
    np.testing.assert_allclose(finite, 3.5, rtol=1e-6)
    assert share > 0.45 or finite.size > 0.95 * CORTEX.sum()


def test_a_missing_slab_is_missing_only_there():
    units = grid()
    z = units.coordinates_mm()[:, 2]
    values = np.where((z > 10) & (z < 40), np.nan, 1.0)
    found = volume_projection(units, mni305=False).apply(values[np.newaxis])
    height = np.mean(surfaces(), axis=0)[:, 2]
    inside = CORTEX & (height > 17) & (height < 33)
    outside = CORTEX & ((height < 6) | (height > 44))
    assert np.isnan(found[0, inside]).mean() > 0.95
    assert np.isfinite(found[0, outside]).all()


def test_a_field_of_view_that_cuts_the_brain_leaves_the_rest_missing():
    mask = np.zeros(SHAPE, bool)
    mask[:, :, 20:] = True  # from z = 8 mm up
    higher = AFFINE.copy()
    higher[2, 3] = 8
    cut = grid(np.ones((50, 58, 30), bool), higher)
    projection = volume_projection(cut, mni305=False)
    found = projection.apply(np.ones((1, cut.n_units)))
    masked = volume_projection(grid(mask), mni305=False).apply(np.ones((1, int(mask.sum()))))
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(masked))
    reached = projection.provenance["CortexVerticesReached"]
    assert reached == np.isfinite(found).sum() < CORTEX.sum()


def test_one_matrix_serves_all_maps():
    units = grid()
    maps = np.random.default_rng(0).standard_normal((3, units.n_units)).astype(np.float32)
    projection = volume_projection(units, mni305=False)
    together = projection.apply(maps)
    for row, one in zip(together, maps, strict=True):
        np.testing.assert_array_equal(projection.apply(one[np.newaxis])[0], row)
    assert projection.apply(maps[:0]).shape == (0, 20484)


def test_labels_are_not_averaged():
    units = grid()
    with pytest.raises(ValueError, match="labels cannot be averaged"):
        volume_projection(units, mni305=False).apply(np.ones((1, units.n_units), dtype=np.int32))


def test_maps_of_other_units_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 7\)"):
        volume_projection(grid(), mni305=False).apply(np.ones((1, 7)))


@pytest.mark.parametrize("space", ["T1w", "native", "", "MNIPediatricAsym"])
def test_other_volumes_are_refused(space):
    with pytest.raises(InputInvalidError, match=space or "unknown"):
        volume_projection(grid(space=space), mni305=False)


def test_surfaces_are_refused():
    units = surface_units(10242, 10242, space="fsaverage5")
    with pytest.raises(InputInvalidError, match="kind gifti in space fsaverage5"):
        volume_projection(units, mni305=False)
