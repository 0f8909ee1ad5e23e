from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from bidsapp.brain.geometry import surface_units
from bidsapp.brain.maps import label_images, mask_images, read_maps, to_images
from bidsapp.brain.units import unit_space
from bidsapp.errors import InputInvalidError, InputMissingError

KINDS = ["volume", "gifti", "cifti"]
NAMES = ["conv1", "layer|piece 2 «ü» & <b>", "a\tb/c"]


def save(images, folder, stem="map"):
    paths = []
    for image in images:
        name = "_".join([stem, *(f"{k}-{v}" for k, v in image.entities.items())])
        paths.append(folder / f"{name}{image.extension}")
        nib.save(image.image, paths[-1])
    return paths


def random_maps(units, n_maps, seed=0):
    values = np.random.default_rng(seed).standard_normal((n_maps, units.n_units))
    values[:, ::5] = np.nan
    values[:, 1::7] = 0
    return values.astype(np.float32)


@pytest.fixture(params=KINDS)
def units(request, make):
    return unit_space([make.plain(request.param, n_trs=4)])


@pytest.mark.parametrize("n_maps", [1, 3])
def test_maps_come_back_as_they_went(units, tmp_path, n_maps):
    values = random_maps(units, n_maps)
    paths = save(to_images(values, units, NAMES[:n_maps]), tmp_path)
    read = read_maps(paths, units)
    np.testing.assert_array_equal(read.values, values)
    assert read.names == tuple(NAMES[:n_maps])


@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_a_damaged_map_is_named(units, tmp_path, share):
    path = save(to_images(random_maps(units, 2), units, ["a", "b"]), tmp_path)
    path[0].write_bytes(path[0].read_bytes()[: int(share * path[0].stat().st_size)])
    with pytest.raises(InputInvalidError, match=rf"{path[0].name} cannot be read as an image"):
        read_maps(path, units)


def test_one_map_may_be_a_vector(units, tmp_path):
    values = random_maps(units, 1)[0]
    read = read_maps(save(to_images(values, units, ["a"]), tmp_path), units)
    np.testing.assert_array_equal(read.values[0], values)


def test_maps_can_be_read_without_knowing_the_units(units, tmp_path):
    values = random_maps(units, 2)
    paths = save(to_images(values, units, ["a", "b"]), tmp_path)
    read = read_maps(paths, space=units.space)
    if units.kind == "volume":  # only voxels with a value are known to be units
        values = values[:, np.isfinite(values).any(axis=0)]
    else:
        np.testing.assert_array_equal(read.units.structure, units.structure)
    np.testing.assert_array_equal(read.values, values)


def test_labels_come_back_with_their_names(units, tmp_path):
    labels = np.random.default_rng(0).integers(0, 4, units.n_units)
    names = ["mel", "conv1 & <b>", "fc «2»"]
    images = label_images(labels, units, names, map_name="best layer")
    paths = save(images, tmp_path)
    read = read_maps(paths, units)
    np.testing.assert_array_equal(read.values[0], labels)
    assert read.names == ("best layer",)
    image = nib.load(paths[0])
    if units.kind == "gifti":
        assert image.labeltable.get_labels_as_dict() == dict(enumerate(["???", *names]))
    elif units.kind == "cifti":
        table = image.header.get_axis(0).label[0]
        assert {key: entry[0] for key, entry in table.items()} == dict(enumerate(["???", *names]))
    else:
        assert image.get_data_dtype() == np.int16


@pytest.mark.parametrize("bad", [-1, 3])
def test_labels_without_a_name_are_refused(units, bad):
    labels = np.zeros(units.n_units, dtype=int)
    labels[0] = bad
    with pytest.raises(ValueError, match=r"0\.\.2"):
        label_images(labels, units, ["a", "b"])


def test_masks(units, tmp_path):
    mask = np.random.default_rng(0).random(units.n_units) > 0.5
    paths = save(mask_images(mask, units), tmp_path)
    np.testing.assert_array_equal(read_maps(paths, units).values[0], mask)
    if units.kind == "volume":
        image = nib.load(paths[0])
        assert image.get_data_dtype() == np.uint8
        assert image.get_fdata().sum() == mask.sum()


def test_extensions_and_entities(make):
    found = {}
    for kind in KINDS:
        units = unit_space([make.plain(kind, n_trs=4)])
        zeros = np.zeros(units.n_units, dtype=int)
        found[kind] = [
            [(dict(image.entities), image.extension) for image in images]
            for images in (to_images(zeros, units, ["a"]), label_images(zeros, units, ["a"]))
        ]
    left, right = {"hemi": "L"}, {"hemi": "R"}
    assert found == {
        "volume": [[({}, ".nii.gz")], [({}, ".nii.gz")]],
        "gifti": [
            [(left, ".func.gii"), (right, ".func.gii")],
            [(left, ".label.gii"), (right, ".label.gii")],
        ],
        "cifti": [[({}, ".dscalar.nii")], [({}, ".dlabel.nii")]],
    }


def test_wrong_numbers_of_names_or_units_are_refused(units):
    values = random_maps(units, 2)
    with pytest.raises(ValueError, match="1 names"):
        to_images(values, units, ["a"])
    with pytest.raises(ValueError, match="units"):
        to_images(values[:, :-1], units, ["a", "b"])


def test_a_volume_opens_in_nilearn_where_it_belongs(make, tmp_path):
    from nilearn.image import load_img
    from nilearn.masking import apply_mask

    run = make.plain("volume", n_trs=4)
    units = unit_space([run])
    values = random_maps(units, 3)
    (path,) = save(to_images(values, units, NAMES), tmp_path)
    image = load_img(path)
    assert image.shape == (*make.shape, 3)
    np.testing.assert_allclose(image.affine, make.affine)
    assert int(image.header["sform_code"]) == int(image.header["qform_code"]) == 4
    assert np.isnan(image.get_fdata()[~units.geometry.mask]).all()
    masked = apply_mask(image, run.mask, ensure_finite=False)
    np.testing.assert_array_equal(masked, values)
    single = to_images(values[0], units, ["a"])[0].image
    assert single.shape == make.shape


def test_fsaverage5_opens_in_nilearn(tmp_path):
    from nilearn.datasets import load_fsaverage
    from nilearn.surface import SurfaceImage

    units = surface_units(10242, 10242, space="fsaverage5")
    values = random_maps(units, 2)
    left, right = save(to_images(values, units, ["a", "b"]), tmp_path)
    image = SurfaceImage(load_fsaverage("fsaverage5")["pial"], {"left": left, "right": right})
    np.testing.assert_array_equal(image.data.parts["left"].T, values[:, :10242])
    np.testing.assert_array_equal(image.data.parts["right"].T, values[:, 10242:])
    assert nib.load(right).meta["AnatomicalStructurePrimary"] == "CortexRight"


def test_cifti_keeps_the_brain_models(make, tmp_path):
    units = unit_space([make.plain("cifti", n_trs=4)])
    (path,) = save(to_images(random_maps(units, 2), units, ["a", "b"]), tmp_path)
    assert nib.load(path).header.get_axis(1) == make.brain_models()


def test_files_of_another_space_are_refused(make, tmp_path):
    units = unit_space([make.plain("cifti", n_trs=4)])
    (path,) = save(to_images(random_maps(units, 1), units, ["a"]), tmp_path)
    other = make.cifti("x", make.noise(4, 43), make.brain_models(19, 18, 6))
    with pytest.raises(InputInvalidError, match="44 grayordinates"):
        read_maps([path], unit_space([other]))

    pair = surface_units(30, 28, space="fsnative")
    paths = save(to_images(random_maps(pair, 1), pair, ["a"]), tmp_path)
    with pytest.raises(InputInvalidError, match=r"\(30, 28\)"):
        read_maps(paths, surface_units(28, 30, space="fsnative"))
    with pytest.raises(InputInvalidError, match="other hemisphere"):
        read_maps(paths[:1], pair)

    volume = unit_space([make.plain("volume", n_trs=4)])
    (path,) = save(to_images(random_maps(volume, 1), volume, ["a"]), tmp_path)
    moved = make.affine.copy()
    moved[0, 3] += 3
    shifted = unit_space([make.volume("y", make.noise(*make.shape, 4), affine=moved)])
    with pytest.raises(InputInvalidError, match="another voxel grid"):
        read_maps([path], shifted)
    with pytest.raises(InputMissingError, match="nowhere"):
        read_maps([tmp_path / "nowhere.nii.gz"], volume)
