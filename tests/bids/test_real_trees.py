"""The real trees of three OpenNeuro datasets: images are placeholders, everything else is real."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from bidsapp.bids.annotations import find_intervals
from bidsapp.bids.dataset import open_dataset, participants
from bidsapp.bids.index import Filters, find_acquisitions, find_runs, spaces
from bidsapp.bids.presentations import find_presentations
from bidsapp.bids.records import Run
from bidsapp.bids.survey import survey
from bidsapp.bids.survey_text import missing_for, survey_tables, survey_text
from bidsapp.errors import InputInvalidError
from bidsapp.recipes import RECIPES
from tests.runs import make_run

pytestmark = pytest.mark.data
RAW = Filters(allow_raw_bold=True)


def as_run(acquisition, n_trs: int, tr_s: float) -> Run:
    entities = acquisition.entities
    return make_run(entities=entities, bold=acquisition.bold, tr_s=tr_s, n_trs=n_trs)


class TestSadMusic:
    """ds003085: no events, no stimuli, no participants.tsv; fMRIPrep 22 of three participants."""

    @pytest.fixture
    def dataset(self, test_data: Path):
        folder = test_data / "ds003085"
        return open_dataset(folder / "bids", {"fmriprep": folder / "fmriprep"})

    def test_participants(self, dataset) -> None:
        labels = participants(dataset)
        assert len(labels) == 39
        assert "07" not in labels

    def test_spaces(self, dataset) -> None:
        assert list(spaces(dataset, "01").items()) == [
            ("fsaverage5", 4),
            ("fsLR", 4),
            ("MNI152NLin2009cAsym", 4),
            ("T1w", 4),
            ("native", 4),
        ]

    def test_placeholders_are_told_one_by_one(self, dataset) -> None:
        runs, problems = find_runs(dataset, "02", space="fsLR")
        assert runs == []
        assert [problem.what for problem in problems] == ["has 0 bytes"] * 4
        assert all(f"datalad get {problem.path}" in problem.remedy for problem in problems)

    def test_runs_once_the_content_is_there(self, dataset, tree, test_data) -> None:
        copy = tree("prep")
        shutil.copytree(
            test_data / "ds003085" / "fmriprep" / "sub-01" / "func", copy.root / "sub-01" / "func"
        )
        for path in copy.root.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        lengths = {"happy": 183, "sadsh": 271, "sadln": 530, "rest": 360}
        for path in sorted(copy.root.rglob("*_bold*")):
            relative = path.relative_to(copy.root).as_posix()
            n_trs = next(n for task, n in lengths.items() if f"task-{task}" in path.name)
            if path.name.endswith("_bold.nii.gz"):
                copy.volume(relative, n_trs, 1.0)
            elif path.name.endswith(".func.gii"):
                copy.gifti(relative, n_trs)
            elif path.name.endswith(".dtseries.nii"):
                copy.cifti(relative, n_trs, 1.0)
        for path in copy.root.rglob("*_timeseries.tsv"):
            path.write_text("trans_x\n0\n")
        filled = open_dataset(dataset.root, {"fmriprep": copy.root})
        for space in spaces(filled, "01"):
            runs, problems = find_runs(filled, "01", space=space)
            assert {run.task: run.n_trs for run in runs} == lengths
            assert {run.tr_s for run in runs} == {1.0}
            assert all(run.confounds is not None for run in runs)
            masks = [problem for problem in problems if "mask" in str(problem.path)]
            assert len(masks) == len(problems)
        runs, _ = find_runs(filled, "01", space="fsaverage5")
        presentations, _ = find_presentations(filled, runs, adapter="ds003085")
        left = {
            item.run_name.rpartition("-")[2]: lengths[item.run_name.rpartition("-")[2]]
            - item.duration_s
            for item in presentations
        }
        assert left == {"happy": 15, "sadsh": 15, "sadln": 15}

    def test_survey(self, test_data: Path) -> None:
        folder = test_data / "ds003085"
        found = survey(folder / "bids", derivatives={"fmriprep": folder / "fmriprep"})
        assert found.adapter == "ds003085"
        assert found.tasks_with_sound == ["happy", "sadln", "sadsh"]
        assert len(found.without_bold) == 36
        assert "3 sounds" in missing_for(found, RECIPES)["gradients"]
        command = survey_text(found, RECIPES).splitlines()[-1]
        assert "--adapter ds003085" in command
        assert "--task-id happy sadln sadsh" in command
        assert set(survey_tables(found)) == {"stimuli.tsv"}


class TestGenres:
    """ds003720: genres in quotes, uncompressed images, labels of three digits."""

    @pytest.fixture
    def dataset(self, test_data: Path):
        return open_dataset(test_data / "ds003720" / "bids")

    def runs(self, dataset, subject: str) -> list[Run]:
        found, _ = find_acquisitions(dataset, subject, RAW)
        return [as_run(item, 410, 1.5) for item in found]

    def test_runs(self, dataset) -> None:
        assert participants(dataset) == ["001", "002", "003", "004", "005"]
        counts = Counter(run.task for run in self.runs(dataset, "001"))
        assert counts == {"Training": 12, "Test": 6}

    def test_presentations_of_all_runs(self, dataset) -> None:
        runs = self.runs(dataset, "003")
        found, problems = find_presentations(dataset, runs, adapter="ds003720")
        training = [item for item in found if "Training" in item.run_name]
        test = [item for item in found if "Test" in item.run_name]
        assert (len(training), len({item.piece for item in training})) == (480, 480)
        assert (len(test), len({item.piece for item in test})) == (240, 60)
        assert set(Counter(item.piece for item in test).values()) == {4}
        assert {item.piece for item in training}.isdisjoint(item.piece for item in test)
        assert not [item for item in found if "'" in item.stim_file]
        assert {item.piece for item in found} >= {"blues/blues.00098.wav"}
        assert min(item.onset_s for item in found) == 15
        assert len(problems) == 1
        assert "540 sounds" in problems[0].what

    def test_dropped_events_would_leak(self, dataset) -> None:
        runs = [run for run in self.runs(dataset, "001") if run.task == "Training"]
        every, _ = find_presentations(dataset, runs, adapter="ds003720:drop_first=0")
        per_piece = Counter(item.piece for item in every)
        assert Counter(per_piece.values()) == {1: 468, 2: 12}


class TestStudyforrest:
    """ds000113: acq variants, dcmstack JSON, physio, beh-only people, run-locked annotations."""

    @pytest.fixture
    def dataset(self, test_data: Path):
        return open_dataset(test_data / "ds000113" / "bids")

    def test_variants_must_be_chosen(self, dataset) -> None:
        with pytest.raises(InputInvalidError, match="acq-dico, acq-raw"):
            find_runs(dataset, "01", filters=Filters(tasks=("forrestgump",), allow_raw_bold=True))
        dico = Filters(
            tasks=("forrestgump",),
            bids_filter={"bold": {"acquisition": "dico"}},
            allow_raw_bold=True,
        )
        _, problems = find_runs(dataset, "01", filters=dico)
        assert [problem.what for problem in problems] == ["has 0 bytes"] * 8

    def test_auditory_perception(self, dataset) -> None:
        tasks = Filters(tasks=("auditoryperception",), allow_raw_bold=True)
        for subject, n_runs in (("01", 8), ("20", 4)):
            found, _ = find_acquisitions(dataset, subject, tasks)
            runs = [as_run(item, 153, 2.0) for item in found]
            played, _ = find_presentations(dataset, runs, adapter="ds000113-auditoryperception")
            assert len(played) == 25 * n_runs
            assert len({item.piece for item in played}) == 25
            assert all(0 < item.onset_s % 1 < 0.06 for item in played)
            assert {item.duration_s for item in played} == {6.0}

    def test_emotions_of_the_audio_film(self, dataset, test_data) -> None:
        dico = Filters(
            tasks=("forrestgump",),
            bids_filter={"bold": {"acquisition": "dico"}},
            allow_raw_bold=True,
        )
        found, _ = find_acquisitions(dataset, "01", dico)
        runs = [as_run(item, 451, 2.0) for item in found]
        folder = test_data / "ds000113" / "annotations" / "segments" / "aomovie"
        intervals, problems = find_intervals(dataset, runs, [], folder)
        assert {item.key for item in intervals} == {run.name for run in runs}
        times = {(item.key, item.onset_s, item.duration_s, item.character) for item in intervals}
        assert len(times) == 508 - 36  # 36 rows carry no emotion
        assert all(0 < item.agreement <= 1 for item in intervals)
        assert {"happiness", "sadness", "fear"} <= {item.label for item in intervals}
        assert {problem.path.name[:5] for problem in problems} == {"music"}

    def test_survey(self, test_data: Path) -> None:
        folder = test_data / "ds000113"
        found = survey(folder / "bids", folder / "annotations" / "segments" / "aomovie")
        assert found.adapter == "ds000113-auditoryperception"
        assert found.tasks_with_sound == ["auditoryperception"]
        assert found.tasks["auditoryperception"].runs_each == {4: 1, 8: 2}
        assert "forrestgump" in found.variants
        assert "happiness" in found.intervals
        missing = missing_for(found, RECIPES)["emotion3d"]
        assert "emotion labels (intervals or stimuli.tsv)" not in missing


def test_sounds_without_content_are_fetched_not_given(test_data: Path) -> None:
    """ds004007: 16 sounds lie in stimuli/ as links; the folder needs no option."""
    found = survey(test_data / "ds004007" / "bids")
    missing = missing_for(found, RECIPES)["gradients"]
    assert missing[-1] == "the content of 16 sounds (datalad get)"
    text = survey_text(found, RECIPES)
    assert text.count("has 0 bytes") == 1
    fetch, run = text.splitlines()[-2:]
    assert fetch.endswith("--recipe gradients --list-inputs | xargs -d '\\n' datalad get")
    assert "--stimuli-dir" not in fetch + run


@pytest.mark.parametrize("name", ["ds003720", "ds000113"])
def test_clips_of_seconds_are_proposed_for_rsa(test_data: Path, name: str) -> None:
    found = survey(test_data / name / "bids")
    assert 0 < found.longest_s < 40
    assert "--recipe rsa --dry-run" in survey_text(found, RECIPES)


def test_real_bold_of_haxby(test_data: Path) -> None:
    dataset = open_dataset(test_data / "haxby_bids")
    filters = Filters(bids_filter={"bold": {"acquisition": "25mm"}}, allow_raw_bold=True)
    runs, problems = find_runs(dataset, "001", filters=filters)
    assert problems == []
    assert [run.entities["run"] for run in runs] == [f"{i:02d}" for i in range(1, 13)]
    assert {(run.n_trs, run.tr_s) for run in runs} == {(121, 2.5)}


class TestNarratives:
    """ds002345: one sound in several rows of a run, no stim_start."""

    def test_the_music_in_front_and_the_story_are_one_playing(self, test_data: Path) -> None:
        dataset = open_dataset(test_data / "ds002345" / "bids")
        items, _ = find_acquisitions(dataset, "111", RAW)
        runs = [
            as_run(item, 2000, 1.5) for item in items if item.entities["task"] == "slumlordreach"
        ]
        found, _ = find_presentations(dataset, runs, adapter="ds002345")
        assert [(item.onset_s, item.stim_start_s) for item in found] == [
            (4.5, 0),
            (29.5, 25),
            (944.5, 940),
            (969.5, 965),
        ]
        assert {item.stim_file for item in found} == {"slumlordreach_audio.wav"}

    def test_it_is_recognised(self, test_data: Path) -> None:
        assert survey(test_data / "ds002345" / "bids").adapter == "ds002345"


class TestWholePieces:
    """ds004007: stim_file is filled; it needs no adapter."""

    def test_it_runs_without_an_adapter(self, test_data: Path) -> None:
        dataset = open_dataset(test_data / "ds004007" / "bids")
        label = participants(dataset)[0]
        items, _ = find_acquisitions(dataset, label, RAW)
        found, _ = find_presentations(dataset, [as_run(item, 2000, 1.0) for item in items])
        assert len({item.stim_file for item in found}) == 16
        assert {item.source for item in found} == {"events.tsv"}
