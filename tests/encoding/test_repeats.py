"""Which volumes heard the same music twice."""

from __future__ import annotations

import dataclasses

import numpy as np

from bidsapp.bids.records import Presentation, Run
from bidsapp.encoding.repeats import repeated_volumes


def test_nothing_repeated(runs: tuple[Run, ...], presentations: tuple[Presentation, ...]) -> None:
    rows, piece = repeated_volumes(runs, presentations)
    assert rows == []
    assert piece.size == 0


def test_repeats_are_paired_from_their_onsets(
    runs: tuple[Run, ...], presentations: tuple[Presentation, ...]
) -> None:
    again = dataclasses.replace(presentations[0], run_name=runs[1].name, onset_s=7.0)
    (first, second), piece = repeated_volumes(runs, (*presentations[:2], again))
    np.testing.assert_array_equal(piece, np.zeros(60))
    np.testing.assert_array_equal(first, np.arange(5, 65))
    np.testing.assert_array_equal(second, 140 + np.arange(7, 67))


def test_other_parts_of_a_sound_are_no_repeats(
    runs: tuple[Run, ...], presentations: tuple[Presentation, ...]
) -> None:
    part = dataclasses.replace(
        presentations[0], run_name=runs[1].name, stim_start_s=30.0, duration_s=30.0
    )
    assert repeated_volumes(runs, (*presentations[:2], part))[0] == []
