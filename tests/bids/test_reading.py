"""Tables, sidecars and headers: the small readers everything stands on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.bids.headers import n_mask_voxels, seconds, time_axis
from bidsapp.bids.records import Problem
from bidsapp.bids.sidecars import applicable_files, inherited_metadata, read_json
from bidsapp.bids.tables import is_missing, number, read_table
from tests.runs import make_run


class TestTables:
    def test_oddities_of_real_tables(self, tree) -> None:
        path = tree("t").text(
            "a.tsv",
            "\ufeffonset\tname\tonset\tlast\r\n0\t'pop'\t9\t \r\n\r\n1\t\"q\r\n2\tx\ty\tz\textra",
        )
        table = read_table(path)
        assert table.columns == ("onset", "name", "last")
        assert [dict(row) for row in table.rows] == [
            {"onset": "0", "name": "'pop'", "last": ""},
            {"onset": "1", "name": '"q', "last": "n/a"},
            {"onset": "2", "name": "x", "last": "z"},
        ]

    def test_a_first_column_without_name(self, tree) -> None:
        table = read_table(tree("t").text("a.tsv", "\n\tonset\n0\t1.5\n"))
        assert table.rows[0]["onset"] == "1.5"

    def test_a_message_names_its_file_once(self) -> None:
        path = Path("a.wav")
        problem = Problem(path, f"{path}: cannot be decoded", "convert it")
        assert str(problem) == "a.wav: cannot be decoded; convert it"

    def test_comma_and_semicolon(self, tree) -> None:
        t = tree("t")
        comma = read_table(t.text("a.csv", 'time,"name, full"\n1,"x,y"\n'))
        assert dict(comma.rows[0]) == {"time": "1", "name, full": "x,y"}
        semicolon = read_table(t.text("b.csv", "time;v\n1,5;2\n"))
        assert [dict(row) for row in semicolon.rows] == [{"time": "1,5", "v": "2"}]

    def test_old_encodings(self, tree) -> None:
        path = tree("t").text("a.tsv")
        path.write_bytes("title\nCafé\n".encode("latin-1"))
        assert read_table(path).rows[0]["title"] == "Café"

    @pytest.mark.parametrize("content", [b"", b"\n \n", b"\x1f\x8bnot gzip"])
    def test_broken_files_are_problems(self, tree, content) -> None:
        path = tree("t").text("a.tsv.gz")
        path.write_bytes(content)
        assert isinstance(read_table(path), Problem)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_numbers_read_back(self, value) -> None:
        assert number(repr(value)) == value

    @pytest.mark.parametrize("cell", [None, "", "n/a", "NaN", "inf", "-inf", "two", "1,5"])
    def test_what_is_no_number(self, cell) -> None:
        assert math.isnan(number(cell))
        assert is_missing(cell) is (cell in (None, "", "n/a", "NaN"))


class TestSidecars:
    @pytest.fixture
    def root(self, tree):
        t = tree("d")
        t.json("bold.json", {"A": 0, "B": 0, "C": 0, "D": 0, "TaskName": "x"})
        t.json("task-x_bold.json", {"B": 1, "C": 1, "D": 1})
        t.json("task-y_bold.json", {"B": 99})
        t.json("task-x_events.json", {"B": 99})
        t.json("sub-01/sub-01_bold.json", {"C": 2, "D": 2})
        t.json("sub-01/func/sub-01_task-x_run-1_bold.json", {"D": 3})
        t.json("sub-01/func/sub-01_task-x_run-2_bold.json", {"D": 99})
        t.json("sub-01/func/sub-01_task-x_acq-z_bold.json", {"D": 99})
        return t

    def test_nearer_and_more_specific_files_win(self, root) -> None:
        file = root.root / "sub-01" / "func" / "sub-01_task-x_run-1_bold.nii.gz"
        metadata, problems = inherited_metadata(file, root.root)
        assert metadata == {"A": 0, "B": 1, "C": 2, "D": 3, "TaskName": "x"}
        assert problems == []

    def test_broken_ones_are_told_and_the_rest_used(self, root) -> None:
        root.text("task-x_bold.json", "")
        file = root.root / "sub-01" / "func" / "sub-01_task-x_run-1_bold.nii.gz"
        metadata, problems = inherited_metadata(file, root.root)
        assert metadata["B"] == 0
        assert metadata["D"] == 3
        assert [problem.path.name for problem in problems] == ["task-x_bold.json"]

    def test_unrelated_sidecars_are_never_read(self, root) -> None:
        root.text("task-y_bold.json", "{broken")
        root.text("sub-01/func/sub-01_task-x_run-2_bold.json", "")
        file = root.root / "sub-01" / "func" / "sub-01_task-x_run-1_bold.nii.gz"
        assert inherited_metadata(file, root.root)[1] == []

    def test_dtseries_json_of_fmriprep_20(self, tree) -> None:
        t = tree("d")
        base = "sub-01/func/sub-01_task-x_space-fsLR_den-91k_bold"
        t.json(f"{base}.dtseries.json", {"RepetitionTime": 1, "space": "HCP"})
        t.json(f"{base}.json", {"RepetitionTime": 2})
        metadata, _ = inherited_metadata(t.root / f"{base}.dtseries.nii", t.root)
        assert metadata == {"RepetitionTime": 2, "space": "HCP"}

    def test_files_outside_the_root(self, tree) -> None:
        t = tree("d")
        t.json("sub-01_bold.json", {"A": 1})
        assert applicable_files(t.root, t.root / "other", {"sub": "01"}, "bold", (".json",))

    @pytest.mark.parametrize("content", ["", "[1]", "3", "{", "\0", "[" * 100_000])
    def test_what_is_no_object_is_a_problem(self, tree, content) -> None:
        assert isinstance(read_json(tree("d").text("a.json", content)), Problem)


class TestHeaders:
    @pytest.mark.parametrize("n_trs", [2, 183])
    def test_each_format(self, tree, n_trs) -> None:
        t = tree("d")
        for path, kind, tr in (
            (t.volume("a.nii.gz", n_trs, 1.5), "volume", 1.5),
            (t.volume("a.nii", n_trs, 1500.0, "msec"), "volume", 1.5),
            (t.gifti("a.func.gii", n_trs), "gifti", None),
            (t.cifti("a.dtseries.nii", n_trs, 0.72), "cifti", 0.72),
        ):
            axis = time_axis(path, kind)
            assert (axis.n_trs, axis.tr_s) == (n_trs, pytest.approx(tr) if tr else None)

    def test_all_volumes_of_a_surface_in_one_matrix(self, tree) -> None:
        import nibabel as nib

        path = tree("d").text("a.func.gii")
        matrix = nib.gifti.GiftiDataArray(np.zeros((10, 7), np.float32))
        nib.save(nib.gifti.GiftiImage(darrays=[matrix]), path)
        assert time_axis(path, "gifti").n_trs == 7

    def test_data_are_not_read(self, tree) -> None:
        path = tree("d").gifti("a.func.gii", 50, n_vertices=20_000)
        path.write_bytes(path.read_bytes()[:70_000])  # cut off after the head
        assert time_axis(path, "gifti").n_trs == 50

    @given(st.floats(0.1, 20.0))
    def test_units_do_not_change_the_time(self, tr) -> None:
        assert seconds(tr, "sec") == pytest.approx(tr)
        assert seconds(tr * 1e3, "msec") == pytest.approx(tr)
        assert seconds(tr * 1e6, "usec") == pytest.approx(tr)
        if tr > 0.1001:
            assert seconds(tr * 1e3, "sec") == pytest.approx(tr)  # the usual lie
        assert seconds(0.0, "sec") is None

    def test_voxels_of_a_mask(self, tree) -> None:
        t = tree("d")
        run = make_run(bold=(t.volume("b.nii.gz"),), mask=t.mask("m.nii.gz"))
        assert n_mask_voxels(run) == 4
        run.mask.write_bytes(b"")
        assert n_mask_voxels(run) == 8
