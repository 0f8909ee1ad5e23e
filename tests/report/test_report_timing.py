"""Alignment and folds: what the tables say, and what is drawn of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.report.figures.style import PIECES
from bidsapp.report.html import Picture, Prose, Table
from bidsapp.report.timing import (
    alignment_section,
    amounts,
    analysed,
    folds_section,
    piece_colours,
    pieces_of,
    short_run,
    thin,
)
from bidsapp.results.kinds import Column
from bidsapp.results.kinds import Table as Declared


def declared(*names: str) -> Declared:
    text = ("run", "stim_file", "piece", "kind")
    columns = tuple(Column(name, text=name in text, digits=1) for name in names)
    return Declared(desc="toyalignment", title="A", says="A.", columns=columns)


ALIGNMENT = declared(
    "run", "stim_file", "onset_s", "duration_s", "stim_start_s", "sound_s", "n_rows",
    "first_volume", "last_volume",
)  # fmt: skip
FOLDS = declared("block", "kind", "fold", "run", "piece", "n_rows", "first_volume", "last_volume")


@pytest.fixture
def alignment() -> pd.DataFrame:
    common = {"n_trs": 100, "tr_s": 2.0, "scan_s": 200.0, "stim_start_s": 0.0}
    heard = {"duration_s": 60.0, "sound_s": 61.0, "n_rows": 25, "first_volume": 5.0,
             "last_volume": 29.0}  # fmt: skip
    silent = {"duration_s": np.nan, "sound_s": np.nan, "n_rows": 0, "first_volume": np.nan,
              "last_volume": np.nan}  # fmt: skip
    return pd.DataFrame(
        [
            {"run": "sub-01_run-1", "stim_file": "a.wav", "onset_s": 8.0, **common, **heard},
            {"run": "sub-01_run-1", "stim_file": "b.wav", "onset_s": 90.0, **common, **heard},
            {"run": "sub-01_run-2", "stim_file": "a.wav", "onset_s": 8.0, **common, **heard},
            {"run": "sub-01_run-3", "stim_file": None, "onset_s": np.nan, **common, **silent},
        ]
    )


def cells(table: Table) -> list[dict[str, str]]:
    return [
        {column.head: cell.text for column, cell in zip(table.columns, row, strict=True)}
        for row in table.rows
    ]


def test_amounts_count_runs_volumes_and_pieces(alignment: pd.DataFrame) -> None:
    values = {item.label: (item.value, item.remark) for item in amounts(alignment)}
    assert values == {
        "Runs": ("3", "300 volumes"),
        "Volumes analysed": ("75", "25 % of all"),
        "Pieces": ("2", "3.0 min of sound"),
    }


def test_runs_and_pieces_are_tabulated(alignment: pd.DataFrame) -> None:
    runs = [{"name": "sub-01_run-1", "confounds": ["x", "y"]}]
    by_run, by_piece = analysed(alignment, runs).parts
    assert isinstance(by_run, Table)
    assert isinstance(by_piece, Table)
    first, _, third = cells(by_run)
    assert first == {"run": "run-1", "volumes": "100", "TR (s)": "2.00", "scan (s)": "200.0",
                     "presentations": "2", "volumes used": "50", "confounds": "2",
                     "freedom taken (%)": "2"}  # fmt: skip
    assert (third["presentations"], third["confounds"]) == ("0", "\u2013")
    played = {row["piece"]: (row["presentations"], row["played (s)"]) for row in cells(by_piece)}
    assert played == {"a.wav": ("2", "120.0"), "b.wav": ("1", "60.0")}


def test_presentations_are_drawn_and_tabulated(alignment: pd.DataFrame) -> None:
    waveform = pd.DataFrame({"piece": "a.wav", "time_s": np.arange(10.0), "rms": np.ones(10)})
    figure, table = alignment_section(alignment, ALIGNMENT, waveform).parts
    assert isinstance(figure, Picture)
    assert "run-1: scan of 200 s, 2 presentations" in figure.alt
    assert "run-3: scan of 200 s, 0 presentations" in figure.alt
    assert isinstance(table, Table)
    rows = cells(table)
    assert rows[0]["first volume"] == "5\u201329"
    assert rows[3]["first volume"] == "\u2013"
    assert "last volume" not in rows[0]
    assert table.rows[3][-1].key == math.inf


def test_only_the_first_runs_are_drawn(alignment: pd.DataFrame) -> None:
    many = pd.concat([alignment.iloc[:1].assign(run=f"run-{n}") for n in range(15)])
    figure, table = alignment_section(many, ALIGNMENT).parts
    assert isinstance(figure, Picture)
    assert isinstance(table, Table)
    assert "first 12 of 15 runs" in figure.caption
    assert len(table.rows) == 15


def test_folds_are_drawn_and_tabulated(alignment: pd.DataFrame) -> None:
    frame = pd.DataFrame(
        {"block": [1, 2, 3], "kind": "presentation", "fold": [1, 2, 1], "n_rows": 20,
         "run": ["sub-01_run-1", "sub-01_run-1", "sub-01_run-2"], "piece": ["a", "b", "a"],
         "first_volume": 3.0, "last_volume": 22.0}
    )  # fmt: skip
    colours = piece_colours(pieces_of(alignment))
    figure, table = folds_section(frame, FOLDS, colours).parts
    assert isinstance(figure, Picture)
    assert figure.alt.startswith("3 blocks in 2 folds")
    assert isinstance(table, Table)
    assert cells(table)[2]["run"] == "run-2"


@pytest.mark.parametrize(
    "section",
    [
        lambda: alignment_section(pd.DataFrame(), ALIGNMENT),
        lambda: folds_section(pd.DataFrame(), FOLDS, {}),
    ],
)
def test_what_was_not_written_is_said(section: Any) -> None:
    (part,) = section().parts
    assert isinstance(part, Prose)


def test_colours_repeat_when_pieces_are_many() -> None:
    names = [f"{number}.wav" for number in range(10)]
    colours = piece_colours([*names, names[0]])
    assert list(colours) == names
    assert colours["0.wav"] == colours[f"{len(PIECES)}.wav"] == PIECES[0]


@given(st.integers(1, 3000), st.integers(0, 2**16))
def test_a_thinned_envelope_keeps_its_peak(n: int, seed: int) -> None:
    envelope = np.column_stack([np.arange(n), np.random.default_rng(seed).random(n)])
    kept = thin(envelope, 100)
    assert len(kept) <= 100
    assert kept[:, 1].max() == envelope[:, 1].max()
    assert (np.diff(kept[:, 0]) > 0).all()


def test_runs_are_named_without_their_participant() -> None:
    assert short_run("sub-01_task-music_run-2") == "task-music_run-2"
    assert short_run("task-music") == "task-music"
