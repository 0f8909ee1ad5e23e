"""Files are written at once, with missing values as BIDS has them, the same every time."""

from __future__ import annotations

import gzip
import json
import math
import threading
from email.message import Message
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bidsapp.bids import describe
from bidsapp.bids.atomic import write_image, write_json, write_text, write_tsv, write_tsv_gz
from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.describe import (
    BIDSIGNORE,
    configuration_hashes_of,
    dataset_description,
    sidecar,
    write_bidsignore,
    write_dataset_description,
    write_descriptions,
    write_readme,
)
from bidsapp.bids.tables import Table, number, read_table

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@SAME_FOLDER
@given(st.lists(st.tuples(st.floats(), st.integers(-(2**40), 2**40), st.text(max_size=9))))
def test_tables_read_back(tmp_path, rows) -> None:
    path = tmp_path / "a.tsv"
    write_tsv(path, [dict(zip("xyz", row, strict=True)) for row in rows], ["x", "y", "z"])
    table = read_table(path)
    assert isinstance(table, Table)
    assert table.columns == ("x", "y", "z")
    kept = [row for row in table.rows if any(row.values())]
    assert len(kept) == len(rows)
    for cells, (x, y, text) in zip(kept, rows, strict=True):
        assert number(cells["x"]) == x if math.isfinite(x) else cells["x"] == "n/a"
        assert int(cells["y"]) == y
        assert cells["z"] == " ".join(text.split())


def test_cells(tmp_path) -> None:
    row = {
        "nan": math.nan,
        "inf": np.inf,
        "none": None,
        "na": pd.NA,
        "float32": np.float32(0.1),
        "int": np.int16(3),
        "bool": np.True_,
        "text": "a\tb\nc",
        "list": ["x", 2],
        "zero": 0.0,
        "path": Path("a/b"),
    }
    write_tsv(tmp_path / "a.tsv", [row])
    cells = (tmp_path / "a.tsv").read_text().splitlines()[1].split("\t")
    assert cells == ["n/a"] * 4 + ["0.1", "3", "true", "a b c", "x|2", "0.0", "a/b"]


def test_a_table_of_pandas_and_an_empty_one(tmp_path) -> None:
    write_tsv(tmp_path / "a.tsv", pd.DataFrame({"x": [1, 2], "y": [0.5, np.nan]}))
    assert (tmp_path / "a.tsv").read_text() == "x\ty\n1\t0.5\n2\tn/a\n"
    write_tsv(tmp_path / "b.tsv", [], ["x", "y"])
    assert (tmp_path / "b.tsv").read_text() == "x\ty\n"


def test_json(tmp_path) -> None:
    content = {
        "nan": [math.nan, np.float32(0.1)],
        "array": np.arange(2),
        "path": Path("a"),
        "nested": {"é": None},
        "set": ("x",),
        "scalar": np.int64(4),
    }
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(text) == {
        "nan": [None, 0.1],
        "array": [0, 1],
        "path": "a",
        "nested": {"é": None},
        "set": ["x"],
        "scalar": 4,
    }
    assert "é" in text
    assert text.endswith("}\n")


def test_recordings_are_gzipped_without_name_and_time(tmp_path) -> None:
    path = tmp_path / "a_stim.tsv.gz"
    write_tsv_gz(path, np.array([[1.0, np.nan], [0.25, 2.0]]))
    data = path.read_bytes()
    assert gzip.decompress(data) == b"1.0\tn/a\n0.25\t2.0\n"
    assert data[3] == 0  # no flags: no name
    assert data[4:8] == bytes(4)  # no time


def images():
    volume = nib.Nifti1Image(np.arange(8, dtype=np.float32).reshape(2, 2, 2), np.eye(4))
    array = nib.gifti.GiftiDataArray(np.arange(4, dtype=np.float32))
    brain = nib.cifti2.BrainModelAxis.from_mask(
        np.ones(3, bool), name="CIFTI_STRUCTURE_CORTEX_LEFT"
    )
    grey = nib.Cifti2Image(np.ones((1, 3), np.float32), (nib.cifti2.ScalarAxis(["a"]), brain))
    return [
        ("a.nii.gz", volume),
        ("a.nii", volume),
        ("a.func.gii", nib.gifti.GiftiImage(darrays=[array])),
        ("a.dscalar.nii", grey),
    ]


@pytest.mark.parametrize(("name", "image"), images(), ids=[name for name, _ in images()])
def test_images_read_back_and_do_not_change(tmp_path, name, image) -> None:
    path, again = tmp_path / name, tmp_path / "later" / name
    write_image(path, image)
    write_image(again, image)
    assert path.read_bytes() == again.read_bytes()
    read = nib.load(path)
    if isinstance(read, nib.gifti.GiftiImage):
        np.testing.assert_array_equal(read.agg_data(), image.agg_data())
    else:
        assert isinstance(read, type(image))
        np.testing.assert_array_equal(np.asanyarray(read.dataobj), np.asanyarray(image.dataobj))


def test_readers_never_see_half_a_file(tmp_path) -> None:
    path = tmp_path / "a.txt"
    texts = {letter * 200_000 for letter in "ab"}
    write_text(path, min(texts))
    stop, torn = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            text = path.read_text()
            if text not in texts:
                torn.append(text[:20])

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        for text in texts:
            write_text(path, text)
    stop.set()
    reader.join()
    assert torn == []
    assert list(tmp_path.iterdir()) == [path]


class TestDescription:
    def test_what_it_says(self, study, tmp_path) -> None:
        raw, _ = study
        raw.description(DatasetDOI="doi:10.18112/x.v1", License="CC0", Authors=["A", "B"])
        description = dataset_description(
            open_dataset(raw.root),
            raw.root / "derivatives" / "musicotopy",
            configuration_hashes={"gradients": "ab"},
            environment={"MUSICOTOPY_DOCKER_TAG": "musicotopy:1"},
        )
        assert description["DatasetType"] == "derivative"
        first, second = description["GeneratedBy"]
        assert first["Name"] == "musicotopy"
        assert first["Container"] == {"Type": "docker", "Tag": "musicotopy:1"}
        assert first["ConfigurationHash"] == {"gradients": "ab"}
        assert second["Name"] == "fMRIPrep"
        assert description["DatasetLinks"] == {"fmriprep": "../fmriprep", "raw": "../.."}
        assert description["SourceDatasets"][0]["DOI"] == "doi:10.18112/x.v1"
        assert (description["License"], description["Authors"]) == ("CC0", ["A", "B"])

    def test_odd_descriptions_of_the_source(self, study, tmp_path) -> None:
        raw, prep = study
        raw.json("dataset_description.json", {"Name": None, "DatasetDOI": 3, "Authors": ""})
        prep.json("dataset_description.json", {"GeneratedBy": "fMRIPrep"})
        dataset = open_dataset(raw.root, {"fmriprep": prep.root})
        description = dataset_description(dataset, tmp_path, environment={})
        assert description["Name"] == "musicotopy"
        assert [entry["Name"] for entry in description["GeneratedBy"]] == ["musicotopy"]
        assert not {"SourceDatasets", "Authors", "Container"} & set(description)

    def test_hashes_of_other_recipes_are_kept(self, study, tmp_path) -> None:
        dataset = open_dataset(study[0].root)
        write_dataset_description(tmp_path, dataset, configuration_hashes={"gradients": "a"})
        write_dataset_description(tmp_path, dataset, configuration_hashes={"rsa": "b"})
        assert configuration_hashes_of(tmp_path) == {"gradients": "a", "rsa": "b"}

    def test_files_that_say_the_same_are_left_alone(self, study, tmp_path) -> None:
        dataset, output = open_dataset(study[0].root), tmp_path / "out"

        def write() -> dict[Path, int]:
            write_dataset_description(output, dataset)
            write_descriptions(output, {"one": "First."})
            write_bidsignore(output)
            write_readme(output)
            return {path: path.stat().st_ino for path in output.iterdir()}

        before = write()
        assert write() == before
        assert len(before) == 4

    def test_descriptions_of_several_recipes_are_merged(self, tmp_path) -> None:
        write_descriptions(tmp_path, {"one": "First."})
        write_descriptions(tmp_path, {"two": "Second."})
        table = read_table(tmp_path / "descriptions.tsv")
        assert [row["desc_id"] for row in table.rows] == ["desc-one", "desc-two"]

    def test_many_processes_describe_one_folder(self, study, tmp_path) -> None:
        dataset = open_dataset(study[0].root)

        def write(number: int) -> None:
            write_dataset_description(
                tmp_path, dataset, configuration_hashes={f"r{number}": str(number)}
            )

        threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(configuration_hashes_of(tmp_path)) == 12

    def test_ignored_names_have_no_trailing_slash(self) -> None:
        assert not [pattern for pattern in BIDSIGNORE if pattern.endswith("/")]


def test_sidecars_say_where_a_map_lies() -> None:
    content = sidecar("A map.", sources=["bids:raw:a", "bids:raw:a"], space="fsaverage5", N=3)
    assert content["Sources"] == ["bids:raw:a"]
    assert "FsAverage" in content["SpatialReference"]
    assert "10242" in content["Density"]
    assert content["N"] == 3
    volume = sidecar("A map.", space="MNI152NLin2009cAsym", resolution="2")
    assert "res-2" in volume["Resolution"]
    assert "Density" not in volume
    assert sidecar("A table.") == {"Description": "A table.", "Sources": []}


def test_the_address_of_the_code_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message()
    message["Project-URL"] = "Documentation, https://example.org/docs"
    monkeypatch.setattr(describe, "metadata", lambda name: message)
    assert not describe.code_url()
    message["Project-URL"] = "Source, https://example.org/code, a"
    assert describe.code_url() == "https://example.org/code, a"
