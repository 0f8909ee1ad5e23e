from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from bidsapp.brain.atlas import atlas_parcels, refuse_atlas
from bidsapp.brain.maps import label_images
from bidsapp.brain.units import unit_space
from bidsapp.errors import InputInvalidError, InputMissingError


def save(images, folder, stem):
    paths = []
    for image in images:
        hemi = "".join(f"_hemi-{value}" for value in image.entities.values())
        paths.append(folder / f"{stem}{hemi}_dseg{image.extension}")
        nib.save(image.image, paths[-1])
    return paths


@pytest.fixture(params=["volume", "gifti", "cifti"])
def units(request, make):
    return unit_space([make.plain(request.param, n_trs=4)])


def test_our_own_labels_come_back_as_parcels(units, tmp_path):
    labels = np.arange(units.n_units) * 6 // units.n_units  # 0 is none
    paths = save(label_images(labels, units, [f"p{i}" for i in range(1, 6)]), tmp_path, "atlas")
    atlas = atlas_parcels(paths[0], units)
    np.testing.assert_array_equal(atlas.labels >= 0, labels > 0)
    for parcel, name in enumerate(atlas.names):
        inside = atlas.labels == parcel
        (value,) = set(labels[inside])
        assert name.endswith(f"p{value}") or units.kind == "volume"
    assert atlas.problems == ()


def test_a_label_on_both_hemispheres_makes_two_parcels(make, tmp_path):
    units = unit_space([make.plain("gifti", n_trs=4)])
    labels = np.r_[np.repeat([1, 2], 15), np.repeat([1, 3], 14)]
    paths = save(label_images(labels, units, ["stg", "ifg", "mtg"]), tmp_path, "atlas")
    atlas = atlas_parcels(paths[1], units)  # either of the pair will do
    assert atlas.names == ("L stg", "ifg", "R stg", "mtg")
    np.testing.assert_array_equal(atlas.labels, np.r_[labels[:30] - 1, [2] * 14, [3] * 14])


def test_a_volume_on_a_finer_grid_is_looked_up_at_the_nearest_voxel(make, tmp_path):
    units = unit_space([make.plain("volume", n_trs=4)])
    fine = np.zeros((24, 21, 15), dtype=np.int16)
    coarse = np.arange(1, 281).reshape(make.shape)
    fine[:] = coarse.repeat(3, 0).repeat(3, 1).repeat(3, 2)
    affine = make.affine @ np.diag([1 / 3, 1 / 3, 1 / 3, 1])
    affine[:3, 3] = make.affine[:3, 3] - make.affine[:3, :3] @ [1 / 3, 1 / 3, 1 / 3]
    path = tmp_path / "tpl-MNI152NLin6Asym_dseg.nii.gz"
    nib.save(nib.Nifti1Image(fine, affine), path)
    atlas = atlas_parcels(path, units)
    assert atlas.names == tuple(f"label-{v}" for v in np.sort(coarse[units.geometry.mask]))
    np.testing.assert_array_equal(np.argsort(atlas.labels), np.arange(units.n_units))
    grid, template = atlas.problems
    assert "(24, 21, 15)" in grid.what
    assert "MNI152NLin6Asym" in template.what


def test_voxels_outside_the_atlas_have_no_parcel(make, tmp_path):
    units = unit_space([make.plain("volume", n_trs=4)])
    path = tmp_path / "half.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((4, 7, 5), np.uint8), make.affine), path)
    atlas = atlas_parcels(path, units)
    np.testing.assert_array_equal(atlas.labels == 0, np.argwhere(units.geometry.mask)[:, 0] < 4)


def test_names_of_a_volume_come_from_the_table_beside_it(make, tmp_path):
    units = unit_space([make.plain("volume", n_trs=4)])
    labels = np.full(units.n_units, 1)
    labels[:9] = 2
    (path,) = save(label_images(labels, units, ["x", "y"]), tmp_path, "atlas")
    table = tmp_path / "atlas_dseg.tsv"
    table.write_text("index\tname\n1\tHeschl\n2\tMotor\n")
    assert atlas_parcels(path, units).names == ("Heschl", "Motor")
    table.write_text("id\tname\n1\tHeschl\n")
    with pytest.raises(InputInvalidError, match=r"atlas_dseg\.tsv"):
        atlas_parcels(path, units)


def test_a_cifti_atlas_with_the_medial_wall_fits_data_without(make, tmp_path):
    units = unit_space([make.plain("cifti", n_trs=4)])
    whole = unit_space([make.cifti("w", make.noise(4, 48), make.brain_models(24, 24, 0))])
    labels = np.r_[np.arange(24) // 6, np.arange(24) // 6 + 4] + 1
    (path,) = save(label_images(labels, whole, [f"p{i}" for i in range(8)]), tmp_path, "a")
    atlas = atlas_parcels(path, units)
    expected = np.r_[labels[:20], labels[24:42]] - 1
    np.testing.assert_array_equal(atlas.labels[:38], expected)
    assert (atlas.labels[38:] == -1).all()
    assert atlas.names == tuple(f"p{i}" for i in sorted(set(expected)))


def test_a_gifti_pair_serves_cifti_data(make, tmp_path):
    units = unit_space([make.plain("cifti", n_trs=4)])
    pair = unit_space([make.gifti("g", make.noise(4, 24), make.noise(4, 24), space="fsLR")])
    paths = save(label_images(np.arange(48) % 3, pair, ["a", "b"]), tmp_path, "a")
    atlas = atlas_parcels(paths[0], units)
    assert atlas.names == ("L a", "L b", "R a", "R b")
    np.testing.assert_array_equal(atlas.labels[:6], [-1, 0, 1, -1, 0, 1])


def test_what_does_not_fit_is_refused(make, tmp_path):
    volume = unit_space([make.plain("volume", n_trs=4)])
    surface = unit_space([make.plain("gifti", n_trs=4)])
    path = tmp_path / "atlas.nii.gz"
    nib.save(nib.Nifti1Image(np.random.default_rng(0).random(make.shape), make.affine), path)
    with pytest.raises(InputInvalidError, match="no integers"):
        atlas_parcels(path, volume)
    with pytest.raises(InputInvalidError, match="is a volume"):
        atlas_parcels(path, surface)
    nib.save(nib.Nifti1Image(np.zeros(make.shape, np.uint8), make.affine), path)
    with pytest.raises(InputInvalidError, match="labels none"):
        atlas_parcels(path, volume)
    nib.save(nib.Nifti1Image(np.zeros((*make.shape, 2), np.uint8), make.affine), path)
    with pytest.raises(InputInvalidError, match="no 3D label"):
        atlas_parcels(path, volume)
    other = unit_space([make.gifti("o", make.noise(4, 31), make.noise(4, 28), space="fsnative")])
    pair = save(label_images(np.ones(59, int), other, ["a"]), tmp_path, "pair")
    with pytest.raises(InputInvalidError, match=r"31 places.*30"):
        atlas_parcels(pair[0], surface)
    pair[1].unlink()
    with pytest.raises(InputMissingError, match="hemi-R"):
        atlas_parcels(pair[0], other)
    nameless = pair[0].rename(tmp_path / "labels.label.gii")
    with pytest.raises(InputInvalidError, match="hemisphere"):
        atlas_parcels(nameless, surface)


def test_labels_that_cannot_serve_are_refused_before_a_run(make, tmp_path):
    pair = [tmp_path / f"hemi-{side}.label.gii" for side in "LR"]

    def write(values):
        for path in pair:
            arrays = [nib.gifti.GiftiDataArray(np.asarray(v, np.int32)) for v in values]
            nib.save(nib.gifti.GiftiImage(darrays=arrays), path)

    write([[0, 1, 2, 2]])
    refuse_atlas(pair[0], "gifti", 4)
    with pytest.raises(InputInvalidError, match=r"4 places in .*LEFT, the data have 5"):
        refuse_atlas(pair[0], "gifti", 5)
    write([[0, 0, 0, 0]])
    with pytest.raises(InputInvalidError, match="no label but 0"):
        refuse_atlas(pair[1], "gifti", 4)
    write([])
    with pytest.raises(InputInvalidError, match="holds no labels"):
        refuse_atlas(pair[1], "gifti", 4)


def label_table(names: dict[int, str]):
    table = nib.gifti.GiftiLabelTable()
    for key, name in names.items():
        label = nib.gifti.GiftiLabel(key, 0.1, 0.2, 0.3, 1.0)
        label.label = name
        table.labels.append(label)
    return table


def test_sides_that_number_their_parcels_apart_keep_their_names(make, tmp_path):
    units = unit_space([make.plain("gifti", n_trs=4)])
    sizes = {"L": int((units.structure == "L").sum()), "R": int((units.structure == "R").sum())}
    names = {"L": {1: "Heschl", 2: "Motor"}, "R": {1: "Motor", 2: "Visual"}}
    for side, size in sizes.items():
        values = (np.arange(size) * 2 // size + 1).astype(np.int32)
        array = nib.gifti.GiftiDataArray(values, "NIFTI_INTENT_LABEL")
        image = nib.gifti.GiftiImage(darrays=[array], labeltable=label_table(names[side]))
        nib.save(image, tmp_path / f"atlas_hemi-{side}.label.gii")
    atlas = atlas_parcels(tmp_path / "atlas_hemi-L.label.gii", units)
    assert atlas.names == ("Heschl", "L Motor", "R Motor", "Visual")


@pytest.mark.parametrize(
    "name",
    [
        *("unknown", "???", "L_???", "Medial_wall", "corpuscallosum", "ctx-lh-unknown"),
        *("Background+FreeSurfer_Defined_Medial_Wall", "background", "medial wall lh"),
    ],
)
def test_what_is_no_cortex_is_no_parcel(make, tmp_path, name):
    units = unit_space([make.plain("gifti", n_trs=4)])
    for side in "LR":
        size = int((units.structure == side).sum())
        values = (np.arange(size) * 2 // size + 1).astype(np.int32)
        array = nib.gifti.GiftiDataArray(values, "NIFTI_INTENT_LABEL")
        table = label_table({0: "none", 1: name, 2: f"unknown area {side}"})
        image = nib.gifti.GiftiImage(darrays=[array], labeltable=table)
        nib.save(image, tmp_path / f"atlas_hemi-{side}.label.gii")
    atlas = atlas_parcels(tmp_path / "atlas_hemi-L.label.gii", units)
    assert atlas.names == ("unknown area L", "unknown area R")
    assert (atlas.labels == -1).sum() > 0
