"""Confidence sets of layers hold the best one, and leave out what is clearly worse."""

from __future__ import annotations

import numpy as np

from bidsapp.stats.layer_sets import layer_sets

N_LAYERS, N_PARCELS, N_COPIES = 6, 300, 99


def test_the_truly_best_layer_is_covered() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((N_LAYERS, 1))
    truth[2:4] = 0.5  # two layers are equally good
    copies = rng.normal(size=(N_COPIES + 1, N_LAYERS, N_PARCELS))
    sets = layer_sets(truth + copies[0], copies[1:])
    assert 0.91 <= sets[2].mean() <= 1.0
    assert 0.91 <= sets[3].mean() <= 1.0


def test_layers_that_are_all_alike_stay_together() -> None:
    rng = np.random.default_rng(1)
    copies = rng.normal(size=(N_COPIES + 1, N_LAYERS, N_PARCELS))
    assert np.all(layer_sets(copies[0], copies[1:]).mean(axis=1) > 0.91)


def test_a_layer_far_behind_is_left_out_and_the_best_never() -> None:
    rng = np.random.default_rng(2)
    truth = np.zeros((N_LAYERS, 1))
    truth[1] = 12.0
    copies = rng.normal(size=(N_COPIES + 1, N_LAYERS, N_PARCELS))
    sets = layer_sets(truth + copies[0], copies[1:])
    assert sets[1].all()
    assert not sets[[0, 2, 3, 4, 5]].any()


def test_missing_scores_have_no_set() -> None:
    rng = np.random.default_rng(3)
    copies = rng.normal(size=(20, 3, 4))
    copies[:, :, 2] = np.nan
    sets = layer_sets(copies[0], copies[1:])
    assert not sets[:, 2].any()
    assert sets[:, [0, 1, 3]].any(axis=0).all()


def test_a_layer_that_does_not_compete_is_in_no_set() -> None:
    rng = np.random.default_rng(3)
    copies = rng.normal(0, 0.1, (200, 3, 50))
    scores = np.array([5.0, 1.0, 0.0])[:, None] + np.zeros((3, 50))
    competes = np.array([False, True, True])
    sets = layer_sets(scores, copies, competes=competes)
    assert not sets[0].any()
    assert sets[1].all()
    np.testing.assert_array_equal(sets[1:], layer_sets(scores[1:], copies[:, 1:]))
