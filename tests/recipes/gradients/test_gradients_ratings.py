"""Ratings: the rater is the unit of inference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.gradients.rating_tests import rating_rows
from bidsapp.recipes.gradients.settings import GradientsGroupSettings

Rows = Callable[[Path], list[dict[str, Any]]]
SETTINGS = GradientsGroupSettings(n_flips=256, n_bootstrap=200)


def table(raters: dict[str | None, tuple[float, float]]) -> list[dict[str, Any]]:
    """Rows of one participant: rater → r of two layers."""
    rows = []
    for rater, scores in raters.items():
        for index, r in enumerate(scores, start=1):
            for piece, value in (("mean", r), ("storm.flac", -1.0)):
                rows.append(
                    {
                        "lags": "positive",
                        "rating": "enjoyment",
                        "rater": rater,
                        "layer": f"layer{index}",
                        "layer_index": index,
                        "piece": piece,
                        "r": value,
                        "p": np.nan,
                    }
                )
    return rows


@pytest.fixture
def rows_of(find: Callable[..., list[GroupInputs]]) -> Rows:
    def rows(output: Path) -> list[dict[str, Any]]:
        (inputs,) = find(output)
        return list(rating_rows(inputs, "vggish", SETTINGS, 0))

    return rows


def test_own_ratings_are_tested_over_participants(
    toy_group: Callable[..., Path], rows_of: Rows
) -> None:
    r = np.linspace(0.2, 0.4, 6)
    ratings = [table({f"{k + 1:02d}": (value, value - 0.3)}) for k, value in enumerate(r)]
    first, second = rows_of(toy_group(6, ratings=ratings))
    assert first["mean_r"] == pytest.approx(np.tanh(np.arctanh(r).mean()))
    assert first["n"] == 6
    assert first["p"] == pytest.approx(1 / 64)
    assert first["ci_low"] < first["mean_r"] < first["ci_high"]
    assert second["layer_index"] == 2
    assert second["p"] > 0.1


def test_an_average_rating_counts_once(toy_group: Callable[..., Path], rows_of: Rows) -> None:
    ratings = [table({None: (0.3, 0.1)}) for _ in range(6)]
    first, _ = rows_of(toy_group(6, ratings=ratings))
    assert first["n"] == 1
    assert first["mean_r"] == pytest.approx(0.3)
    assert np.isnan(first["p"])
    assert np.isnan(first["ci_low"])


def test_shared_raters_count_once_each(toy_group: Callable[..., Path], rows_of: Rows) -> None:
    raters: dict[str | None, tuple[float, float]] = {f"r{k}": (0.1 * k, 0.0) for k in range(1, 6)}
    first, _ = rows_of(toy_group(3, ratings=[table(raters) for _ in range(3)]))
    assert first["n"] == 5
    assert first["p"] == pytest.approx(1 / 32)


def test_no_ratings_no_rows(toy_group: Callable[..., Path], rows_of: Rows) -> None:
    assert rows_of(toy_group(2)) == []


def test_ratings_of_other_settings_are_not_read(
    toy_group: Callable[..., Path], rows_of: Rows
) -> None:
    output = toy_group(2, ratings=[table({"01": (0.3, 0.1)}), table({"02": (0.3, 0.1)})])
    sidecar = next(output.glob("sub-02/func/*ratings_stats.json"))
    sidecar.write_text(sidecar.read_text().replace("aaaa1111", "other000"))
    assert rows_of(output)[0]["n"] == 1


def test_missing_scores_are_left_out(toy_group: Callable[..., Path], rows_of: Rows) -> None:
    ratings = [table({f"{k}": (0.2, np.nan if k == 0 else 0.1)}) for k in range(3)]
    first, second = rows_of(toy_group(3, ratings=ratings))
    assert (first["n"], second["n"]) == (3, 2)
