from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.errors import InputInvalidError
from bidsapp.features.align import alignment_table
from bidsapp.features.timeline import timeline

LAGS = (4.0, 5.0, 6.0)


def test_what_fits_is_listed_without_a_note(make_run, make_presentation):
    run = make_run(n_trs=100)
    rows, problems = alignment_table([run], [make_presentation(run)], LAGS, {"a.wav": 60.0})
    assert problems == []
    assert rows == [
        {
            "run": "sub-01_task-music_run-1",
            "n_trs": 100,
            "tr_s": 1.0,
            "scan_s": 100.0,
            "stim_file": "a.wav",
            "onset_s": 0.0,
            "duration_s": 60.0,
            "stim_start_s": 0.0,
            "sound_s": 60.0,
            "first_volume": 6,
            "last_volume": 59,
            "n_rows": 54,
            "source": "events.tsv",
            "note": "",
        }
    ]


def test_a_sound_longer_than_its_run_is_cut_and_reported(make_run, make_presentation):
    run = make_run(n_trs=450, tr_s=2.0)
    shown = make_presentation(run, duration_s=904.1)
    (row,), (problem,) = alignment_table([run], [shown], LAGS, {"a.wav": 904.1})
    assert row["last_volume"] == 449
    assert "last 4.10 s not scanned" in row["note"]
    assert "run-1" in str(problem)


@pytest.mark.parametrize(
    ("onset_s", "duration_s", "stim_start_s", "sound_s", "numbers"),
    [
        (100.0, 60.0, 0.0, 60.0, ["100.00 to 160.00", "scan lasts 100.00"]),
        (-70.0, 60.0, 0.0, 60.0, ["-70.00 to -10.00"]),
        (50.0, 60.0, 0.0, 60.0, ["10.00 s beyond", "tolerance 1.50"]),
        (0.0, 60.0, 0.0, 50.0, ["up to 60.00", "has 50.00"]),
        (0.0, 30.0, 40.0, 60.0, ["up to 70.00", "has 60.00"]),
    ],
)
def test_what_cannot_be_is_refused_with_its_numbers(
    make_run, make_presentation, onset_s, duration_s, stim_start_s, sound_s, numbers
):
    run = make_run(n_trs=100)
    shown = make_presentation(run, onset_s, duration_s, "a.wav", stim_start_s)
    with pytest.raises(InputInvalidError) as caught:
        alignment_table([run], [shown], LAGS, {"a.wav": sound_s})
    assert all(number in str(caught.value) for number in ["run-1_bold", "a.wav", *numbers])


def test_tolerance_is_one_tr_and_a_half_second(make_run, make_presentation):
    run = make_run(n_trs=100)
    shown = make_presentation(run, 0.0, 61.4)
    alignment_table([run], [shown], LAGS, {"a.wav": 60.0})
    with pytest.raises(InputInvalidError):
        alignment_table([run], [make_presentation(run, 0.0, 61.6)], LAGS, {"a.wav": 60.0})


def test_sounds_that_overlap_are_refused(make_run, make_presentation):
    run = make_run(n_trs=100)
    first = make_presentation(run, 0.0, 50.0, "a.wav")
    lengths = {"a.wav": 50.0, "b.wav": 40.0}
    alignment_table([run], [first, make_presentation(run, 49.0, 40.0, "b.wav")], LAGS, lengths)
    for onset in (0.0, 30.0):
        late = make_presentation(run, onset, 40.0, "b.wav")
        with pytest.raises(InputInvalidError, match=r"b\.wav|a\.wav"):
            alignment_table([run], [first, late], LAGS, lengths)


def test_what_cannot_be_used_is_a_problem_not_an_error(make_run, make_presentation):
    run = make_run(n_trs=100)
    short = make_presentation(run, 0.0, 5.0, "short.wav")
    lost = make_presentation(run, 10.0, 50.0, "lost.wav")
    rows, problems = alignment_table([run], [short, lost], LAGS, {"short.wav": 5.0})
    assert rows[0]["n_rows"] == 0
    assert math.isnan(rows[0]["first_volume"])
    assert "too short for the lags" in rows[0]["note"]
    assert math.isnan(rows[1]["sound_s"])
    assert "sound not found" in rows[1]["note"]
    assert len(problems) == 2


@given(
    onset_s=st.floats(-50, 150),
    duration_s=st.floats(1, 150),
    sound_s=st.floats(1, 150),
    stim_start_s=st.floats(0, 50),
    tr_s=st.sampled_from([0.5, 1.0, 2.5]),
)
def test_what_passes_agrees_with_the_timeline(
    make_run, make_presentation, onset_s, duration_s, sound_s, stim_start_s, tr_s
):
    run = make_run(n_trs=100, tr_s=tr_s)
    shown = make_presentation(run, onset_s, duration_s, "a.wav", stim_start_s)
    durations = {"a.wav": sound_s}
    try:
        (row,), _ = alignment_table([run], [shown], LAGS, durations)
    except InputInvalidError:
        return
    rows = timeline([run], [shown], LAGS, durations)
    assert row["n_rows"] == rows.n_rows
    assert rows.n_rows == 0 or rows.stim_time_s.max() <= sound_s
