"""Anatomical images of fMRIPrep."""

from __future__ import annotations

from pathlib import Path

from bidsapp.bids.anatomy import find_grey_matter

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
