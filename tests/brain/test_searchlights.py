from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.cifti2 import BrainModelAxis
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from bidsapp.brain.geometry import cifti_units, surface_units, volume_units
from bidsapp.brain.searchlights import searchlights
from bidsapp.errors import InputInvalidError
from bidsapp.resources import N_VERTICES, cortex_mask, fslr_midthickness

MNI = "MNI152NLin2009cAsym"


def volume(shape=(9, 10, 8), share=0.8, zooms=(2.4, 2.4, 2.4), seed=0):
    mask = np.random.default_rng(seed).random(shape) < share
    return volume_units(mask, np.diag([*zooms, 1.0]), space=MNI)


def nearest(units, centre, count, include=None):
    """Oracle: all distances, ties by unit number, which is C order."""
    xyz = units.coordinates_mm()
    mm2 = np.round(((xyz - xyz[centre]) ** 2).sum(axis=1), 3)
    if include is not None:
        mm2[~include] = np.inf
    return np.sort(np.lexsort((np.arange(units.n_units), mm2))[:count])


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 60),
    st.floats(0.3, 1.0),
    st.sampled_from([(2.4, 2.4, 2.4), (3.0, 3.0, 4.5), (2.0, 1.5, 3.1)]),
    st.integers(0, 99),
)
def test_spheres_hold_the_nearest_voxels(count, share, zooms, seed):
    units = volume(share=share, zooms=zooms, seed=seed)
    found = searchlights(units, count=count)
    xyz = units.coordinates_mm()
    np.testing.assert_array_equal(found.centres, np.arange(units.n_units))
    assert (found.sizes == count).all()
    for row in range(0, found.n_centres, 37):
        np.testing.assert_array_equal(found.of(row), nearest(units, row, count))
        farthest = np.linalg.norm(xyz[found.of(row)] - xyz[row], axis=1).max()
        assert found.radius_mm[row] == pytest.approx(farthest, abs=1e-3)


def test_spheres_never_leave_a_sparse_mask():
    units = volume((30, 30, 30), share=1.0)
    include = np.random.default_rng(1).random(units.n_units) < 0.004
    found = searchlights(units, count=50, include=include)
    np.testing.assert_array_equal(found.centres, np.flatnonzero(include))
    assert include[found.members].all()
    for row in range(0, found.n_centres, 11):
        np.testing.assert_array_equal(
            found.of(row), nearest(units, found.centres[row], 50, include)
        )


def test_a_small_mask_gives_all_it_has():
    units = volume((2, 2, 2), share=1.0)
    found = searchlights(units, count=100)
    assert (found.sizes == 8).all()


@pytest.mark.parametrize(("radius", "size"), [(1.0, 7), (1.5, 19), (2.0, 33), (3.0, 123)])
def test_a_radius_is_inclusive(radius, size):
    units = volume((11, 11, 11), share=1.0, zooms=(1.0, 1.0, 1.0))
    found = searchlights(units, radius_mm=radius)
    middle = np.flatnonzero((np.argwhere(units.geometry.mask) == 5).all(axis=1))[0]
    assert found.of(middle).size == size
    assert found.sizes.max() == size
    assert found.radius_mm.max() <= radius + 1e-6


def test_axes_may_be_flipped_and_turned():
    mask = np.ones((7, 8, 9), bool)
    turned = np.array([[0, -2.0, 0, 9], [2.5, 0, 0, -9], [0, 0.3, 3.0, 1], [0, 0, 0, 1]])
    units = volume_units(mask, turned, space=MNI)
    found = searchlights(units, count=40)
    for row in (0, 100, 251, 503):
        np.testing.assert_array_equal(found.of(row), nearest(units, row, 40))


def test_stride_thins_centres_and_leaves_members():
    units = volume()
    every, some = searchlights(units, count=30), searchlights(units, count=30, stride=2)
    even = (np.argwhere(units.geometry.mask) % 2 == 0).all(axis=1)
    np.testing.assert_array_equal(some.centres, np.flatnonzero(even))
    np.testing.assert_array_equal(some.of(5), every.of(int(some.centres[5])))


def test_what_cannot_be_is_refused():
    units = volume()
    for wrong in ({"count": 0}, {"count": None}, {"radius_mm": -1.0}, {"stride": 0}):
        with pytest.raises(InputInvalidError):
            searchlights(units, **wrong)
    with pytest.raises(InputInvalidError, match="mask"):
        searchlights(units, include=np.ones(3, bool))
    with pytest.raises(InputInvalidError, match="centre"):
        searchlights(units, include=np.zeros(units.n_units, bool))
    with pytest.raises(InputInvalidError, match="midthickness"):
        searchlights(surface_units(30, 28, space="fsnative"))


@pytest.fixture(scope="module")
def fsaverage():
    units = surface_units(10242, 10242, space="fsaverage5")
    include = cortex_mask("fsaverage5")
    searchlights(units, count=5, stride=1000)
    start = time.process_time()
    found = searchlights(units, count=100, include=include)
    assert time.process_time() - start < 20
    return units, include, found


def test_discs_of_fsaverage5(fsaverage):
    units, include, found = fsaverage
    np.testing.assert_array_equal(found.centres, np.flatnonzero(include))
    assert (found.sizes == 100).all()
    assert include[found.members].all()
    side = units.structure[found.members].reshape(-1, 100)
    assert (side == units.structure[found.centres][:, None]).all()
    assert (found.members.reshape(-1, 100) == found.centres[:, None]).any(axis=1).all()
    assert 13 < np.median(found.radius_mm) < 17


def test_discs_of_a_count_and_of_its_radius_agree(fsaverage):
    units, include, found = fsaverage
    row = 4000
    radius = searchlights(units, radius_mm=float(found.radius_mm[row]) + 1e-4, include=include)
    np.testing.assert_array_equal(radius.of(row), found.of(row))


def test_discs_follow_the_mesh_and_not_the_straight_line(fsaverage):
    """Across a sulcus, vertices are near in space and far along the cortex."""
    units, include, found = fsaverage
    left = np.flatnonzero(include & (units.structure == "L"))
    xyz = units.coordinates_mm()
    _, near = cKDTree(xyz[left]).query(xyz[left[::50]], k=100)
    shared = [
        np.isin(found.of(50 * row), left[members]).mean() for row, members in enumerate(near)
    ]
    assert np.mean(np.array(shared) < 0.8) > 0.2


def plane(n=25, step=1.0):
    """A square of equal triangles, its points and faces."""
    x, y = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    points = np.stack([step * (x + 0.5 * y), step * np.sqrt(0.75) * y, 0 * x], -1).reshape(-1, 3)
    corner = (x * n + y)[:-1, :-1].ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + n, corner + 1], 1),
            np.stack([corner + n, corner + n + 1, corner + 1], 1),
        ]
    )
    return points, faces


def test_distances_on_a_plane_are_nearly_straight():
    from bidsapp.brain.searchlights.discs import discs
    from bidsapp.brain.searchlights.size import Size

    points, faces = plane()
    unit_of = np.arange(len(points))
    middle = np.array([12 * 25 + 12])
    straight = np.linalg.norm(points - points[middle], axis=1)
    ratios = []
    for count in range(2, 200):
        disc = discs(points, faces, unit_of, middle, Size(count, None))
        ratios.append(disc.radius_mm[0] / straight[disc.of(0)].max())
    assert min(ratios) > 0.999
    assert max(ratios) < 1.04


def test_discs_equal_dijkstra_of_scipy_on_their_own_graph():
    from scipy.sparse import csr_matrix

    from bidsapp.brain.searchlights.discs import _mesh_lengths, discs
    from bidsapp.brain.searchlights.size import Size

    points, faces = fslr_midthickness()[0]
    allowed = cortex_mask("fsLR32k")[: len(points)]
    unit_of = np.where(allowed, np.arange(len(points)), -1)
    rows, neighbours, nm = _mesh_lengths(points, faces, allowed)
    graph = csr_matrix((nm, neighbours, rows), shape=(len(points), len(points)))
    centres = np.flatnonzero(allowed)[::5000]
    found = discs(points, faces, unit_of, centres, Size(100, None))
    for row, centre in enumerate(centres):
        distance = dijkstra(graph, indices=int(centre))
        expected = np.lexsort((np.arange(len(points)), distance))[:100]
        np.testing.assert_array_equal(found.of(row), np.sort(expected))


def test_a_disc_does_not_cross_what_is_left_out():
    from bidsapp.brain.searchlights.discs import discs
    from bidsapp.brain.searchlights.size import Size

    points, faces = plane(15)
    unit_of = np.arange(len(points))
    unit_of[7 * 15 : 8 * 15] = -1
    found = discs(points, faces, unit_of, np.array([6 * 15 + 7]), Size(225, None))
    np.testing.assert_array_equal(found.of(0), np.arange(7 * 15))


def grayordinates():
    n = N_VERTICES["fsLR32k"]
    mask = cortex_mask("fsLR32k")
    shape, affine = (20, 20, 20), np.diag([2.0, 2.0, 2.0, 1.0])
    block = np.argwhere(np.ones((5, 5, 5)))
    parts = [
        BrainModelAxis.from_surface(np.flatnonzero(mask[:n]), n, "CIFTI_STRUCTURE_CORTEX_LEFT"),
        BrainModelAxis.from_surface(np.flatnonzero(mask[n:]), n, "CIFTI_STRUCTURE_CORTEX_RIGHT"),
        *(
            BrainModelAxis(name, voxel=block[:, ::-1] + first, affine=affine, volume_shape=shape)
            for name, first in (
                ("CIFTI_STRUCTURE_THALAMUS_LEFT", (2, 2, 2)),
                ("CIFTI_STRUCTURE_AMYGDALA_LEFT", (7, 2, 2)),
            )
        ),
    ]
    return cifti_units(sum(parts[1:], parts[0]), space="fsLR", density="91k")


def test_grayordinates_stay_within_their_structure():
    units = grayordinates()
    found = searchlights(units, count=60)
    assert (found.sizes == 60).all()
    np.testing.assert_array_equal(found.centres, np.arange(units.n_units))
    of = np.repeat(found.centres, found.sizes)
    assert (units.structure[found.members] == units.structure[of]).all()


def test_the_same_cortex_gives_the_same_discs_in_gifti_and_cifti():
    cifti = grayordinates()
    mask = cortex_mask("fsLR32k")
    n = N_VERTICES["fsLR32k"]
    gifti = surface_units(n, n, space="fsLR")
    in_gifti = searchlights(gifti, count=40, include=mask)
    in_cifti = searchlights(cifti, count=40)
    number = np.flatnonzero(mask)
    for row in range(0, mask.sum(), 4321):
        np.testing.assert_array_equal(number[in_cifti.of(row)], in_gifti.of(row))
