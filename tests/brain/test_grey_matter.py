"""The grey-matter mask of fMRIPrep, on any grid."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bidsapp.brain.geometry import volume_units
from bidsapp.brain.grey_matter import grey_matter
from bidsapp.errors import InputInvalidError


def test_takes_the_mean_within_voxels_of_another_grid(tmp_path: Path) -> None:
    fine = np.zeros((30, 30, 30), dtype=np.float32)
    fine[:15] = 1.0  # everything left of x = 14.5 mm
    path = tmp_path / "gm.nii.gz"
    nib.save(nib.Nifti1Image(fine, np.eye(4)), path)
    mask = np.ones((8, 8, 8), dtype=bool)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = 3.0
    units = volume_units(mask, affine, space="T1w")
    chosen = grey_matter(path, units, 0.5)
    x = units.coordinates_mm()[:, 0]
    np.testing.assert_array_equal(chosen, x < 14.5)


def test_on_the_same_grid_a_voxel_has_its_own_value(tmp_path: Path) -> None:
    """Nothing is blurred where the segmentation lies on the grid of the BOLD, or a coarser one."""
    rng = np.random.default_rng(0)
    values = rng.random((10, 11, 12)).astype(np.float32)
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    path = tmp_path / "gm.nii.gz"
    nib.save(nib.Nifti1Image(values, affine), path)
    mask = np.ones(values.shape, dtype=bool)
    units = volume_units(mask, affine, space="T1w")
    np.testing.assert_array_equal(grey_matter(path, units, 0.5), values[mask] >= 0.5)

    fine = np.diag([-1.0, 1.0, 1.0, 1.0])
    halves = volume_units(np.ones((19, 21, 23), dtype=bool), fine, space="T1w")
    chosen = grey_matter(path, halves, 0.5).reshape(19, 21, 23)
    np.testing.assert_array_equal(chosen[::2, ::2, ::2], values >= 0.5)


def test_a_missing_probability_takes_no_neighbour_along(tmp_path: Path) -> None:
    path = tmp_path / "gm.nii.gz"
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    values = np.full((5, 5, 5), 0.8, dtype=np.float32)
    values[2, 2, 2] = np.nan
    nib.save(nib.Nifti1Image(values, affine), path)
    units = volume_units(np.ones(values.shape, dtype=bool), affine, space="T1w")
    np.testing.assert_array_equal(grey_matter(path, units, 0.5), np.isfinite(values).ravel())


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "0"), (0.3, "0.3")])
def test_a_segmentation_without_grey_matter_is_refused_by_name(
    tmp_path: Path, value: float, shown: str
) -> None:
    path = tmp_path / "gm.nii.gz"
    nib.save(nib.Nifti1Image(np.full((4, 4, 4), value, np.float32), np.eye(4)), path)
    units = volume_units(np.ones((4, 4, 4), dtype=bool), np.eye(4), space="T1w")
    with pytest.raises(InputInvalidError, match=rf"gm\.nii\.gz: .* at most {shown} within"):
        grey_matter(path, units, 0.5)
