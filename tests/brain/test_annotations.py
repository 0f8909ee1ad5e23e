"""Annotations of neuromaps on the mesh of the data, from a folder that the tests fill."""

from __future__ import annotations

import sys

import nibabel as nib
import numpy as np
import pytest

from bidsapp import resources
from bidsapp.bids.neuromaps import annotation_files, annotation_name
from bidsapp.brain.annotations import annotation_map
from bidsapp.brain.correspondence import carry
from bidsapp.brain.geometry import surface_units
from bidsapp.brain.references import reference_map, reference_provenance
from bidsapp.errors import ResourceUnavailableError, UsageError
from tests.brain.neuromaps_home import write_annotation

N5, N32 = 10242, 32492
MYELIN = "neuromaps:hcps1200/myelinmap/fsLR/32k"
GENES = "neuromaps:abagen/genepc1/fsaverage/10k"
SEROTONIN = "neuromaps:beliveau2017/dasb/fsaverage/164k"
COGNITION = "neuromaps:neurosynth/cogpc1/MNI152/2mm"


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "annotations-home"
    folder.mkdir()
    monkeypatch.setenv("NEUROMAPS_DATA", str(folder))
    return folder


@pytest.fixture
def smooth():
    """A smooth map on fsLR, left and right."""
    left, right = resources.fslr_spheres()
    return left[:, 1] + 0.3 * left[:, 2], right[:, 1] - 0.2 * right[:, 2]


def units(mesh):
    n, space = (N5, "fsaverage5") if mesh == "fsaverage5" else (N32, "fsLR")
    return surface_units(n, n, space=space)


def test_fslr_stays_on_fslr_and_is_carried_to_fsaverage5(home, smooth):
    write_annotation(home, MYELIN, *smooth)
    own = reference_map(MYELIN, units("fsLR"))
    cortex = resources.cortex_mask("fsLR32k")
    np.testing.assert_allclose(own[cortex], np.concatenate(smooth)[cortex], rtol=1e-5)
    assert np.isnan(own[~cortex]).all()
    carried = reference_map(MYELIN, units("fsaverage5"))
    expected = carry(np.concatenate(smooth))[0]
    np.testing.assert_allclose(carried, expected, rtol=1e-5)
    facts = reference_provenance(MYELIN, units("fsaverage5"))
    assert facts["Name"] == "hcps1200-myelinmap"
    assert "Glasser" in facts["Source"]
    assert "nearest vertex" in facts["Correspondence"]
    assert "Correspondence" not in reference_provenance(MYELIN, units("fsLR"))


def test_fsaverage_goes_to_fslr_and_back_nearly_unchanged(home, smooth):
    on_fsaverage = carry(np.concatenate(smooth))[0]
    write_annotation(home, GENES, *np.split(np.nan_to_num(on_fsaverage), 2))
    back = reference_map(GENES, units("fsLR"))
    both = np.isfinite(back)
    assert both.sum() > 55_000
    assert np.corrcoef(back[both], np.concatenate(smooth)[both])[0, 1] > 0.99


def test_a_finer_fsaverage_is_read_at_its_first_vertices(home):
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal((2, 163842))
    write_annotation(home, SEROTONIN, left, right)
    values, facts = annotation_map(annotation_name(SEROTONIN), "fsaverage5")
    cortex = resources.cortex_mask("fsaverage5")
    expected = np.concatenate([left[:N5], right[:N5]])
    np.testing.assert_allclose(values[cortex], expected[cortex], rtol=1e-5)
    assert "first vertices" in facts["Correspondence"]


def test_a_volume_is_projected(home):
    """A ramp from left to right stays one."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-96, -132, -78]
    x = np.indices((97, 115, 97))[0] * 2.0 - 96
    write_annotation(home, COGNITION, nib.Nifti1Image((x + 200).astype(np.float32), affine))
    values, facts = annotation_map(annotation_name(COGNITION), "fsaverage5")
    places = units("fsaverage5").coordinates_mm()[:, 0]
    known = np.isfinite(values)
    assert known.sum() > 17_000
    assert np.corrcoef(values[known], places[known])[0, 1] > 0.99
    assert "projected from MNI152" in facts["Correspondence"]


def test_one_published_hemisphere_leaves_the_other_missing(home, tmp_path, monkeypatch):
    fine = np.random.default_rng(0).standard_normal(163842)
    name = "neuromaps:hill2010/devexp/fsLR/164k"
    write_annotation(home, name, fine)
    with pytest.raises(ResourceUnavailableError, match="fetch templates fsLR:density=164k"):
        annotation_map(annotation_name(name), "fsLR32k")
    folder = tmp_path / "flow" / "tpl-fsLR"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(folder.parent))
    for side, sphere in zip("LR", resources.fslr_spheres(), strict=True):
        points = np.random.default_rng(1).standard_normal((163842, 3))
        points *= 100 / np.linalg.norm(points, axis=1, keepdims=True)
        points[:N32] = sphere
        data = nib.gifti.GiftiDataArray(points.astype(np.float32), "NIFTI_INTENT_POINTSET")
        path = folder / f"tpl-fsLR_hemi-{side}_den-164k_sphere.surf.gii"
        nib.save(nib.gifti.GiftiImage(darrays=[data]), path)
    values, _ = annotation_map(annotation_name(name), "fsLR32k")
    cortex = resources.cortex_mask("fsLR32k")[N32:]
    assert np.isnan(values[:N32]).all()
    np.testing.assert_allclose(values[N32:][cortex], fine[:N32][cortex], rtol=1e-5)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("neuromaps:hcps1200/megalpha/fsLR/4k", "neuromaps.transforms"),
        ("neuromaps:reardon2018/scalinghcp/civet/41k", "neuromaps.transforms"),
    ],
)
def test_meshes_without_a_way_say_how_to_transform(home, wish, words):
    size = 4002 if "4k" in wish else 40962
    write_annotation(home, wish, *np.random.default_rng(0).standard_normal((2, size)))
    with pytest.raises(ResourceUnavailableError, match=words):
        reference_map(wish, units("fsaverage5"))


def test_what_is_not_at_hand_says_how_to_get_it(home):
    with pytest.raises(ResourceUnavailableError) as refused:
        reference_map(MYELIN, units("fsLR"))
    assert "musicotopy-tools fetch neuromaps hcps1200/myelinmap/fsLR/32k" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("wish", ["neuromaps:hcps1200/myelinmap", "neuromaps:a/b/c/d"])
def test_names_that_are_none(home, wish):
    with pytest.raises(UsageError, match=r"name an annotation as|has no such annotation"):
        reference_map(wish, units("fsLR"))


def test_without_the_package_one_sentence_says_what_is_missing(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "neuromaps", None)
    with pytest.raises(ResourceUnavailableError, match=r"CC BY-NC-SA.*musicotopy\[neuromaps\]"):
        annotation_files(annotation_name(MYELIN))
    assert reference_map("gradient1", units("fsaverage5")).size == 2 * N5
