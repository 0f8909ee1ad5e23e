"""The scenario ``realistic``: each condition against what defines it, and read by the app."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import soundfile

from bidsapp.bids.clock import Stated, start_time
from bidsapp.bids.headers import TimeAxis
from bidsapp.cli import tools
from bidsapp.errors import UsageError
from bidsapp.simulate.bold import NoiseModel, planted_signal, run_noise
from bidsapp.simulate.clips import ClipsOptions
from bidsapp.simulate.conditions import (
    N_SLICES,
    SCENARIOS,
    follow_loudness,
    head_course,
    piece_lengths,
    read_loudness,
    slice_slots,
    slice_timing,
    slot_times,
)
from bidsapp.simulate.dataset import MusicOptions, simulate
from bidsapp.simulate.features import Source
from bidsapp.simulate.music_study import music_study
from bidsapp.simulate.nuisance import ar1, draw_nuisance
from bidsapp.simulate.participant import plant_slices
from bidsapp.simulate.planted import read_map, read_truth
from bidsapp.simulate.signals import Playing, response_matrix
from bidsapp.simulate.spaces import mni_space, open_space
from bidsapp.simulate.study import draw_person
from bidsapp.simulate.topography import plant

MNI = "MNI152NLin2009cAsym"
REAL = SCENARIOS["realistic"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, stand_in):
    folder = tmp_path_factory.mktemp("realistic")
    options = MusicOptions.quick(n_pieces=3, tr_s=1.5, scenario="realistic", snr=1.0)
    simulate(folder, options, features=stand_in, quiet=True)
    return folder


def test_scenarios_are_those_of_the_command_line_and_others_are_refused():
    assert tuple(SCENARIOS) == tools.SCENARIOS
    with pytest.raises(UsageError, match="choose from plain, realistic"):
        MusicOptions(scenario="real").check()


def test_the_dataset_is_valid_and_names_its_conditions(dataset):
    facts = read_truth(dataset).facts
    assert facts["options"]["scenario"] == "realistic"
    assert facts["conditions"]["motion_follows"] == REAL.motion_follows
    assert facts["conditions"]["piece_range_s"] == [25.0, 120.0]
    beside = Path(sys.executable).with_name("bids-validator-deno")
    validator = str(beside) if beside.exists() else shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    words = [validator, "--ignoreWarnings", str(dataset)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_pieces_have_lengths_from_25_to_120_s_that_events_and_sounds_agree_on(dataset):
    truth = read_truth(dataset)
    played = {}
    for run in truth.runs("01"):
        name = f"sub-01_task-music_run-{run.entities['run']}_events.tsv"
        events = pd.read_table(dataset / "sub-01" / "func" / name)
        assert (np.diff(events.onset) >= events.duration[:-1] + 9.99).all()
        assert events.onset.iloc[-1] + events.duration.iloc[-1] < run.duration_s
        played |= dict(zip(events.stim_file, events.duration, strict=True))
    assert sorted(played.values()) == pytest.approx([25.0, 54.8, 120.0])
    for name, seconds in played.items():
        assert soundfile.info(dataset / "stimuli" / name).duration == pytest.approx(seconds)


@pytest.mark.parametrize("n_pieces", [1, 5])
def test_lengths_are_the_usual_one_without_a_range(n_pieces):
    assert piece_lengths(n_pieces, 70.0, None, 0) == [70.0] * n_pieces
    spread = piece_lengths(8, 70.0, (25.0, 120.0), 0)
    assert min(spread) == 25.0
    assert max(spread) == 120.0
    assert len(set(spread)) == 8


def test_clips_of_different_lengths_do_not_overlap(tmp_path, stand_in):
    options = ClipsOptions.quick(n_participants=1, n_pieces=3, n_runs=2, scenario="realistic")
    simulate(tmp_path, replace(options, voxel_mm=12), features=stand_in, quiet=True)
    for run in read_truth(tmp_path).runs("01"):
        assert sorted(item.duration_s for item in run.playing) == pytest.approx([25, 54.8, 120])
        ends = [item.onset_s + item.duration_s for item in run.playing]
        gaps = [item.onset_s - end for item, end in zip(run.playing[1:], ends, strict=False)]
        assert gaps == pytest.approx([8.0, 8.0])


def test_slice_times_are_uncorrected_and_read_by_the_app_as_half_the_repetition_time(dataset):
    raw = json.loads((dataset / "task-music_bold.json").read_text())
    image = next((dataset / "sub-01/func").glob("*_bold.nii.gz"))
    assert len(raw["SliceTiming"]) == nib.load(image).shape[2] == N_SLICES
    func = dataset / "derivatives/fmriprep/sub-01/func"
    path = next(func.glob("*run-1*preproc_bold.json"))
    own = json.loads(path.read_text())
    assert own["SliceTimingCorrected"] is False
    assert "StartTime" not in own
    stated = Stated([own], raw, TimeAxis(100, 1.5), 100)
    start_s, problems = start_time(path, stated, 1.5, preprocessed=True, given_s=None)
    assert (start_s, problems) == (pytest.approx(0.75), [])
    assert start_s == pytest.approx(read_truth(dataset).runs("01")[0].start_s)


def test_units_respond_at_the_time_of_their_slice(tmp_path, stand_in):
    options = MusicOptions.quick(n_pieces=3, tr_s=1.5, scenario="realistic")
    study = music_study(tmp_path, options, Source(stand_in))
    person = draw_person(options, "01", 1, study.runs(1))
    space = open_space(MNI, 12)
    planting = plant_slices(study, space, person)
    times_s = np.array(slot_times(1.5))[slice_slots(space.coordinates_mm)]
    np.testing.assert_array_equal(planting.maps["slice_time_s"], times_s)
    assert set(times_s) == {0.1875, 0.5625, 0.9375, 1.3125}
    features, layer = study.world.features, planting.maps["layer"]
    for time_s in set(times_s):
        unit = int(np.flatnonzero((layer == 2) & (times_s == time_s))[0])
        moments = [run.times_s - run.start_s + time_s for run in person.runs]
        runs = zip(moments, person.runs, strict=True)
        matrix = np.concatenate([response_matrix(t, run.playing, features) for t, run in runs])
        courses = matrix @ features.scores[1] @ study.world.weights[1]
        fitted = courses @ np.linalg.lstsq(courses, planting.signal[:, unit], rcond=None)[0]
        np.testing.assert_allclose(fitted, planting.signal[:, unit], atol=1e-4)
        late = np.roll(courses, 1, axis=0)
        off = late @ np.linalg.lstsq(late, planting.signal[:, unit], rcond=None)[0]
        assert np.abs(off - planting.signal[:, unit]).max() > 0.01


def test_slices_are_interleaved_and_mean_half_the_repetition_time():
    assert np.mean(slice_timing(2.0)) == pytest.approx(1.0)
    heights = np.column_stack([np.zeros((5, 2)), 2.7 * np.arange(-2.0, 3.0) + 0.1])
    assert slice_slots(heights).tolist() == [1, 3, 0, 2, 1]


def test_the_head_follows_the_loudness_late_and_in_two_parameters(dataset):
    truth = read_truth(dataset)
    run = truth.runs("01")[0]
    sounds = tuple(truth.facts["pieces"])
    loudness = read_loudness(dataset / "stimuli", sounds)
    course = head_course(run.times_s, run.playing, loudness)
    wave, rate = soundfile.read(dataset / "stimuli" / sounds[0])
    assert loudness[0][7] == pytest.approx(
        np.sqrt(np.mean(wave[7 * rate // 10 :][: rate // 10] ** 2))
    )
    nuisance = draw_nuisance(run.n_trs, run.tr_s, np.random.default_rng(0))
    moved = follow_loudness(nuisance, course, 0.7)
    np.testing.assert_array_equal(moved.motion[:, 2:], nuisance.motion[:, 2:])
    np.testing.assert_allclose(moved.motion.std(axis=0), nuisance.motion.std(axis=0))
    change = moved.motion[:, 0] / moved.motion[:, 0].std()
    own = nuisance.motion[:, 0] / nuisance.motion[:, 0].std()
    design = np.column_stack([np.ones(run.n_trs), own, course])
    weights, rest, _, _ = np.linalg.lstsq(design, change, rcond=None)
    assert weights[2] / weights[1] == pytest.approx(0.7)
    assert rest == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(moved.motion_effect[:, 0], change - change.mean(), atol=1e-9)


def test_a_step_of_loudness_arrives_two_seconds_late():
    loudness = [np.repeat([0.0, 1.0], 300)]
    times_s = np.arange(0, 60, 0.5)
    course = head_course(times_s, (Playing(0, 0.0, 60.0),), loudness)
    middle = np.interp(course.min() + np.ptp(course) / 2, course, times_s)
    assert middle == pytest.approx(32.0, abs=0.2)
    assert head_course(times_s, (), loudness).tolist() == [0.0] * len(times_s)


def test_confounds_hold_the_motion_that_follows(dataset):
    truth = read_truth(dataset)
    loudness = read_loudness(dataset / "stimuli", tuple(truth.facts["pieces"]))
    rs = []
    for run in truth.runs("01"):
        name = f"sub-01_task-music_run-{run.entities['run']}_desc-confounds_timeseries.tsv"
        table = pd.read_table(dataset / "derivatives/fmriprep/sub-01/func" / name)
        course = head_course(run.times_s, run.playing, loudness)
        rs.append([np.corrcoef(table[name], course)[0, 1] for name in ("trans_x", "trans_y")])
    assert np.mean(rs) > 0.3


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_artefact_is_partly_the_same_in_all_runs_and_participants(share):
    places = mni_space(12).coordinates_mm
    model = NoiseModel(0.0, 0.0, 1.0, 0.0, 0.0, shared_motion=share)
    maps = []
    for run in range(6):
        nuisance = draw_nuisance(300, 1.5, np.random.default_rng(run))
        noise = run_noise(nuisance, places, model, [0, run, run])
        maps.append(np.linalg.lstsq(nuisance.motion_effect, noise, rcond=None)[0].ravel())
    assert np.std(maps) == pytest.approx(1 / np.sqrt(12), rel=0.1)
    between = np.corrcoef(maps)[np.triu_indices(6, 1)]
    assert between.mean() == pytest.approx(share, abs=0.1)


def test_fine_weights_cancel_in_the_mean_of_a_parcel():
    places = mni_space(6).coordinates_mm
    topography = plant(places, 1)
    responses = [ar1(200, 6, 0.8, np.random.default_rng(0))]
    centre = places[np.argmax(topography.layer)]
    near = (np.linalg.norm(places - centre, axis=1) < 15) & (topography.layer > 0)
    left = {}
    for weights_mm in (0.0, 4.0):
        signals = [planted_signal(responses, topography, places, s, weights_mm) for s in range(5)]
        shares = [x[:, near].mean(axis=1).std() / x[:, near].std(axis=0).mean() for x in signals]
        left[weights_mm] = np.mean(shares)
    assert left[0.0] > 0.6
    assert left[4.0] < 0.35


def test_the_map_of_slice_times_stands_in_the_truth(dataset):
    path = read_truth(dataset).maps()["01", MNI]
    with np.load(path) as arrays:
        times_s = arrays["slice_time_s"]
    assert np.isnan(times_s[read_map(path).layer < 0]).all()
    assert np.nanmin(times_s) == 0.1875
