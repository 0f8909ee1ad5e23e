"""Names of what is heard in a block: blocks of one name are displaced alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bidsapp.bids.records import Presentation, Run
from bidsapp.encoding.rows import FoldOptions, Rows, make_rows
from bidsapp.stats.displacement import piece_shifts

LAGS_S = (4.0, 5.0, 6.0)


def rows_of(runs: tuple[Run, ...], presentations: list[Presentation], length_s: float) -> Rows:
    durations_s = {item.stim_file: length_s for item in presentations}
    return make_rows(runs, presentations, durations_s, "positive", LAGS_S, FoldOptions())


def shifts_of(rows: Rows) -> dict[str, list[int]]:
    """Displacements of each piece in five copies."""
    shifts = piece_shifts(rows.heard, rows.blocks.lengths, 5, 5, seed=3)
    return {name: list(column) for name, column in zip(rows.heard, shifts.T, strict=True)}


def test_a_piece_is_displaced_alike_in_whatever_order_it_is_heard(
    runs: tuple[Run, ...], presentations: tuple[Presentation, ...]
) -> None:
    first = rows_of(runs, list(presentations), 60.0)
    names = [item.stim_file for item in presentations]
    other_order = [
        dataclasses.replace(item, stim_file=name)
        for item, name in zip(presentations, names[::-1], strict=True)
    ]
    second = rows_of(runs, other_order, 60.0)
    assert first.heard == tuple(names)
    assert second.heard == tuple(names[::-1])
    assert shifts_of(first) == shifts_of(second)
    assert len({tuple(moved) for moved in shifts_of(first).values()}) == len(names)


def test_repeats_of_a_piece_have_one_name(
    runs: tuple[Run, ...], presentations: tuple[Presentation, ...]
) -> None:
    heard_twice = [
        dataclasses.replace(item, stim_file=f"piece{number % 2}.wav")
        for number, item in enumerate(presentations)
    ]
    # a repeat is in the fold of its piece: a third piece keeps the folds apart
    heard_twice[3] = dataclasses.replace(heard_twice[3], stim_file="piece2.wav")
    rows = rows_of(runs, heard_twice, 60.0)
    assert sorted(rows.heard) == ["piece0.wav", "piece0.wav", "piece1.wav", "piece2.wav"]
    shifts = piece_shifts(rows.heard, rows.blocks.lengths, 5, 9, seed=0)
    repeats = [column for name, column in zip(rows.heard, shifts.T, strict=True) if "0" in name]
    np.testing.assert_array_equal(*repeats)


def test_parts_of_a_piece_have_names_of_their_own(runs: tuple[Run, ...]) -> None:
    longer = dataclasses.replace(runs[0], n_trs=420)
    one = Presentation(
        run_name=longer.name, onset_s=5.0, duration_s=400.0, stim_file="film.wav", path=None
    )
    rows = rows_of((longer,), [one], 400.0)
    assert rows.heard[0] == "film.wav"
    assert rows.heard[1] == "film.wav part 2"
    assert len(set(rows.heard)) == rows.n_blocks > 2


@pytest.mark.parametrize("seed", [0, 1])
def test_blocks_are_where_their_pieces_are(
    runs: tuple[Run, ...], presentations: tuple[Presentation, ...], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(presentations))
    shuffled = [presentations[number] for number in order]
    rows = rows_of(runs, shuffled, 60.0)
    for block, name in enumerate(rows.heard):
        mine = rows.timeline.piece[rows.blocks.label == block]
        assert {rows.timeline.pieces[piece] for piece in mine} == {name}
        assert rows.block_pieces[block] == name
