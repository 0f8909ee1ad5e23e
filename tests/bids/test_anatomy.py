"""Anatomical images of fMRIPrep."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bidsapp.bids.anatomy import find_grey_matter, is_of_template, template_grey_matter
from tests.brain.templateflow_home import write_volume

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


def test_grey_matter_of_a_cohort_comes_from_templateflow_at_2_mm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    assert template_grey_matter("MNIPediatricAsym+2") is None
    image = nib.Nifti1Image(np.ones((2, 2, 2), np.float32), np.eye(4))
    for cohort in (1, 2):
        template = f"MNIPediatricAsym+{cohort}"
        for res in (1, 2):
            for tissue in ("GM", "WM"):
                write_volume(tmp_path, template, f"res-{res}_label-{tissue}_probseg", image)
    write_volume(tmp_path, "MNIInfant+2", "res-2_desc-brain_mask", image)
    path = template_grey_matter("MNIPediatricAsym+2")
    assert path is not None
    assert path.name == "tpl-MNIPediatricAsym_cohort-2_res-2_label-GM_probseg.nii.gz"
    assert is_of_template(path)
    path.write_bytes(b"")  # listed by the client, not downloaded
    path = template_grey_matter("MNIPediatricAsym+2")
    assert path is not None
    assert "_res-1_" in path.name
    for space in ("MNIPediatricAsym+7", "MNIInfant+2", "T1w"):
        assert template_grey_matter(space) is None
