"""Ratings: the rater is the unit of inference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.base.rating_tests import rating_rows
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.report.rating_panels import rating_panels
from bidsapp.report.figures.layers import Line, Panel
from bidsapp.report.html import Prose

Rows = Callable[[Path], list[dict[str, Any]]]
TABLES = (declared.RATINGS, declared.RATINGS_NULL)


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


def displaced(
    raters: dict[str | None, tuple[float, float]], shared: Any, own: float = 0.0, seed: int = 0
) -> list[dict[str, Any]]:
    """Rows of displaced music of one participant: copies that all raters share, and noise."""
    random = np.random.default_rng(seed)
    rows = []
    for rater in raters:
        for copy, r in enumerate(shared, start=1):
            for index in (1, 2):
                value = r + own * random.standard_normal()
                rows.append(
                    {"lags": "positive", "rating": "enjoyment", "rater": rater, "copy": copy,
                     "layer": f"layer{index}", "layer_index": index, "r": value}
                )  # fmt: skip
    return rows


@pytest.fixture
def rows_of(find: Callable[..., list[GroupInputs]]) -> Rows:
    def rows(output: Path) -> list[dict[str, Any]]:
        (inputs,) = find(output)
        return list(rating_rows(inputs, "vggish", TABLES, n_bootstrap=200, seed=0))

    return rows


def test_own_ratings_are_tested_over_participants(
    toy_group: Callable[..., Path], rows_of: Rows
) -> None:
    r = np.linspace(0.2, 0.4, 6)
    ratings = [table({f"{k + 1:02d}": (value, value - 0.3)}) for k, value in enumerate(r)]
    null = [displaced({f"{k + 1:02d}": (0, 0)}, np.linspace(-0.2, 0.2, 39)) for k in range(6)]
    first, second = rows_of(toy_group(6, ratings=ratings, ratings_null=null))
    assert first["mean_r"] == pytest.approx(np.tanh(np.arctanh(r).mean()))
    assert first["n"] == 6
    assert first["p"] == first["p_fwe"] == 1 / 40
    assert first["ci_low"] < first["mean_r"] < first["ci_high"]
    assert second["layer_index"] == 2
    assert second["p"] > 0.1


def test_an_average_rating_counts_once(toy_group: Callable[..., Path], rows_of: Rows) -> None:
    ratings = [table({None: (0.3, 0.1)}) for _ in range(6)]
    null = [displaced({None: (0, 0)}, np.linspace(-0.2, 0.2, 19)) for _ in range(6)]
    first, _ = rows_of(toy_group(6, ratings=ratings, ratings_null=null))
    assert first["n"] == 1
    assert first["mean_r"] == pytest.approx(0.3)
    assert first["p"] == 1 / 20
    assert np.isnan(first["ci_low"])


def test_what_raters_share_is_no_evidence(toy_group: Callable[..., Path], rows_of: Rows) -> None:
    """All raters have the same response of .2, which displaced music gives as often as not."""
    raters = {f"r{k}": (0.2 + 0.001 * k, 0.2) for k in range(6)}
    null = displaced(raters, np.linspace(-0.5, 0.5, 99), own=0.01)
    first, second = rows_of(toy_group(2, ratings=[table(raters)] * 2, ratings_null=[null] * 2))
    assert first["ci_low"] > 0.19
    for row in (first, second):
        assert row["p"] == pytest.approx(0.3, abs=0.03)
        assert row["p_fwe"] >= row["p"]


def test_without_displacements_there_is_no_p(
    toy_group: Callable[..., Path], rows_of: Rows
) -> None:
    first, _ = rows_of(toy_group(2, ratings=[table({"a": (0.3, 0.1), "b": (0.2, 0.1)})] * 2))
    assert np.isnan(first["p"])
    assert np.isnan(first["p_fwe"])


def test_shared_raters_count_once_each(toy_group: Callable[..., Path], rows_of: Rows) -> None:
    raters: dict[str | None, tuple[float, float]] = {f"r{k}": (0.1 * k, 0.0) for k in range(1, 6)}
    first, _ = rows_of(toy_group(3, ratings=[table(raters) for _ in range(3)]))
    assert first["n"] == 5


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


def test_a_rating_without_a_score_is_named_and_not_drawn() -> None:
    layers = ["a", "b"]
    scored = Panel("enjoyment", [Line("positive lags", np.array([0.1, np.nan]))])
    constant = Panel("arousal", [Line("positive lags", np.full(2, np.nan))])
    drawn = str(rating_panels([scored, constant], layers, "r", "Caption."))
    assert "Caption. arousal: no layer has a mean score." in drawn
    assert "enjoyment: best 0.100 in a." in drawn
    nothing = rating_panels([constant], layers, "r", "Caption.")
    assert isinstance(nothing, Prose)
    assert "arousal: no layer has a mean score. Nothing is drawn" in str(nothing)
