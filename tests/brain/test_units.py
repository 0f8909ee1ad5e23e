from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bidsapp.bids.names import space_entities
from bidsapp.brain.geometry import surface_units, volume_units
from bidsapp.brain.units import unit_space
from bidsapp.errors import InputInvalidError, InputMissingError


def test_volume_is_the_intersection_of_the_run_masks(make):
    masks = [make.mask(), make.mask()]
    masks[0][0], masks[1][-1] = False, False
    runs = [make.volume(f"r{i}", make.noise(*make.shape, 5), mask) for i, mask in enumerate(masks)]
    units = unit_space(runs)
    np.testing.assert_array_equal(units.geometry.mask, masks[0] & masks[1])
    assert units.n_units == (masks[0] & masks[1]).sum()
    (problem,) = units.problems
    assert str(units.n_units) in problem.what
    assert problem.path in (runs[0].mask, runs[1].mask)


def test_coordinates_and_hemispheres_of_a_volume_follow_the_affine(make):
    units = unit_space([make.plain("volume")])
    voxels = np.argwhere(units.geometry.mask)
    expected = voxels @ make.affine[:3, :3].T + make.affine[:3, 3]
    np.testing.assert_allclose(units.coordinates_mm(), expected)
    np.testing.assert_array_equal(units.structure == "L", expected[:, 0] < 0)
    assert set(units.structure) == {"L", "R"}


def test_a_native_volume_has_no_hemispheres_and_no_space_entity(make):
    units = unit_space([make.plain("volume", space="native")])
    assert set(units.structure) == {"volume"}
    assert units.entities == {}
    assert units.xform_code == 1


def test_without_mask_voxels_above_zero_are_taken_and_said(make):
    data = make.noise(*make.shape, 12)
    data[:3] = 0
    run = make.volume("r", data)
    units = unit_space([run])
    np.testing.assert_array_equal(units.geometry.mask, data.mean(axis=-1) > 0)
    assert [problem.path for problem in units.problems] == [run.bold[0]]


def test_another_grid_is_refused_with_both_files_and_numbers(make):
    runs = [
        make.volume("a", make.noise(8, 7, 5, 4)),
        make.volume("b", make.noise(8, 7, 6, 4)),
    ]
    with pytest.raises(InputInvalidError, match=r"b_bold.*8 x 7 x 6.*a_bold.*8 x 7 x 5"):
        unit_space(runs)


@pytest.mark.parametrize(("shift_mm", "fits"), [(0.005, True), (0.02, False)])
def test_affines_may_differ_by_rounding_only(make, shift_mm, fits):
    moved = make.affine.copy()
    moved[1, 3] += shift_mm
    runs = [
        make.volume("a", make.noise(*make.shape, 4)),
        make.volume("b", make.noise(*make.shape, 4), affine=moved),
    ]
    if fits:
        assert unit_space(runs).n_units
    else:
        with pytest.raises(InputInvalidError, match=r"b_bold.*0\.02 mm"):
            unit_space(runs)


def test_a_rotated_affine_is_found_at_the_far_corner(make):
    turned = make.affine.copy()
    turned[0, 1] = 0.01
    runs = [
        make.volume("a", make.noise(*make.shape, 4)),
        make.volume("b", make.noise(*make.shape, 4), affine=turned),
    ]
    with pytest.raises(InputInvalidError, match="affine"):
        unit_space(runs)


def test_a_mask_on_another_grid_is_refused(make):
    run = make.volume("a", make.noise(*make.shape, 4))
    other = make.volume("b", make.noise(4, 4, 4, 4), np.ones((4, 4, 4)))
    with pytest.raises(InputInvalidError, match=r"b_mask.*4 x 4 x 4"):
        unit_space([replace(run, mask=other.mask)])


def test_masks_without_common_voxels_are_refused(make):
    upper = np.zeros(make.shape, dtype=bool)
    upper[:4] = True
    runs = [
        make.volume("a", make.noise(*make.shape, 4), upper),
        make.volume("b", make.noise(*make.shape, 4), ~upper),
    ]
    with pytest.raises(InputInvalidError, match="no voxel in common"):
        unit_space(runs)


def test_empty_absent_and_dangling_files_are_named(make):
    run = make.plain("volume")
    empty = make.folder / "empty_bold.nii.gz"
    empty.touch()
    dangling = make.folder / "annexed_bold.nii.gz"
    dangling.symlink_to("nowhere")
    for path, what in (
        (empty, "0 bytes"),
        (dangling, "link"),
        (Path("/no/such"), "does not exist"),
    ):
        with pytest.raises(InputMissingError, match=f"{path.name}.*{what}"):
            unit_space([run, replace(run, bold=(path,))])


@pytest.mark.parametrize("kind", ["volume", "gifti", "cifti"])
def test_a_broken_file_is_named(make, kind):
    run = make.plain(kind)
    run.bold[0].write_bytes(b"not an image, certainly")
    with pytest.raises(InputInvalidError, match=run.bold[0].name):
        unit_space([run])


def test_a_3d_volume_is_refused(make):
    run = make.plain("volume")
    nib.save(nib.Nifti1Image(np.ones(make.shape), make.affine), run.bold[0])
    with pytest.raises(InputInvalidError, match="3 dimensions"):
        unit_space([run])


def test_runs_of_two_spaces_are_refused(make):
    with pytest.raises(InputInvalidError, match="share one space"):
        unit_space([make.plain("volume"), make.plain("cifti")])


def test_surface_pair(make):
    units = unit_space([make.plain("gifti", seed=seed) for seed in (0, 1)])
    assert units.structure.tolist() == ["L"] * 30 + ["R"] * 28
    assert np.isnan(units.coordinates_mm()).all()
    other = make.gifti("x", make.noise(40, 31), make.noise(40, 28), space="fsnative")
    with pytest.raises(InputInvalidError, match=r"x_hemi-L.*31 vertices.*30"):
        unit_space([make.plain("gifti"), other])


@pytest.mark.parametrize(
    ("space", "density"), [("fsaverage5", None), ("fsaverage5", "10k"), ("fsaverage", "10k")]
)
def test_fsaverage5_has_the_shipped_coordinates_and_one_spelling(space, density):
    from nilearn.datasets import load_fsaverage

    units = surface_units(10242, 10242, space=space, density=density)
    assert units.entities == {"space": "fsaverage", "den": "10k"}
    xyz = units.coordinates_mm()
    pial = load_fsaverage("fsaverage5")["pial"].parts["right"].coordinates
    distance = np.linalg.norm(xyz[10242:] - pial, axis=1)
    assert np.median(distance) < 2  # half the cortical thickness
    assert xyz[:10242, 0].mean() < -25 < 25 < xyz[10242:, 0].mean()


def test_given_meshes_set_the_coordinates(make):
    points = np.random.default_rng(0).standard_normal((58, 3)).astype(np.float32)
    paths = []
    for hemi, part in (("L", points[:30]), ("R", points[30:])):
        path = make.folder / f"hemi-{hemi}_midthickness.surf.gii"
        arrays = [
            nib.gifti.GiftiDataArray(part, intent="NIFTI_INTENT_POINTSET"),
            nib.gifti.GiftiDataArray(
                np.array([[0, 1, 2]], np.int32), intent="NIFTI_INTENT_TRIANGLE"
            ),
        ]
        nib.save(nib.gifti.GiftiImage(darrays=arrays), path)
        paths.append(path)
    run = make.plain("gifti")
    units = unit_space([run], meshes=tuple(paths))
    np.testing.assert_allclose(units.coordinates_mm(), points, rtol=1e-6)
    with pytest.raises(InputInvalidError, match=r"hemi-R.*28 vertices.*30"):
        unit_space([run], meshes=tuple(paths[::-1])).coordinates_mm()


def test_cifti_structures_and_partial_coordinates(make):
    units = unit_space([make.plain("cifti")])
    assert units.structure.tolist() == ["L"] * 20 + ["R"] * 18 + ["THALAMUS_LEFT"] * 6
    xyz = units.coordinates_mm()
    assert np.isnan(xyz[:38]).all()
    np.testing.assert_allclose(xyz[38:, 0], 12 - 3 * np.arange(6))


def test_cifti_cortex_takes_a_templateflow_mesh(make, monkeypatch):
    folder = make.folder / "tpl-fsLR"
    folder.mkdir()
    points = np.random.default_rng(0).standard_normal((24, 3)).astype(np.float32)
    image = nib.gifti.GiftiImage(
        darrays=[nib.gifti.GiftiDataArray(points, intent="NIFTI_INTENT_POINTSET")]
    )
    for hemi in "LR":
        nib.save(image, folder / f"tpl-fsLR_den-0k_hemi-{hemi}_midthickness.surf.gii")
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(make.folder))
    xyz = unit_space([make.plain("cifti")]).coordinates_mm()
    np.testing.assert_allclose(xyz[20:38], points[:18], rtol=1e-6)


def test_cifti_with_other_grayordinates_is_refused(make):
    first = make.plain("cifti")
    fewer = make.cifti("x", make.noise(40, 43), make.brain_models(19, 18, 6))
    moved = make.cifti("y", make.noise(40, 44), make.brain_models(19, 19, 6))
    with pytest.raises(InputInvalidError, match=r"x_bold.*43 grayordinates.*44"):
        unit_space([first, fewer])
    with pytest.raises(InputInvalidError, match=r"y_bold.*other brain models"):
        unit_space([first, moved])


@pytest.mark.parametrize("kind", ["volume", "gifti", "cifti"])
def test_identity_is_of_the_units_not_of_the_files(make, kind):
    first, second = (unit_space([make.plain(kind, seed=seed)]) for seed in (0, 1))
    assert first.identity() == second.identity()


def test_identity_tells_different_units_apart(make):
    mask = make.mask()
    fewer = mask.copy()
    fewer[tuple(np.argwhere(mask)[0])] = False
    moved = make.affine.copy()
    moved[0, 3] += 1
    spaces = [
        volume_units(mask, make.affine, space="MNI152NLin2009cAsym"),
        volume_units(fewer, make.affine, space="MNI152NLin2009cAsym"),
        volume_units(mask, moved, space="MNI152NLin2009cAsym"),
        volume_units(mask, make.affine, space="MNI152NLin6Asym"),
        surface_units(30, 28, space="fsnative"),
        surface_units(29, 29, space="fsnative"),
        unit_space([make.plain("cifti")]),
    ]
    assert len({space.identity() for space in spaces}) == len(spaces)


@pytest.mark.parametrize("space", ["fsaverage3", "fsaverage5", "fsaverage", "fsLR", "native"])
def test_the_space_is_spelled_as_in_file_names(space: str) -> None:
    units = surface_units(2, 2, space=space)
    assert units.entities == space_entities(space)
