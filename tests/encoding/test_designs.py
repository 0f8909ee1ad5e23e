"""Regressors of a layer: nothing of the held-out piece gets in, and the cache changes nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bidsapp.bids.records import Presentation, Run
from bidsapp.encoding.designs import DesignOptions, DesignStore, training_frames
from bidsapp.errors import InputInvalidError
from bidsapp.features.extract import FeatureBank
from bidsapp.features.timeline import timeline
from bidsapp.stats.folds import make_blocks, nested_folds
from tests.encoding.conftest import make_bank

LAGS = (4.0, 5.0, 6.0)
OPTIONS = DesignOptions(n_components=6, log10_alpha=(0.0, 1.0, 2.0, 3.0, 4.0, 5.0))


def make_store(
    bank: FeatureBank,
    runs: tuple[Run, ...],
    presentations: tuple[Presentation, ...],
    folder: Path,
    options: DesignOptions = OPTIONS,
) -> DesignStore:
    rows = timeline(runs, presentations, LAGS)
    blocks = make_blocks(rows.presentation, rows.run, rows.piece, rows.stim_time_s)
    return DesignStore(bank, rows, blocks, nested_folds(blocks.group), LAGS, options, folder)


def test_shapes(bank, runs, presentations, tmp_path) -> None:  # type: ignore[no-untyped-def]
    store = make_store(bank, runs, presentations, tmp_path)
    assert (store.n_layers, store.n_blocks, len(store.folds)) == (3, 4, 4)
    design = store.design(0, 0)
    assert design.x.shape == (store.timeline.n_rows, 6 * len(LAGS))
    assert 0 < design.explained < 1


@pytest.mark.parametrize(("pca_fit", "pure"), [("train", True), ("all", False)])
def test_components_do_not_see_the_held_out_piece(  # type: ignore[no-untyped-def]
    features, bank, runs, presentations, tmp_path, pca_fit, pure
) -> None:
    """Other music in the test piece leaves the training rows of its fold as they were."""
    options = dataclasses.replace(OPTIONS, pca_fit=pca_fit)
    store = make_store(bank, runs, presentations, tmp_path / "a", options)
    (tested,) = store.folds[0].test
    piece = store.timeline.piece[store.blocks.label == tested][0]
    changed = [layer.copy() for layer in features]
    frames = bank.frame_piece == bank.pieces.index(store.timeline.pieces[piece])
    changed[0][frames] += 3 * np.random.default_rng(0).standard_normal((frames.sum(), 12))
    other = make_store(
        make_bank(tmp_path / "other", changed), runs, presentations, tmp_path / "b", options
    )
    train = store.blocks.label != tested
    one, two = (item.design(0, 0).x[train] for item in (store, other))
    assert np.allclose(one, two, atol=1e-8) == pure


def test_training_frames_of_a_split_piece(bank, runs, presentations) -> None:  # type: ignore[no-untyped-def]
    """With two pieces cut into parts, frames inside test parts and purged rows stay out."""
    two = presentations[:2]
    rows = timeline(runs, two, LAGS)
    blocks = make_blocks(
        rows.presentation, rows.run, rows.piece, rows.stim_time_s, min_block_s=15, purge_s=10
    )
    assert blocks.kind == "split"
    for fold in nested_folds(blocks.group):
        chosen = training_frames(bank, rows, blocks, fold)
        for label in fold.test:
            mine = blocks.label == label
            piece = bank.pieces.index(rows.pieces[rows.piece[mine][0]])
            inside = (
                (bank.frame_piece == piece)
                & (bank.frame_time_s >= rows.stim_time_s[mine].min())
                & (bank.frame_time_s <= rows.stim_time_s[mine].max())
            )
            assert inside.any()
            assert not (chosen & inside).any()
        assert chosen.any()


def test_cache_round_trip(bank, runs, presentations, tmp_path) -> None:  # type: ignore[no-untyped-def]
    first = make_store(bank, runs, presentations, tmp_path).design(1, 2)
    files = sorted((tmp_path / "designs").rglob("*"))
    second = make_store(bank, runs, presentations, tmp_path).design(1, 2)
    assert sorted((tmp_path / "designs").rglob("*")) == files
    np.testing.assert_array_equal(first.x, second.x)
    assert first.explained == second.explained
    np.testing.assert_array_equal(
        first.factors.refit.eigenvalues, second.factors.refit.eigenvalues
    )


def test_cache_key_follows_options(bank, runs, presentations, tmp_path) -> None:  # type: ignore[no-untyped-def]
    make_store(bank, runs, presentations, tmp_path).design(0, 0)
    more = dataclasses.replace(OPTIONS, n_components=7)
    assert make_store(bank, runs, presentations, tmp_path, more).design(0, 0).x.shape[1] == 21


def test_the_same_times_of_other_music_are_another_design(  # type: ignore[no-untyped-def]
    bank, runs, presentations, tmp_path
) -> None:
    """A participant who heard pieces of one length in another order shares no regressors."""
    names = [shown.stim_file for shown in presentations]
    swapped = tuple(
        dataclasses.replace(shown, stim_file=name)
        for shown, name in zip(presentations, [*names[1:], names[0]], strict=True)
    )
    make_store(bank, runs, presentations, tmp_path / "shared").design(0, 0)
    shared = make_store(bank, runs, swapped, tmp_path / "shared")
    alone = make_store(bank, runs, swapped, tmp_path / "alone")
    np.testing.assert_array_equal(shared.timeline.piece, alone.timeline.piece)
    np.testing.assert_array_equal(shared.design(0, 0).x, alone.design(0, 0).x)


def test_features_that_never_change_are_named(  # type: ignore[no-untyped-def]
    features, runs, presentations, tmp_path
) -> None:
    constant = make_bank(tmp_path / "bank", [features[0], np.ones_like(features[1])])
    store = make_store(constant, runs, presentations, tmp_path)
    with pytest.raises(InputInvalidError, match=r"toy, layer layer1: .* all the same"):
        store.design(1, 0)
