"""Splits of a participant: whole runs, blocks of one run, the same film in all runs."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError
from bidsapp.recipes.emotion3d.labels import LabelledVolumes, make_splits
from bidsapp.recipes.emotion3d.settings import VARIANTS
from bidsapp.stats.samples import Samples

ROBUST = VARIANTS["robust"]


def test_the_same_scene_is_never_in_training_and_test(film, config, inputs_of, tmp_path):
    """Runs share 16 s of the film; neither these nor the 20 s around them are trained on."""
    inputs = inputs_of(film, config(film, tmp_path / "out"), ROBUST)
    (split,) = make_splits(inputs.labelled(), 3, ROBUST, 0)
    assert split.name == "leave_run_out"
    at_s = inputs.labelled().samples.stimulus_s
    for fold in split.folds:
        train, test = at_s[fold.train], at_s[fold.test]
        apart = np.abs(train[:, None] - test[np.isfinite(test)])
        assert np.nanmin(apart) >= 20


def test_one_run_is_divided_into_blocks(film, config, inputs_of, tmp_path):
    filters = tmp_path / "filter.json"
    filters.write_text(json.dumps({"bold": {"run": 1}}))
    made = config(film, tmp_path / "out", bids_filter_file=filters)
    settings = dataclasses.replace(ROBUST, shuffled=True)
    inputs = inputs_of(film, made, settings)
    blocked, shuffled = make_splits(inputs.labelled(), 1, settings, 0)
    assert blocked.name == "blocked"
    assert not blocked.leaky
    assert len(blocked.folds) == 5
    time_s = inputs.labelled().samples.time_s
    for fold in blocked.folds:
        assert np.abs(time_s[fold.train][:, None] - time_s[fold.test]).min() >= 20
    assert shuffled.leaky


def test_one_sound_in_every_run_is_told():
    n = 50
    time_s = np.tile(np.arange(n) * 2.0, 3)
    samples = Samples(np.repeat(np.arange(3), n), time_s, stimulus_s=time_s)
    labelled = LabelledVolumes(("a", "b"), np.zeros(3 * n, int), np.tile(np.arange(n), 3), samples)
    with pytest.raises(InputInvalidError, match="purge_stimulus=false"):
        make_splits(labelled, 3, ROBUST, 0)
