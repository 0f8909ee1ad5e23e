"""Where searchlights lie: grey matter of the participant, of the template, or the brain mask."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from bidsapp.brain.geometry import volume_units
from bidsapp.recipes.rsa.cautions import of_mask
from bidsapp.recipes.rsa.participant import searchlight_mask


@pytest.mark.parametrize(
    ("name", "severity", "title"),
    [
        ("sub-01_space-MNIPediatricAsym_cohort-2_label-GM_probseg.nii.gz", "", ""),
        (
            "tpl-MNIPediatricAsym_cohort-2_res-2_label-GM_probseg.nii.gz",
            "note",
            "Grey matter of the template",
        ),
        ("", "caution", "No grey-matter mask"),
    ],
)
def test_where_grey_matter_comes_from_is_said(
    tmp_path: Path, name: str, severity: str, title: str
) -> None:
    space, affine = "MNIPediatricAsym+2", np.eye(4)
    units = volume_units(np.ones((4, 4, 4), bool), affine, space=space)
    probability = np.zeros((4, 4, 4), np.float32)
    probability[:2] = 0.7
    path = tmp_path / name if name else None
    if path is not None:
        nib.save(nib.Nifti1Image(probability, affine), path)
    study: Any = SimpleNamespace(
        bold=SimpleNamespace(invalid=np.zeros(64, bool), units=units),
        settings=SimpleNamespace(grey_matter=0.5),
        inputs=SimpleNamespace(grey_matter=path),
    )
    included, mask = searchlight_mask(study)
    expected = (probability >= 0.5).ravel() if name else np.ones(64, bool)
    np.testing.assert_array_equal(included, expected)
    doubts = [(item.severity, item.title) for item in of_mask(mask, space)]
    assert doubts == ([(severity, title)] if title else [])
    assert all(space in item.text for item in of_mask(mask, space))
