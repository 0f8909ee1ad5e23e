"""Volumes on disk: standardised by run, opened again, first ones dropped, raw on demand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bidsapp.brain.stored_volumes import load_volumes
from bidsapp.recipes.emotion3d.confounds import confound_features
from bidsapp.recipes.emotion3d.cost import estimate
from bidsapp.recipes.emotion3d.inputs import treatment
from bidsapp.recipes.emotion3d.settings import VARIANTS


def load(inputs, settings, config, folder):
    """Volumes under some settings."""
    how = treatment(settings, vars(config))
    return load_volumes(inputs.runs, how, folder, memory_bytes=config.memory_bytes, quiet=True)


@pytest.fixture(scope="module")
def listener(film, config, inputs_of, tmp_path_factory):
    """Inputs and configuration of a participant."""
    made = config(film, tmp_path_factory.mktemp("out"))
    return inputs_of(film, made, VARIANTS["robust"]), made


def test_runs_are_standardised_and_kept(listener, tmp_path):
    inputs, config = listener
    settings = VARIANTS["robust"]
    stored = load(inputs, settings, config, tmp_path)
    assert [len(run) for run in stored.runs] == [80 - settings.drop_volumes] * 3
    for run in stored.runs:
        assert run.dtype == np.float16
        values = np.asarray(run, np.float64)[:, ~stored.constant]
        assert np.abs(values.mean(axis=0)).max() < 1e-2
        assert np.allclose(values.std(axis=0, ddof=1), 1, atol=1e-2)
    assert stored.units.n_units == stored.runs[0].shape[1]
    changed = stored.folder.stat().st_mtime_ns
    again = load(inputs, settings, config, tmp_path)
    assert again.folder.stat().st_mtime_ns == changed
    assert np.array_equal(again.runs[1], stored.runs[1])
    other = dataclasses.replace(settings, drop_volumes=0)
    assert load(inputs, other, config, tmp_path).folder != stored.folder


def test_raw_volumes_keep_the_mean_of_each_voxel(listener, tmp_path):
    inputs, config = listener
    settings = dataclasses.replace(VARIANTS["faithful"], drop_volumes=4)
    stored = load(inputs, settings, config, tmp_path)
    assert stored.runs[0].dtype == np.float32
    assert 99 < np.mean(stored.runs[0]) < 101
    assert np.mean(stored.runs[0], axis=0).std() > 0.1


def test_frames_are_stacked_inside_runs(listener, tmp_path):
    inputs, config = listener
    stored = load(inputs, VARIANTS["robust"], config, tmp_path)
    volumes = stored.volumes(3)
    assert volumes.n_channels == 3
    assert list(volumes.frames[0]) == [0, 0, 0]
    first = len(stored.runs[0])
    assert list(volumes.frames[first]) == [first] * 3


def test_confounds_are_motion_and_global_signal(listener, tmp_path):
    inputs, config = listener
    settings = VARIANTS["robust"]
    stored = load(inputs, settings, config, tmp_path)
    features, has_motion = confound_features(inputs.runs, stored, settings.drop_volumes)
    assert has_motion
    assert features.shape == (3 * 76, 13)
    assert np.allclose(features[:76].std(axis=0), 1)
    without = tuple(dataclasses.replace(run, confounds=None) for run in inputs.runs)
    features, has_motion = confound_features(without, stored, settings.drop_volumes)
    assert not has_motion
    assert features.shape == (3 * 76, 1)


def test_cost_counts_trainings(listener):
    inputs, config = listener
    cost = estimate(inputs, VARIANTS["robust"], config)
    assert "3 trainings of at most 20 epochs" in cost.size
    assert cost.seconds["network"] > 0
    assert cost.memory_bytes <= config.memory_bytes
