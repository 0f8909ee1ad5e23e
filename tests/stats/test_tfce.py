"""Exact TFCE against its definition, nilearn and mne; null data and a planted blob."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bidsapp.stats.tfce import graph_from_pairs, tfce, tfce_test


def grid_pairs(shape):
    numbers = np.arange(np.prod(shape)).reshape(shape)
    pairs = []
    for axis in range(len(shape)):
        moved = np.moveaxis(numbers, axis, 0)
        pairs.append(np.stack([moved[:-1].ravel(), moved[1:].ravel()], axis=1))
    return np.concatenate(pairs)


def smooth(shape, seed, sigma=1.5):
    noise = np.random.default_rng(seed).standard_normal(shape)
    found = ndimage.gaussian_filter(noise, sigma)
    return found / found.std()


def by_definition(values, pairs, extent=0.5, height=2.0):
    """Integrate between neighbouring values of the map, where clusters do not change."""
    levels = np.unique(np.concatenate([[0.0], values[values > 0]]))
    found = np.zeros(len(values))
    for low, high in itertools.pairwise(levels):
        above = values >= high
        edges = pairs[above[pairs].all(axis=1)]
        graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(values),) * 2)
        _, labels = connected_components(graph, directed=False)
        sizes = np.bincount(labels, weights=above)
        area = (high ** (height + 1) - low ** (height + 1)) / (height + 1)
        found[above] += sizes[labels[above]] ** extent * area
    return found


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    sides=st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3)),
    decimals=st.sampled_from([0, 1, 8]),
    extent=st.sampled_from([0.5, 1.0]),
)
def test_equals_the_definition_also_with_ties(seed, sides, decimals, extent):
    values = np.round(smooth(sides, seed, 1.0).ravel() if np.prod(sides) > 1 else [1.5], decimals)
    pairs = grid_pairs(sides)
    found = tfce(values, graph_from_pairs(pairs, len(values)), extent=extent)
    assert np.allclose(found, by_definition(values, pairs, extent), rtol=1e-9, atol=1e-12)


def test_agrees_with_nilearn_up_to_its_steps():
    from nilearn.mass_univariate._utils import calculate_tfce

    values = smooth((12, 10, 8), 1)
    step = 0.01
    structure = ndimage.generate_binary_structure(3, 1)
    theirs = calculate_tfce(values[..., None], structure, dh=step)[..., 0] * step
    graph = graph_from_pairs(grid_pairs(values.shape), values.size)
    ours = tfce(values.ravel(), graph) - tfce(-values.ravel(), graph)
    assert np.allclose(ours, theirs.ravel(), atol=0.03 * np.abs(ours).max())
    assert np.corrcoef(ours, theirs.ravel())[0, 1] > 0.9999


def test_agrees_with_mne_on_a_mesh_up_to_its_steps():
    cluster_level = pytest.importorskip("mne.stats.cluster_level")
    pairs = grid_pairs((15, 12))
    values = smooth((15, 12), 2).ravel()
    both = np.concatenate([pairs, pairs[:, ::-1]])
    adjacency = coo_array((np.ones(len(both)), both.T), shape=(values.size,) * 2)
    step = 0.005
    _, theirs = cluster_level._find_clusters(
        values, {"start": 0, "step": step}, tail=1, adjacency=adjacency
    )
    ours = tfce(values, graph_from_pairs(pairs, values.size))
    positive = values > 0
    assert np.allclose(ours[positive], theirs[positive], atol=0.03 * ours.max())
    assert np.corrcoef(ours[positive], theirs[positive])[0, 1] > 0.9999


def test_missing_infinite_and_flat_maps():
    graph = graph_from_pairs(grid_pairs((6,)), 6)
    found = tfce(np.array([1.0, np.nan, 2.0, np.inf, -1.0, 0.0]), graph)
    assert np.isnan(found[1])
    assert found[0] == pytest.approx(1 / 3)
    assert found[2] == pytest.approx(found[3]) == pytest.approx(np.sqrt(2) * 8 / 3)
    assert found[4] == found[5] == 0
    assert np.array_equal(tfce(np.zeros(6), graph), np.zeros(6))


def group(n, shape, seed, blob=0.0):
    data = np.stack([smooth(shape, seed * 1000 + k).ravel() for k in range(n)])
    planted = np.zeros(shape)
    planted[4:9, 4:9] = blob
    return data + planted.ravel()


def test_finds_a_planted_blob_in_the_layer_that_has_it():
    shape = (14, 14)
    graph = graph_from_pairs(grid_pairs(shape), 196)
    layers = [lambda: group(12, shape, 1), lambda: group(12, shape, 2, blob=1.2)]
    test = tfce_test(layers, graph, n_permutations=400, seed=3, alternative="greater")
    inside = np.zeros(shape, bool)
    inside[5:8, 5:8] = True
    assert test.p.shape == (2, 196)
    assert not test.exact
    assert (test.p[1][inside.ravel()] < 0.05).all()
    assert test.p[0].min() > 0.05
    assert test.p.min() >= 1 / 401


def test_sides_mirror_and_missing_values_stay_missing():
    shape = (8, 8)
    graph = graph_from_pairs(grid_pairs(shape), 64)
    data = group(9, shape, 4, blob=0.5)
    data[:, 3] = np.nan
    data[0, 10:20] = np.nan
    options = {"n_permutations": 600, "seed": 1}
    greater = tfce_test([lambda: data], graph, alternative="greater", **options)
    less = tfce_test([lambda: -data], graph, alternative="less", **options)
    two = tfce_test([lambda: data], graph, **options)
    assert greater.exact
    assert np.isnan(greater.p[0, 3])
    assert np.array_equal(greater.p, less.p, equal_nan=True)
    assert np.allclose(greater.score, -less.score, equal_nan=True)
    up = two.score[0] > 0
    assert np.allclose(two.score[0, up], greater.score[0, up])


def test_null_groups_are_found_no_more_often_than_the_level():
    shape, found = (8, 8), 0
    graph = graph_from_pairs(grid_pairs(shape), 64)
    for seed in range(300):
        data = group(8, shape, 100 + seed)
        test = tfce_test([lambda d=data: d], graph, n_permutations=256, alternative="greater")
        found += test.p.min() < 0.05
    print(f"TFCE, 64 units, 300 null groups: {found / 300:.3f}")
    assert 0.015 <= found / 300 <= 0.085
