"""The grey-matter mask of fMRIPrep, on any grid."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from bidsapp.brain.geometry import volume_units
from bidsapp.brain.grey_matter import find_grey_matter, grey_matter

MNI = "MNI152NLin2009cAsym"


def test_finds_the_space_and_prefers_the_resolution(tmp_path: Path) -> None:
    folder = tmp_path / "sub-01" / "anat"
    folder.mkdir(parents=True)
    for middle in ("", f"space-{MNI}_", f"space-{MNI}_res-2_", "space-MNI152NLin6Asym_"):
        for tissue in ("GM", "WM"):
            (folder / f"sub-01_{middle}label-{tissue}_probseg.nii.gz").touch()
    found = find_grey_matter(tmp_path, "01", MNI, "2")
    assert found is not None
    assert found.name == f"sub-01_space-{MNI}_res-2_label-GM_probseg.nii.gz"
    found = find_grey_matter(tmp_path, "01", MNI, None)
    assert found is not None
    assert found.name == f"sub-01_space-{MNI}_label-GM_probseg.nii.gz"
    found = find_grey_matter(tmp_path, "01", "T1w", None)
    assert found is not None
    assert found.name == "sub-01_label-GM_probseg.nii.gz"
    assert find_grey_matter(tmp_path, "01", "MNI152NLin2006Asym", None) is None
    assert find_grey_matter(None, "01", MNI, None) is None


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
