"""The working grid: exact averages, kept centres, never finer than the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.brain.geometry import VolumeGrid, volume_units
from bidsapp.brain.working_grid import network_shape, working_grid
from bidsapp.errors import InputInvalidError

MNI = "MNI152NLin2009cAsym"


def brain(shape, voxel_mm=2.0, mask=None):
    affine = np.diag([-voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = 10, -20, 5
    return volume_units(np.ones(shape, bool) if mask is None else mask, affine, space=MNI)


def test_whole_ratios_are_block_means():
    rng = np.random.default_rng(0)
    source = brain((8, 6, 4))
    grid = working_grid(source, 4.0)
    values = rng.standard_normal((3, 8, 6, 4))
    found = grid.apply(values.reshape(3, -1)).reshape(3, 4, 3, 2)
    expected = values.reshape(3, 4, 2, 3, 2, 2, 2).mean(axis=(2, 4, 6))
    assert np.allclose(found, expected, atol=1e-6)
    assert grid.units.resolution == "4mm"
    assert np.allclose(
        grid.units.coordinates_mm().mean(axis=0), source.coordinates_mm().mean(axis=0)
    )


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(*[st.integers(5, 12)] * 3), st.floats(1.0, 3.5), st.floats(2.0, 6.0), st.integers(0)
)
def test_constants_and_gradients_survive_any_ratio(shape, source_mm, voxel_mm, seed):
    mask = np.random.default_rng(seed % 1000).uniform(size=shape) > 0.1
    source = brain(shape, source_mm, mask)
    try:
        grid = working_grid(source, voxel_mm)
    except InputInvalidError:
        return
    assert np.allclose(grid.apply(np.ones((2, source.n_units))), 1, atol=1e-5)
    sizes = grid.units.geometry.voxel_sizes_mm
    assert np.allclose(sizes, max(source_mm, voxel_mm), rtol=0.011)
    whole = working_grid(brain(shape, source_mm), voxel_mm)
    xyz = brain(shape, source_mm).coordinates_mm().T
    seen = whole.apply(xyz)
    mine = whole.units.coordinates_mm().T
    inner = np.all(
        (mine > xyz.min(axis=1, keepdims=True) + voxel_mm)
        & (mine < xyz.max(axis=1, keepdims=True) - voxel_mm),
        axis=0,
    )
    assert np.allclose(seen[:, inner], mine[:, inner], atol=source_mm / 4)


def test_never_finer_than_the_data():
    source = brain((9, 9, 9), 8.0)
    for voxel_mm in (0.0, 4.0, 8.0):
        assert working_grid(source, voxel_mm).units is source


def test_a_mask_that_fills_no_voxel_is_refused():
    mask = np.zeros((8, 8, 8), bool)
    mask[0, 0, 0] = True
    with pytest.raises(InputInvalidError, match="voxel_mm"):
        working_grid(brain((8, 8, 8), 2.0, mask), 8.0)


def test_networks_get_at_least_eight_voxels_a_side():
    units = brain((3, 9, 2))
    shape, index = network_shape(units)
    assert shape == (8, 9, 8)
    geometry = units.geometry
    assert isinstance(geometry, VolumeGrid)
    grid = np.zeros(shape, bool)
    grid.flat[index] = True
    assert np.array_equal(grid[:3, :9, :2], geometry.mask)
    assert grid.sum() == units.n_units
