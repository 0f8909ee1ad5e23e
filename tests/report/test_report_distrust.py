"""Every reason to distrust is found where it is planted, and only there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bidsapp.report.distrust import CHECKS, distrust
from bidsapp.report.files import open_derivatives
from bidsapp.report.html import Note
from bidsapp.report.results import load_results

PIECES = [f"piece{number}.wav" for number in range(8)]
FILE = {"source": "file", "file": "vggish.pth", "sha256": "00"}
CLEAN = {"weights": FILE, "pieces": PIECES, "effect": 0.3, "control": 0.05, "ratings": False,
         "maps": False, "facts": {"n_constant": 0}}  # fmt: skip

#: check → (what to change in a clean tree, words of the note)
PLANTED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "_random": ({"weights": {"source": "random", "seed": 0}}, "ran with random weights"),
    "_all_pieces": (
        {"facts": {"settings": {"pca_fit": "all"}, "n_constant": 0}},
        "took part in fitting",
    ),
    "_no_parcel": ({"effect": 0.0}, "No parcel passes"),
    "_negative_lags": ({"control": 1.0}, "control does too well"),
    "_unpreprocessed": (
        {"facts": {"runs": [{"preprocessed": False}], "n_constant": 0}},
        "Raw images",
    ),
    "_alpha_edges": ({"edge_low": 0.5}, "edge of the grid"),
    "_few_pieces": ({"pieces": PIECES[:3]}, "Only 3 pieces."),
    "_constant": ({"facts": {"n_constant": 9000}}, "have no data"),
}
#: checks whose planting needs an edited table, or that always speak; tested below
ELSEWHERE = {"_baseline_wins", "_split", "_coverage", "_similar_layers", "_winner"}


def _notes(root: Path) -> list[Note]:
    return distrust(load_results(open_derivatives(root, "01")))


@pytest.fixture(scope="module")
def clean(make_tree: Callable[..., Path]) -> Path:
    return make_tree(**CLEAN)


def test_every_check_has_its_proof() -> None:
    assert {check.__name__ for check in CHECKS} == set(PLANTED) | ELSEWHERE


def test_clean_results_get_only_the_notes_that_always_hold(clean: Path) -> None:
    notes = [note for note in _notes(clean) if "Recorded" not in note.title]
    assert {note.severity for note in notes} == {"note"}
    titles = {note.title for note in notes}
    assert "The best layer's r is optimistic." in titles
    assert not any(words in title for title in titles for _, words in PLANTED.values())


@pytest.mark.parametrize("check", PLANTED)
def test_planted_reason_is_found(make_tree: Callable[..., Path], check: str) -> None:
    changes, words = PLANTED[check]
    titles = [note.title for note in _notes(make_tree(**{**CLEAN, **changes}))]
    assert sum(words in title for title in titles) == 1


def _edit(root: Path, pattern: str, change: Callable[[pd.DataFrame], None]) -> None:
    (path,) = root.rglob(pattern)
    table = pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["n/a"])
    change(table)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


@pytest.mark.parametrize(
    ("pattern", "column", "value", "words"),
    [
        ("*model-baseline_desc-parcelsummary_stats.tsv", "r_max", 0.9, "simpler model"),
        ("*desc-folds_stats.tsv", "kind", "split", "Pieces were split"),
        ("*desc-alignment_stats.tsv", "n_rows", 10, "of the volumes were used"),
    ],
)
def test_reason_in_a_table_is_found(
    make_tree: Callable[..., Path], pattern: str, column: str, value: object, words: str
) -> None:
    root = make_tree(**CLEAN)
    assert not any(words in note.title for note in _notes(root))
    _edit(root, pattern, lambda table: table.__setitem__(column, value))
    assert sum(words in note.title for note in _notes(root)) == 1


def test_layers_that_differ_are_not_called_similar(make_tree: Callable[..., Path]) -> None:
    root = make_tree(**CLEAN)
    words = "resemble each other"
    assert any(words in note.title for note in _notes(root))

    def scramble(table: pd.DataFrame) -> None:
        table["r"] = table["r"].sample(frac=1, random_state=0).to_numpy()

    _edit(root, "*model-vggish_desc-parcels_stats.tsv", scramble)
    assert not any(words in note.title for note in _notes(root))


def test_recorded_warnings_are_passed_on_but_nothing_is_said_twice(surface_tree: Path) -> None:
    notes = _notes(surface_tree)
    recorded = [note.text for note in notes if note.title.startswith("Recorded")]
    assert recorded == ["/data/sub-01/x_confounds.tsv: no column csf; the others were used"]
    assert sum("Only 3 pieces" in note.title for note in notes) == 1


def test_serious_notes_come_first(surface_tree: Path) -> None:
    ranks = [["serious", "caution", "note"].index(note.severity) for note in _notes(surface_tree)]
    assert ranks == sorted(ranks)


def test_nan_shares_say_nothing(make_tree: Callable[..., Path]) -> None:
    root = make_tree(**{**CLEAN, "effect": 0.0})
    _edit(
        root,
        "*model-vggish_desc-profile_stats.tsv",
        lambda table: table.__setitem__("alpha_edge_low", float("nan")),
    )
    assert not any("nan" in note.text for note in _notes(root))
