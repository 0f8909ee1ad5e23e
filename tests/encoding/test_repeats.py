"""Which rows of a design heard the same music twice."""

from __future__ import annotations

import dataclasses

import numpy as np

from bidsapp.bids.records import Presentation, Run
from bidsapp.encoding.repeats import repeated_rows
from bidsapp.encoding.rows import FoldOptions, Rows, make_rows

LAGS_S = (4.0, 6.0)


def rows_of(runs: tuple[Run, ...], shown: tuple[Presentation, ...]) -> Rows:
    durations_s = {item.stim_file: 60.0 for item in shown}
    return make_rows(runs, shown, durations_s, "positive", LAGS_S, FoldOptions(begin_s=12.0))


def test_nothing_repeated(runs: tuple[Run, ...], presentations: tuple[Presentation, ...]) -> None:
    repeats, piece = repeated_rows(rows_of(runs, presentations), presentations)
    assert repeats == []
    assert piece.size == 0


def test_repeats_are_paired_from_their_onsets_on_the_rows_that_are_scored(
    runs: tuple[Run, ...], presentations: tuple[Presentation, ...]
) -> None:
    again = dataclasses.replace(presentations[0], run_name=runs[1].name, onset_s=7.0)
    shown = (*presentations[:2], dataclasses.replace(presentations[3], onset_s=75.0), again)
    rows = rows_of(runs, shown)
    (first, second), piece = repeated_rows(rows, shown)
    np.testing.assert_array_equal(piece, np.zeros(48))  # 12 s of the sound's 60 are its beginning
    np.testing.assert_array_equal(rows.timeline.volume[first], np.arange(17, 65))
    np.testing.assert_array_equal(rows.timeline.volume[second], np.arange(19, 67))
    np.testing.assert_array_equal(rows.timeline.run[second], np.ones(48))


def test_other_parts_of_a_sound_are_no_repeats(
    runs: tuple[Run, ...], presentations: tuple[Presentation, ...]
) -> None:
    part = dataclasses.replace(presentations[3], stim_start_s=30.0, stim_file="piece0.wav")
    shown = (*presentations[:3], part)
    assert repeated_rows(rows_of(runs, shown), shown)[0] == []
