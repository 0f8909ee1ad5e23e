"""The oracles of every design: they find what is planted, and nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.simulate.clips import ClipsOptions
from bidsapp.simulate.dataset import MusicOptions, simulate
from bidsapp.simulate.decoding_oracle import decode_emotions, identify_clips
from bidsapp.simulate.emotions import EmotionsOptions
from bidsapp.simulate.genres import GenresOptions
from bidsapp.simulate.oracle import clean_runs, oracle_scores, score_layers
from bidsapp.simulate.pattern_oracle import clip_volumes, pattern_scores
from bidsapp.simulate.planted import read_map, read_truth
from bidsapp.simulate.recovery import recovery
from bidsapp.simulate.spaces import open_space

MNI = "MNI152NLin2009cAsym"


def _study(folder, options, source):
    simulate(folder, options, features=source, quiet=True)
    truth = read_truth(folder)
    with np.load(truth.maps()["01", MNI]) as arrays:
        planted = arrays["layer" if "layer" in arrays else "planted"]
    return truth, np.flatnonzero(planted > 0)


@pytest.mark.parametrize("scenario", ["plain", "realistic"])
def test_searchlights_of_the_oracle_order_the_planted_layers(tmp_path, stand_in, scenario):
    options = ClipsOptions.quick(
        n_participants=1, n_runs=2, piece_s=30.0, snr=3.0, scenario=scenario, voxel_mm=8
    )
    truth, units = _study(tmp_path, options, stand_in)
    layer = read_map(truth.maps()["01", MNI]).layer
    centres = np.arange(len(units))[::10]
    scores = pattern_scores(tmp_path, truth, "01", open_space(MNI, 8), units, centres)
    assert scores.shape == (6, len(centres))
    assert recovery(scores, layer[units[centres]])["centroid_r"] > 0.8
    other = read_truth(tmp_path)
    order = np.roll(np.arange(len(other.features.pieces)), 1)
    other.features.frame_piece[:] = order[other.features.frame_piece]
    wrong = pattern_scores(tmp_path, other, "01", open_space(MNI, 8), units, centres)
    assert wrong.max(axis=0).mean() < 0.5 * scores.max(axis=0).mean()


def test_items_of_the_oracle_average_the_same_moment_of_a_clip(tmp_path, stand_in):
    options = ClipsOptions.quick(n_participants=1, n_runs=2, n_pieces=3, piece_s=20.0)
    truth, _ = _study(tmp_path, options, stand_in)
    runs = truth.runs("01")
    averaging, clip = clip_volumes(runs)
    np.testing.assert_allclose(averaging.sum(axis=1), 1)
    times = np.concatenate([run.times_s for run in runs])
    onset = np.zeros(len(times))
    for number, run in enumerate(runs):
        for item in run.playing:
            heard = (run.times_s >= item.onset_s) & (run.times_s < item.onset_s + 20)
            onset[number * run.n_trs : (number + 1) * run.n_trs][heard] = item.onset_s
    for weights, piece in zip(averaging, clip, strict=True):
        volumes = np.flatnonzero(weights)
        late = (times - onset)[volumes]
        assert np.ptp(late) < 2.0
        assert late.min() >= 12
        assert len(volumes) <= 2
        assert 0 <= piece < 3


@pytest.mark.parametrize(("snr", "least", "most"), [(3.0, 0.85, 1.0), (0.0, 0.3, 0.7)])
def test_the_oracle_identifies_clips_by_what_is_planted_only(tmp_path, stand_in, snr, least, most):
    options = GenresOptions.quick(n_participants=1, snr=snr, voxel_mm=12)
    truth, units = _study(tmp_path, options, stand_in)
    assert least <= identify_clips(tmp_path, truth, "01", MNI, units, 5) <= most


@pytest.mark.parametrize(("snr", "least", "most"), [(4.0, 0.55, 1.0), (0.0, 0.1, 0.35)])
def test_the_oracle_decodes_emotions_by_what_is_planted_only(tmp_path, stand_in, snr, least, most):
    options = EmotionsOptions.quick(n_participants=1, run_s=160.0, snr=snr)
    truth, units = _study(tmp_path, options, stand_in)
    assert least <= decode_emotions(tmp_path, truth, "01", MNI, units) <= most


def test_knowing_slice_times_helps_the_oracle(tmp_path, stand_in):
    options = MusicOptions.quick(n_pieces=4, tr_s=2.0, voxel_mm=12, snr=2.0, scenario="realistic")
    truth, units = _study(tmp_path, options, stand_in)
    layer = read_map(truth.maps()["01", MNI]).layer[units]
    runs = truth.runs("01")
    bold = clean_runs(tmp_path, runs, "01", MNI, units)
    assert bold.shape == (sum(run.n_trs for run in runs), len(units))
    own = recovery(oracle_scores(tmp_path, truth, "01", MNI, units), layer)
    mean_time = recovery(score_layers(truth.features, runs, bold), layer)
    assert own["planted_layer_r"] > mean_time["planted_layer_r"] > 0.2
