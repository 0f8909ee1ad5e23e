"""Attribution: completeness, planted places, randomisation, the hidden layer's plane."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_samples

from bidsapp.errors import InputInvalidError
from bidsapp.models.cnn3d.embedding import hidden_embedding, silhouette, silhouette_null
from bidsapp.models.cnn3d.explain import (
    class_maps,
    grad_cam,
    hidden_vectors,
    integrated_gradients,
    map_similarity,
    model_randomisation,
)
from bidsapp.models.cnn3d.training import TrainingSettings, fit, predict_log_proba
from bidsapp.models.cnn3d.volumes import Volumes, scatter
from bidsapp.stats.label_nulls import chance
from bidsapp.stats.samples import Samples

SHAPE = (16, 16, 16)


@pytest.fixture(scope="module")
def corners():
    """Two classes, each with more signal in a corner of its own."""
    rng = np.random.default_rng(0)
    x, y, z = np.indices(SHAPE).reshape(3, -1)
    corner = np.stack([(x < 6) & (y < 6) & (z < 6), (x > 9) & (y > 9) & (z > 9)])
    labels = rng.integers(0, 2, 80)
    data = rng.standard_normal((80, x.size)) + 1.5 * corner[labels]
    volumes = Volumes(data.astype(np.float32), np.arange(x.size), SHAPE)
    settings = TrainingSettings(epochs=8, patience=None)
    fitted = fit(volumes, labels, np.arange(60), None, settings, n_classes=2, seed=0)
    return fitted, volumes, labels, corner


def test_completeness(corners):
    fitted, volumes, labels, _ = corners
    network = fitted.network()
    rows = np.arange(60, 66)
    start = np.array([3, 17])
    found = integrated_gradients(
        network, volumes, rows, labels[rows], baselines=start, n_steps=128
    )
    with torch.no_grad():
        logits = network(scatter(volumes.values(rows), volumes.index(), SHAPE))
        base = network(scatter(volumes.values(start), volumes.index(), SHAPE))
    change = (logits - base.mean(dim=0)).numpy()[np.arange(6), labels[rows]]
    assert np.allclose(found.sum(axis=1), change, rtol=0.05, atol=0.05)


def test_maps_find_the_place(corners):
    fitted, volumes, labels, corner = corners
    rows = np.arange(60, 80)
    log_proba = np.full((80, 2), np.nan)
    log_proba[rows] = predict_log_proba(fitted, volumes, rows)
    assert (log_proba[rows].argmax(axis=1) == labels[rows]).mean() > 0.9
    found = class_maps([[fitted]], volumes, [rows], labels, log_proba, max_per_class=5)
    assert found.n.tolist() == [5, 5]
    for k in range(2):
        inside, outside = (
            found.maps[k][corner[k]].mean(),
            found.maps[k][~corner.any(axis=0)].mean(),
        )
        assert inside > 5 * abs(outside)
    coarse = class_maps([[fitted]], volumes, [rows], labels, log_proba, method="gradcam")
    assert (coarse.maps >= 0).all()
    nobody = class_maps([[fitted]], volumes, [rows], np.full(80, -1), log_proba)
    assert nobody.n.sum() == 0
    assert np.isnan(nobody.maps).all()


def test_grad_cam_shape(corners):
    fitted, volumes, labels, _ = corners
    rows = np.arange(11)
    assert grad_cam(fitted.network(), volumes, rows, labels[rows]).shape == (11, 16**3)


@pytest.mark.parametrize("method", ["ig", "gradcam"])
def test_random_weights_change_the_maps(corners, method):
    fitted, volumes, labels, _ = corners
    if method == "gradcam":
        settings = TrainingSettings(network="faithful", epochs=3, patience=None)
        fitted = fit(volumes, labels, np.arange(60), None, settings, n_classes=2, seed=0)
    rows = np.arange(60, 64)
    found = model_randomisation(
        fitted, volumes, rows, labels[rows], baselines=np.array([3, 17]), method=method, seed=1
    )
    assert found[0].layer == "output"
    assert found[-1].layer == "body.0"
    assert found[-1].similarity < 0.6


def test_random_labels_change_the_maps(corners):
    fitted, volumes, labels, _ = corners
    shuffled = np.random.default_rng(1).permutation(labels)
    settings = TrainingSettings(epochs=8, patience=None)
    other = fit(volumes, shuffled, np.arange(60), None, settings, n_classes=2, seed=1)
    rows = np.arange(60, 64)
    a, b = (
        integrated_gradients(
            one.network(), volumes, rows, labels[rows], baselines=np.array([3, 17])
        )
        for one in (fitted, other)
    )
    assert map_similarity(a, a) == pytest.approx(1)
    assert map_similarity(a, b) < 0.6
    assert np.isnan(map_similarity(np.ones((1, 5)), np.arange(5.0)))


def test_hidden_layer_separates_what_was_learned(corners):
    fitted, volumes, labels, _ = corners
    rows = np.arange(60, 80)
    flat = hidden_embedding(hidden_vectors(fitted, volumes, rows))
    assert flat.points.shape == (20, 2)
    assert 0 < flat.explained.sum() <= 1
    samples = Samples(np.zeros(20, int), np.arange(20) * 2.0)
    null = silhouette_null(flat.points, labels[rows], samples, 99, min_shift=2, seed=0)
    found = chance(silhouette(flat.points, labels[rows]), null)
    assert found.observed > 0.2
    assert found.observed > found.high


def test_separability_without_signal():
    rng = np.random.default_rng(2)
    samples = Samples(np.repeat([0, 1], 60), np.tile(np.arange(60) * 2.0, 2))
    p = []
    for seed in range(40):
        points = rng.standard_normal((2, 60, 2)).cumsum(axis=1).reshape(-1, 2)
        labels = np.tile(np.repeat(rng.permutation(np.arange(12) % 3), 5), 2)
        null = silhouette_null(points, labels, samples, 39, min_shift=1, seed=seed)
        p.append(chance(silhouette(points, labels), null).p)
    assert np.mean(np.array(p) <= 0.1) <= 0.2


def test_silhouette_against_scikit_learn():
    rng = np.random.default_rng(3)
    points, labels = rng.standard_normal((40, 2)), rng.integers(-1, 3, 40)
    used = labels >= 0
    each = silhouette_samples(points[used], labels[used])
    expected = np.mean([each[labels[used] == k].mean() for k in range(3)])
    assert silhouette(points, labels) == pytest.approx(expected)
    assert np.isnan(silhouette(points, np.zeros(40, int)))


def test_too_few_volumes():
    with pytest.raises(InputInvalidError, match="at least 3"):
        hidden_embedding(np.zeros((2, 5)))
