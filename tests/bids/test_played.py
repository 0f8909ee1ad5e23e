"""Rows of tables that real datasets have: what was played, what is refused, what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from bidsapp.bids.adapters import EventRule
from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.near import nearly
from bidsapp.bids.played import read_played
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.records import Run
from bidsapp.bids.tables import number, time_s
from bidsapp.errors import InputInvalidError
from tests.runs import make_run

EVENTS = "sub-01/func/sub-01_task-music_run-1_events.tsv"


def run_of(**entities: str) -> Run:
    entities = {"sub": "01", "task": "music", "run": "1"} | entities
    kept = {key: label for key, label in entities.items() if label}
    return make_run(entities=kept, n_trs=400)


@pytest.fixture
def raw(tree):
    dataset = tree("raw")
    dataset.description()
    dataset.text("sub-01/func/x")
    return dataset


def found_in(raw, *runs: Run, **options):
    found, problems = find_presentations(open_dataset(raw.root), runs or [run_of()], **options)
    timings = [(p.stim_file, p.onset_s, p.duration_s, p.stim_start_s) for p in found]
    return timings, " | ".join(map(str, problems))


class TestNumbers:
    @pytest.mark.parametrize(
        ("cell", "value"),
        [("12", 12), ("12.5", 12.5), (" -3e-1 ", -0.3), (".5", 0.5), ("5.", 5)],
    )
    def test_numbers(self, cell, value) -> None:
        assert number(cell) == value
        assert time_s(cell) == value

    @pytest.mark.parametrize(
        "cell", ["", "n/a", "10 s", "1_000", "inf", "nan", "1e999", "0x10", "1,2,3", "١٢", "--1"]
    )
    def test_no_numbers(self, cell) -> None:
        assert number(cell) != number(cell)
        assert time_s(cell) != time_s(cell)

    @pytest.mark.parametrize(
        ("cell", "value"),
        [
            ("0:20", 20),
            ("1:02:03.5", 3723.5),
            ("75:00", 4500),
            ("2:03,25", 123.25),
            ("12,5", 12.5),
        ],
    )
    def test_clock_times(self, cell, value) -> None:
        assert time_s(cell) == value
        assert number(cell) != number(cell)


class TestStrictTimes:
    def test_decimal_commas_and_minutes_are_read_with_a_note(self, raw) -> None:
        raw.tsv(
            EVENTS,
            "onset duration stim_file stim_start",
            "12 30 a.wav 12,5",
            "84 30 b.wav 0:20",
            "2:36 30,5 c.wav 10",
        )
        for name in "abc":
            raw.wav(f"stimuli/{name}.wav", 60)
        timings, said = found_in(raw)
        assert timings == [
            ("a.wav", 12, 30, 12.5),
            ("b.wav", 84, 30, 20),
            ("c.wav", 156, 30.5, 10),
        ]
        assert "'12,5' as 12.5 s, '0:20' as 20 s, '2:36' as 156 s and 1 more" in said

    @pytest.mark.parametrize("column", ["stim_start", "duration"])
    def test_other_text_leaves_the_row_out_and_is_quoted(self, raw, column) -> None:
        cells = {"stim_start": "10", "duration": "30"} | {column: "10 s"}
        raw.text(
            EVENTS,
            "onset\tduration\tstim_file\tstim_start\n"
            f"12\t{cells['duration']}\ta.wav\t{cells['stim_start']}\n84\t30\tb.wav\t5\n",
        )
        raw.wav("stimuli/a.wav", 60)
        raw.wav("stimuli/b.wav", 60)
        timings, said = found_in(raw)
        assert timings == [("b.wav", 84, 30, 5)]
        assert f"no numbers: {column} '10 s'" in said

    def test_a_delay_that_is_no_number(self) -> None:
        rule = EventRule(delay="soa")
        rows = [{"onset": "1", "duration": "5", "stim_file": "a.wav", "soa": "late"}]
        played, problems = read_played(rows, rule, Path("t.tsv"), "t")
        assert played == []
        assert "soa 'late'" in problems[0].what

    @pytest.mark.parametrize(
        ("mark", "word"), [(",", "commas"), (" ", "blanks"), (";", "semicolons")]
    )
    def test_other_separators_are_named(self, raw, mark, word) -> None:
        raw.text(EVENTS, mark.join(["onset", "duration", "stim_file"]) + "\n")
        assert f"separated by {word}, not tabs" in found_in(raw)[1]

    def test_utf16(self, raw) -> None:
        path = raw.root / EVENTS
        path.write_bytes("onset\tduration\tstim_file\n1\t5\ta.wav\n".encode("utf-16"))
        raw.wav("stimuli/a.wav", 5)
        assert found_in(raw)[0] == [("a.wav", 1, 5, 0)]

    def test_a_row_twice_counts_once(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "1 5 a.wav", "9 5 b.wav", "1 5 a.wav")
        raw.wav("stimuli/a.wav", 5)
        raw.wav("stimuli/b.wav", 5)
        timings, said = found_in(raw)
        assert [item[1] for item in timings] == [1, 9]
        assert "1 row with the onset, duration and sound of another" in said


class TestSeveralRowsOfOneSound:
    def test_stretches_of_one_playing(self, raw) -> None:
        raw.tsv(
            EVENTS,
            "onset duration trial_type stim_file",
            "12 60 music long.wav",
            "84 204 story long.wav",
        )
        raw.wav("stimuli/long.wav", 276)
        timings, said = found_in(raw)
        assert timings == [("long.wav", 12, 60, 0), ("long.wav", 84, 204, 72)]
        assert "2 rows of long.wav span 276.0 s (the file lasts 276.0 s)" in said

    def test_silence_at_the_end_of_the_file(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 13 pieman.wav", "15 422 pieman.wav")
        raw.wav("stimuli/pieman.wav", 450)
        assert [item[3] for item in found_in(raw)[0]] == [0, 15]

    @pytest.mark.parametrize("length_s", [30, 31])
    def test_repeats_of_the_whole_file_start_at_zero(self, raw, length_s) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 30 a.wav", "50 30 a.wav")
        raw.wav("stimuli/a.wav", length_s)
        timings, said = found_in(raw)
        assert [item[3] for item in timings] == [0, 0]
        assert said == ""

    def test_what_cannot_be_told_apart_is_refused(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "0 30 a.wav", "50 30 a.wav")
        raw.wav("stimuli/a.wav", 200)
        with pytest.raises(
            InputInvalidError, match=r"2 rows of 30 s name a\.wav.*200\.0 s.*stim_start"
        ):
            found_in(raw)

    def test_a_stated_start_settles_it(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file stim_start", "0 30 a.wav 0", "50 30 a.wav 0")
        raw.wav("stimuli/a.wav", 200)
        assert [item[3] for item in found_in(raw)[0]] == [0, 0]

    def test_another_run_starts_anew(self, raw) -> None:
        for number_ in (1, 2):
            raw.tsv(
                EVENTS.replace("run-1", f"run-{number_}"), "onset duration stim_file", "5 30 a.wav"
            )
        raw.wav("stimuli/a.wav", 200)
        timings, _ = found_in(raw, run_of(), run_of(run="2"))
        assert [item[3] for item in timings] == [0, 0]

    def test_the_adapter_of_narratives_needs_no_length(self, raw) -> None:
        raw.tsv(
            EVENTS,
            "onset duration trial_type stim_file",
            "4.5 22 music s.wav",
            "29.5 903 story s.wav",
            "944.5 22 music s.wav",
            "969.5 825 story s.wav",
        )
        timings, _ = found_in(raw, adapter="ds002345")
        assert [item[3] for item in timings] == [0, 25, 940, 965]


class TestResponses:
    @pytest.mark.parametrize("trial_type", ["rating", "Question", "response_left", "button press"])
    def test_rows_about_a_sound_are_no_presentations(self, raw, trial_type) -> None:
        raw.text(
            EVENTS,
            "onset\tduration\ttrial_type\tstim_file\n12\t60\tmusic\ta.wav\n"
            f"75\t4\t{trial_type}\ta.wav\n",
        )
        raw.wav("stimuli/a.wav", 60)
        timings, said = found_in(raw)
        assert timings == [("a.wav", 12, 60, 0)]
        assert "taken for responses" in said

    def test_duration_zero_behind_the_sound(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "12 60 a.wav", "75 0 a.wav", "80 0 b.wav")
        raw.wav("stimuli/a.wav", 60)
        raw.wav("stimuli/b.wav", 40)
        assert [item[:3] for item in found_in(raw)[0]] == [("a.wav", 12, 60), ("b.wav", 80, 40)]

    def test_questions_that_are_the_sounds_stay(self, raw) -> None:
        raw.tsv(
            EVENTS,
            "onset duration trial_type stim_file",
            "1 2 question a.wav",
            "5 2 question b.wav",
        )
        raw.wav("stimuli/a.wav", 2)
        raw.wav("stimuli/b.wav", 2)
        assert len(found_in(raw)[0]) == 2


class TestNothingIsPassedOver:
    def test_a_table_without_rows_or_sounds_is_told(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "1 2 n/a")
        assert "events.tsv has 1 row and names no sound" in found_in(raw)[1]

    @pytest.mark.parametrize("run", ["1.0", "01", "run-1"])
    def test_runs_of_the_overlay_compare_as_numbers(self, raw, run) -> None:
        raw.tsv(
            "stimuli/presentations.tsv",
            "task run onset duration stim_file",
            f"music {run} 3 4 a.wav",
        )
        assert found_in(raw)[0] == [("a.wav", 3, 4, 0)]

    def test_rows_of_the_overlay_that_meet_nothing(self, raw) -> None:
        raw.tsv(
            "stimuli/presentations.tsv",
            "subject task run onset duration stim_file",
            "01 music 1 3 4 a.wav",
            "01 music 7 3 4 a.wav",
            "1.0 music 1 3 4 a.wav",
        )
        _, said = found_in(raw)
        assert "1 of 3 rows for no run of sub-01, but for task 'music' run '7'" in said
        assert "'1.0' (nearly: '01')" in said

    def test_rows_of_other_tasks_are_as_they_should_be(self, raw) -> None:
        raw.tsv(
            "stimuli/presentations.tsv",
            "task onset duration stim_file",
            "music 3 4 a.wav",
            "other 3 4 a.wav",
        )
        raw.wav("stimuli/a.wav", 4)
        assert found_in(raw)[1] == ""

    def test_a_sound_of_nearly_that_name_is_listed(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", '1 2 "Piece0.wav"')
        raw.wav("stimuli/piece0.wav")
        assert "(nearly: 'piece0.wav')" in found_in(raw)[1]

    def test_unicode_forms_of_a_name_are_one_name(self, raw) -> None:
        raw.tsv(EVENTS, "onset duration stim_file", "1 2 Fu\u0308r.wav")
        raw.wav("stimuli/F\u00fcr.wav", 2)
        timings, said = found_in(raw)
        assert (len(timings), said) == (1, "")


def test_near_labels() -> None:
    assert nearly("1", ["01", "02", "11"]) == ["01"]
    assert nearly("task-Music", ["music", "rest"]) == ["music"]
    assert nearly("museic", ["music", "rest"]) == ["music"]
    assert nearly("x", ["music"]) == []
