"""Parcel time courses on the clock of the sounds."""

from __future__ import annotations

import dataclasses

import numpy as np

from bidsapp.bids.records import Presentation, Run
from bidsapp.encoding.courses import course_rows


def test_rows_name_piece_repeat_and_time(
    runs: tuple[Run, ...], presentations: tuple[Presentation, ...]
) -> None:
    again = dataclasses.replace(presentations[0], run_name=runs[1].name, onset_s=7.0)
    shown = (*presentations[:2], again)
    durations_s = {item.stim_file: 60.0 for item in shown}
    means = np.arange(280.0)[:, None] + [0.0, 1000.0]
    rows = list(course_rows(runs, shown, durations_s, means))
    first = [row for row in rows if row["piece"] == "piece0.wav" and row["repeat"] == 1]
    second = [row for row in rows if row["piece"] == "piece0.wav" and row["repeat"] == 2]
    assert [row["stim_time_s"] for row in first] == list(range(60))
    assert first[0]["parcel001"] == 5.0
    assert second[0]["parcel002"] == 140 + 7 + 1000
    assert {row["repeat"] for row in rows if row["piece"] == "piece1.wav"} == {1}
