"""Linear decoders: planted patterns, strict folds, components against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifier

from bidsapp.errors import InputInvalidError
from bidsapp.models import fold_pca
from bidsapp.models.fold_pca import principal_axes
from bidsapp.models.linear_decoder import (
    DECODERS,
    decode,
    haufe_patterns,
    prepare,
    ridge,
    run_probe,
    time_probe,
)
from bidsapp.stats.classification import score_predictions
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import leave_run_out

N_RUNS, N, N_CLASSES = 4, 60, 3


def planted(seed=0, amplitude=0.6, n_features=300):
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(N_RUNS), N)
    blocks = [np.repeat(rng.permutation(np.arange(12) % N_CLASSES), 5) for _ in range(N_RUNS)]
    labels = np.concatenate(blocks)
    patterns = rng.standard_normal((N_CLASSES, n_features))
    x = rng.standard_normal((run.size, n_features)) + amplitude * patterns[labels]
    return Samples(run, np.tile(np.arange(N) * 2.0, N_RUNS)), x, labels, patterns


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("n_components", [40, None])
def test_planted_pattern(decoder, n_components):
    samples, x, labels, patterns = planted()
    prepared = prepare(x, leave_run_out(samples), n_components=n_components)
    found = decode(prepared, labels, decoder, n_classes=N_CLASSES)
    assert score_predictions(labels, found.log_proba).balanced_accuracy > 0.9
    maps = haufe_patterns(prepared, found)
    for k in range(N_CLASSES):
        assert np.corrcoef(maps[k], patterns[k] - patterns.mean(0))[0, 1] > 0.8


@pytest.mark.parametrize("decoder", DECODERS)
def test_test_labels_and_test_data_are_never_fitted(decoder):
    samples, x, labels, _ = planted(1)
    split = leave_run_out(samples)
    fold = split.folds[2]
    one = decode(prepare(x, split, n_components=20), labels, decoder, n_classes=N_CLASSES)
    other_labels = labels.copy()
    other_labels[fold.test] = (other_labels[fold.test] + 1) % N_CLASSES
    two = decode(prepare(x, split, n_components=20), other_labels, decoder, n_classes=N_CLASSES)
    assert np.array_equal(one.log_proba[fold.test], two.log_proba[fold.test])
    changed = x.copy()
    changed[fold.test[1:]] *= 50
    three = decode(prepare(changed, split, n_components=20), labels, decoder, n_classes=N_CLASSES)
    assert np.allclose(one.log_proba[fold.test[0]], three.log_proba[fold.test[0]], atol=1e-9)


@pytest.mark.parametrize("n_features", [20, 300])
def test_ridge_is_that_of_scikit_learn(n_features):
    _, x, labels, _ = planted(5, n_features=n_features)
    labels[:90] = 0
    found = ridge(x, labels, N_CLASSES, (0.01, 3.0))
    for model, strength in zip(found, (0.01, 3.0), strict=True):
        peer = RidgeClassifier(alpha=strength * len(labels), class_weight="balanced")
        peer.fit(x, labels)
        assert np.allclose(model.weights, peer.coef_.T, atol=1e-8)
        assert np.allclose(model.intercept, peer.intercept_, atol=1e-8)


@pytest.mark.parametrize("decoder", ["logistic", "ridge"])
def test_probabilities_are_those_of_hits(decoder):
    """Weak patterns: the mean probability of what was predicted is the share that was right."""
    samples, x, labels, _ = planted(6, amplitude=0.12)
    prepared = prepare(x, leave_run_out(samples), n_components=100)
    log_proba = decode(prepared, labels, decoder, n_classes=N_CLASSES).log_proba
    right = log_proba.argmax(axis=1) == labels
    assert 0.4 < right.mean() < 0.95
    assert np.exp(log_proba.max(axis=1)).mean() == pytest.approx(right.mean(), abs=0.12)


def test_inner_folds_are_all_other_runs():
    samples, x, _, _ = planted()
    split = leave_run_out(samples)
    for held_out, (fold, ready) in enumerate(
        zip(split.folds, prepare(x, split, n_components=10), strict=True)
    ):
        runs = [int(samples.run[part.val[0]]) for part in fold.inners]
        assert runs == [(held_out + 1 + k) % N_RUNS for k in range(N_RUNS - 1)]
        assert fold.inner is fold.inners[0]
        for part, (learnt, validated) in zip(fold.inners, ready.inners, strict=True):
            assert np.array_equal(fold.train[learnt], part.train)
            assert np.array_equal(fold.train[validated], part.val)


def test_missing_labels_and_missing_classes():
    samples, x, labels, _ = planted(2)
    labels[::7] = -1
    labels[(labels == 2) & (samples.run != 0)] = -1
    found = decode(prepare(x, leave_run_out(samples)), labels, "logistic", n_classes=N_CLASSES)
    assert np.isfinite(found.log_proba).all()
    assert np.allclose(np.exp(found.log_proba).sum(axis=1), 1)
    alone = np.where(labels == 1, 1, -1)
    only = decode(prepare(x, leave_run_out(samples)), alone, "ridge", n_classes=N_CLASSES)
    assert (only.log_proba.argmax(axis=1) == 1).all()
    assert only.models == (None,) * N_RUNS
    assert np.isnan(haufe_patterns(prepare(x, leave_run_out(samples)), only)).all()


def test_probes_find_what_they_know():
    samples, _, _, _ = planted()
    by_time = (samples.time_s // 40).astype(int)
    split = leave_run_out(samples)
    found = decode(prepare(time_probe(samples), split, n_components=None), by_time, n_classes=3)
    assert score_predictions(by_time, found.log_proba).balanced_accuracy > 0.9
    by_run = samples.run % 2
    probe = prepare(run_probe(samples), split, n_components=None)
    found = decode(probe, by_run, n_classes=2)
    assert score_predictions(by_run, found.log_proba).balanced_accuracy <= 0.5


@pytest.mark.parametrize("shape", [(50, 200), (200, 50)])
def test_exact_components(shape):
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape) * np.logspace(0, -2, shape[1]) + 5
    rows = np.arange(0, shape[0], 2)
    mine, fitted = principal_axes(x.astype(np.float32), rows, 8)
    np.testing.assert_allclose(fitted, mine.scores(x, rows), atol=1e-3)
    peer = PCA(8, svd_solver="full").fit(x[rows])
    assert np.allclose(np.abs(np.sum(mine.axes.T * peer.components_, axis=1)), 1, atol=1e-4)
    scores = mine.scores(x, np.arange(shape[0]))
    assert np.allclose(np.abs(scores), np.abs(peer.transform(x)), atol=1e-3)


def test_random_components(monkeypatch):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((300, 8)) * np.logspace(1, 0, 8) @ rng.standard_normal((8, 120))
    x += 0.01 * rng.standard_normal(x.shape)
    rows = np.arange(250)
    exact, _ = principal_axes(x, rows, 6)
    monkeypatch.setattr(fold_pca, "EXACT_ROWS", 100)
    monkeypatch.setattr(fold_pca, "_ROWS_AT_ONCE", 64)
    chunked, fitted = principal_axes(x, rows, 6)
    np.testing.assert_allclose(fitted, chunked.scores(x, rows), atol=1e-3)
    assert np.allclose(np.abs(np.sum(exact.axes * chunked.axes, axis=0)), 1, atol=1e-5)


def test_unknown_decoder():
    with pytest.raises(InputInvalidError, match="logistic"):
        decode((), np.zeros(3, int), "forest", n_classes=2)
