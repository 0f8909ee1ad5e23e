"""Each reason to doubt is raised when there is one, and not otherwise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bidsapp.recipes.emotion3d import cautions
from bidsapp.recipes.emotion3d.decoding import make_decoding
from bidsapp.recipes.emotion3d.group_tests import Scored
from bidsapp.recipes.emotion3d.settings import VARIANTS
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import SPLITTERS

N_RUNS, N_VOLUMES, N_CLASSES = 3, 40, 2
LABELS = np.tile(np.repeat([0, 1], N_VOLUMES // 2), N_RUNS)
SAMPLES = Samples(
    np.repeat(np.arange(N_RUNS), N_VOLUMES), np.tile(2.0 * np.arange(N_VOLUMES), N_RUNS)
)
SPLIT = SPLITTERS["leave_run_out"](SAMPLES)


def decoding(decoder, accuracy, null=(), split=SPLIT):
    """A decoder that is right in a share of the volumes of each class."""
    right = np.arange(len(LABELS)) % N_VOLUMES % 20 < 20 * accuracy
    predicted = np.where(right, LABELS, 1 - LABELS)
    log_proba = np.log(np.where(np.eye(2)[predicted] > 0, 0.9, 0.1))
    stretch = np.arange(len(LABELS))
    return make_decoding(split, decoder, LABELS, log_proba, np.array(null), stretch=stretch)


def titles(found):
    return {item.title: item for item in found}


def raised(*decodings, has_motion=True):
    return titles(cautions.of_decodings(decodings, N_CLASSES, has_motion=has_motion))


MAJORITY = decoding("majority", 0.5)
NULL = np.linspace(0.4, 0.6, 39)


def test_a_good_decoder_raises_only_how_chance_was_measured():
    found = raised(decoding("cnn", 0.9, NULL), decoding("linear", 0.8, NULL), MAJORITY)
    assert set(found) == {"Chance is measured, not 1/K"}
    assert "not 1/2 = 0.50" in found["Chance is measured, not 1/K"].text


def test_a_decoder_at_chance_and_a_network_that_does_not_beat_the_linear_one():
    found = raised(decoding("cnn", 0.5, NULL), decoding("linear", 0.8, NULL), MAJORITY)
    assert found["Not above chance"].severity == "serious"
    assert found["Not above chance"].text.startswith("The network (0.50)")
    assert found["The network adds nothing"].severity == "serious"


def test_too_few_shifts_are_no_failure_of_the_decoder():
    found = raised(decoding("linear", 0.5, NULL[:5]), MAJORITY)
    assert "Not above chance" not in found
    assert "smallest possible p is 0.167" in found["The linear decoder cannot be significant"].text


@pytest.mark.parametrize("has_motion", [True, False])
def test_a_control_above_chance(has_motion):
    found = raised(
        decoding("linear", 0.9, NULL),
        decoding("confounds", 0.9, NULL),
        MAJORITY,
        has_motion=has_motion,
    )
    text = found["Decodable without the brain's pattern"].text
    assert ("motion and the global" in text) == has_motion
    assert ("No motion parameters" in found) == (not has_motion)


@pytest.mark.parametrize(("split", "is_said"), [("leave_run_out", False), ("blocked", True)])
def test_the_run_is_no_reason_to_doubt_where_whole_runs_are_held_out(split, is_said):
    """Its decoder has not seen the run that it is tested on: one class for all its volumes."""
    tested = SPLITTERS[split](SAMPLES)
    found = raised(
        decoding("linear", 0.9, NULL, split=tested),
        decoding("run", 0.9, NULL, split=tested),
        decoding("majority", 0.5, split=tested),
    )
    assert ("Decodable without the brain's pattern" in found) == is_said


def test_leaky_scores_are_not_compared_with_anything():
    leaky = SPLITTERS["shuffled"](SAMPLES)
    found = raised(
        decoding("linear", 0.9, NULL),
        MAJORITY,
        decoding("cnn", 0.5, NULL, split=leaky),
        decoding("confounds", 0.9, NULL, split=leaky),
    )
    assert set(found) == {"Chance is measured, not 1/K", "LEAKY scores"}
    assert found["LEAKY scores"].severity == "serious"


def test_clocks_and_scenes(film, config, inputs_of, tmp_path):
    settings = dataclasses.replace(VARIANTS["robust"], shift_s=4.0)
    inputs = inputs_of(film, config(film, tmp_path), settings)
    lags = [{"lag_s": lag_s, "balanced_accuracy": 0.5 - 0.01 * lag_s} for lag_s in (0.0, 4.0)]
    found = titles(cautions.of_timing(inputs, lags, stimulus_times_known=False))
    assert set(found) == {"Same stimulus in training and test", "Clocks may disagree"}
    assert not titles(cautions.of_timing(inputs, lags[1:], stimulus_times_known=True))
    scan = [{"lag_s": lag_s, "balanced_accuracy": r} for lag_s, r in ((4.0, 0.586), (6.0, 0.621))]
    found = titles(cautions.of_timing(inputs, scan, stimulus_times_known=True))
    (better,) = found.values()
    assert better.title == "Another hemodynamic shift decodes better"
    assert "0.621 at a shift of 6 s and 0.586 at the 4 s" in better.text
    scan[1]["balanced_accuracy"] = 0.600
    assert not titles(cautions.of_timing(inputs, scan, stimulus_times_known=True))
    few = titles(cautions.of_labels(inputs))
    assert {"Segments, not volumes, are independent", "Emotions portrayed, not felt"} <= set(few)


def test_maps_that_survive_randomisation():
    layers = ("output", "body.0")
    rows = [
        {"method": method, "randomised": layer, "similarity": value}
        for method, last in (("ig", 0.1), ("gradcam", 0.8))
        for layer, value in zip((*layers, "labels"), (0.9, last, float("nan")), strict=True)
    ]
    (found,) = cautions.of_maps(rows)
    assert "gradcam" in found.text
    assert "0.80" in found.text


def test_a_group_says_what_its_splits_mean():
    people = Samples(
        np.tile(SAMPLES.run, 3), np.tile(SAMPLES.time_s, 3), np.repeat(np.arange(3), SAMPLES.n)
    )
    split = SPLITTERS["leave_participant_out"](people)
    linear, majority = (decoding(name, 0.8, split=split) for name in ("linear", "majority"))
    values = np.array([0.8, 0.7, 0.6])
    scored = [
        Scored("within", name, "linear", leaky, ("01", "02", "03"), values, np.zeros((3, 0)))
        for name, leaky in (("leave_run_out", "no"), ("shuffled-LEAKY", "LEAKY"))
    ]
    row = {"level": "within", "split": "leave_run_out", "test": "cnn - linear"}
    tests = [row | {"difference": -0.1, "p": 0.25, "smallest_p": 0.25}]
    found = titles(cautions.of_group([linear, majority], scored, tests, 2, 0.05))
    assert found["Same stimulus in training and test"].severity == "serious"
    assert found["LEAKY scores"].severity == "serious"
    assert "\u22120.10, p = 0.250" in found["The network adds nothing"].text
    assert "With 3 shifts" in found["cnn - linear cannot be significant"].text
    calm = titles(cautions.of_group([linear, majority], scored[:1], [], 2, 0.5))
    assert not {"LEAKY scores", "The network adds nothing"} & set(calm)
