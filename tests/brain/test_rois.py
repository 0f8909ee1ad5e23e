"""Regions from label names as atlases spell them."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from bidsapp.brain.atlas import atlas_parcels
from bidsapp.brain.geometry import surface_units
from bidsapp.brain.rois import ROIS, find_rois, plain_label


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("L_A1_ROI", "A1"),
        ("R_47l_ROI", "47l"),
        ("LBelt", "LBelt"),
        ("RI", "RI"),
        ("L R_RI_ROI", "RI"),
        ("A5_L", "A5"),
        ("ctx_lh_G_temp_sup-Lateral", "G_temp_sup-Lateral"),
        ("ctx-rh-G_rectus", "G_rectus"),
        ("L G_temporal_middle", "G_temporal_middle"),
        ("lh.G_front_inf-Orbital", "G_front_inf-Orbital"),
    ],
)
def test_names_lose_their_side(name, plain):
    assert plain_label(name) == plain


def test_all_four_regions_or_none():
    names = ["L G_temp_sup-Lateral", "G_temporal_middle", "Unknown", "G_front_inf-Triangul"]
    assert find_rois(names) is None
    found = find_rois([*names, "R G_rectus"])
    assert found == ("Destrieux", {"STG": [0], "MTG": [1], "IFG": [3], "mPFC": [4]})
    brodmann = [f"BA{number}" for number in range(1, 48)]
    assert find_rois([*brodmann, "44", "45"]) is None


def test_hcp_labels_of_both_sides():
    names = [f"{side}_{name}_ROI" for side in "LR" for name in ("A1", "TE1a", "45", "10r", "V1")]
    atlas, found = find_rois(names) or ("", {})
    assert atlas == "HCP-MMP"
    assert found == {"STG": [0, 5], "MTG": [1, 6], "IFG": [2, 7], "mPFC": [3, 8]}
    assert tuple(found) == ROIS


@pytest.mark.parametrize(
    "names", [("lh.a.annot", "rh.a.annot"), ("left.a.annot", "right.a.annot")]
)
def test_annotations_of_freesurfer_are_read(tmp_path, names):
    colours = np.array([[0, 0, 0, 0, 0], [9, 9, 9, 0, 1], [8, 8, 8, 0, 2]])
    for name, labels in zip(names, ([0, 1, 2, 1], [2, -1, 1, 1]), strict=True):
        nib.freesurfer.write_annot(
            tmp_path / name, np.array(labels), colours, ["Unknown", "G_rectus", "S_suborbital"]
        )
    atlas = atlas_parcels(tmp_path / names[0], surface_units(4, 4, space="fsaverage"))
    assert atlas.names == ("L G_rectus", "L S_suborbital", "R G_rectus", "R S_suborbital")
    assert atlas.labels.tolist() == [-1, 0, 1, 0, 3, -1, 2, 2]
