"""Our results, read back through pybids and as one table."""

from __future__ import annotations

import pytest

from bidsapp.bids.atomic import write_json, write_text, write_tsv
from bidsapp.bids.names import build_path, space_entities
from bidsapp.errors import InputMissingError
from bidsapp.results.load import load_results, open_results


@pytest.fixture
def output(tmp_path):
    for subject in ("01", "02"):
        base = {"sub": subject, "model": "vggish"} | space_entities("fsaverage5")
        rows = [
            {"parcel": 1, "layer": "conv1", "r": 0.5},
            {"parcel": 2, "layer": "NA", "r": None},
        ]
        write_tsv(tmp_path / build_path(base | {"desc": "parcels"}, "stats", ".tsv"), rows)
        write_tsv(
            tmp_path / build_path(base | {"desc": "null"}, "stats", ".tsv"), [{"max_r": 0.1}]
        )
        for stat in ("r", "alpha"):
            names = base | {"stat": stat, "desc": "positive", "hemi": "L"}
            write_json(tmp_path / build_path(names, "statmap", ".json"), {})
            write_text(tmp_path / build_path(names, "statmap", ".func.gii"), "x")
    group = {"task": "music", "model": "vggish", "desc": "parcels"}
    write_tsv(tmp_path / build_path(group, "stats", ".tsv"), [{"parcel": 1, "r": 0.4}])
    write_text(tmp_path / ".staging-x" / "sub-03" / "func" / "sub-03_stat-r_statmap.json", "{}")
    write_text(tmp_path / "dataset_description.json", "{broken")
    return tmp_path


def test_one_tidy_table(output) -> None:
    table = load_results(output, table="parcels")
    assert list(table.columns[:8]) == [
        *("participant", "session", "task", "space", "res", "den", "model", "table")
    ]
    assert len(table) == 5
    assert table.participant.tolist() == ["01", "01", "02", "02", "n/a"]
    assert table.r.isna().sum() == 2
    assert table.layer.tolist()[1] == "NA"  # a name, not a missing value
    assert set(table.den.dropna()) == {"10k"}
    assert table.task.tolist()[-1] == "music"


def test_all_tables_and_one_participant(output) -> None:
    everything = load_results(output)
    assert set(everything.table) == {"parcels", "null"}
    assert len(load_results(str(output), participant="02")) == 3


def test_what_is_not_there(output, tmp_path) -> None:
    with pytest.raises(InputMissingError, match="desc-profile"):
        load_results(output, table="profile")
    with pytest.raises(InputMissingError, match="does not exist"):
        open_results(tmp_path / "nowhere")


def test_pybids_knows_our_entities(output) -> None:
    layout = open_results(output)
    maps = layout.get(suffix="statmap", extension=".func.gii", stat="r", model="vggish")
    assert [item.entities["subject"] for item in maps] == ["01", "02"]
    assert layout.get_stats() == ["alpha", "r"]
    assert layout.get_subjects() == ["01", "02"]
    assert len(layout.get(suffix="stats", desc="parcels")) == 3
    path = layout.build_path(
        {"subject": "01", "space": "T1w", "stat": "r", "suffix": "statmap", "extension": ".json"},
        validate=False,
    )
    assert path.endswith("sub-01/func/sub-01_space-T1w_stat-r_statmap.json")
