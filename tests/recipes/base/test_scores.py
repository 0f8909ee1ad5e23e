"""Scores of blocks, pieces and folds as tables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from bidsapp.recipes.base.scores import by_piece, fold_rows


def toy_rows() -> Any:
    """Three blocks of two rows: piece a twice, in the same fold, and b."""
    return SimpleNamespace(
        block_pieces=("a", "b", "a"),
        fold_of_block={0: 0, 1: 1, 2: 0},
        blocks=SimpleNamespace(label=np.repeat([0, 1, 2], 2), kind="piece"),
        timeline=SimpleNamespace(
            run=np.repeat([0, 0, 1], 2), volume=np.array([3, 4, 9, 10, 5, 6])
        ),
    )


def test_the_score_of_a_piece_is_the_mean_over_its_blocks() -> None:
    r = np.arange(2 * 3 * 4, dtype=float).reshape(2, 3, 4)
    averaged = by_piece(r, toy_rows())
    assert averaged.shape == (2, 2, 4)
    np.testing.assert_array_equal(averaged[:, 0], (r[:, 0] + r[:, 2]) / 2)
    np.testing.assert_array_equal(averaged[:, 1], r[:, 1])


def test_folds_are_listed_block_by_block() -> None:
    runs = [SimpleNamespace(name="run-1"), SimpleNamespace(name="run-2")]
    study = SimpleNamespace(inputs=SimpleNamespace(runs=runs))
    first, second, third = fold_rows(toy_rows(), cast(Any, study))
    assert (first["piece"], second["piece"], third["piece"]) == ("a", "b", "a")
    assert (first["fold"], second["fold"], third["fold"]) == (1, 2, 1)
    assert (first["run"], third["run"]) == ("run-1", "run-2")
    assert (second["first_volume"], second["last_volume"], second["n_rows"]) == (9, 10, 2)
