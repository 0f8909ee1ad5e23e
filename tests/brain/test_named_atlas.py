"""Atlases of TemplateFlow by name, from a home that the tests fill in the client's layout."""

from __future__ import annotations

import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis

from bidsapp import resources
from bidsapp.bids.templateflow import AtlasName, atlas_name, split_template, template_files
from bidsapp.brain.correspondence import fsaverage5_to_fslr
from bidsapp.brain.geometry import cifti_units, surface_units, volume_units
from bidsapp.brain.named_atlas import find_parcels, poster_parcels
from bidsapp.brain.parcels import geometric_parcels, standard_parcels
from bidsapp.brain.rois import find_rois
from bidsapp.errors import InputInvalidError, ResourceUnavailableError, UsageError
from bidsapp.fetch.table import BUNDLES
from tests.brain.templateflow_home import write_surface_atlas, write_table, write_volume

N5, N32 = 10242, 32492
DESTRIEUX = {
    0: "Unknown",
    3947700: "G_temporal_middle",
    9231540: "G_front_inf-Triangul",
    6568980: "G_rectus",
    14433500: "G_temp_sup-Lateral",
    1644825: "Medial_wall",
}
OXFORD = (
    "Superior Temporal Gyrus, anterior division",
    "Middle Temporal Gyrus, posterior division",
    "Inferior Frontal Gyrus, pars opercularis",
    "Frontal Medial Cortex",
    "Occipital Pole",
)


def striped(size, numbers=tuple(DESTRIEUX)):
    """Labels of both sides in stripes of the vertex number."""
    values = np.array(numbers)[np.arange(size) * len(numbers) // size]
    return {"L": values, "R": values[::-1]}


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "flow"
    folder.mkdir()
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(folder))
    return folder


@pytest.fixture
def fsaverage5():
    return surface_units(N5, N5, space="fsaverage", density="10k")


def write_hcp_mmp(home):
    """Annotations of 163,842 vertices, named as `fetch hcp-mmp` names them."""
    labels, files = {}, []
    for number, side in enumerate("LR"):
        values = np.roll(np.arange(163_842) % 3, number).astype(np.int32)
        names = ["???", f"{side}_V1_ROI", f"{side}_A1_ROI"]
        colours = np.array([[k, k, k, 0, k * 65793] for k in range(3)])
        path = home / BUNDLES["hcp-mmp"].files[number].name
        path.parent.mkdir(exist_ok=True)
        nib.freesurfer.write_annot(path, values, colours, names)
        labels[side] = values
        files.append(path)
    return labels, files


def by_name(atlas):
    return {name: atlas.labels == number for number, name in enumerate(atlas.names)}


def test_fsaverage5_takes_its_own_density(home, fsaverage5):
    labels = striped(N5)
    files = write_surface_atlas(home, "Destrieux2009", labels, DESTRIEUX)
    atlas = find_parcels(Path("Destrieux2009"), fsaverage5)
    whole = np.concatenate([labels["L"], labels["R"]])
    found = by_name(atlas)
    assert set(found) == {
        f"{side} {name}" for side in "LR" for name in DESTRIEUX.values() if name[0] in "G"
    }
    for name, members in found.items():
        (number,) = {key for key, value in DESTRIEUX.items() if value == name[2:]}
        expected = (whole == number) & (fsaverage5.structure == name[0])
        np.testing.assert_array_equal(members, expected)
    assert atlas.files == tuple(files)


def test_a_coarser_mesh_reads_the_first_vertices_of_a_finer_one(home, fsaverage5):
    numbers = {1: "7Networks_LH_Vis_1", 2: "7Networks_LH_Default_1", 3: "Background+Medial_Wall"}
    labels = striped(40962, (2, 1, 3))
    name = "Schaefer2018_seg-7n_scale-400"
    write_surface_atlas(home, name, labels, numbers, density="41k")
    atlas = find_parcels(Path("Schaefer2018:400Parcels7Networks"), fsaverage5)
    first = np.concatenate([labels["L"][:N5], labels["R"][:N5]])
    np.testing.assert_array_equal(atlas.labels >= 0, first != 3)
    with pytest.raises(ResourceUnavailableError, match="Schaefer2018:100Parcels7Networks"):
        find_parcels(Path("Schaefer2018:100Parcels7Networks"), fsaverage5)


@pytest.mark.parametrize("kind", ["gifti", "cifti"])
def test_fslr_gets_the_labels_of_the_nearest_vertex(home, kind):
    labels = striped(N5)
    write_surface_atlas(home, "Destrieux2009", labels, DESTRIEUX)
    way = fsaverage5_to_fslr()[0]
    whole = np.concatenate([labels["L"], labels["R"]])[way]
    if kind == "gifti":
        units = surface_units(N32, N32, space="fsLR", density="32k")
    else:
        left, right = (
            np.flatnonzero(side) for side in np.split(resources.cortex_mask("fsLR32k"), 2)
        )
        axis = BrainModelAxis.from_surface(left, N32, "CIFTI_STRUCTURE_CORTEX_LEFT")
        axis += BrainModelAxis.from_surface(right, N32, "CIFTI_STRUCTURE_CORTEX_RIGHT")
        units = cifti_units(axis, space="fsLR")
        whole = whole[np.r_[left, right + N32]]
    atlas = find_parcels(Path("Destrieux2009"), units)
    for name, members in by_name(atlas).items():
        (number,) = {key for key, value in DESTRIEUX.items() if value == name[2:]}
        np.testing.assert_array_equal(members, (whole == number) & (units.structure == name[0]))


def test_the_way_back_is_near_the_way_there():
    """From fsLR to fsaverage5 and back: within the distance of two vertices of fsaverage5."""
    from bidsapp.brain.correspondence import fslr_to_fsaverage5

    there, back = fslr_to_fsaverage5()[0], fsaverage5_to_fslr()[0]
    left = resources.fslr_spheres()[0]
    cortex = np.flatnonzero(resources.cortex_mask("fsLR32k")[:N32])
    angle = np.arccos(np.clip((left[cortex] * left[there[back[cortex]]]).sum(axis=1) / 1e4, -1, 1))
    assert np.median(angle) * 100 < 3.5  # mm on the sphere
    assert (back[:N32] < N5).all()
    assert (back[N32:] >= N5).all()


@pytest.mark.parametrize("template", ["MNI152NLin6Asym", "MNI152NLin2009cAsym"])
def test_volumes_take_the_resolution_of_bold_and_the_one_table(home, template):
    mask = np.zeros((8, 9, 7), dtype=bool)
    mask[1:7, 1:8, 1:6] = True
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    values = np.zeros(mask.shape, dtype=np.int16)
    values[mask] = 1 + np.arange(mask.sum()) % 5
    right = write_volume(
        home, template, "res-02_atlas-HOCPA_desc-th25_dseg", nib.Nifti1Image(values, affine)
    )
    wrong = nib.Nifti1Image(values[::-1].copy(), affine)
    write_volume(home, template, "res-01_atlas-HOCPA_desc-th25_dseg", wrong)
    write_table(home, "MNI152NLin6Asym", "atlas-HOCPA_dseg", OXFORD)
    units = volume_units(mask, affine, space=template)
    atlas = poster_parcels(units)
    assert atlas is not None
    assert atlas.files == (right,)
    assert atlas.names == OXFORD
    np.testing.assert_array_equal(atlas.labels, values[mask] - 1)
    name, four = find_rois(atlas.names)
    assert (name, four) == ("Harvard-Oxford", {"STG": [0], "MTG": [1], "IFG": [2], "mPFC": [3]})


def test_the_four_regions_come_from_the_atlas_at_hand(home, fsaverage5):
    assert poster_parcels(fsaverage5) is None
    write_surface_atlas(home, "Destrieux2009", striped(N5), DESTRIEUX)
    atlas = poster_parcels(fsaverage5)
    assert find_rois(atlas.names)[0] == "Destrieux"


def test_placeholders_are_not_at_hand(home, fsaverage5):
    """The client lists what it has not downloaded as files of zero bytes."""
    for path in write_surface_atlas(home, "Destrieux2009", striped(N5), DESTRIEUX):
        path.write_bytes(b"")
    assert template_files("fsaverage", atlas="Destrieux2009", extension=".label.gii") == ()
    with pytest.raises(ResourceUnavailableError) as refused:
        find_parcels(Path("Destrieux2009"), fsaverage5)
    assert "musicotopy-tools fetch atlases Destrieux2009" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_empty_home_is_one_sentence_and_stays_empty(home, fsaverage5):
    with pytest.raises(ResourceUnavailableError, match=r"TEMPLATEFLOW_HOME .*flow is empty"):
        find_parcels(Path("Desikan2006"), fsaverage5)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("density", ["10k", "41k"])
def test_hcp_mmp_serves_fsaverage_from_the_annotations_of_the_finest_mesh(home, density):
    n = {"10k": N5, "41k": 40962}[density]
    units = surface_units(n, n, space="fsaverage", density=density)
    with pytest.raises(ResourceUnavailableError, match="fetch hcp-mmp --accept-terms"):
        find_parcels(Path("HCP-MMP"), units)
    labels, files = write_hcp_mmp(home)
    atlas = find_parcels(Path("HCP-MMP1"), units)
    assert atlas.files == tuple(files)
    assert set(atlas.names) == {f"{side}_{area}_ROI" for side in "LR" for area in ("V1", "A1")}
    for name, members in by_name(atlas).items():
        number = 1 + ("A1" in name)
        expected = (labels[name[0]][:n] == number)[np.arange(2 * n) % n]
        np.testing.assert_array_equal(members, expected & (units.structure == name[0]))


def test_hcp_mmp_serves_fslr_and_is_refused_for_volumes(home):
    write_hcp_mmp(home)
    units = surface_units(N32, N32, space="fsLR", density="32k")
    atlas = find_parcels(Path("HCP-MMP"), units)
    assert set(atlas.names) == {f"{side}_{area}_ROI" for side in "LR" for area in ("V1", "A1")}
    voxels = volume_units(np.ones((2, 2, 2), bool), np.eye(4), space="MNI152NLin6Asym")
    with pytest.raises(ResourceUnavailableError, match="atlas of surfaces; give a label image in"):
        find_parcels(Path("HCP-MMP"), voxels)


def test_labels_without_a_name_and_the_files_are_in_the_log(home, fsaverage5, tmp_path, caplog):
    caplog.set_level(logging.INFO, "musicotopy")
    names = {key: DESTRIEUX[key] for key in (3947700, 6568980)}
    left, right = write_surface_atlas(tmp_path, "Mine", striped(N5), names, table=False)
    for path in (left, right):
        image = nib.load(path)
        for key, name in names.items():
            label = nib.gifti.GiftiLabel(key, 1.0, 0.0, 0.0, 1.0)
            label.label = name
            image.labeltable.labels.append(label)
        nib.save(image, path)
    atlas = find_parcels(left, fsaverage5)
    assert atlas.files == (left, right)
    assert str(right) in caplog.text
    (problem,) = atlas.problems
    assert "6 of its 10 labels have no name" in str(problem)
    assert str(problem) in caplog.text


def test_the_mask_of_another_template_divides_everybody_alike(home):
    """Infants: parcels are those of the template's brain, whichever voxels a participant has."""
    brain = np.zeros((10, 12, 9), dtype=np.uint8)
    brain[2:8, 2:10, 2:7] = 1
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    image = nib.Nifti1Image(brain, affine)
    write_volume(home, "MNIInfant+2", "res-1_desc-brain_mask", image)
    write_volume(home, "MNIInfant+3", "res-1_desc-brain_mask", nib.Nifti1Image(1 - brain, affine))
    whole = volume_units(brain > 0, affine, space="MNIInfant+2")
    expected = np.full(brain.shape, -1)
    expected[brain > 0] = geometric_parcels(whole, 12)
    fewer = brain > 0
    fewer[3] = False
    units = volume_units(fewer, affine, space="MNIInfant+2")
    np.testing.assert_array_equal(standard_parcels(units, 12), expected[fewer])
    other = volume_units(fewer, affine, space="MNIInfant+9")
    np.testing.assert_array_equal(standard_parcels(other, 12), geometric_parcels(other, 12))


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("Destrieux2009", AtlasName("Destrieux2009")),
        ("Schaefer2018:400Parcels7Networks", AtlasName("Schaefer2018", "400Parcels7Networks")),
        ("HCP-MMP", AtlasName("HCPMMP")),
        ("HCPMMP1", AtlasName("HCPMMP")),
        ("atlas.nii.gz", None),
        ("folder/atlas", None),
        ("lh.aparc.annot", None),
    ],
)
def test_names_and_files_are_told_apart(wish, expected):
    assert atlas_name(Path(wish)) == expected


def test_an_existing_file_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert atlas_name("mine") is not None
    Path("mine").touch()
    assert atlas_name("mine") is None


@pytest.mark.parametrize("wish", ["fsLR:59k", "tpl/fsLR", ":density=59k"])
def test_templates_are_named_by_entities(wish):
    assert split_template("MNIInfant+2") == ("MNIInfant+2", {})
    with pytest.raises(UsageError, match="TEMPLATE"):
        split_template(wish)


def test_a_broken_table_is_named(home, fsaverage5):
    write_surface_atlas(home, "Destrieux2009", striped(N5), {"x": "y"})
    with pytest.raises(
        InputInvalidError, match=r"atlas-Destrieux2009_dseg\.tsv needs the columns"
    ):
        find_parcels(Path("Destrieux2009"), fsaverage5)
