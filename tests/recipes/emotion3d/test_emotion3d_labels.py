"""Labels of volumes: shift, majority, overlap, agreement, raters, clocks, maps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.intervals import find_intervals
from bidsapp.bids.label_maps import LabelMap, load_label_map
from bidsapp.bids.records import Interval, Presentation, Run
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError
from bidsapp.recipes.emotion3d.inputs import modality_of, unknown_labels, unused_columns
from bidsapp.recipes.emotion3d.labels import (
    Span,
    n_blocks,
    run_labels,
    spans_of,
    stimulus_times,
    winning_class,
)
from bidsapp.recipes.emotion3d.settings import VARIANTS, Emotion3dSettings

MNI = "MNI152NLin2009cAsym"
IDENTITY = LabelMap("identity", None)
PLAIN = Emotion3dSettings(shift_s=0.0, label_map="identity")


def make_run(number: int = 1, n_trs: int = 20, tr_s: float = 2.0, task: str = "film") -> Run:
    entities = {"sub": "01", "task": task, "run": str(number)}
    return Run(entities, MNI, None, None, "volume", (), None, None, tr_s, n_trs)


def span(label: str, start_s: float, end_s: float, weight: float = 1.0, who: str = "A") -> Span:
    return Span(label, who, weight, start_s, end_s)


def test_shift_moves_labels_by_its_volumes():
    spans = [span("a", 4, 12), span("b", 20, 30)]
    now = run_labels(make_run(), spans, IDENTITY, ("a", "b"), PLAIN)
    late = run_labels(make_run(), spans, IDENTITY, ("a", "b"), PLAIN, 4.0)
    assert np.array_equal(late[2:], now[:-2])
    assert n_blocks(now, 0) == n_blocks(now, 1) == 1


def test_majority_of_the_window_decides():
    settings = dataclasses.replace(PLAIN, window_s=4.0)
    spans = [span("a", 0, 10.5), span("b", 10.5, 40)]
    found = run_labels(make_run(), spans, IDENTITY, ("a", "b"), settings)
    assert found[5] == 0  # window 8 to 12 s: 2.5 s of a
    assert found[6] == 1  # 10 to 14 s: 0.5 s of a
    strict = dataclasses.replace(settings, min_share=0.99)
    found = run_labels(make_run(), spans, IDENTITY, ("a", "b"), strict)
    assert found[4] == 0
    assert list(found[5:7]) == [-1, -1]
    assert found[7] == 1


def test_overlap_goes_to_the_larger_sum_and_ties_to_nobody():
    times = np.array([1.0])
    two = [span("a", 0, 2, 0.7), span("b", 0, 2, 0.6, "A")]
    assert winning_class(times, two, IDENTITY, ("a", "b"), 0.5) == [0]
    three = [*two, span("b", 0, 2, 0.6, "B")]
    assert winning_class(times, three, IDENTITY, ("a", "b"), 0.5) == [1]
    tie = [span("a", 0, 2, 0.6), span("b", 0, 2, 0.6)]
    assert winning_class(times, tie, IDENTITY, ("a", "b"), 0.5) == [-1]


def test_agreement_counts_before_pooling():
    pooled = LabelMap("two", (("x", "a"), ("y", "a"), ("z", "b")))
    spans = [span("x", 0, 2, 0.4), span("y", 0, 2, 0.4), span("z", 0, 2, 0.5)]
    assert winning_class(np.array([1.0]), spans, pooled, ("a", "b"), 0.5) == [1]
    assert winning_class(np.array([1.0]), spans, pooled, ("a", "b"), 0.3) == [0]


def test_raters_who_speak_for_themselves_are_counted():
    run = make_run()
    each = [Interval("a", 0, 4, "run", run.name, rater=name) for name in ("r1", "r2")]
    other = Interval("b", 10, 4, "run", run.name, rater="r3")
    spans = spans_of(run, [*each, other], [])
    assert {item.weight for item in spans} == {1 / 3}
    found = run_labels(run, spans, IDENTITY, ("a", "b"), PLAIN)
    assert found[1] == 0
    assert not (found == 1).any()


def test_times_come_from_each_run_and_are_never_added_up():
    """Two runs overlap in the film: the second one's labels stand on its own clock."""
    first, second = make_run(1), make_run(2)
    intervals = [
        Interval("a", 30, 8, "run", first.name),
        Interval("a", 0, 8, "run", second.name),
    ]
    labels = [
        run_labels(run, spans_of(run, intervals, []), IDENTITY, ("a",), PLAIN)
        for run in (first, second)
    ]
    assert (labels[0][16:19] == 0).all()
    assert (labels[1][1:4] == 0).all()
    assert not (labels[1][5:] == 0).any()


def test_labels_of_a_sound_follow_its_presentation():
    run = make_run()
    played = [Presentation(run.name, 10.0, 20.0, "film.wav", None, 100.0)]
    intervals = [Interval("a", 95, 10, "stimulus", "film.wav")]  # 95 to 105 s of the film
    (found,) = spans_of(run, intervals, played)
    assert (found.start_s, found.end_s) == (10.0, 15.0)
    piece, position = stimulus_times(run, played, 4.0, ["film.wav"])
    assert np.isnan(position[:7]).all()
    assert position[7] == 100.0
    assert not piece.any()


@given(st.floats(0, 10), st.integers(1, 4))
def test_a_single_long_label_fills_all_windows_inside(shift_s, tr_s):
    run = make_run(tr_s=float(tr_s))
    found = run_labels(run, [span("a", -100, 1000)], IDENTITY, ("a", "b"), PLAIN, shift_s)
    assert (found == 0).all()


def test_published_pooling():
    pooled = load_label_map("five-emotions")
    names = ("sadness", "happiness", "fear", "love", "anger")
    assert pooled.classes(()) == names
    pairs = {
        "e_x": None,
        "gloating": None,
        "admiration": "love",
        "pity/compassion": "love",
        "fears_confirmed": "fear",
        "Anger/Rage": "anger",
        "happy-for": "happiness",
        "remorse": "sadness",
    }
    assert {label: pooled.class_of(label) for label in pairs} == pairs


def test_label_maps_are_checked(tmp_path):
    with pytest.raises(UsageError, match="not found"):
        load_label_map("six-emotions")
    path = tmp_path / "map.tsv"
    path.write_text("source\ttarget\na\tx\nA\ty\n")
    with pytest.raises(InputInvalidError, match="two classes"):
        load_label_map(str(path))
    path.write_text("from\tto\na\tx\n")
    with pytest.raises(InputInvalidError, match="a label map needs source"):
        load_label_map(str(path))
    assert load_label_map("identity").classes(["b", "a", "b"]) == ("a", "b")


def test_labels_that_a_map_does_not_name_are_counted(tmp_path):
    pooled = load_label_map("five-emotions")
    labels = ["joy", "joy", "Anger/Rage", "gloating", "sad", "happy_for"]
    assert pooled.unknown(labels) == {"joy": 2, "sad": 1}
    assert load_label_map("identity").unknown(labels) == {}
    path = tmp_path / "sub-01_task-film_events.tsv"
    intervals = [Interval(name, 10.0 * k, 10.0, "run", "r", source=path)
                 for k, name in enumerate(labels)]  # fmt: skip
    (problem,) = unknown_labels(intervals, pooled)
    assert "'joy' (2), 'sad' (1)" in problem.what
    assert "emotion3d.label_map" in problem.remedy
    assert unknown_labels(intervals[2:4], pooled) == []


def test_modality_from_names_and_sidecars(tmp_path):
    def of(path):
        return modality_of(Interval("a", 0, 1, "run", "x", source=path))

    assert of(tmp_path / "aomovie" / "emotions_ao_1s_events_run-1_events.tsv") == "audio"
    assert of(tmp_path / "avmovie" / "emotions_run-1_events.tsv") == "audiovisual"
    assert of(tmp_path / "emotions_run-1_events.tsv") == "unknown"
    (tmp_path / "run-2_events.json").write_text('{"Modality": "audiovisual"}')
    assert of(tmp_path / "run-2_events.tsv") == "audiovisual"


def test_labels_are_those_of_the_simulated_film(film, config, inputs_of):
    settings = dataclasses.replace(VARIANTS["robust"], drop_volumes=4)
    inputs = inputs_of(film, config(film, film.parent / "none"), settings)
    found = inputs.labelled()
    assert inputs.modality == "audio"
    right = total = 0
    for number in range(3):
        path = film / "derivatives" / "truth" / f"task-film_run-{number + 1}_truth.tsv"
        truth = pd.read_table(path, na_values="n/a")
        mine = found.samples.run == number
        names = [found.classes[k] if k >= 0 else "" for k in found.labels[mine]]
        true = truth.emotion[found.volume[mine]].fillna("")
        right += sum(a == b for a, b in zip(names, true, strict=True))
        total += len(names)
        at_s = found.samples.stimulus_s[mine]
        known = np.isfinite(at_s)
        assert np.allclose(at_s[known], truth.film_s[found.volume[mine]][known], atol=1e-6)
    assert right / total > 0.97  # windows at borders
    text = inputs.overview()
    assert "sub-01_task-film_run-2" in text
    assert "shift 5 s" in text


def test_missing_labels_are_told(film, config, inputs_of):
    made = config(film, film.parent / "none")
    settings = dataclasses.replace(VARIANTS["robust"], label_source="events")
    with pytest.raises(InputMissingError, match=r"label_source"):
        inputs_of(film, made, settings)
    settings = dataclasses.replace(settings, label_map="identity")
    with pytest.raises(InputInvalidError, match="decoding needs two"):
        inputs_of(film, made, settings)


@pytest.mark.data
def test_published_annotations_give_the_published_counts(test_data):
    """Two of three listeners agree; the columns that upstream left empty are told."""
    volumes = (451, 441, 438, 488, 462, 439, 542, 338)
    runs = [make_run(k, n, task="forrestgump") for k, n in enumerate(volumes, start=1)]
    dataset = open_dataset(test_data / "ds000113" / "bids")
    folder = test_data / "ds000113" / "annotations"
    intervals, _ = find_intervals(dataset, runs, [], folder)
    assert {modality_of(item) for item in intervals} == {"audio"}
    label_map = load_label_map("five-emotions")
    settings = dataclasses.replace(VARIANTS["robust"], shift_s=0.0)
    classes = label_map.classes(())
    counts = np.zeros(5, int)
    for run in runs:
        found = run_labels(run, spans_of(run, intervals, []), label_map, classes, settings)
        counts += np.bincount(found[found >= 0], minlength=5)
    assert counts[:4].min() > 200
    assert counts[4] < 100  # contempt and hate only
    (problem,) = unused_columns(intervals, label_map)
    for name in ("e_anger/rage", "e_fears_confirmed", "e_happy-for", "e_pity/compassion"):
        assert name in problem.what
