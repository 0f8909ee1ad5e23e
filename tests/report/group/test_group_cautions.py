"""Each caution appears when its reason is there, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from bidsapp.report.group.cautions import cautions
from bidsapp.report.group.results import load_group
from bidsapp.report.group.spins import mean_interval
from bidsapp.report.group.words import correlation, interval_text, reference_title

MAIN = {"hemisphere": "both", "direction": "reference rotated"}


def titles(root: Path) -> str:
    return " ".join(f"{note.severity}: {note.title}" for note in cautions(load_group(root)))


@pytest.fixture
def change(group_tree: Path) -> Callable[..., Path]:
    """Return a function that overwrites values of some rows of a table of VGGish."""

    def apply(desc: str, where: dict[str, object], **values: object) -> Path:
        (path,) = group_tree.rglob(f"*model-vggish_desc-{desc}_stats.tsv")
        table = pd.read_csv(path, sep="\t", na_values=["n/a"], dtype={"participant": str})
        rows = np.ones(len(table), bool)
        for column, value in where.items():
            rows &= (table[column] == value).to_numpy()
        assert rows.any()
        for column, value in values.items():
            table.loc[rows, column] = value
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
        return group_tree

    return apply


def test_planted_results_raise_only_what_is_true(analysed: Path) -> None:
    found = titles(analysed)
    assert "serious: vggish ran with random weights." in found
    assert "Maximal accuracies are optimistic." in found
    for absent in ("control", "cannot be told apart", "hangs on which map", "disagree",
                   "Another reference", "Single participants", "one hemisphere", "holes",
                   "No unit passes", "Only one participant"):  # fmt: skip
        assert absent not in found


@pytest.mark.parametrize(
    ("where", "values", "title"),
    [
        ({"lags": "negative", "map": "best"}, {"p_max": 0.01, "r": 0.3},
         "caution: The control is aligned with the gradient as well (vggish, best layer)."),
        ({"lags": "negative", "map": "best"}, {"p_max": 0.01, "r": -0.99},
         "serious: The control is aligned with the gradient as well (vggish, best layer)."),
        ({"lags": "positive-negative", "map": "centroid"}, {"p": 0.2},
         "caution: Positive and negative lags cannot be told apart (vggish, centroid layer)."),
        ({"lags": "positive", "reference": "gradient2"}, {"r": -0.999},
         "caution: Another reference is aligned as strongly (vggish, best layer)."),
        ({"lags": "positive"}, {"overlap_min": 0.6}, "note: Layer maps have holes (vggish)."),
    ],
    ids=["control", "control is stronger", "difference", "reference", "overlap"],
)  # fmt: skip
def test_main_rows(
    change: Callable[..., Path], where: dict[str, object], values: dict[str, object], title: str
) -> None:
    assert title in titles(change("spin", {**MAIN, **where}, **values))


def test_sensitivity_rows(change: Callable[..., Path]) -> None:
    change("spin", {"direction": "map rotated", "lags": "positive"}, p=0.4)
    root = change("spin", {"hemisphere": "R", "lags": "positive"}, p=0.4)
    found = titles(root)
    assert "caution: The spin p hangs on which map is rotated (vggish, best layer)." in found
    assert "note: Only one hemisphere passes on its own (vggish, best layer)." in found


def test_participants_that_do_not_show_it(change: Callable[..., Path]) -> None:
    root = change("subjecttest", {"lags": "positive", "map": "best"}, p=0.3)
    assert "caution: Single participants do not show it (vggish)." in titles(root)


def test_an_unstable_best_layer(change: Callable[..., Path]) -> None:
    root = change("reliability", {"roi": "Cortex", "structure": "both"}, share=0.2)
    assert "note: The best layer hangs on who took part (vggish)." in titles(root)


def test_pretrained_weights_and_recorded_warnings(group_tree: Path) -> None:
    (path,) = (group_tree / "group").glob("*desc-summary_stats.json")
    facts = json.loads(path.read_text())
    facts["weights"]["vggish"] = {"source": "file", "file": "v.pth"}
    facts["warnings"] = ["Something odd.", "vggish has random weights: x", "Something odd."]
    path.write_text(json.dumps(facts))
    notes = cautions(load_group(group_tree))
    assert [note.text for note in notes].count("Something odd.") == 1
    assert not any("random weights" in f"{note.title} {note.text}" for note in notes)


def test_interval_of_a_mean_is_that_of_student() -> None:
    z = np.array([0.1, 0.4, np.nan, 0.3, 0.2])
    mean, low, high = mean_interval(z)
    finite = z[np.isfinite(z)]
    expected = student.interval(0.95, 3, finite.mean(), finite.std(ddof=1) / 2)
    assert mean == pytest.approx(np.tanh(0.25))
    assert (low, high) == pytest.approx(tuple(np.tanh(expected)))
    assert np.isnan(mean_interval(np.array([0.5]))[1])
    assert np.isnan(mean_interval(np.array([np.nan]))).all()


def test_words() -> None:
    assert correlation(-0.002) == "0.00"
    assert correlation(-0.254) == "\u22120.25"
    assert interval_text({"p_low": 0.0, "p_high": 0.0123}) == "0.0000\u20130.0123"
    assert interval_text({"p_low": float("nan"), "p_high": 0.1}) == ""
    assert reference_title("user2") == "map given by the user 2"
    assert reference_title("gradient1") == "functional gradient 1"
