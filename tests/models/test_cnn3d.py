"""Volume networks: storage, augmentation, training, determinism, planted signals."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, shift
from scipy.signal import lfilter

from bidsapp.errors import InputInvalidError
from bidsapp.models.cnn3d.augment import perturb, translate
from bidsapp.models.cnn3d.decoding import cross_validate
from bidsapp.models.cnn3d.networks import NETWORKS3D, build
from bidsapp.models.cnn3d.training import (
    TrainingSettings,
    ensemble,
    fit,
    predict_log_proba,
)
from bidsapp.models.cnn3d.volumes import Volumes, frame_stacks, gather, scatter
from bidsapp.models.rows import Rows
from bidsapp.stats.classification import score_predictions
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import leave_participant_and_run_out, leave_run_out


def ball(shape):
    centre = (np.array(shape) - 1) / 2
    grid = np.moveaxis(np.indices(shape), 0, -1)
    return np.flatnonzero((((grid - centre) / (np.array(shape) / 2)) ** 2).sum(-1).ravel() < 1)


def planted(shape, *, amplitude, n_runs, n, people=1, move=0.0, n_classes=5, seed=0):
    """Smooth class patterns in AR noise; labels in blocks of five, the same for all people."""
    rng = np.random.default_rng(seed)
    mask = ball(shape)
    patterns = np.stack(
        [gaussian_filter(rng.standard_normal(shape), 1.5) for _ in range(n_classes)]
    )
    patterns /= patterns.std(axis=(1, 2, 3), keepdims=True)
    labels = np.concatenate(
        [np.repeat(rng.permutation(np.arange(n // 5) % n_classes), 5) for _ in range(n_runs)]
    )
    data = []
    for _ in range(people):
        by = rng.uniform(-move, move, 3)
        own = np.stack([shift(p, by, order=1) for p in patterns]).reshape(n_classes, -1)[:, mask]
        for k in range(n_runs):
            noise = lfilter([0.8], [1, -0.6], rng.standard_normal((n, mask.size)), axis=0)
            data.append((noise + amplitude * own[labels[k * n : (k + 1) * n]]).astype(np.float16))
    samples = Samples(
        np.tile(np.repeat(np.arange(n_runs), n), people),
        np.tile(np.arange(n) * 2.0, n_runs * people),
        np.repeat(np.arange(people), n_runs * n),
    )
    return Volumes(Rows(data), mask, shape), np.tile(labels, people), samples


@pytest.fixture(scope="module")
def small():
    return planted((12, 10, 11), amplitude=0.5, n_runs=2, n=30, n_classes=3)


QUICK = TrainingSettings(epochs=4, batch_size=8, patience=None)


@pytest.mark.parametrize("name", NETWORKS3D)
@pytest.mark.parametrize(("shape", "channels"), [((9, 12, 8), 1), ((11, 9, 13), 3)])
def test_every_network_takes_every_grid(name, shape, channels):
    network = build(name, 4, channels, shape, seed=3)
    assert network(torch.randn(2, channels, *shape)).shape == (2, 4)
    again = build(name, 4, channels, shape, seed=3).state_dict()
    other = build(name, 4, channels, shape, seed=4).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in network.state_dict().items())
    assert any(not torch.equal(value, other[key]) for key, value in network.state_dict().items())
    assert all(torch.isfinite(value).all() for value in again.values())


def test_published_plan():
    """Parameters of the published network on its grid, less its sixth, unused output."""
    convolutions = 16 * 27 + 16 + 32 * 16 * 27 + 32 + 64 * 32 * 27 + 64
    linear = 64 * 33 * 43 * 12 * 128 + 128 + 128 * 5 + 5
    with torch.device("meta"):
        body, hidden = NETWORKS3D["faithful"](1)
        assert body(torch.empty(1, 1, 132, 175, 48)).shape == (1, 64, 33, 43, 12)
    count = sum(p.numel() for p in body.parameters())
    assert (count, hidden) == (convolutions, 128)
    assert count + linear == 139_563_942 - 129


def test_refusals(small):
    volumes, labels, _ = small
    with pytest.raises(InputInvalidError, match="residual"):
        build("deep", 2, 1, (8, 8, 8), 0)
    with pytest.raises(InputInvalidError, match="8 voxels"):
        build("small", 2, 1, (8, 8, 7), 0)
    with pytest.raises(InputInvalidError, match="label"):
        fit(volumes, np.full_like(labels, -1), np.arange(5), None, QUICK, n_classes=3, seed=0)
    with pytest.raises(InputInvalidError, match="mask"):
        Volumes(np.zeros((3, 4)), np.arange(5), (8, 8, 8))
    with pytest.raises(InputInvalidError, match="differ"):
        Rows([np.zeros((2, 4)), np.zeros((2, 5))])


def test_rows_and_scatter_are_inverse_to_masking(small):
    volumes, _, _ = small
    rows = np.array([40, 3, 29, 30])
    joined = np.concatenate(volumes.data.parts)
    assert np.array_equal(volumes.data[rows], joined[rows])
    values = volumes.values(rows)
    grid = scatter(values, volumes.index(), volumes.shape)
    assert torch.equal(gather(grid, volumes.index()), values.float())
    assert grid.sum() == pytest.approx(float(values.float().sum()), rel=1e-4)


def test_frames_stay_in_their_run():
    assert frame_stacks(np.array([0, 0, 0, 1, 1]), 3).tolist() == [
        [0, 0, 0], [0, 0, 1], [0, 1, 2], [3, 3, 3], [3, 3, 4],
    ]  # fmt: skip


def test_translation_does_not_wrap():
    volume = torch.zeros(64, 1, 6, 6, 6)
    volume[:, :, 0, 3, 5] = 1
    moved = translate(volume, max_shift=2, generator=torch.Generator().manual_seed(0))
    x, _, z = np.nonzero(moved.sum(dim=(0, 1)).numpy())
    assert x.max() <= 2
    assert z.min() >= 3
    assert moved.sum() < 64
    inside = torch.zeros(8, 1, 6, 6, 6)
    inside[:, :, 3, 3, 3] = 1
    assert translate(inside, max_shift=2, generator=torch.Generator()).sum() == 8


def test_perturbation():
    values = torch.ones(400, 1, 50)
    generator = torch.Generator().manual_seed(0)
    scaled = perturb(values, noise=0, scale=0.1, generator=generator)
    assert (scaled == scaled[..., :1]).all()
    assert 0.9 <= scaled.min() < 0.92
    assert 1.08 < scaled.max() <= 1.1
    assert perturb(values, noise=0.1, scale=0, generator=generator).std() == pytest.approx(
        0.1, rel=0.05
    )


def test_same_seed_same_numbers(small):
    volumes, labels, _ = small
    rows = np.arange(40), np.arange(40, 60)
    one, same, other = (
        fit(volumes, labels, *rows, QUICK, n_classes=3, seed=seed) for seed in (5, 5, 6)
    )
    assert one.history == same.history
    assert one.history != other.history
    assert all(torch.equal(value, same.state[key]) for key, value in one.state.items())


class Memory:
    """A checkpoint that stops its run after some epochs."""

    def __init__(self, stop_after=None):
        self.kept, self.left = None, stop_after

    def load(self):
        return self.kept

    def save(self, state):
        self.kept = state
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [QUICK, TrainingSettings(epochs=4, batch_size=8, patience=2)])
def test_resumed_equals_uninterrupted(small, settings):
    volumes, labels, _ = small
    rows = np.arange(40), np.arange(40, 60)
    whole = fit(volumes, labels, *rows, settings, n_classes=3, seed=1)
    memory = Memory(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        fit(volumes, labels, *rows, settings, n_classes=3, seed=1, checkpoint=memory)
    memory.left = None
    resumed = fit(volumes, labels, *rows, settings, n_classes=3, seed=1, checkpoint=memory)
    assert resumed.history == whole.history
    assert all(torch.equal(value, resumed.state[key]) for key, value in whole.state.items())
    with pytest.raises(InputInvalidError, match="another training run"):
        fit(volumes, labels, *rows, settings, n_classes=3, seed=2, checkpoint=memory)


def test_threads_do_not_change_numbers(small):
    volumes, labels, samples = small
    split = leave_run_out(samples)
    found = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            found.append(
                cross_validate(volumes, labels, split, QUICK, n_classes=3, seeds=(0, 1)).log_proba
            )
        finally:
            torch.set_num_threads(before)
    assert np.array_equal(*found)


def test_held_out_labels_are_never_seen(small):
    volumes, labels, samples = small
    split = leave_run_out(samples)
    fold = split.folds[1]
    other = labels.copy()
    other[fold.test] = (other[fold.test] + 1) % 3
    settings = TrainingSettings(epochs=2, patience=1)
    one, two = (
        cross_validate(volumes, y, split, settings, n_classes=3, seeds=(0,)).log_proba[fold.test]
        for y in (labels, other)
    )
    assert np.array_equal(one, two)


def test_networks_learn_from_all_training_rows(small):
    """A class that occurs in the inner validation rows alone is known to the final network."""
    volumes, labels, samples = small
    fold = leave_run_out(samples).folds[0]
    split = replace(leave_run_out(samples), folds=(fold,))
    third = np.where(labels == 2, -1, labels)
    third[fold.inner.val] = 2
    settings = TrainingSettings(epochs=4, patience=3)
    found = cross_validate(volumes, third, split, settings, n_classes=3, seeds=(0,))
    ((network,),) = found.fits
    assert len(network.history) == 4 >= network.best_epoch
    assert np.exp(found.log_proba[fold.test, 2]).mean() > 0.15
    inner = fit(volumes, third, fold.inner.train, None, settings, n_classes=3, seed=0)
    missed = np.exp(predict_log_proba(inner, volumes, fold.test)[:, 2])
    assert missed.mean() < np.exp(found.log_proba[fold.test, 2]).mean()


def test_early_stopping_keeps_the_best(small):
    volumes, labels, _ = small
    wrong = labels.copy()
    wrong[40:] = (wrong[40:] + 1) % 3
    settings = TrainingSettings(epochs=30, patience=2)
    fitted = fit(volumes, wrong, np.arange(40), np.arange(40, 60), settings, n_classes=3, seed=0)
    losses = [row.val_loss for row in fitted.history]
    assert len(losses) < 30
    assert fitted.best_epoch == int(np.argmin(losses)) + 1
    found = predict_log_proba(fitted, volumes, np.arange(40, 60))
    assert -found[np.arange(20), wrong[40:]].mean() == pytest.approx(min(losses), rel=1e-4)


def test_ensemble_averages_probabilities():
    a, b = np.log([[0.2, 0.8]]), np.log([[0.6, 0.4]])
    assert np.allclose(np.exp(ensemble([a, b])), [[0.4, 0.6]])


@pytest.mark.slow
def test_planted_signal_within_a_minute():
    volumes, labels, samples = planted((32, 32, 32), amplitude=0.25, n_runs=4, n=75)
    start = time.process_time()
    found = cross_validate(
        volumes,
        labels,
        leave_run_out(samples),
        TrainingSettings(epochs=12),
        n_classes=5,
        seeds=(0,),
    )
    assert time.process_time() - start < 60
    assert score_predictions(labels, found.log_proba).balanced_accuracy >= 0.9


@pytest.mark.slow
def test_planted_signal_across_participants():
    volumes, labels, samples = planted(
        (16, 16, 16), amplitude=0.7, n_runs=3, n=40, people=3, move=1.0
    )
    found = cross_validate(
        volumes,
        labels,
        leave_participant_and_run_out(samples),
        TrainingSettings(epochs=12),
        n_classes=5,
        seeds=(0,),
    )
    assert score_predictions(labels, found.log_proba).balanced_accuracy > 0.5


def test_the_published_training_learns(small):
    volumes, labels, samples = small
    settings = TrainingSettings(
        network="faithful",
        epochs=15,
        batch_size=20,
        optimiser="adam",
        learning_rate=1e-3,
        weight_decay=0.0,
        schedule="constant",
        label_smoothing=0.0,
        class_weights=False,
        patience=None,
        max_shift=0,
        noise=0.0,
        scale=0.0,
    )
    found = cross_validate(
        volumes, labels, leave_run_out(samples), settings, n_classes=3, seeds=(0,)
    )
    assert score_predictions(labels, found.log_proba).balanced_accuracy > 0.6
