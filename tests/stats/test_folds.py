"""No fold leaks, whatever the layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.errors import InputInvalidError
from bidsapp.stats.folds import Fold, make_blocks, nested_folds


@dataclass(frozen=True)
class Layout:
    presentation: np.ndarray
    run: np.ndarray
    piece: np.ndarray
    time_s: np.ndarray

    @property
    def columns(self):
        return self.presentation, self.run, self.piece, self.time_s


def layout(runs, tr_s=2.0):
    """Runs as lists of (piece, number of rows); rows of a piece start at its beginning."""
    rows = []
    presentation = 0
    for number, played in enumerate(runs):
        for piece, n_rows in played:
            rows += [(presentation, number, piece, row * tr_s) for row in range(n_rows)]
            presentation += 1
    table = np.array(rows)
    return Layout(*table[:, :3].astype(int).T, table[:, 3])


presentations = st.tuples(st.integers(0, 6), st.integers(1, 400))
layouts = st.builds(
    layout,
    st.lists(st.lists(presentations, min_size=1, max_size=5), min_size=1, max_size=5),
    st.sampled_from([0.8, 1.4, 2.0]),
)


def assert_no_leak(it, blocks, test, train, purge_s):
    """No piece on both sides; parts of one piece are far enough from each other."""
    in_test, in_train = (np.isin(blocks.label, side) for side in (test, train))
    assert not set(test) & set(train)
    for piece in set(it.piece[in_test]) & set(it.piece[in_train]):
        assert blocks.kind == "split"
        t = it.time_s[in_test & (it.piece == piece)]
        s = it.time_s[in_train & (it.piece == piece)]
        assert np.abs(t[:, None] - s).min() >= purge_s - 1e-9


@settings(max_examples=150, deadline=None)
@given(
    it=layouts,
    purge_s=st.sampled_from([12.0, 18.0]),
    max_outer=st.integers(3, 12),
    max_inner=st.integers(2, 6),
)
def test_no_fold_leaks(it, purge_s, max_outer, max_inner):
    try:
        blocks = make_blocks(*it.columns, purge_s=purge_s)
    except InputInvalidError:
        return
    label = blocks.label
    assert sorted(set(label[label >= 0])) == list(range(blocks.n_blocks))
    assert blocks.lengths.sum() + blocks.n_short + blocks.n_purged == label.size
    for block in range(blocks.n_blocks):
        assert len(set(it.run[label == block])) == 1
    folds = nested_folds(blocks.group, max_outer=max_outer, max_inner=max_inner)
    everything = set(range(blocks.n_blocks))
    assert sorted(block for fold in folds for block in fold.test) == sorted(everything)
    assert len(folds) <= max_outer
    for fold in folds:
        train = everything - set(fold.test)
        assert_no_leak(it, blocks, list(fold.test), list(train), purge_s)
        assert sorted(block for part in fold.inner for block in part) == sorted(train)
        assert 2 <= len(fold.inner) <= max_inner
        for part in fold.inner:
            assert_no_leak(it, blocks, list(part), list(train - set(part)), purge_s)


@settings(max_examples=40, deadline=None)
@given(it=layouts)
def test_enough_groups_or_a_refusal(it):
    try:
        blocks = make_blocks(*it.columns)
    except InputInvalidError as error:
        assert any(character.isdigit() for character in str(error))
    else:
        assert np.unique(blocks.group).size >= 3


def test_three_pieces_are_left_whole():
    it = layout([[(0, 168)], [(1, 256)], [(2, 515)]])
    blocks = make_blocks(*it.columns)
    assert blocks.kind == "presentation"
    assert blocks.lengths.tolist() == [168, 256, 515]
    assert nested_folds(blocks.group) == (
        Fold((0,), ((1,), (2,))),
        Fold((1,), ((0,), (2,))),
        Fold((2,), ((0,), (1,))),
    )


def test_repeats_of_a_piece_stay_together():
    it = layout([[(0, 100), (1, 90)], [(2, 80), (0, 100)], [(3, 60)]])
    blocks = make_blocks(*it.columns)
    assert blocks.group.tolist() == [0, 1, 2, 0, 3]
    assert blocks.piece.tolist() == [0, 1, 2, 0, 3]
    assert nested_folds(blocks.group)[0].test == (0, 3)


def test_short_clips_are_pooled_by_run():
    it = layout([[(10 * run + clip, 10) for clip in range(8)] for run in range(4)])
    blocks = make_blocks(*it.columns)
    assert (blocks.kind, blocks.n_blocks) == ("run", 4)
    assert blocks.run.tolist() == [0, 1, 2, 3]
    assert blocks.piece.tolist() == [-1] * 4


def test_runs_that_share_a_clip_are_one_group():
    runs = [[(10 * run + clip, 10) for clip in range(8)] for run in range(5)]
    runs[4][3] = runs[1][0]
    assert make_blocks(*layout(runs).columns).group.tolist() == [0, 1, 2, 3, 1]


def test_the_same_clips_in_every_run_are_divided_into_sets():
    it = layout([[((clip + run) % 8, 10) for clip in range(8)] for run in range(3)])
    blocks = make_blocks(*it.columns)
    assert blocks.kind == "clips"
    assert np.unique(blocks.group).size == 5
    assert blocks.n_blocks == 15


def test_one_short_presentation_among_long_ones_is_left_out():
    it = layout([[(0, 100), (1, 90), (2, 80), (3, 7)]])
    blocks = make_blocks(*it.columns)
    assert (blocks.kind, blocks.n_blocks, blocks.n_short) == ("presentation", 3, 7)


def test_presentations_of_half_the_bound_are_blocks_beside_enough_long_ones():
    it = layout([[(0, 100), (1, 90), (2, 80), (3, 10), (4, 6)]])
    blocks = make_blocks(*it.columns, min_block_s=30.0)
    assert (blocks.kind, blocks.n_short) == ("presentation", 6)
    assert blocks.lengths.tolist() == [100, 90, 80, 10]
    few = make_blocks(*layout([[(0, 300), (1, 90), (2, 10)]]).columns, min_block_s=30.0)
    assert few.kind == "split"
    assert 2 not in few.piece


def test_one_long_piece_is_cut_with_a_purge():
    it = layout([[(0, 300)], [(0, 300)]])
    blocks = make_blocks(*it.columns, purge_s=18.0)
    assert blocks.kind == "split"
    assert blocks.group.tolist() == [0, 1, 2, 0, 1, 2]
    assert blocks.n_purged == 2 * 2 * 9
    starts = [it.time_s[blocks.label == block].min() for block in range(3)]
    ends = [it.time_s[blocks.label == block].max() for block in range(3)]
    assert min(np.subtract(starts[1:], ends[:-1])) >= 18.0


def test_a_long_piece_is_cut_further_when_the_other_is_short():
    blocks = make_blocks(*layout([[(0, 20), (1, 100)]]).columns)
    assert blocks.piece.tolist() == [0, 1, 1]


def test_what_a_shortened_repeat_leaves_over_is_dropped():
    blocks = make_blocks(*layout([[(0, 300)], [(0, 107)]]).columns)
    assert blocks.group.tolist() == [0, 1, 2, 0]
    assert blocks.n_purged == 2 * 9 + 9 + 2


@pytest.mark.parametrize("runs", [[[(0, 50)]], [[(0, 5), (1, 5)]], [[(0, 40), (1, 40)]]])
def test_too_little_is_refused(runs):
    with pytest.raises(InputInvalidError, match=r"needed|too few"):
        make_blocks(*layout(runs).columns)


def test_two_groups_cannot_be_nested():
    with pytest.raises(InputInvalidError, match="at least 3 groups"):
        nested_folds([0, 1, 1])


def test_many_groups_are_dealt_into_folds():
    folds = nested_folds(np.repeat(np.arange(24), 2), max_outer=10, max_inner=5)
    assert len(folds) == 10
    assert {len(fold.inner) for fold in folds} == {5}
    assert {len(fold.test) for fold in folds} == {4, 6}
