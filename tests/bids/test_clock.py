"""When volumes were acquired: what sidecars, headers and raw files say, where they disagree."""

from __future__ import annotations

from pathlib import Path

import pytest

from bidsapp.bids.clock import Stated, dropped_volumes, repetition_time, start_time
from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.filters import Filters
from bidsapp.bids.headers import TimeAxis
from bidsapp.bids.index import find_runs

BOLD = Path("bold.nii.gz")
MNI = "MNI152NLin2009cAsym"


def stated(
    *own: dict, raw: dict | None = None, header: float | None = None, n_raw: int | None = None
):
    return Stated(own or ({},), raw or {}, TimeAxis(20, header), n_raw)


class TestRepetitionTime:
    def test_left_and_right_that_disagree_are_refused(self) -> None:
        both = stated({"RepetitionTime": 1.3}, {"RepetitionTime": 1.0})
        tr_s, problems = repetition_time(BOLD, both)
        assert tr_s is None
        assert "1.3 s on the left and 1 s on the right" in problems[0].what

    def test_a_derivative_that_disagrees_with_the_raw_data_is_named(self) -> None:
        two = {"RepetitionTime": 2.0}
        tr_s, problems = repetition_time(BOLD, stated(two, two, raw={"RepetitionTime": 1.5}))
        assert tr_s == 2.0
        assert "2 s in the left sidecar" in problems[0].what
        assert "1.5 s in the raw sidecar" in problems[0].what

    @pytest.mark.parametrize(
        "value", [True, "2.0", float("inf"), float("nan"), 0, -1, [2], 10**400]
    )
    def test_what_is_no_time_is_quoted_and_passed_over(self, value) -> None:
        tr_s, problems = repetition_time(BOLD, stated({"RepetitionTime": value}, header=1.5))
        assert tr_s == 1.5
        assert "which is no time" in problems[0].what

    def test_milliseconds(self) -> None:
        assert repetition_time(BOLD, stated({"RepetitionTime": 1500}))[0] == 1.5

    def test_one_second_in_the_header_alone_is_doubted(self) -> None:
        tr_s, problems = repetition_time(BOLD, stated(header=1.0))
        assert (tr_s, len(problems)) == (1.0, 1)
        assert repetition_time(BOLD, stated(header=1.1)) == (1.1, [])

    def test_runs_of_one_task_that_differ_are_named(self, study) -> None:
        raw, prep = study
        for number in (3, 4):
            prep.fmriprep_run(f"sub-01_task-music_run-{number}", tr=2.0 if number == 3 else 1.5)
        runs, problems = find_runs(open_dataset(raw.root), "01", space=MNI)
        assert [run.tr_s for run in runs] == [2.0, 2.0, 2.0, 1.5]
        assert any("is 1.5 s, that of other runs 2 s" in problem.what for problem in problems)


class TestStartTime:
    def of(self, own: dict, raw: dict, given: float | None = None, *, preprocessed: bool = True):
        said = stated(own, raw=raw)
        value, problems = start_time(BOLD, said, 2.0, preprocessed=preprocessed, given_s=given)
        return value, len(problems)

    def test_what_the_sidecar_says(self) -> None:
        assert self.of({"SliceTimingCorrected": True, "StartTime": 0.9}, {}) == (0.9, 0)
        assert self.of({"SliceTimingCorrected": True}, {}) == (1.0, 0)
        assert self.of({"SliceTimingCorrected": True, "StartTime": "0.9"}, {}) == (1.0, 1)
        assert self.of({"SliceTimingCorrected": True, "StartTime": 0.9}, {}, 0.3) == (0.3, 0)

    def test_an_unlikely_start_time_is_used_and_said(self) -> None:
        for start_s in (-0.1, 2.5, 900.0):
            assert self.of({"SliceTimingCorrected": True, "StartTime": start_s}, {}) == (
                start_s,
                1,
            )
        left, right = ({"SliceTimingCorrected": True, "StartTime": at} for at in (0.9, 1.1))
        said = stated(left, right)
        value, problems = start_time(BOLD, said, 2.0, preprocessed=True, given_s=None)
        assert value == 0.9
        assert [problem.what for problem in problems] == [
            "StartTime is 0.9 s on the left and 1.1 s on the right"
        ]

    def test_an_uncorrected_volume_stands_for_the_mean_of_its_slices(self) -> None:
        no = {"SliceTimingCorrected": False}
        assert self.of(no, {}) == (1.0, 0)
        assert self.of(no, {"SliceTiming": [0.0, 0.5, 1.0]}) == (0.5, 0)
        assert self.of({}, {"SliceTiming": [0.0, 1.4]}, preprocessed=False) == (0.7, 0)
        for wrong in ([0, 700, 1400], [], "ascending", [0, None], [-1, 0]):
            assert self.of(no, {"SliceTiming": wrong}) == (1.0, 1)

    def test_unknown_is_said_and_can_be_stated(self) -> None:
        assert self.of({}, {"SliceTiming": [0, 1]}) == (1.0, 1)
        assert self.of({}, {"SliceTiming": [0, 1]}, 0.8) == (0.8, 0)
        assert self.of({}, {}) == (1.0, 0)

    def test_runs_that_start_at_different_times_are_said(self, study) -> None:
        raw, prep = study
        bold = f"sub-01/func/sub-01_task-music_run-2_space-{MNI}_desc-preproc_bold.json"
        times = {"SliceTimingCorrected": True, "StartTime": 0.4}
        prep.json(bold, {"RepetitionTime": 2.0, **times})
        runs, problems = find_runs(open_dataset(raw.root), "01", space=MNI)
        assert [run.start_time_s for run in runs] == [1.0, 0.4]
        (what,) = [problem.what for problem in problems]
        assert "stand for 0.4 s" in what
        assert "other runs for 1 s" in what


class TestVolumesLeftOut:
    def test_a_derivative_shorter_than_the_raw_run_is_refused(self, study) -> None:
        raw, _prep = study
        raw.volume("sub-01/func/sub-01_task-music_run-2_bold.nii.gz", n_trs=25)
        dataset = open_dataset(raw.root)
        runs, problems = find_runs(dataset, "01", space=MNI)
        assert [run.entities["run"] for run in runs] == ["1"]
        assert any("20 volumes and the raw file 25" in problem.what for problem in problems)

    def test_stated_volumes_move_the_clock(self, study) -> None:
        raw, _prep = study
        for number in (1, 2):
            raw.volume(f"sub-01/func/sub-01_task-music_run-{number}_bold.nii.gz", n_trs=25)
        filters = Filters(dropped_volumes=5)
        runs, problems = find_runs(open_dataset(raw.root), "01", space=MNI, filters=filters)
        assert [run.start_time_s for run in runs] == [11.0, 11.0]
        assert [run.scan_end_s for run in runs] == [50.0, 50.0]
        assert problems == []

    @pytest.mark.parametrize(
        ("n_raw", "n_stated", "n_used", "refused"),
        [
            (None, 0, 0, False),
            (None, 5, 5, False),
            (20, 0, 0, False),
            (20, 5, 0, True),
            (25, 0, 0, True),
            (25, 5, 5, False),
            (25, 3, 3, False),
            (25, 6, 0, True),
            (19, 0, 0, True),
        ],
    )
    def test_numbers(self, n_raw, n_stated, n_used, refused) -> None:
        used, problem = dropped_volumes(BOLD, stated(n_raw=n_raw), n_stated)
        assert (used, problem is not None) == (n_used, refused)
