"""Presentations that are too short for a block are counted as 0 volumes and named."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bidsapp.bids.records import Presentation
from bidsapp.errors import InputInvalidError
from bidsapp.features.align import alignment_table
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.base.used_rows import prepare, rows_of
from tests.runs import make_run

PLAIN = SimpleNamespace(confounds="none", high_pass_hz=0.0)
LENGTHS_S = (90.0, 100.0, 15.0, 110.0, 19.0)


@dataclass(frozen=True)
class Settings:
    """Those that decide which rows are used."""

    lags_s: tuple[float, ...] = (4.0, 5.0, 6.0)
    max_outer_folds: int = 10
    max_inner_folds: int = 4
    min_block_s: float = 40.0
    purge_s: float = 18.0
    begin_s: float = 0.0
    response: str = "canonical"
    filter_features: bool = True
    centre: str = "block"


def inputs_of(lengths_s: tuple[float, ...]) -> Inputs:
    """One run per piece, TR 1.5 s, 6 s of silence at its end."""
    runs, shown = [], []
    for number, length_s in enumerate(lengths_s):
        n_trs = int((length_s + 6) / 1.5)
        run = make_run(str(number + 1), tr_s=1.5, n_trs=n_trs, start_time_s=0.75)
        runs.append(run)
        name = f"piece{number}.wav"
        shown.append(Presentation(run.name, 0.0, length_s, name, Path(name)))
    durations = {item.stim_file: item.duration_s for item in shown}
    table, problems = alignment_table(runs, shown, Settings.lags_s, durations)
    assert not problems
    rows = tuple(table)
    return Inputs("01", "T1w", tuple(runs), tuple(shown), (), (), rows, ())


def test_short_pieces_are_named_and_not_counted() -> None:
    inputs = inputs_of(LENGTHS_S)
    assert all(row["n_rows"] > 0 for row in inputs.alignment)
    settings = Settings()
    prepared = prepare(None, inputs, settings, PLAIN)
    rows = rows_of(prepared, settings, "positive", settings.lags_s)
    counts = [row["n_rows"] for row in prepared.alignment]
    assert [count == 0 for count in counts] == [False, False, True, False, True]
    assert sum(counts) == rows.n_used < rows.timeline.n_rows
    assert len(rows.used_pieces) == 3
    assert math.isnan(prepared.alignment[2]["first_volume"])
    named = [problem.path.name for problem in prepared.problems]
    assert named == ["piece2.wav", "piece4.wav"]
    assert "less than half of min_block_s 40" in prepared.problems[0].what
    assert prepared.overview().count("left out") == 2


def test_beside_pieces_that_are_split_the_whole_bound_counts_and_is_named() -> None:
    prepared = prepare(None, inputs_of((300.0, 300.0, 36.0)), Settings(), PLAIN)
    assert [row["n_rows"] > 0 for row in prepared.alignment] == [True, True, False]
    (problem,) = prepared.problems
    heard_s = float(problem.what.split("left out: ")[1].split(" s ")[0])
    assert 20 < heard_s < 40
    assert "at all lags are less than min_block_s 40" in problem.what


def test_presentations_of_half_the_bound_are_used() -> None:
    prepared = prepare(None, inputs_of((90.0, 100.0, 27.0, 110.0, 29.0)), Settings(), PLAIN)
    assert not prepared.problems
    assert all(row["n_rows"] > 0 for row in prepared.alignment)


def test_a_lower_bound_takes_them() -> None:
    prepared = prepare(None, inputs_of(LENGTHS_S), Settings(min_block_s=15.0), PLAIN)
    assert not prepared.problems
    assert all(row["n_rows"] > 0 for row in prepared.alignment)


def test_purged_volumes_are_not_counted_either() -> None:
    settings = Settings()
    prepared = prepare(None, inputs_of((400.0, 300.0)), settings, PLAIN)
    rows = rows_of(prepared, settings, "positive", settings.lags_s)
    assert sum(row["n_rows"] for row in prepared.alignment) == rows.n_used
    assert all("between parts left out" in row["note"] for row in prepared.alignment)
    assert not prepared.problems


def test_the_beginning_of_a_sound_is_left_out_up_to_a_fifth() -> None:
    settings = Settings(begin_s=12.0)
    inputs = inputs_of((90.0, 100.0, 110.0))
    prepared = prepare(None, inputs, settings, PLAIN)
    rows = rows_of(prepared, settings, "positive", settings.lags_s)
    assert rows.timeline.stim_time_s.min() == 12.75
    assert [row["note"] for row in prepared.alignment] == [
        "4 volumes after its onset left out"
    ] * 3
    pooled = Settings(begin_s=12.0, min_block_s=15.0)
    short = rows_of(inputs_of((35.0,) * 5), pooled, "positive", (0.0,))
    assert short.timeline.stim_time_s.min() == 8.25  # first volume after 7 of 35 s


def test_too_little_music_is_refused_before_any_work() -> None:
    with pytest.raises(InputInvalidError):
        prepare(None, inputs_of((20.0, 20.0)), Settings(), PLAIN)


def test_regressors_that_leave_no_freedom_are_refused_before_any_work() -> None:
    """One block of each run; cosines are the only regressors."""
    inputs, settings = inputs_of((40.0,) * 4), Settings()
    rows = rows_of(inputs, settings, "positive", settings.lags_s)
    (n_rows,) = {int((rows.timeline.run == run).sum()) for run in range(4)}
    n_trs = inputs.runs[0].n_trs
    for n_cosines, is_refused in ((n_rows - 1 - 3, False), (n_rows - 1 - 2, True)):
        high_pass_hz = (n_cosines + 0.5) / (2 * n_trs * 1.5)
        config = SimpleNamespace(confounds="none", high_pass_hz=high_pass_hz)
        if not is_refused:
            prepare(None, inputs, settings, config)
            continue
        with pytest.raises(InputInvalidError, match=rf"{n_rows} volumes hear .* {n_cosines} nui"):
            prepare(None, inputs, settings, config)
        prepare(None, inputs, replace(settings, filter_features=False), config)
