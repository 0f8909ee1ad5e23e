"""Finding and reading what was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.report.files import open_derivatives, read_json, read_table
from bidsapp.report.results import Space, load_results, rows_of, setting, short_run


def test_no_results_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"sub-07.*run the participant level first"):
        open_derivatives(tmp_path, "07")


def test_files_are_found_by_entities_not_by_string_prefix(surface_tree: Path) -> None:
    files = open_derivatives(surface_tree, "sub-01")
    maps = files.data_files("statmap", stat="r", desc="positive", model="vggish")
    assert [path.name.split("_")[1] for path in maps] == ["hemi-L", "hemi-R"]
    assert files.data_files("stats", desc="parcels", model="vggish")[0].suffix == ".tsv"
    assert not files.data_files("stats", desc="parcel")


def test_staging_leftovers_are_ignored(make_tree: Callable[..., Path]) -> None:
    root = make_tree(baseline=False, ceiling=False, ratings=False)
    hidden = root / "sub-01" / ".staging-x" / "sub-01_space-T1w_desc-profile_stats.tsv"
    hidden.parent.mkdir()
    hidden.write_text("lags\n")
    results = load_results(open_derivatives(root, "01"))
    assert [space.space.space for space in results.spaces] == ["fsaverage"]


def test_missing_is_nan_and_text_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("layer\tr\nNA\tn/a\nnull\t0.5\n")
    table = read_table(path)
    assert list(table["layer"]) == ["NA", "null"]  # names, not missing values
    assert np.isnan(table["r"][0])


@pytest.mark.parametrize("content", ["{", "[1]", ""])
def test_broken_json_names_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(content)
    with pytest.raises(InputInvalidError, match=r"summary\.json.*again"):
        read_json(path)


def test_records_are_those_of_the_participant(surface_tree: Path) -> None:
    records = open_derivatives(surface_tree, "01").records()
    assert [record["seconds"] for record in records] == [143.2]


def test_spaces_and_models(make_tree: Callable[..., Path]) -> None:
    spaces = ({"space": "MNI152NLin2009cAsym", "res": "2"}, {"space": "fsaverage", "den": "10k"})
    results = load_results(open_derivatives(make_tree(spaces=spaces, ceiling=False), "01"))
    assert [space.space.title for space in results.spaces] == [
        "fsaverage5 surface",
        "MNI152NLin2009cAsym res-2",
    ]
    for space in results.spaces:
        assert [model.name for model in space.models] == ["vggish"]
        assert space.baseline is not None
        assert space.ceiling is None


def test_lookups() -> None:
    facts = {"settings": {"a": 1}, "config": {"b": 2, "a": 9}, "c": 3}
    assert [setting(facts, name) for name in "abcd"] == [1, 2, 3, None]
    assert short_run("sub-01_task-happy_run-1") == "task-happy_run-1"
    assert short_run("task-happy") == "task-happy"
    assert Space("fsLR", den="91k").title == "fsLR 91k grayordinates"


def test_rows_of_a_table_without_the_column_are_none(surface_tree: Path) -> None:
    table = load_results(open_derivatives(surface_tree, "01")).table("alignment")
    assert rows_of(table, lags="positive").empty
    assert len(rows_of(table, run=table["run"][0])) == 1
