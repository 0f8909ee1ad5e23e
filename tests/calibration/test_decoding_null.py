"""Decoding of noise under every splitter: inside the interval of shifted labels, but one.

Labels are the published series of the audio movie where the test data are, else blocks of five
volumes. Noise is autocorrelated and knows no labels.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from bidsapp.models.cnn3d.decoding import cross_validate
from bidsapp.models.cnn3d.training import TrainingSettings
from bidsapp.models.cnn3d.volumes import Volumes
from bidsapp.models.linear_decoder import decode, prepare
from bidsapp.stats.classification import score_predictions
from bidsapp.stats.label_nulls import chance, label_null
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import SPLITTERS

CLASSES = ("e_happiness", "e_fear", "e_sadness", "e_love", "e_anger/rage")
TR = 2.0
LENGTHS = (451, 441, 438, 488, 462, 439, 542, 338)
STARTS_S = (0, 886, 1752.08, 2612.16, 3572.2, 4480.28, 5342.36, 6410.44)


def movie_run(table, n):
    """Class with the most agreement (at least half) of each volume, 4 s late; -1 for none."""
    agreement = np.zeros((n, len(CLASSES)))
    at = np.arange(n) * TR - 4
    with table.open() as rows:
        for row in csv.DictReader(rows, delimiter="\t"):
            onset = float(row["onset"])
            now = (at >= onset) & (at < onset + float(row["duration"]))
            agreement[now] = np.maximum(agreement[now], [float(row[name]) for name in CLASSES])
    return np.where(agreement.max(1) >= 0.5, agreement.argmax(1), -1)


def movie():
    """Labels and times, real or made."""
    folder = Path(os.environ.get("MUSICOTOPY_TEST_DATA", "/nowhere"))
    tables = sorted((folder / "ds000113/annotations/segments/aomovie").glob("emotions_*"))
    if len(tables) == 8:
        series = [movie_run(t, n) for t, n in zip(tables, LENGTHS, strict=True)]
    else:
        rng = np.random.default_rng(0)
        series = [
            np.repeat(rng.choice([-1, -1, 0, 1, 2, 3, 4], n), rng.geometric(0.2, n))[:n]
            for n in LENGTHS
        ]
    run = np.repeat(np.arange(8), LENGTHS)
    time = np.concatenate([np.arange(n) * TR for n in LENGTHS])
    return np.concatenate(series), Samples(run, time, stimulus_s=np.array(STARTS_S)[run] + time)


def noise(samples, n_voxels, seed, ar=0.6):
    rng = np.random.default_rng(seed)
    series = samples.series
    out = np.empty((samples.n, n_voxels))
    for k in range(series.max() + 1):
        white = rng.standard_normal(((series == k).sum() + 50, n_voxels))
        out[series == k] = lfilter([1.0], [1.0, -ar], white, axis=0)[50:]
    return out


def people(labels, samples, n_people, keep):
    """The same labels heard by several people, some runs only."""
    rows = np.flatnonzero(np.isin(samples.run, keep))
    one = samples.take(rows)
    repeated = Samples(
        *(np.tile(values, n_people) for values in (one.run, one.time_s)),
        np.repeat(np.arange(n_people), one.n),
        np.tile(one.stimulus_s, n_people),
    )
    return np.tile(labels[rows], n_people), repeated


def linear_score(prepared, labels):
    found = decode(prepared, labels, "ridge", n_classes=5, strengths=(0.1, 1.0))
    return score_predictions(labels, found.log_proba).balanced_accuracy


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SPLITTERS if name != "shuffled"])
def test_noise_stays_inside_its_interval(name):
    labels, samples = movie()
    if "participant" in name:
        labels, samples = people(labels, samples, 3, (0, 2, 4))
    prepared = prepare(noise(samples, 60, 1), SPLITTERS[name](samples), n_components=30)
    null = label_null(lambda y: linear_score(prepared, y), labels, samples, 39, seed=0)
    found = chance(linear_score(prepared, labels), null)
    print(name, found)
    assert found.p > 0.025
    assert null.min() <= found.observed <= null.max()


def test_shuffled_volumes_decode_noise():
    labels, samples = movie()
    rows = np.flatnonzero(labels >= 0)
    one, y = samples.take(rows), labels[rows]
    split = SPLITTERS["shuffled"](one)
    assert split.leaky
    data = noise(samples, 400, 2)[rows]
    right = []
    for fold in split.folds:
        a, b = data[fold.test], data[fold.train]
        squares = (b**2).sum(axis=1) - 2 * a @ b.T
        right.append(y[fold.test] == y[fold.train[squares.argmin(axis=1)]])
    accuracy = float(np.concatenate(right).mean())
    print("nearest neighbour, shuffled volumes of noise:", accuracy)
    assert accuracy >= 0.8


@pytest.mark.slow
def test_noise_through_the_network():
    rng = np.random.default_rng(5)
    samples = Samples(np.repeat([0, 1, 2], 50), np.tile(np.arange(50) * TR, 3))
    labels = np.concatenate([np.repeat(rng.permutation(10) % 5, 5) for _ in range(3)])
    volumes = Volumes(noise(samples, 512, 3).astype(np.float16), np.arange(512), (8, 8, 8))
    split = SPLITTERS["leave_run_out"](samples)
    settings = TrainingSettings(epochs=3, patience=2)

    def score(y):
        found = cross_validate(volumes, y, split, settings, n_classes=5, seeds=(0,))
        return score_predictions(y, found.log_proba).balanced_accuracy

    null = label_null(score, labels, samples, 19, min_shift=5)
    found = chance(score(labels), null)
    print(found)
    assert found.p > 0.05
