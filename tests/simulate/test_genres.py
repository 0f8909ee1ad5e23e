"""The design ``genres``: the ring of clips at run borders, and where the embedding is planted."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.errors import UsageError
from bidsapp.simulate.dataset import simulate
from bidsapp.simulate.genres import GenresOptions
from bidsapp.simulate.planted import read_map, read_truth


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, stand_in):
    folder = tmp_path_factory.mktemp("genres")
    options = GenresOptions.quick(
        n_participants=1, n_runs=3, n_pieces=9, piece_s=6.0, voxel_mm=12, snr=2.0
    )
    simulate(folder, options, features=stand_in, quiet=True)
    return folder


def test_every_run_begins_with_the_last_clip_of_the_run_before(dataset):
    runs = read_truth(dataset).runs("01")
    orders = [[item.piece for item in run.playing] for run in runs]
    for number, order in enumerate(orders):
        assert order[0] == orders[number - 1][-1]
    assert sorted(clip for order in orders for clip in order[1:]) == list(range(9))
    for run in runs:
        onsets = np.array([item.onset_s for item in run.playing])
        np.testing.assert_allclose(np.diff(onsets), 6.0)
        assert run.duration_s > onsets[-1] + 6 + 10


def test_one_layer_is_planted_around_the_auditory_cortices(dataset):
    truth = read_truth(dataset)
    (path,) = truth.maps().values()
    planted = read_map(path)
    layers = truth.facts["layers"]
    assert truth.facts["planted_layer"] == layers[-1]
    assert set(np.unique(planted.layer)) == {-1, 0, len(layers)}
    share = (planted.layer > 0).sum() / (planted.layer >= 0).sum()
    assert 0.02 < share < 0.3
    assert (planted.snr[planted.layer > 0] > 0).all()
    assert (planted.snr[planted.layer == 0] == 0).all()


def test_options_that_make_no_design_are_refused(tmp_path, stand_in):
    with pytest.raises(UsageError, match="two of them in each run"):
        simulate(tmp_path, GenresOptions.quick(n_pieces=3, n_runs=2), features=stand_in)
    options = GenresOptions.quick(n_pieces=4, piece_s=5.0, layer="deep")
    with pytest.raises(UsageError, match="has no layer deep"):
        simulate(tmp_path, options, features=stand_in, quiet=True)
