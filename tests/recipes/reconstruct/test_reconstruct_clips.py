"""Clips, windows, folds and averages of volumes, on presentations written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bidsapp.audio.networks.base import Layer
from bidsapp.bids.records import Presentation, Run
from bidsapp.errors import InputInvalidError
from bidsapp.features.courses import CourseBank
from bidsapp.recipes.reconstruct.clips import ReconstructInputs, make_clips
from bidsapp.recipes.reconstruct.folds import (
    allowed_gap,
    are_consecutive,
    clips_near,
    genre_groups,
    heard_order,
    likeness_of_neighbours,
    make_blocks,
    parted_neighbours,
    places,
)
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.windows import (
    fill_responses,
    response_weights,
    scanned_clips,
    window_embeddings,
)
from bidsapp.stats.folds import nested_folds

TR_S, N_TRS, CLIP_S = 1.5, 80, 15.0
SETTINGS = ReconstructSettings(n_folds=3)


def run(number: int, task: str = "Training") -> Run:
    entities = {"sub": "01", "task": task, "run": str(number)}
    return Run(entities, "toy", None, None, "volume", (), None, None, TR_S, N_TRS)


def inputs(
    order: list[list[str]], tasks: list[str] | None = None, **lengths: float
) -> ReconstructInputs:
    """Clips end to end, one list of names for each run; 15 s each unless a length is given."""
    runs = tuple(run(k + 1, task) for k, task in enumerate(tasks or ["Training"] * len(order)))
    presentations, alignment = [], []
    for own, names in zip(runs, order, strict=True):
        onset_s = 0.0
        for name in names:
            length_s = lengths.get(name, CLIP_S)
            presentations.append(
                Presentation(own.name, onset_s, length_s, name, Path(name), 0.0, "events")
            )
            alignment.append({"stim_file": name, "sound_s": length_s})
            onset_s += length_s
    names = sorted({name for own in order for name in own})
    genres = {name: name[0] for name in names}
    return ReconstructInputs(
        "01", "toy", runs, tuple(presentations), (), (), tuple(alignment), (), genres=genres
    )


ORDER = [["a1", "b1", "a2", "b2"], ["b2", "a3", "b3", "a1"]]


def test_repeats_of_a_clip_are_one_clip_in_one_fold() -> None:
    clips = make_clips(inputs(ORDER), SETTINGS)
    assert [clip.name for clip in clips.clips] == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert [len(own) for own in clips.hearings] == [2, 1, 1, 1, 2, 1]
    np.testing.assert_allclose(clips.window_start_s, [0, 1.5, 3, 4.5])
    block, folds = make_blocks(clips, inputs(ORDER), SETTINGS)
    assert [fold.test for fold in folds] == [(0,), (1,), (2,)]
    assert [fold.inner for fold in folds] == [((1,), (2,)), ((0,), (2,)), ((0,), (1,))]
    for k in range(3):
        genres = [own for own, number in zip(clips.genre, block, strict=True) if number == k]
        assert sorted(genres) == ["a", "b"]


NAMES = [f"{genre}{k}" for genre in "abcd" for k in range(8)]


def in_runs(names: Sequence[str]) -> list[list[str]]:
    """Four runs of eight clips."""
    return [list(names[start : start + 8]) for start in range(0, 32, 8)]


def shuffled(seed: int) -> list[str]:
    return [str(name) for name in np.random.default_rng(seed).permutation(NAMES)]


def blocks_of(heard: ReconstructInputs, **changes: object) -> tuple[dict[str, int], float]:
    """Block of each clip, and the share of held-out clips apart from a neighbour."""
    settings = replace(SETTINGS, **changes)
    clips = make_clips(heard, settings)
    block = make_blocks(clips, heard, settings)[0]
    _, rows = scanned_clips(heard, settings)
    names = [clip.name for clip in clips.clips]
    return dict(zip(names, block.tolist(), strict=True)), parted_neighbours(clips, rows)


def test_clips_heard_one_after_the_other_are_held_out_together() -> None:
    order = shuffled(2)
    assert blocks_of(inputs(in_runs(order)))[1] == 0  # neighbours across borders are left out
    block, parted = blocks_of(inputs(in_runs(order)), fold_gap_s=0.0)
    assert [block[name] for name in order] == [0] * 11 + [1] * 11 + [2] * 10
    assert parted == 4 / 32  # both borders lie within runs
    dealt, parted = blocks_of(inputs(in_runs(order)), fold_order="genre")
    for genre in "abcd":
        assert {sum(dealt[f"{genre}{k}"] == b for k in range(8)) for b in range(3)} == {2, 3}
    assert parted > 0.7


@pytest.mark.parametrize(
    ("order", "fold_order", "expected"),
    [(shuffled(2), "time", True), (shuffled(2), "genre", False), (NAMES, "time", False)],
)
def test_the_methods_text_knows_how_clips_were_divided(
    order: list[str], fold_order: str, *, expected: bool
) -> None:
    settings, heard = replace(SETTINGS, fold_order=fold_order), inputs(in_runs(order))
    clips = make_clips(heard, settings)
    block, _ = make_blocks(clips, heard, settings)
    assert are_consecutive(clips, heard, block) == expected


def test_genres_played_one_after_the_other_are_spread_over_folds() -> None:
    block, parted = blocks_of(inputs(in_runs(NAMES)))
    assert all(len({block[f"{genre}{k}"] for k in range(8)}) == 3 for genre in "abcd")
    assert parted == 1


def test_folds_are_those_of_the_first_participant_whatever_the_order() -> None:
    first, other = (inputs(in_runs(shuffled(seed))) for seed in (2, 3))
    reference = heard_order(first.runs, first.presentations)
    assert list(reference) == shuffled(2)
    blocks = blocks_of(first)[0]
    assert blocks_of(other)[0] != blocks
    same, parted = blocks_of(replace(other, heard=reference))
    assert same == blocks
    assert parted > 0.5


def test_neighbours_are_alike_only_where_the_order_goes_by_the_music() -> None:
    rng = np.random.default_rng(4)
    of_genre = rng.standard_normal((4, 6))
    for order, least, most in ((NAMES, 0.5, 1.0), (shuffled(2), -0.15, 0.15)):
        clips = make_clips(inputs(in_runs(order)), SETTINGS)
        genre = np.array(["abcd".index(own) for own in clips.genre])
        embedding = of_genre[genre] + 0.3 * rng.standard_normal((32, 6))
        assert least < likeness_of_neighbours(clips, embedding) < most
    single = make_clips(inputs([["a1"], ["b1"]]), SETTINGS)
    assert np.isnan(likeness_of_neighbours(single, embedding[:2]))


def test_clips_near_a_block_are_those_heard_within_the_gap_in_the_same_run() -> None:
    heard = inputs([["a1", "a2", "a3", "a4", "b1"], ["b2", "a4", "b3", "b4", "b5"]])
    clips = make_clips(heard, SETTINGS)
    names = np.array([clip.name for clip in clips.clips])
    block = np.where(np.isin(names, ["a1", "a2"]), 0, np.where(names == "b2", 1, 2))
    for gap_s, expected in (
        (0.0, [[], []]),
        (15.0, [["a3"], ["a4"]]),
        (15.1, [["a3", "a4"], ["a4", "b3"]]),
        (45.0, [["a3", "a4", "b1"], ["a4", "b3", "b4"]]),
    ):
        near = clips_near(clips, block, gap_s)
        assert [names[own].tolist() for own in near[:2]] == expected
        assert not near[2, block == 2].any()
    near = clips_near(clips, block, 15.0)
    assert names[near[2]].tolist() == ["a2", "b2"]


def test_clips_have_the_place_at_which_the_first_participant_heard_them() -> None:
    first, other = (inputs(in_runs(shuffled(seed))) for seed in (2, 3))
    reference = heard_order(first.runs, first.presentations)
    for heard in (first, replace(other, heard=reference)):
        clips, rows = scanned_clips(heard, SETTINGS)
        names = [clip.name for clip in clips.clips]
        assert [names[k] for k in np.argsort(rows.place)] == shuffled(2)
    long = inputs(ORDER, **dict.fromkeys(["a1", "a2", "a3", "b1", "b2", "b3"], 30.0))
    clips = make_clips(long, SETTINGS)
    ordered = [clips.clips[k].name for k in np.argsort(places(clips, long))]
    assert ordered[:4] == ["a1@0s", "a1@15s", "b1@0s", "b1@15s"]


def test_gaps_that_leave_too_little_are_not_kept() -> None:
    block = np.arange(30) // 6
    folds = nested_folds(np.arange(5))
    near = np.zeros((5, 30), np.bool_)
    assert allowed_gap(near, block, folds) is None
    near[0, [6, 7, 8]] = near[1, [5, 12]] = True
    kept = allowed_gap(near, block, folds)
    assert kept is near
    every = near.copy()
    every[0, 6:12] = True  # a block would have nothing left to choose penalties by
    assert allowed_gap(every, block, folds) is None
    many = np.zeros_like(near)
    many[0, [13, 14, 19, 20, 25, 26]] = many[2, [9, 21, 22, 27]] = True
    kept = allowed_gap(many, block, folds)
    assert kept is many  # without blocks 0 and 2, 10 of 18 clips are left
    many[2, [8, 28]] = True
    assert allowed_gap(many, block, folds) is None  # 8 are


def test_the_beginning_of_runs_can_be_left_out() -> None:
    clips = make_clips(inputs(ORDER), replace(SETTINGS, drop_first_s=15.0))
    assert [clip.name for clip in clips.clips] == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert [len(own) for own in clips.hearings] == [1, 1, 1, 1, 1, 1]


def test_a_clip_of_nearly_the_length_keeps_its_windows_and_a_short_one_is_left_out() -> None:
    found = make_clips(inputs(ORDER, a2=14.99), SETTINGS)
    assert found.n_windows == 4
    found = make_clips(inputs(ORDER, a2=11.0), SETTINGS)
    assert "a2" not in {clip.name for clip in found.clips}
    assert found.left_out == ("a2 is left out: it lasts 11.00 s, less than 12 s.",)
    with pytest.raises(InputInvalidError, match="none of 6 clips lasts 20 s"):
        make_clips(inputs(ORDER), replace(SETTINGS, embedding_window_s=20.0))


def test_all_clips_of_a_sound_are_in_one_fold() -> None:
    long = inputs(ORDER, **dict.fromkeys(["a1", "a2", "a3", "b1", "b2", "b3"], 30.0))
    clips = make_clips(long, SETTINGS)
    assert clips.clips[1].name == "a1@15s"
    block, _ = make_blocks(clips, long, SETTINGS)
    pieces = [clip.piece for clip in clips.clips]
    for piece in set(pieces):
        assert len({b for b, own in zip(block, pieces, strict=True) if own == piece}) == 1


def test_clips_of_the_test_task_are_held_out() -> None:
    names = [
        [f"{genre}{k}" for genre in "ab" for k in range(start, start + 5)] for start in (0, 5)
    ]
    both = inputs([*names, ["a8", "b8", "x1", "x2"]], ["Training", "Training", "Test"])
    settings = replace(SETTINGS, test_task="Test")
    clips = make_clips(both, settings)
    block, folds = make_blocks(clips, both, settings)
    held_out = [clip.name for clip, own in zip(clips.clips, block, strict=True) if own == 5]
    assert held_out == ["a8", "b8", "x1", "x2"]
    assert folds[0].test == (5,)
    assert len(folds[0].inner) == 5
    with pytest.raises(InputInvalidError, match="must be one of several tasks"):
        make_blocks(clips, both, replace(settings, test_task="Tset"))
    few = make_clips(inputs(ORDER), SETTINGS)
    with pytest.raises(InputInvalidError, match="6 sounds do not fill 6 folds"):
        make_blocks(few, inputs(ORDER), replace(SETTINGS, n_folds=6))


def test_genres_are_numbered_within_folds() -> None:
    clips = make_clips(inputs(ORDER), SETTINGS)
    groups = genre_groups(clips, np.array([0, 0, -1, 0, 1, 1]))
    assert list(groups) == [0, 0, -1, 1, 2, 2]


def test_responses_are_means_of_the_shifted_volumes_of_all_repeats() -> None:
    heard = inputs(ORDER)
    clips = make_clips(heard, SETTINGS)
    weights = response_weights(clips, heard.runs, window_s=10, shift_s=5, length_s=10)
    assert weights.shape == (6 * 4, 2 * N_TRS)
    rng = np.random.default_rng(0)
    data = rng.standard_normal((2 * N_TRS, 7)).astype(np.float32)
    out = np.zeros((7, 24), np.float32)
    fill_responses(weights, data, out)
    times = TR_S * np.arange(N_TRS)
    for row, (starts, runs) in {
        0: ((0.0, 45.0), (0, 1)),
        2: ((3.0, 48.0), (0, 1)),
        4: ((30.0,), (0,)),
    }.items():
        parts = []
        for start, number in zip(starts, runs, strict=True):
            inside = (times >= start + 5 - 1e-9) & (times < start + 15 - 1e-9)
            parts.append(data[number * N_TRS :][:N_TRS][inside].mean(axis=0))
        np.testing.assert_allclose(out[:, row], np.mean(parts, axis=0), atol=1e-6)


def test_windows_of_clips_next_to_each_other_share_no_volume() -> None:
    heard = inputs([["a1", "b1", "a2", "b2"]])
    clips = make_clips(heard, replace(SETTINGS, n_folds=2))
    weights = response_weights(clips, heard.runs, window_s=10, shift_s=5, length_s=10).toarray()
    of_clip = (weights > 0).reshape(4, 4, -1).any(axis=1)
    assert of_clip.sum(axis=0).max() == 1
    # a response that was not scanned to its end has an empty row
    late = response_weights(clips, heard.runs, window_s=10, shift_s=75, length_s=10)
    assert np.diff(late.indptr).min() == 0


def test_embeddings_are_means_of_the_frames_inside_windows(tmp_path: Path) -> None:
    heard = inputs(ORDER)
    clips = make_clips(heard, SETTINGS)
    names = tuple(sorted(clip.piece for clip in clips.clips))
    time_s = np.arange(1.0, 14.1, 1.0)
    values = np.random.default_rng(1).standard_normal((6 * len(time_s), 3)).astype(np.float32)
    np.save(tmp_path / "course-01.npy", values)

    def bank(window_s: float) -> CourseBank:
        return CourseBank(
            network="toy",
            layers=(Layer("only", "fc", 3),),
            weights={},
            window_s=window_s,
            hop_s=1.0,
            pieces=names,
            piece_s=(CLIP_S,) * 6,
            frame_piece=np.repeat(np.arange(6), len(time_s)),
            frame_time_s=np.tile(time_s, 6),
            key="k",
            folder=tmp_path,
        )

    embedding = window_embeddings(bank(2.0), 0, clips, 10.0)
    assert embedding.shape == (6, 4, 3)
    own = values.reshape(6, len(time_s), 3)
    inside = (time_s - 1 >= 1.5) & (time_s + 1 <= 11.5)
    np.testing.assert_allclose(embedding[2, 1], own[2, inside].mean(axis=0), atol=1e-6)
    nearest = window_embeddings(bank(12.0), 0, clips, 10.0)
    np.testing.assert_allclose(nearest[1, 0], own[1, time_s == 5.0][0], atol=1e-6)
