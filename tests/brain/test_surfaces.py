from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.cifti2 import BrainModelAxis
from scipy.spatial import KDTree

from bidsapp import resources
from bidsapp.brain.correspondence import carry, fslr_to_fsaverage5
from bidsapp.brain.cortex import cortex_columns, cortex_mask, find_mesh
from bidsapp.brain.geometry import UnitSpace, cifti_units, surface_units, volume_units
from bidsapp.brain.maps import to_images
from bidsapp.brain.references import reference_map, reference_provenance
from bidsapp.brain.surfaces import network_labels, sphere
from bidsapp.errors import (
    InputInvalidError,
    InputMissingError,
    ResourceUnavailableError,
    UsageError,
)

N_FSLR = 32492


@pytest.fixture(scope="module")
def fsaverage5() -> UnitSpace:
    return surface_units(10242, 10242, space="fsaverage5")


@pytest.fixture(scope="module")
def fslr() -> UnitSpace:
    return surface_units(N_FSLR, N_FSLR, space="fsLR", density="32k")


def cifti(left: np.ndarray, right: np.ndarray, n_deep: int = 5) -> UnitSpace:
    """Vertices of both sides around some voxels of thalamus, so that cortex is not contiguous."""
    thalamus = BrainModelAxis(
        "CIFTI_STRUCTURE_THALAMUS_LEFT",
        voxel=np.argwhere(np.ones((n_deep, 1, 1))),
        affine=np.eye(4),
        volume_shape=(91, 109, 91),
    )
    sides = (
        BrainModelAxis.from_surface(vertices, N_FSLR, f"CIFTI_STRUCTURE_CORTEX_{name}")
        for vertices, name in ((left, "LEFT"), (right, "RIGHT"))
    )
    first, last = sides
    return cifti_units(first + thalamus + last, space="fsLR", density="91k")


@pytest.fixture(scope="module")
def grayordinates() -> UnitSpace:
    left, right = np.split(resources.cortex_mask("fsLR32k"), 2)
    return cifti(np.flatnonzero(left), np.flatnonzero(right))


def save(values: np.ndarray, units: UnitSpace, folder: Path, name: str = "map") -> Path:
    """Write maps and return the path of the (left) file."""
    maps = np.atleast_2d(values)
    paths = []
    for image in to_images(maps, units, [f"map {k}" for k in range(len(maps))]):
        hemi = "".join(f"hemi-{side}_" for side in image.entities.values())
        paths.append(folder / f"{hemi}{name}{image.extension}")
        nib.save(image.image, paths[-1])
    return paths[0]


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


# which mesh


@pytest.mark.parametrize(
    ("n_left", "n_right", "space", "mesh"),
    [
        (10242, 10242, "fsaverage5", "fsaverage5"),
        (10242, 10242, "fsaverage", "fsaverage5"),
        (10242, 10242, "", "fsaverage5"),
        (32492, 32492, "fsLR", "fsLR32k"),
        (32492, 32492, "", "fsLR32k"),
        (10242, 10242, "onavg", None),  # as many vertices, another mesh
        (10242, 10242, "fsLR", None),
        (32492, 32492, "fsaverage", None),
        (10242, 10241, "fsaverage5", None),
        (40962, 40962, "fsaverage6", None),
        (10242, 32492, "", None),
    ],
)
def test_a_mesh_is_known_by_space_and_size(n_left, n_right, space, mesh):
    assert find_mesh(surface_units(n_left, n_right, space=space)) == mesh


def test_other_meshes_and_volumes_are_refused_by_name():
    native = surface_units(10242, 10242, space="fsnative")
    volume = volume_units(np.ones((2, 2, 2), bool), np.eye(4), space="MNI152NLin6Asym")
    for act in (sphere, cortex_mask, cortex_columns, network_labels):
        with pytest.raises(InputInvalidError, match=r"fsnative \(10242 \+ 10242 vertices\)"):
            act(native)
        with pytest.raises(InputInvalidError, match=r"MNI152NLin6Asym \(voxels\)"):
            act(volume)


# spheres


def test_spheres_have_radius_1_and_the_vertices_of_the_mesh(fsaverage5, fslr, grayordinates):
    for units, size in ((fsaverage5, 10242), (fslr, N_FSLR), (grayordinates, N_FSLR)):
        for points in sphere(units):
            assert points.shape == (size, 3)
            np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-12)


def test_spheres_are_those_of_the_templates(fsaverage5, fslr):
    from nilearn.datasets import load_fsaverage

    parts = load_fsaverage("fsaverage5")["sphere"].parts
    for points, side in zip(sphere(fsaverage5), ("left", "right"), strict=True):
        np.testing.assert_allclose(100 * points, parts[side].coordinates, atol=0.02)
    left, right = sphere(fslr)
    np.testing.assert_array_equal(left * [-1, 1, 1], right)


# columns


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_scatter_and_gather_put_each_vertex_where_it_belongs(seed):
    rng = np.random.default_rng(seed)
    left = rng.choice(N_FSLR, rng.integers(1, 40), replace=False)  # in no order
    right = rng.choice(N_FSLR, rng.integers(1, 40), replace=False)
    units = cifti(left, right)
    columns = cortex_columns(units)
    values = rng.standard_normal((2, units.n_units))
    full = columns.scatter(values)
    expected = np.full((2, 2 * N_FSLR), np.nan)
    for k, vertex in enumerate(left):
        expected[:, vertex] = values[:, k]
    for k, vertex in enumerate(right):
        expected[:, N_FSLR + vertex] = values[:, left.size + 5 + k]
    np.testing.assert_array_equal(full, expected)
    back = columns.gather(full)
    is_cortex = np.isin(units.structure, ["L", "R"])
    np.testing.assert_array_equal(back[:, is_cortex], values[:, is_cortex])
    assert np.isnan(back[:, ~is_cortex]).all()


def test_columns_of_a_surface_pair_are_all_vertices(fsaverage5):
    columns = cortex_columns(fsaverage5)
    values = np.arange(20484)
    np.testing.assert_array_equal(columns.scatter(values), values)
    np.testing.assert_array_equal(columns.gather(values), values)
    assert columns.n_vertices == columns.n_units == 20484


def test_a_file_of_one_hemisphere_leaves_the_other_empty():
    axis = BrainModelAxis.from_surface(np.arange(9), N_FSLR, "CIFTI_STRUCTURE_CORTEX_RIGHT")
    columns = cortex_columns(cifti_units(axis, space="fsLR"))
    full = columns.scatter(np.ones(9))
    assert np.flatnonzero(np.isfinite(full)).tolist() == list(range(N_FSLR, N_FSLR + 9))


def test_scatter_and_gather_refuse_another_number_of_values(grayordinates):
    columns = cortex_columns(grayordinates)
    with pytest.raises(ValueError, match=f"7 values where {grayordinates.n_units}"):
        columns.scatter(np.ones(7))
    with pytest.raises(ValueError, match="7 values where 64984"):
        columns.gather(np.ones(7))


# masks and networks


def test_cortex_masks(fsaverage5, fslr, grayordinates):
    for units, mesh in ((fsaverage5, "fsaverage5"), (fslr, "fsLR32k")):
        np.testing.assert_array_equal(cortex_mask(units), resources.cortex_mask(mesh))
    is_cortex = np.isin(grayordinates.structure, ["L", "R"])
    np.testing.assert_array_equal(cortex_mask(grayordinates), is_cortex)
    left = resources.cortex_mask("fsLR32k")[:N_FSLR]
    rim = np.r_[np.flatnonzero(~left)[:3], np.flatnonzero(left)[:2]]  # a file with other walls
    mask = cortex_mask(cifti(rim, rim[:1]))
    assert mask[:5].tolist() == [False] * 3 + [True] * 2
    assert not mask[5:-1].any()


def test_networks_follow_their_parcels(fsaverage5, grayordinates):
    networks = {
        "Vis": "Visual",
        "SomMot": "Somatomotor",
        "DorsAttn": "Dorsal attention",
        "SalVentAttn": "Salience / ventral attention",
        "Limbic": "Limbic",
        "Cont": "Control",
        "Default": "Default",
    }
    parcels = {parcel.index: parcel for parcel in resources.schaefer400_parcels()}
    labels, names = network_labels(fsaverage5)
    assert len(names) == 14
    for vertex in np.random.default_rng(0).choice(20484, 300, replace=False):
        parcel = parcels.get(int(resources.schaefer400("fsaverage5")[vertex]))
        expected = parcel and f"{parcel.hemisphere} {networks[parcel.network]}"
        assert (names[labels[vertex] - 1] if labels[vertex] else None) == expected
    assert set(labels[:10242]) == set(range(8))
    assert set(labels[10242:]) == {0, *range(8, 15)}
    joint, seven = network_labels(fsaverage5, by_hemisphere=False)
    assert [f"L {name}" for name in seven] == list(names[:7])
    np.testing.assert_array_equal(joint, np.where(labels > 0, (labels - 1) % 7 + 1, 0))
    deep = grayordinates.structure == "THALAMUS_LEFT"
    assert (network_labels(grayordinates)[0][deep] == 0).all()


# references


@pytest.mark.parametrize("number", [1, 2])
def test_gradients_are_those_of_the_resources(number, fsaverage5, fslr, grayordinates):
    name = f"gradient{number}"
    for units, mesh in ((fsaverage5, "fsaverage5"), (fslr, "fsLR32k")):
        values = reference_map(name, units)
        np.testing.assert_array_equal(values, resources.functional_gradient(mesh, number))
        np.testing.assert_array_equal(np.isfinite(values), cortex_mask(units))
        assert reference_provenance(name, units)["SHA256"] == resources.resource_hash(
            f"{mesh}.npz"
        )
    columns = cortex_columns(grayordinates)
    np.testing.assert_array_equal(
        columns.scatter(reference_map(name, grayordinates)), reference_map(name, fslr)
    )


def test_a_given_pair_is_read_from_either_side(tmp_path, fsaverage5):
    values = noise(20484)
    left = save(values, fsaverage5, tmp_path)
    cortex = cortex_mask(fsaverage5)
    for path in (left, Path(str(left).replace("hemi-L", "hemi-R")), str(left)):
        here = reference_map(path, fsaverage5)
        np.testing.assert_array_equal(here[cortex], values[cortex])
        assert np.isnan(here[~cortex]).all()


def test_a_given_map_may_be_cifti_for_surfaces_and_the_reverse(tmp_path, fslr, grayordinates):
    full = noise(2 * N_FSLR)
    columns = cortex_columns(grayordinates)
    dense = save(columns.gather(full), grayordinates, tmp_path, "dense")
    pair = save(full, fslr, tmp_path, "pair")
    expected = np.where(cortex_mask(fslr), full, np.nan)
    np.testing.assert_array_equal(reference_map(dense, fslr), expected)
    np.testing.assert_array_equal(reference_map(pair, grayordinates), columns.gather(expected))


def test_a_given_map_keeps_its_missing_values(tmp_path, fsaverage5):
    values = noise(20484)
    values[::3] = np.nan
    here = reference_map(save(values, fsaverage5, tmp_path), fsaverage5)
    expected = np.isfinite(values) & cortex_mask(fsaverage5)
    np.testing.assert_array_equal(np.isfinite(here), expected)


def test_the_hash_covers_both_hemispheres(tmp_path, fsaverage5):
    values = noise(20484)
    path = save(values, fsaverage5, tmp_path)
    before = reference_provenance(path, fsaverage5)
    assert before["File"] == path.name
    values[-1] += 1  # on the right
    assert reference_provenance(save(values, fsaverage5, tmp_path), fsaverage5) != before


def test_meshes_that_differ_are_refused(tmp_path, fsaverage5, fslr):
    path = save(noise(2 * N_FSLR), fslr, tmp_path)
    with pytest.raises(InputInvalidError, match=r"hemi-L_map.*fsLR32k, the data on fsaverage5"):
        reference_map(path, fsaverage5)
    small = save(noise(60), surface_units(30, 30, space="x"), tmp_path, "small")
    with pytest.raises(InputInvalidError, match=r"small.*another mesh \(60 values\)"):
        reference_map(small, fsaverage5)


def test_useless_maps_are_refused(tmp_path, fsaverage5):
    wall = np.where(cortex_mask(fsaverage5), 0, noise(20484))  # varies only where it is no cortex
    for values in (wall, np.full(20484, np.nan), np.where(wall, np.inf, 1)):
        with pytest.raises(InputInvalidError, match="constant or missing"):
            reference_map(save(values, fsaverage5, tmp_path), fsaverage5)
    two = save(np.stack([noise(20484)] * 2), fsaverage5, tmp_path)
    with pytest.raises(InputInvalidError, match="2 maps"):
        reference_map(two, fsaverage5)


def test_what_is_no_map_is_refused(tmp_path, fsaverage5):
    with pytest.raises(UsageError, match="gradient3 is no reference map; give one of gradient1"):
        reference_map("gradient3", fsaverage5)
    path = tmp_path / "hemi-L_pial.surf.gii"
    path.touch()
    with pytest.raises(InputInvalidError, match="no map of the cortex"):
        reference_map(path, fsaverage5)
    lone = save(noise(20484), fsaverage5, tmp_path)
    Path(str(lone).replace("hemi-L", "hemi-R")).unlink()
    with pytest.raises(InputMissingError, match="hemi-R"):
        reference_map(lone, fsaverage5)


def test_margulies_maps_are_taken_if_neuromaps_has_them(
    tmp_path, monkeypatch, fslr, fsaverage5, grayordinates
):
    monkeypatch.setenv("NEUROMAPS_DATA", str(tmp_path))
    with pytest.raises(ResourceUnavailableError, match=r"fcgradient01.*gradient1"):
        reference_map("fcgradient01", fslr)
    folder = tmp_path / "annotations/margulies2016/fcgradient01/fsLR"
    folder.mkdir(parents=True)
    values = resources.functional_gradient("fsLR32k", 1).astype(np.float32) * 2
    for image in to_images(values, fslr, ["g"]):
        hemi = image.entities["hemi"]
        stem = f"source-margulies2016_desc-fcgradient01_space-fsLR_den-32k_hemi-{hemi}"
        nib.save(image.image, folder / f"{stem}_feature.func.gii")
    for units in (fslr, fsaverage5, grayordinates):
        twice = 2 * reference_map("gradient1", units)
        np.testing.assert_allclose(reference_map("fcgradient01", units), twice, rtol=1e-6)
    assert "Margulies" in reference_provenance("fcgradient01", fslr)["Source"]
    assert "anatomical" in reference_provenance("fcgradient01", fsaverage5)["Correspondence"]


# from fsLR to fsaverage5


def test_carrying_leaves_labels_and_gradients_intact(grayordinates, fsaverage5):
    labels = resources.schaefer400("fsLR32k").astype(float)
    carried, _ = carry(np.stack([labels, labels + 1000]))
    cortex = cortex_mask(fsaverage5)
    np.testing.assert_array_equal(carried[0, cortex], resources.schaefer400("fsaverage5")[cortex])
    np.testing.assert_array_equal(carried[1], carried[0] + 1000)
    assert np.isnan(carried[:, ~cortex]).all()
    reference = cortex_columns(grayordinates).scatter(reference_map("gradient1", grayordinates))
    gradient, _ = carry(reference)
    np.testing.assert_array_equal(gradient, reference_map("gradient1", fsaverage5))


def test_unregistered_spheres_would_be_a_catastrophe(fslr, fsaverage5):
    """What the module refuses to do, and why."""
    left, _ = sphere(fslr)
    ours, _ = sphere(fsaverage5)
    naive = KDTree(left).query(ours)[1]
    true = fslr_to_fsaverage5()[0][:10242]
    angle = np.arccos(np.clip((left[naive] * left[true]).sum(axis=1), -1, 1))
    assert np.median(angle) * 100 > 40  # mm


@pytest.mark.data
def test_registered_spheres_are_taken_from_a_templateflow_folder(
    tmp_path, monkeypatch, fslr, fsaverage5
):
    source = Path(os.environ.get("MUSICOTOPY_TEST_DATA", "")) / "surfaces"
    if not source.is_dir() or "MUSICOTOPY_TEST_DATA" not in os.environ:
        pytest.skip("MUSICOTOPY_TEST_DATA names no folder with the real test material")
    folder = tmp_path / "tpl-fsLR"
    folder.mkdir()
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    table, _ = fslr_to_fsaverage5()
    for hemi in "LR":
        link = folder / f"tpl-fsLR_space-fsaverage_hemi-{hemi}_den-32k_sphere.surf.gii"
        link.touch()  # as in TemplateFlow's skeleton: not there yet
        np.testing.assert_array_equal(fslr_to_fsaverage5()[0], table)
        link.unlink()
        link.symlink_to(source / f"fs_LR-deformed_to-fsaverage.{hemi}.sphere.32k_fs_LR.surf.gii")
    registered, provenance = fslr_to_fsaverage5()
    assert "registered spheres" in provenance["Correspondence"]
    assert not np.array_equal(registered, table)
    for side, points in enumerate(sphere(fslr)):
        here = slice(10242 * side, 10242 * (side + 1))
        ours, theirs = (points[which[here] - N_FSLR * side] for which in (table, registered))
        angle = np.arccos(np.clip((ours * theirs).sum(axis=1), -1, 1))
        assert np.median(angle) * 100 < 2.3  # mm
    carried, _ = carry(reference_map("gradient1", fslr))
    shipped = reference_map("gradient1", fsaverage5)
    both = np.isfinite(carried) & np.isfinite(shipped)
    assert both.sum() > 18_000
    assert np.corrcoef(carried[both], shipped[both])[0, 1] > 0.99
