"""Declared results are written and read back: names, sidecars, content, completeness."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, surface_units, volume_units
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.results.kinds import (
    Column,
    Facts,
    Labels,
    Maps,
    Mask,
    Result,
    Table,
    descriptions,
    expand,
    summary,
)
from bidsapp.results.load import load_results
from bidsapp.results.read import Results, Space, finished, read_stats
from bidsapp.results.write import Output, ordered_columns, tidy

SCORE = Maps(
    desc="toy{label}",
    title="Score, {label} lags",
    says="Score at {label} lags.",
    labels=("early", "late"),
    stat="r",
    required=True,
)
BEST = Labels(desc="toybest", title="Best layer", says="Layer with the largest score.")
PASSED = Mask(desc="toypassed", title="Significant", says="Units that pass.", by="sign_flip")
PIECES = Table(
    desc="toypieces",
    title="Pieces",
    says="Score of each piece.",
    columns=(Column("piece", text=True), Column("r", "correlation", by="sign_flip")),
    by_space=False,
    by_network=False,
)
SUMMARY = summary("toy", "participant")
CATALOGUE: tuple[Result, ...] = (SCORE, BEST, PASSED, PIECES, SUMMARY)
LAYERS = ("conv", "fc")


def volume() -> UnitSpace:
    mask = np.zeros((3, 4, 2), dtype=bool)
    mask[1:, 1:3] = True
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    return volume_units(mask, affine, space="MNI152NLin2009cAsym")


def surface() -> UnitSpace:
    return surface_units(10242, 10242, space="fsaverage5")


def write(root: Path, units: UnitSpace, rows: Any = None) -> np.ndarray[Any, Any]:
    """Write all results of one participant and return the scores."""
    scores = np.random.default_rng(0).normal(size=(2, units.n_units)).astype(np.float32)
    scores[0, 0] = np.nan
    with Staging(root, "toy_sub-01") as staging:
        out = Output(staging, units, subject="01", common={"Recipe": "toy"}, sources=["bids::a"])
        out.write(SCORE.of("early"), scores, network="net", names=LAYERS)
        out.write(SCORE.of("late"), scores + 1, network="net", names=LAYERS, Lags=[1, 2])
        best = np.arange(units.n_units) % 3
        out.write(BEST, best, network="net", names=LAYERS, note="0 where none is positive.")
        out.write(PASSED, best > 1, network="net")
        out.write(PIECES, rows or [{"piece": "NA", "r": 0.5}, {"piece": "01", "r": np.nan}])
        networks = {"net": {"layers": LAYERS}}
        out.write(SUMMARY, {"space": units.space, "networks": networks, "cautions": []})
        staging.publish()
    return scores


@pytest.mark.parametrize("make", [volume, surface])
def test_what_is_written_is_read_back_on_the_same_units(make: Any, tmp_path: Path) -> None:
    units = make()
    scores = write(tmp_path, units)
    results = Results(tmp_path, "toy", CATALOGUE, "sub-01")
    (space,) = results.spaces
    assert results.networks() == ("net",)
    assert results.layers("net") == LAYERS
    early = results.maps(SCORE.of("early"), space, "net")
    assert early is not None
    np.testing.assert_array_equal(early.values, scores)
    assert early.names == LAYERS
    assert results.units(space).n_units == units.n_units
    best = results.maps(BEST, space, "net")
    passed = results.maps(PASSED, space, "net")
    assert best is not None
    assert passed is not None
    np.testing.assert_array_equal(best.values[0], np.arange(units.n_units) % 3)
    np.testing.assert_array_equal(passed.values[0] > 0, best.values[0] > 1)
    assert results.missing(space) == []


def test_the_sidecar_says_what_was_declared_and_what_was_noted(tmp_path: Path) -> None:
    write(tmp_path, volume())
    results = Results(tmp_path, "toy", CATALOGUE, "01")
    (space,) = results.spaces
    late = results.sidecar(SCORE.of("late"), space, "net")
    assert late["Description"] == "Score at late lags."
    assert late["Lags"] == [1, 2]
    assert late["Columns"] == list(LAYERS)
    assert late["Sources"] == ["bids::a"]
    best = results.sidecar(BEST, space, "net")
    assert best["Description"] == "Layer with the largest score. 0 where none is positive."
    assert results.sidecar(PASSED, space, "net")["Inference"] == "sign flips of participants"
    assert results.sidecar(PIECES)["r"]["Inference"] == "sign flips of participants"


def test_labels_that_look_like_missing_or_like_numbers_stay_labels(tmp_path: Path) -> None:
    write(tmp_path, volume())
    table = Results(tmp_path, "toy", CATALOGUE, "01").table(PIECES)
    assert table["piece"].tolist() == ["NA", "01"]
    assert table["r"].iloc[0] == 0.5
    assert np.isnan(table["r"].iloc[1])


@given(st.lists(st.text("NAn/oeul0123.-e ", min_size=1, max_size=6), min_size=1, max_size=5))
def test_any_text_survives_a_table_unless_it_is_the_sign_for_missing(labels: list[str]) -> None:
    import tempfile

    from bidsapp.bids.atomic import write_tsv

    labels = [" ".join(label.split()) for label in labels]
    labels = [label for label in labels if label not in ("", "n/a")] or ["x"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t_stats.tsv"
        write_tsv(path, [{"piece": label} for label in labels])
        assert read_stats(path, PIECES.columns)["piece"].tolist() == labels


def test_a_required_result_that_is_gone_is_named(tmp_path: Path) -> None:
    write(tmp_path, volume())
    for path in (tmp_path / "sub-01" / "func").glob("*stat-r_desc-toylate_statmap.*"):
        path.unlink()
    results = Results(tmp_path, "toy", CATALOGUE, "01")
    assert results.missing(results.spaces[0]) == ["score, late lags (desc-toylate)"]
    assert results.maps(SCORE.of("late"), results.spaces[0], "net") is None


def test_conditions_that_were_not_asked_for_are_not_missing(tmp_path: Path) -> None:
    write(tmp_path, volume())
    for path in tmp_path.rglob("*desc-toylate*"):
        path.unlink()
    results = Results(tmp_path, "toy", CATALOGUE, "01")
    (space,) = results.spaces
    assert results.missing(space) == ["score, late lags (desc-toylate)"]
    path = next(tmp_path.rglob("*desc-toysummary_stats.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "conditions": ["early"]}))
    assert Results(tmp_path, "toy", CATALOGUE, "01").missing(space) == []


def test_one_hemisphere_is_half_a_result(tmp_path: Path) -> None:
    write(tmp_path, surface())
    next(tmp_path.rglob("*hemi-R*desc-toylate*.gii")).unlink()
    results = Results(tmp_path, "toy", CATALOGUE, "01")
    assert results.missing(results.spaces[0]) == ["score, late lags (desc-toylate)"]


def test_without_a_summary_there_are_no_results(tmp_path: Path) -> None:
    write(tmp_path, volume())
    next((tmp_path / "sub-01" / "func").glob("*toysummary*")).unlink()
    with pytest.raises(InputMissingError, match="no finished results of toy"):
        Results(tmp_path, "toy", CATALOGUE, "01")
    assert list(finished(tmp_path, "toy")) == []


def test_a_table_that_is_not_written_is_empty_with_its_columns(tmp_path: Path) -> None:
    write(tmp_path, volume())
    next((tmp_path / "sub-01" / "func").glob("*toypieces_stats.tsv")).unlink()
    table = Results(tmp_path, "toy", CATALOGUE, "01").table(PIECES)
    assert table.empty
    assert list(table.columns) == ["piece", "r"]


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    write(tmp_path, volume())
    path = next((tmp_path / "sub-01" / "func").glob("*toyearly_statmap.nii.gz"))
    path.write_bytes(b"no image")
    results = Results(tmp_path, "toy", CATALOGUE, "01")
    with pytest.raises(InputInvalidError, match=path.name):
        results.maps(SCORE.of("early"), results.spaces[0], "net")


def test_columns_are_written_in_the_order_declared() -> None:
    assert ordered_columns(PIECES, ["r", "piece"]) == ["piece", "r"]
    with pytest.raises(ValueError, match="not those declared"):
        ordered_columns(PIECES, ["piece"])
    with pytest.raises(ValueError, match="not those declared"):
        ordered_columns(PIECES, ["piece", "r", "more"])
    further = Table(desc="x", title="X", says="X.", columns=PIECES.columns, further="one a layer")
    assert ordered_columns(further, ["conv", "r", "piece", "fc"]) == ["piece", "r", "conv", "fc"]


def test_a_placeholder_has_to_be_filled_and_a_network_given(tmp_path: Path) -> None:
    units = volume()
    with Staging(tmp_path, "toy") as staging:
        out = Output(staging, units, subject="01", common={})
        with pytest.raises(ValueError, match="placeholder"):
            out.write(SCORE, np.zeros(units.n_units), network="net")
        with pytest.raises(ValueError, match="network"):
            out.write(BEST, np.zeros(units.n_units, int))
    with pytest.raises(ValueError, match="not one of"):
        SCORE.of("never")


def test_the_catalogue_expands_and_describes_every_label() -> None:
    labels = [result.desc for result in expand(CATALOGUE)]
    assert labels == ["toyearly", "toylate", "toybest", "toypassed", "toypieces", "toysummary"]
    assert descriptions(CATALOGUE)["toylate"] == "Score at late lags."


def test_tidy_has_a_row_for_each_cell_in_the_order_of_the_arrays() -> None:
    r = np.arange(6.0).reshape(2, 3)
    rows = list(tidy({"r": r, "n": np.array([[7], [8]])}, layer=["a", "b"], parcel=[1, 2, 3]))
    frame = pd.DataFrame(rows)
    assert frame["r"].tolist() == list(range(6))
    assert frame["n"].tolist() == [7, 7, 7, 8, 8, 8]
    assert frame["layer"].tolist() == ["a", "a", "a", "b", "b", "b"]
    assert list(frame.columns) == ["layer", "parcel", "r", "n"]


def test_one_table_for_all_participants(tmp_path: Path) -> None:
    write(tmp_path, volume())
    table = load_results(tmp_path, "toypieces")
    assert table["participant"].tolist() == ["01", "01"]
    assert table["piece"].tolist() == ["NA", "01"]
    with pytest.raises(InputMissingError, match="desc-nothing"):
        load_results(tmp_path, "nothing")


def test_every_sidecar_of_a_group_has_no_participant(tmp_path: Path) -> None:
    units = surface()
    group = Facts(desc="toysummary", title="Summary", says="Facts.", level="group")
    with Staging(tmp_path, "toy_group") as staging:
        out = Output(staging, units, subject="", common={})
        out.write(group, {"space": "fsaverage5", "networks": {}, "participants": ["01", "02"]})
        staging.publish()
    path = tmp_path / "group" / "space-fsaverage_den-10k_desc-toysummary_stats.json"
    assert json.loads(path.read_text())["participants"] == ["01", "02"]
    results = Results(tmp_path, "toy", (group,))
    assert results.title == "group, N = 2"
    assert results.spaces == (Space("fsaverage", "", "10k"),)


def test_written_gifti_pairs_hold_the_names_of_the_maps(tmp_path: Path) -> None:
    write(tmp_path, surface())
    paths = sorted((tmp_path / "sub-01" / "func").glob("*toyearly_statmap.func.gii"))
    assert [path.name.split("_")[1] for path in paths] == ["hemi-L", "hemi-R"]
    image: Any = nib.load(paths[0])
    assert [array.meta["Name"] for array in image.darrays] == list(LAYERS)


NULL = Result(desc="toynull", title="Null", says="Scores of displaced music.", by_network=False)


def test_arrays_come_back_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, volume())
    scores = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float16)
    with Staging(tmp_path, "toy_more") as staging:
        out = Output(staging, volume(), subject="01", common={})
        out.arrays(NULL, {"scores": scores, "seed": np.array(3)})
        staging.publish()
    results = Results(tmp_path, "toy", (*CATALOGUE, NULL), "01")
    (space,) = results.spaces
    arrays = results.arrays(NULL, space)
    assert arrays is not None
    np.testing.assert_array_equal(arrays["scores"], scores)
    assert arrays["scores"].dtype == np.float16
    (path,) = (p for p in results.files(NULL, space) if p.suffix == ".npz")
    path.write_bytes(b"PK no archive")
    with pytest.raises(InputInvalidError, match=path.name):
        results.arrays(NULL, space)
    assert results.arrays(SUMMARY, space) is None
