"""The table must give the nearest vertex exactly: on real meshes, odd meshes, any grid."""

from __future__ import annotations

from importlib.resources import files

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.stats.spins.mesh import spin_indices, spin_mesh
from bidsapp.stats.spins.rotations import haar_rotations, mirrored
from bidsapp.stats.spins.sphere_lookup import build_lookup


def sphere(side):
    path = files("nilearn") / "datasets" / "data" / "fsaverage5" / f"sphere_{side}.gii.gz"
    return nib.load(path).darrays[0].data.astype(float)


LEFT, RIGHT = sphere("left"), sphere("right")
SMALL = build_lookup(LEFT[:642], grid=64)


def brute_force(vertices, rotations):
    rotated = np.einsum("rab,vb->rva", rotations, vertices)
    distance = ((rotated[:, :, None] - vertices) ** 2).sum(-1)
    return distance.argmin(-1)


@pytest.fixture(scope="module")
def mesh():
    return spin_mesh(LEFT, RIGHT)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32))
def test_small_sphere_equals_brute_force(seed):
    rotations = haar_rotations(seed, 0, 2)
    assert np.array_equal(SMALL.nearest(rotations), brute_force(LEFT[:642], rotations))


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    n_vertices=st.integers(4, 120),
    grid=st.sampled_from([2, 4, 16, 34]),
    unevenness=st.sampled_from([0.0, 0.004]),
)
def test_any_point_set_on_any_grid_equals_brute_force(seed, n_vertices, grid, unevenness):
    """Coarse meshes, clustered points, radii that vary: pruning must never lose a vertex."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n_vertices, 3)) * [1, 0.3, 1]
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points *= 100 * (1 + rng.uniform(-unevenness, unevenness, (n_vertices, 1)))
    rotations = haar_rotations(seed, 0, 8)
    assert np.array_equal(
        build_lookup(points, grid=grid).nearest(rotations), brute_force(points, rotations)
    )


@pytest.mark.parametrize("grid", [64, 128, 512])
def test_the_grid_changes_no_index(grid):
    rotations = haar_rotations(4, 0, 10)
    expected = build_lookup(LEFT).nearest(rotations)
    assert np.array_equal(build_lookup(LEFT, grid=grid).nearest(rotations), expected)


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_threads_change_no_index(mesh, n_threads):
    rotations = haar_rotations(5, 0, 16)
    expected = spin_indices(mesh, rotations)
    assert np.array_equal(spin_indices(mesh, rotations, n_threads=n_threads), expected)


def test_numba_torch_and_tree_agree(mesh):
    rotations = haar_rotations(6, 0, 6)
    expected = spin_indices(mesh, rotations)
    for backend in ("torch", "kdtree"):
        assert np.array_equal(spin_indices(mesh, rotations, backend=backend), expected)


def test_cuda_gives_identical_indices(mesh):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    rotations = haar_rotations(6, 0, 50)
    found = spin_indices(mesh, rotations, backend="torch", device="cuda")
    assert np.array_equal(found, spin_indices(mesh, rotations))


def test_identity_leaves_every_vertex_in_place(mesh):
    found = spin_indices(mesh, np.eye(3)[None])
    assert np.array_equal(found[0], np.arange(mesh.n_units))


def test_left_and_right_stay_apart_and_mirror_each_other():
    """On mirror-image meshes the mirrored rotation picks mirror-image vertices."""
    mesh = spin_mesh(LEFT[:642], LEFT[:642] * [-1, 1, 1], grid=32)
    found = spin_indices(mesh, haar_rotations(8, 0, 12))
    assert np.array_equal(found[:, :642] + 642, found[:, 642:])


def test_one_hemisphere_equals_its_half_of_both(mesh):
    rotations = haar_rotations(9, 0, 5)
    both = spin_indices(mesh, rotations)
    only_left = spin_indices(spin_mesh(LEFT, None), rotations)
    only_right = spin_indices(spin_mesh(None, RIGHT), rotations)
    assert np.array_equal(both, np.hstack([only_left, only_right + len(LEFT)]))


def qr_rotations(seed, n_rotations):
    """The matrices that neuromaps and BrainSpace draw from a seed, restated."""
    random = np.random.RandomState(seed)
    drawn = []
    for _ in range(n_rotations):
        rotation, upper = np.linalg.qr(random.normal(size=(3, 3)))
        rotation = rotation @ np.diag(np.sign(np.diag(upper)))
        if np.linalg.det(rotation) < 0:
            rotation[:, 0] *= -1
        drawn.append(rotation)
    return np.array(drawn)


@pytest.mark.filterwarnings("ignore")
def test_no_mismatch_with_neuromaps_on_sixty_rotations(mesh):
    spins = pytest.importorskip("neuromaps.nulls.spins")
    hemisphere = np.repeat([0, 1], len(LEFT))
    theirs = spins.gen_spinsamples(
        np.vstack([LEFT, RIGHT]), hemisphere, n_rotate=60, seed=11, check_duplicates=False
    )
    ours = spin_indices(mesh, qr_rotations(11, 60))
    assert np.count_nonzero(theirs != ours.T) == 0


@pytest.mark.filterwarnings("ignore")
def test_no_mismatch_with_brainspace_in_its_convention(mesh):
    spin = pytest.importorskip("brainspace.null_models.spin")
    theirs = spin._generate_spins(LEFT, RIGHT, n_rep=50, random_state=12)
    rotations = qr_rotations(12, 50)
    ours = spin_indices(mesh, rotations, convention="brainspace")
    expected = np.hstack([theirs["lh"], theirs["rh"] + len(LEFT)])
    assert np.count_nonzero(ours != expected) == 0
    inverse = spin_indices(mesh, np.swapaxes(rotations, 1, 2))
    assert np.array_equal(ours, inverse), "the conventions are inverse rotations of each other"
    assert np.mean(ours == spin_indices(mesh, rotations)) < 0.05


def test_mirrored_rotation_of_the_right_hemisphere(mesh):
    rotations = haar_rotations(10, 0, 3)
    expected = build_lookup(RIGHT).nearest(mirrored(rotations)) + len(LEFT)
    assert np.array_equal(spin_indices(mesh, rotations)[:, len(LEFT) :], expected)


@pytest.mark.parametrize(
    ("points", "message"),
    [(LEFT[:50] + 30, "not a sphere"), (LEFT[:50] * np.nan, "not a sphere")],
)
def test_what_is_no_sphere_is_refused(points, message):
    with pytest.raises(ValueError, match=message):
        build_lookup(points)


def test_odd_grids_and_empty_meshes_are_refused():
    with pytest.raises(ValueError, match="even"):
        build_lookup(LEFT[:42], grid=33)
    with pytest.raises(ValueError, match="at least one hemisphere"):
        spin_mesh(None, None)


def test_the_table_is_exact_on_fslr_too():
    from bidsapp.resources import fslr_spheres

    mesh = spin_mesh(*fslr_spheres())
    rotations = haar_rotations(13, 0, 3)
    expected = spin_indices(mesh, rotations, backend="kdtree")
    assert np.array_equal(spin_indices(mesh, rotations), expected)
