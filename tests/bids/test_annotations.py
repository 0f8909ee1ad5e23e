"""Continuous ratings and labelled intervals, locked to sounds and to runs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.bids.annotations import find_intervals, find_ratings
from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.records import Presentation, Run
from bidsapp.bids.series import Series
from tests.runs import make_run

SIDECAR = {"SamplingFrequency": 2.0, "StartTime": 0.5, "Columns": ["valence", "arousal"]}
ROWS: list[list[object]] = [[0.1, 1.0], [0.2, "n/a"], [0.3, 3.0]]
SOUND = "stimuli/annotations/a_annot-mood"


def run_of(task: str = "music", number: str = "1", **more: str) -> Run:
    return make_run(entities={"sub": "01", **more, "task": task, "run": number})


RUN, SECOND = run_of(), run_of(number="2")


def played(stim_file: str = "a.wav", run: Run = RUN) -> Presentation:
    return Presentation(run.name, 0.0, 10.0, stim_file, None)


@pytest.fixture
def raw(tree):
    dataset = tree("raw")
    dataset.description()
    dataset.text("sub-01/func/x")
    return dataset


def ratings(raw, runs=(RUN,), presentations=None, subject="01", stimuli_dir=None):
    given_presentations = presentations if presentations is not None else [played()]
    return find_ratings(open_dataset(raw.root), runs, given_presentations, stimuli_dir, subject)


class TestOfSounds:
    def test_a_recording_with_its_sidecar(self, raw) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", ROWS)
        raw.json(f"{SOUND}_stim.json", SIDECAR)
        found, problems = ratings(raw)
        assert problems == []
        assert [(r.name, r.rater, r.reference, r.key) for r in found] == [
            ("valence", None, "stimulus", "a.wav"),
            ("arousal", None, "stimulus", "a.wav"),
        ]
        assert (found[0].sampling_hz, found[0].start_time_s) == (2.0, 0.5)
        assert found[0].values == (0.1, 0.2, 0.3)
        assert math.isnan(found[1].values[1])
        assert found[0].source == raw.root / f"{SOUND}_stim.tsv.gz"

    def test_a_shared_sidecar_is_inherited(self, raw) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", ROWS)
        raw.json("stimuli/annotations/annot-mood_stim.json", SIDECAR | {"StartTime": 9.0})
        raw.json(f"{SOUND}_stim.json", {"StartTime": 1.0})
        assert ratings(raw)[0][0].start_time_s == 1.0

    def test_a_header_inside_the_gz_is_recognised(self, raw) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", [["valence", "arousal"], *ROWS])
        raw.json(f"{SOUND}_stim.json", SIDECAR)
        found, problems = ratings(raw)
        assert found[0].values == (0.1, 0.2, 0.3)
        assert "header row" in problems[0].what
        raw.json(f"{SOUND}_stim.json", {"SamplingFrequency": 2.0, "StartTime": 0})
        assert [r.name for r in ratings(raw)[0]] == ["valence", "arousal"]

    @pytest.mark.parametrize(
        ("sidecar", "what"),
        [
            ({}, "neither SamplingFrequency"),
            (SIDECAR | {"SamplingFrequency": 0}, "SamplingFrequency 0"),
            (SIDECAR | {"StartTime": "n/a"}, "StartTime 'n/a'"),
            (SIDECAR | {"Columns": ["valence"]}, "2 columns and its sidecar names 1"),
        ],
    )
    def test_broken_sidecars_are_told(self, raw, sidecar, what) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", ROWS)
        raw.json(f"{SOUND}_stim.json", sidecar)
        found, problems = ratings(raw)
        assert found == []
        assert what in problems[0].what

    def test_a_truncated_gz_is_told(self, raw) -> None:
        path = raw.gz(f"{SOUND}_stim.tsv.gz", ROWS)
        path.write_bytes(path.read_bytes()[:-9])
        raw.json(f"{SOUND}_stim.json", SIDECAR)
        found, problems = ratings(raw)
        assert found == []
        assert problems[0].path == path

    @pytest.mark.parametrize("extension", [".csv", ".tsv"])
    def test_plain_tables_with_times(self, raw, extension) -> None:
        comma = "," if extension == ".csv" else "\t"
        lines = ["time,valence,note", "1.0,0.5,x", "1.033,n/a,y", "1.067,0.7,z", "1.1,0.8,z"]
        raw.text(f"{SOUND}{extension}", "\n".join(lines).replace(",", comma))
        found, problems = ratings(raw)
        assert problems == []
        assert [r.name for r in found] == ["valence"]
        assert found[0].sampling_hz == pytest.approx(30, rel=1e-3)
        assert found[0].start_time_s == 1.0
        assert found[0].values[2:] == (0.7, 0.8)

    def test_irregular_times_are_interpolated_but_not_across_gaps(self, raw) -> None:
        times = [0, 1, 2, 3.4, 4, 5, 20, 21, 22]
        raw.text(f"{SOUND}.csv", "Time,rating\n" + "\n".join(f"{t},{t}" for t in times))
        found, problems = ratings(raw)
        assert "irregularly" in problems[0].what
        values = found[0].values
        assert found[0].name == "mood"  # a column called rating is named by the file
        assert values[3] == pytest.approx(3)
        assert len(values) == 23
        assert math.isnan(values[12])
        assert values[21] == pytest.approx(21)

    def test_own_ratings_come_before_the_mean_of_others(self, raw) -> None:
        for rater, value in (("01", 1.0), ("02", 2.0), ("03", 6.0)):
            path = f"{SOUND}_rater-{rater}_stim"
            raw.gz(f"{path}.tsv.gz", [[value], [value], ["n/a" if rater == "03" else value]])
            raw.json(
                f"{path}.json",
                {"SamplingFrequency": 1.0, "StartTime": 0, "Columns": ["enjoyment"]},
            )
        own, _ = ratings(raw)
        assert [(r.rater, r.values) for r in own] == [("01", (1.0, 1.0, 1.0))]
        mean, _ = ratings(raw, subject="09")
        assert [(r.rater, r.values) for r in mean] == [(None, (3.0, 3.0, 1.5))]

    def test_raters_in_columns(self, raw) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", [[1.0, 3.0]] * 3)
        columns = ["valence_rater-a", "valence_rater-b"]
        raw.json(f"{SOUND}_stim.json", SIDECAR | {"Columns": columns})
        found, _ = ratings(raw)
        assert [(r.name, r.values) for r in found] == [("valence", (2.0, 2.0, 2.0))]

    def test_only_sounds_that_were_played(self, raw) -> None:
        for stem in ("a", "other"):
            raw.text(f"stimuli/{stem}_annot-x.csv", "time,v\n0,1\n1,2\n")
        assert [r.key for r in ratings(raw)[0]] == ["a.wav"]
        assert ratings(raw, presentations=[])[0] == []

    def test_folders_tell_equal_stems_apart(self, raw) -> None:
        names = ["pop/a.wav", "rock/a.wav"]
        for name in names:
            folder = name.split("/")[0]
            raw.text(f"stimuli/annotations/{folder}/a_annot-x.csv", "time,v\n0,1\n1,2\n")
        raw.text("stimuli/annotations/a_annot-y.csv", "time,v\n0,1\n1,2\n")
        found, problems = ratings(raw, presentations=[played(name) for name in names])
        assert sorted(r.key for r in found) == names
        assert "several sounds" in problems[0].what

    def test_bep044_names(self, raw) -> None:
        raw.text("stimuli/stim-jazz_annot-x.csv", "time,v\n0,1\n1,2\n")
        found, _ = ratings(raw, presentations=[played("stim-jazz_audio.wav")])
        assert [r.key for r in found] == ["stim-jazz_audio.wav"]

    def test_the_given_folder_comes_first(self, raw, tree) -> None:
        other = tree("sounds")
        other.text("annotations/a_annot-mood.csv", "time,v\n0,7\n1,7\n")
        raw.text(f"{SOUND}.csv", "time,v\n0,1\n1,1\n")
        found, _ = ratings(raw, stimuli_dir=other.root)
        assert [r.values for r in found] == [(7.0, 7.0)]


def recording(raw, path: str, value: float, columns=("valence",), **sidecar) -> None:
    raw.gz(f"{path}_stim.tsv.gz", [[value] * len(columns)] * 40)
    raw.json(
        f"{path}_stim.json",
        {"SamplingFrequency": 1.0, "StartTime": 0.0, "Columns": list(columns)} | sidecar,
    )


class TestPriority:
    OWN = "sub-01/func/sub-01_task-music_run-1_recording-joy"
    ROOT = "task-music_recording-joy"
    DESK = "sub-01/beh/sub-01_task-rating_recording-joy"

    def all(self, raw, *places: str) -> None:
        values = {"own": (self.OWN, 1.0), "desk": (self.DESK, 2.0), "root": (self.ROOT, 3.0)}
        for place in places:
            if place == "sound":
                recording(raw, SOUND, 4.0)
            else:
                recording(raw, *values[place])
        raw.tsv(
            "sub-01/beh/sub-01_task-rating_events.tsv",
            "onset duration stim_file stim_start",
            "5 10 b.wav 0",
            "20 10 a.wav 3",
        )

    @pytest.mark.parametrize(
        ("places", "value", "reference"),
        [
            (("own", "desk", "root", "sound"), 1.0, "run"),
            (("desk", "root", "sound"), 2.0, "stimulus"),
            (("root", "sound"), 3.0, "run"),
            (("sound",), 4.0, "stimulus"),
        ],
    )
    def test_the_nearest_rating_counts(self, raw, places, value, reference) -> None:
        self.all(raw, *places)
        found, problems = ratings(raw)
        assert problems == []
        assert [(r.values[0], r.reference) for r in found] == [(value, reference)]

    def test_own_ratings_carry_the_listener(self, raw) -> None:
        self.all(raw, "own", "sound")
        found, _ = ratings(raw)
        assert [(r.rater, r.key) for r in found] == [("01", RUN.name)]

    def test_each_run_for_itself(self, raw) -> None:
        self.all(raw, "own", "root")
        found, _ = ratings(raw, runs=(RUN, SECOND), presentations=[played(), played(run=SECOND)])
        assert sorted((r.key, r.values[0]) for r in found) == [(RUN.name, 1.0), (SECOND.name, 3.0)]

    def test_a_sound_of_an_uncovered_run_keeps_its_rating(self, raw) -> None:
        self.all(raw, "own", "sound")
        found, _ = ratings(raw, runs=(RUN, SECOND), presentations=[played(), played(run=SECOND)])
        assert [r.reference for r in found] == ["stimulus", "run"]

    def test_names_are_ranked_one_by_one(self, raw) -> None:
        recording(raw, self.OWN, 1.0)
        recording(raw, SOUND, 4.0, columns=("valence", "tension"))
        found, _ = ratings(raw)
        assert sorted((r.name, r.values[0]) for r in found) == [("tension", 4.0), ("valence", 1.0)]

    def test_desk_ratings_are_brought_to_the_time_of_the_sound(self, raw) -> None:
        self.all(raw)
        raw.gz(f"{self.DESK}_stim.tsv.gz", [[i] for i in range(40)])
        raw.json(
            f"{self.DESK}_stim.json",
            {"SamplingFrequency": 1.0, "StartTime": 0.25, "Columns": ["joy"]},
        )
        found, _ = ratings(raw)
        rating = found[0]
        # sample i was taken at i + 0.25; the sound began at 20, 3 s into the file
        assert (rating.key, rating.rater) == ("a.wav", "01")
        assert rating.values == tuple(range(20, 30))
        assert rating.start_time_s == pytest.approx(3.25)

    def test_desk_ratings_without_events_are_told(self, raw) -> None:
        recording(raw, self.DESK, 1.0)
        found, problems = ratings(raw)
        assert found == []
        assert "events.tsv with stim_file" in problems[0].what

    def test_recordings_of_other_runs_and_people_are_not_taken(self, raw) -> None:
        for name in (
            "sub-01/func/sub-01_task-music_run-2_recording-joy",
            "sub-01/func/sub-01_task-other_run-1_recording-joy",
            "task-other_recording-joy",
        ):
            recording(raw, name, 1.0)
        raw.gz("sub-01/func/sub-01_task-music_run-1_recording-cardiac_physio.tsv.gz", [[1]])
        assert ratings(raw)[0] == []

    def test_sessions(self, raw) -> None:
        run = run_of(ses="b")
        recording(raw, "sub-01/ses-b/func/sub-01_ses-b_task-music_run-1_recording-joy", 1.0)
        recording(raw, "sub-01/ses-a/func/sub-01_ses-a_task-music_run-1_recording-joy", 2.0)
        found, _ = ratings(raw, runs=(run,))
        assert [r.values[0] for r in found] == [1.0]


@given(
    st.floats(-50, 50),
    st.floats(-60, 60),
    st.floats(0, 60),
    st.sampled_from([0.5, 1.0, 3.0, 10.0]),
    st.integers(1, 80),
)
def test_cutting_never_invents_a_sample(start, begin, length, rate, count) -> None:
    series = Series({"x": tuple(map(float, range(count)))}, rate, start, {})
    part = series.between(begin, begin + length)
    times = [part.start_s + i / rate for i in range(len(part.columns["x"]))]
    for time, value in zip(times, part.columns["x"], strict=True):
        assert time == pytest.approx(start + value / rate, abs=1e-6)
        assert begin - 1e-6 <= time <= begin + length + 1e-6
    expected = [i for i in range(count) if begin <= start + i / rate < begin + length]
    assert abs(len(expected) - len(times)) <= 1  # rounding at the edges


class TestIntervals:
    def find(self, raw, runs=(RUN,), stimuli_dir=None):
        return find_intervals(
            open_dataset(raw.root), runs, [played(run=run) for run in runs[:1]], stimuli_dir
        )

    def test_of_a_sound(self, raw) -> None:
        raw.tsv(
            f"{SOUND}_rater-07_events.tsv",
            "onset duration trial_type agreement character",
            "0 5 joy 0.75 MAN",
            "3 4 fear n/a n/a",
            "9 1 n/a 1 x",
            "n/a 1 joy 1 x",
        )
        found, problems = self.find(raw)
        assert problems == []
        assert [(i.label, i.onset_s, i.agreement, i.character) for i in found] == [
            ("joy", 0.0, 0.75, "MAN"),
            ("fear", 3.0, None, None),
        ]
        assert {(i.reference, i.key, i.rater) for i in found} == {("stimulus", "a.wav", "07")}

    def test_numbers_that_are_none_are_quoted(self, raw) -> None:
        raw.tsv(
            f"{SOUND}_events.tsv",
            "onset duration trial_type agreement",
            "0 5 joy 75%",
            "5 5 fear 80",
            "0:10 5 joy 1",
            "15 5 fear .5",
        )
        found, (unread, beyond) = self.find(raw)
        assert [(i.label, i.agreement) for i in found] == [
            *(("joy", None), ("fear", 80.0), ("fear", 0.5))
        ]
        assert "2 times or shares of labels without a number" in unread.what
        assert "'75%', '0:10'" in unread.what
        assert "from 80 to 80 in 1 stretch" in beyond.what

    def test_whole_sounds_are_labelled_by_the_catalogue_where_nothing_else_says_it(
        self, raw
    ) -> None:
        raw.tsv("stimuli/stimuli.tsv", "stim_file emotion", "a.wav joy", "b.wav fear")
        found, problems = self.find(raw)
        assert problems == []
        (label,) = found
        assert (label.label, label.reference, label.key) == ("joy", "stimulus", "a.wav")
        heard = played(run=RUN)
        assert label.onset_s == 0.0
        assert label.duration_s == heard.stim_start_s + heard.duration_s
        assert label.source == raw.root / "stimuli/stimuli.tsv"
        raw.tsv(f"{SOUND}_events.tsv", "onset duration trial_type", "0 5 anger")
        assert [item.label for item in self.find(raw)[0]] == ["anger"]

    def test_rows_of_events(self, raw) -> None:
        raw.tsv(
            EVENTS := "sub-01/func/sub-01_task-music_run-1_events.tsv",
            "onset duration trial_type annot",
            "0 5 music n/a",
            "1 2 sad emotion",
        )
        found, _ = self.find(raw)
        assert [(i.label, i.reference, i.key) for i in found] == [("sad", "run", RUN.name)]
        assert found[0].source == raw.root / EVENTS

    def test_run_locked_tables_with_a_column_for_each_emotion(self, raw, tree) -> None:
        other = tree("annotations")
        other.tsv(
            "emotions_ao_1s_events_run-1_events.tsv",
            "onset duration character arousal e_anger/rage e_joy",
            "10 5 MAN -0.6 0.33 0.66",
            "12 9 WOMAN 0 0 1",
            "30 1 MAN 0 0 0",
        )
        other.tsv("music_run-1_events.tsv", "onset duration title", "0 5 x")
        found, problems = self.find(raw, stimuli_dir=other.root)
        assert [(i.label, i.onset_s, i.agreement, i.character) for i in found] == [
            ("anger/rage", 10, 0.33, "MAN"),
            ("joy", 10, 0.66, "MAN"),
            ("joy", 12, 1, "WOMAN"),
        ]
        assert {(i.reference, i.key) for i in found} == {("run", RUN.name)}
        assert [problem.path.name for problem in problems] == ["music_run-1_events.tsv"]

    def test_a_table_without_task_needs_one_task(self, raw, tree) -> None:
        other = tree("annotations")
        other.tsv("emotions_run-01_events.tsv", "onset duration trial_type", "0 5 joy")
        other.tsv("task-film_run-1_annot-x_events.tsv", "onset duration trial_type", "0 5 fear")
        found, problems = self.find(raw, (RUN, run_of("film")), other.root)
        assert [(i.label, i.key) for i in found] == [("fear", run_of("film").name)]
        assert "--task-id" in problems[0].remedy
        found, problems = self.find(raw, (RUN, SECOND), other.root)
        assert [(i.label, i.key) for i in found] == [("joy", RUN.name)]
        assert problems == []


class TestCoursesThatCannotBeMeant:
    """Times on another clock and cells that are no numbers."""

    def heard(self, raw, seconds: float = 10.0) -> list[Presentation]:
        return [Presentation(RUN.name, 0.0, seconds, "a.wav", raw.wav("stimuli/a.wav", seconds))]

    @pytest.mark.parametrize(("step", "kept"), [(0.5, True), (500.0, False), (0.5 / 3600, False)])
    def test_another_clock_is_left_out_with_numbers(self, raw, step, kept) -> None:
        rows = "".join(f"{step * index},{index % 5}\n" for index in range(20))
        raw.text(f"{SOUND}.csv", f"time,mood\n{rows}")
        found, problems = ratings(raw, presentations=self.heard(raw))
        assert bool(found) is kept
        assert kept or "a.wav lasts 10 s" in problems[0].what

    def test_a_start_far_behind_the_sound(self, raw) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", ROWS)
        raw.json(f"{SOUND}_stim.json", SIDECAR | {"StartTime": 9999})
        found, problems = ratings(raw, presentations=self.heard(raw))
        assert found == []
        assert "spans 9999 to" in problems[0].what

    def test_words_are_quoted_and_missing(self, raw) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", [[0.1, 1.0], ["high", 2.0], [0.3, 3.0]])
        raw.json(f"{SOUND}_stim.json", SIDECAR)
        found, problems = ratings(raw, presentations=self.heard(raw, 2.0))
        valence = next(item for item in found if item.name == "valence")
        assert [math.isfinite(value) for value in valence.values] == [True, False, True]
        assert "1 cell without a number (valence 'high')" in problems[0].what

    def test_decimal_commas_are_read_with_a_note(self, raw) -> None:
        raw.text(f"{SOUND}.csv", "time;mood\n0,0;1,5\n0,5;2,5\n1,0;3\n")
        found, problems = ratings(raw, presentations=self.heard(raw, 2.0))
        assert found[0].values == (1.5, 2.5, 3.0)
        assert found[0].sampling_hz == 2.0
        assert "decimal comma" in problems[0].what

    def test_a_column_without_values_is_said(self, raw) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", [["n/a", 1.0], ["n/a", 2.0]])
        raw.json(f"{SOUND}_stim.json", SIDECAR)
        found, problems = ratings(raw, presentations=self.heard(raw, 2.0))
        assert [item.name for item in found] == ["arousal"]
        assert "holds no value in valence" in problems[0].what

    @pytest.mark.parametrize("rate", [True, float("inf"), 10**400, "2", 0])
    def test_a_rate_that_is_none(self, raw, rate) -> None:
        raw.gz(f"{SOUND}_stim.tsv.gz", ROWS)
        raw.json(f"{SOUND}_stim.json", SIDECAR | {"SamplingFrequency": rate})
        assert ratings(raw)[0] == []
