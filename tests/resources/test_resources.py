"""The shipped tables: shapes, sense, agreement with their sources, and a rebuild."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from bidsapp import resources

ROOT = Path(__file__).parents[2]
MESHES = list(resources.N_VERTICES)
needs_sources = pytest.mark.skipif(
    find_spec("brainspace") is None,
    reason="BrainSpace, the source of the tables, is not installed",
)


@pytest.fixture(scope="module")
def builder():
    spec = spec_from_file_location("build_resources", ROOT / "tools" / "build_resources.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def networks(mesh):
    """Network name of each vertex, '' for none."""
    names = np.array(["", *(parcel.network for parcel in resources.schaefer400_parcels())])
    return names[resources.schaefer400(mesh)]


@pytest.mark.parametrize("mesh", MESHES)
def test_every_table_covers_both_hemispheres(mesh):
    n_units = 2 * resources.N_VERTICES[mesh]
    tables = [resources.cortex_mask(mesh), resources.schaefer400(mesh)]
    tables += [resources.functional_gradient(mesh, number) for number in (1, 2)]
    assert [table.shape for table in tables] == [(n_units,)] * 4


@pytest.mark.parametrize("mesh", MESHES)
def test_gradients_are_defined_in_cortex_and_missing_elsewhere(mesh):
    for number in (1, 2):
        gradient = resources.functional_gradient(mesh, number)
        assert np.array_equal(np.isfinite(gradient), resources.cortex_mask(mesh))


@pytest.mark.parametrize("mesh", MESHES)
def test_the_medial_wall_is_a_tenth_of_the_vertices(mesh):
    left, right = np.split(resources.cortex_mask(mesh), 2)
    assert 0.88 < left.mean() < 0.93
    assert left.mean() == pytest.approx(right.mean(), abs=0.01)


@pytest.mark.parametrize("mesh", MESHES)
def test_gradients_run_between_the_right_networks(mesh):
    """1: from somatomotor to default mode; 2: from somatomotor to visual cortex."""
    network = networks(mesh)
    for number, (lowest, highest) in {1: ("SomMot", "Default"), 2: ("SomMot", "Vis")}.items():
        gradient = resources.functional_gradient(mesh, number)
        means = {name: np.nanmean(gradient[network == name]) for name in set(network) - {""}}
        assert min(means, key=means.get) == lowest
        assert max(means, key=means.get) == highest


@pytest.mark.parametrize("mesh", MESHES)
def test_parcels_stay_in_their_hemisphere_and_fill_cortex(mesh):
    labels = resources.schaefer400(mesh)
    left, right = np.split(labels, 2)
    assert set(left) <= {0, *range(1, 201)}
    assert set(right) <= {0, *range(201, 401)}
    assert len(set(labels) - {0}) == 400
    assert np.mean(labels[resources.cortex_mask(mesh)] > 0) == 1.0


def test_the_table_names_400_parcels_of_seven_networks():
    parcels = resources.schaefer400_parcels()
    assert [parcel.index for parcel in parcels] == list(range(1, 401))
    assert [parcel.hemisphere for parcel in parcels] == ["L"] * 200 + ["R"] * 200
    expected = {"Vis", "SomMot", "DorsAttn", "SalVentAttn", "Limbic", "Cont", "Default"}
    assert {parcel.network for parcel in parcels} == expected
    assert parcels[0].name == "7Networks_LH_Vis_1"


def test_visual_parcels_are_at_the_back_and_somatomotor_at_the_top():
    """Names and labels come from different sources: the anatomy must fit."""
    points = np.vstack([points for points, _ in resources.fslr_midthickness()])
    network = networks("fsLR32k")
    centre = {name: points[network == name].mean(axis=0) for name in set(network) - {""}}
    assert min(centre, key=lambda name: centre[name][1]) == "Vis"
    assert max(centre, key=lambda name: centre[name][2]) == "SomMot"


def test_there_is_no_third_gradient():
    with pytest.raises(ValueError, match="gradients 1 and 2, not 3"):
        resources.functional_gradient("fsaverage5", 3)


def test_spheres_are_mirror_images_of_radius_100():
    left, right = resources.fslr_spheres()
    assert left.shape == (32492, 3)
    assert np.allclose(np.linalg.norm(left, axis=1), 100, atol=1e-4)
    assert np.array_equal(left * [-1, 1, 1], right)


def test_midthickness_is_two_closed_surfaces_facing_outwards():
    for side, (points, faces) in zip("LR", resources.fslr_midthickness(), strict=True):
        assert np.sign(points[:, 0].mean()) == (-1 if side == "L" else 1)
        assert len(points) - 3 * len(faces) / 2 + len(faces) == 2  # Euler
        a, b, c = points[faces.T]
        volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
        assert 3e5 < volume < 8e5  # mm³, positive: triangles turn outwards


def test_correspondence_stays_in_its_hemisphere_and_is_neighbourly():
    indices = resources.fslr_to_fsaverage5()
    left, right = np.split(indices, 2)
    assert left.max() < 32492 <= right.min()
    assert right.max() < 64984
    assert len(np.unique(indices)) > 0.95 * len(indices)


def test_fsaverage5_tables_are_fslr_tables_at_the_corresponding_vertices():
    indices = resources.fslr_to_fsaverage5()
    tables = [resources.cortex_mask, resources.schaefer400]
    tables += [lambda mesh, k=k: resources.functional_gradient(mesh, k) for k in (1, 2)]
    for table in tables:
        assert np.array_equal(table("fsaverage5"), table("fsLR32k")[indices], equal_nan=True)


def test_hash_is_of_the_file():
    assert len(resources.resource_hash("fsaverage5.npz")) == 64
    assert resources.resource_hash("fsaverage5.npz") != resources.resource_hash("fsLR32k.npz")


def test_all_files_together_are_small():
    folder = files("bidsapp.resources")
    sizes = [len(path.read_bytes()) for path in folder.iterdir() if path.is_file()]
    assert sum(sizes) < 1.5e6


def test_loading_imports_numpy_only():
    code = (
        "import sys; from bidsapp import resources; resources.functional_gradient('fsLR32k', 1);"
        "heavy = {'scipy', 'nibabel', 'pandas', 'torch', 'nilearn', 'numba'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@needs_sources
def test_a_rebuild_gives_the_shipped_tables(builder, tmp_path):
    builder.build(tmp_path / "first")
    builder.build(tmp_path / "second")
    shipped = files("bidsapp.resources")
    for path in sorted((tmp_path / "first").iterdir()):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name
        if path.suffix == ".tsv":
            assert path.read_bytes() == (shipped / path.name).read_bytes()
            continue
        with np.load(path) as built, np.load(shipped / path.name) as known:
            assert set(built) == set(known)
            for name in built:
                same = (built[name] == known[name]) | (
                    np.isnan(built[name]) & np.isnan(known[name])
                )
                # Another linear algebra library may settle a near tie differently.
                assert np.mean(same) > 0.999, (path.name, name)


@needs_sources
@pytest.mark.data
@pytest.mark.parametrize("side", ["left", "right"])
def test_correspondence_is_close_to_the_registered_spheres(builder, test_data, side):
    half = np.split(resources.fslr_to_fsaverage5(), 2)[side == "right"]
    figures = builder.accuracy(half - 32492 * (side == "right"), side, test_data / "surfaces")
    print(side, figures)
    assert figures["median_mm"] < 2.2
    assert figures["p90_mm"] < 4.5
    assert figures["gradient_r"] > 0.993
    assert figures["same_parcel"] > 0.88
    assert figures["wall_dice"] > 0.98


@needs_sources
@pytest.mark.data
def test_the_accuracy_measure_condemns_unregistered_spheres(builder, test_data):
    folder = builder.package_folder("nilearn") / "datasets" / "data" / "fsaverage5"
    sphere = builder.on_sphere(builder.read_surface(folder / "sphere_left.gii.gz")[0])
    naive = builder.nearest(resources.fslr_spheres()[0], sphere)
    figures = builder.accuracy(naive, "left", test_data / "surfaces")
    assert figures["median_mm"] > 30
    assert figures["gradient_r"] < 0.5
