"""Which units touch: voxels by faces, vertices by edges, of each hemisphere alone."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from bidsapp.brain.geometry import surface_units, volume_units
from bidsapp.brain.neighbours import neighbour_pairs


def test_voxels_touch_by_their_faces():
    mask = np.random.default_rng(0).random((5, 6, 4)) < 0.6
    pairs = neighbour_pairs(volume_units(mask, np.eye(4), space="MNI152NLin2009cAsym"))
    voxels = np.argwhere(mask)
    expected = np.argwhere(np.triu(cdist(voxels, voxels, "cityblock") == 1))
    assert np.array_equal(np.unique(np.sort(pairs, axis=1), axis=0), expected)
    assert len(pairs) == len(expected)


def test_vertices_touch_by_edges_and_never_across():
    pairs = neighbour_pairs(surface_units(10242, 10242, space="fsaverage5", density="10k"))
    assert len(pairs) == 2 * (3 * 10242 - 6)  # a closed surface of triangles
    assert np.array_equal(pairs[:, 0] < 10242, pairs[:, 1] < 10242)
    degrees = np.bincount(pairs.ravel(), minlength=20484)
    assert degrees.min() >= 5
