"""Genres that the decoder never met: planted embeddings, noise, clips that must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.reconstruct.ablation import ALL_GENRES, ablation_rows, without_genre
from tests.recipes.reconstruct.test_reconstruct_decode import (
    CLIPS,
    GENRES,
    REGIONS,
    SETTINGS,
    planted,
    run,
)

GENRE = np.array(GENRES)


def rows_of(seed: int, signal: float, **kind) -> dict[str, dict]:
    responses, rows = planted(seed, signal, **kind)
    judge, decoded = run(responses, rows)
    made = ablation_rows(responses, REGIONS, CLIPS, judge, decoded, SETTINGS)
    return {row["genre"]: row for row in made}


def test_what_is_linear_in_the_embedding_is_decoded_in_a_genre_never_met() -> None:
    rows = rows_of(0, 2.0, of_genre=1.0)
    assert list(rows) == [ALL_GENRES, *sorted(set(GENRES))]
    assert sum(rows[name]["n_clips"] for name in set(GENRES)) == rows[ALL_GENRES]["n_clips"] == 60
    assert rows[ALL_GENRES]["without_genre"] > 0.85
    assert rows[ALL_GENRES]["identification"] >= rows[ALL_GENRES]["without_genre"] - 0.03
    assert rows[ALL_GENRES]["p"] == 1 / 200


def test_without_signal_it_is_at_chance() -> None:
    each = [rows_of(seed, 0.0)[ALL_GENRES]["without_genre"] for seed in range(4)]
    assert np.mean(each) == pytest.approx(0.5, abs=0.06)


def test_training_clips_of_the_genre_have_no_part() -> None:
    responses, rows = planted(1, 1.0, of_genre=1.0)
    _, decoded = run(responses, rows)
    ablated, held_out = GENRE == "g2", rows.fold == 1
    arguments = (decoded, SETTINGS)
    before = without_genre(responses, REGIONS, rows, ablated, 1, *arguments)
    changed = np.where(np.repeat(ablated & ~held_out, 2), 50 * responses + 7, responses)
    embedding = np.where((ablated & ~held_out)[:, None, None], -9.0, rows.embedding)
    other = ClipRows(embedding, rows.block, rows.folds)
    after = without_genre(changed, REGIONS, other, ablated, 1, *arguments)
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1][held_out], before[1][held_out])


def test_genres_that_fill_blocks_alone_and_unknown_genres_are_left_out() -> None:
    responses, rows = planted(2, 1.0)
    judge, decoded = run(responses, rows)
    clips = replace(CLIPS, genre=("a",) * 30 + ("b",) * 30)
    assert not list(ablation_rows(responses, REGIONS, clips, judge, decoded, SETTINGS))
    by_block = np.isin(rows.block, (1, 2))
    left = without_genre(responses, REGIONS, rows, by_block, 0, decoded, SETTINGS)
    assert left is None
