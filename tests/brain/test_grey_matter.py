"""The grey-matter mask of fMRIPrep, on any grid."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from bidsapp.brain.geometry import volume_units
from bidsapp.brain.grey_matter import grey_matter


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
