"""Genres that the decoder never met: planted embeddings, noise, clips that must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsapp.models.left_out_decoder import LeftOut
from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.reconstruct.ablation import ALL_GENRES, ablation_rows
from bidsapp.recipes.reconstruct.decode import Regions, decode_part
from bidsapp.recipes.reconstruct.refits import predict_without
from bidsapp.stats.folds import nested_folds
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
    (made,) = ablation_rows(responses, REGIONS, CLIPS, [judge], [decoded], SETTINGS)
    return {row["genre"]: row for row in made}


def without(
    responses: np.ndarray, rows: ClipRows, ablated: np.ndarray, chosen: np.ndarray
) -> dict[int, np.ndarray]:
    """Predictions of the held-out clips among those ablated, by fold."""
    predicted = predict_without(responses, REGIONS, [rows], [chosen], [LeftOut(ablated)], SETTINGS)
    return {fold: values for (_, _, fold), values in predicted.items()}


@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("n_units", [8, 150])
def test_shared_decompositions_give_what_single_fits_give(n_units: int, gap: int) -> None:
    """With fewer and with more units than rows, two embeddings that take different regions.

    With a gap, clips beside the held-out ones are left out as well.
    """
    rng = np.random.default_rng(9)
    regions = Regions(("a", "b"), np.arange(2 * n_units) // n_units, 0)
    embedding = rng.standard_normal((60, 2, 5)) + rng.standard_normal((60, 1, 5))
    block = np.arange(60) * 4 // 60 if gap else np.arange(60) % 4
    beside = np.stack([(np.roll(block, 1) == k) | (np.roll(block, -1) == k) for k in range(4)])
    near = beside & (block != np.arange(4)[:, None]) if gap else None
    spaces = [
        ClipRows(values, block, nested_folds(np.arange(4)), near)
        for values in (embedding, embedding[:, :, :2] ** 2)
    ]
    weights = rng.standard_normal((5, 2 * n_units))
    responses = (embedding.reshape(120, 5) @ weights).T + 3 * rng.standard_normal(
        (2 * n_units, 120)
    )
    chosen = [np.array([[1, 1], [1, 0], [0, 1], [1, 1]], bool), np.array([[0, 1]] * 4, bool)]
    each = [LeftOut(np.arange(60) % 7 == k) for k in range(7)]
    predicted = predict_without(responses, regions, spaces, chosen, each, SETTINGS)
    assert len(predicted) == 2 * 4 * 7
    for (which, space, fold), values in predicted.items():
        rows, held_out = spaces[space], spaces[space].fold == fold
        ablated = each[which].clips
        expected, _ = decode_part(
            lambda region: responses[regions.units(region)],
            rows,
            held_out & ablated,
            ~held_out & ~ablated,  # which the gap is taken from
            fold,
            chosen[space][fold],
            settings=SETTINGS,
        )
        np.testing.assert_allclose(values, expected, rtol=1e-7, atol=1e-9)


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
    before = without(responses, rows, ablated, decoded.chosen)
    changed = np.where(np.repeat(ablated & ~held_out, 2), 50 * responses + 7, responses)
    embedding = np.where((ablated & ~held_out)[:, None, None], -9.0, rows.embedding)
    after = without(changed, ClipRows(embedding, rows.block, rows.folds), ablated, decoded.chosen)
    assert len(before) == 3
    np.testing.assert_allclose(after[1], before[1], rtol=1e-6, atol=1e-8)
    assert not np.allclose(after[0], before[0])


def test_genres_that_fill_blocks_alone_and_unknown_genres_are_left_out() -> None:
    responses, rows = planted(2, 1.0)
    judge, decoded = run(responses, rows)
    clips = replace(CLIPS, genre=("a",) * 30 + ("b",) * 30)
    assert ablation_rows(responses, REGIONS, clips, [judge], [decoded], SETTINGS) == [[]]
    by_block = np.isin(rows.block, (1, 2))
    assert list(without(responses, rows, by_block, decoded.chosen)) == []
