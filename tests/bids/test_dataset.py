"""What was given as BIDS_DIR."""

from __future__ import annotations

import pytest

from bidsapp.bids.dataset import open_dataset, participants
from bidsapp.errors import InputMissingError, UsageError


def test_raw_with_derivatives_inside(study) -> None:
    raw, prep = study
    dataset = open_dataset(raw.root)
    assert (dataset.root, dataset.fmriprep) == (raw.root, prep.root)
    assert dataset.layout == "raw+derivatives"
    assert dataset.description["Name"] == "A dataset"
    assert participants(dataset) == ["01", "02"]


def test_derivatives_elsewhere(study, tree) -> None:
    raw, _ = study
    other = tree("prep")
    other.fmriprep_description()
    other.fmriprep_run("sub-01_task-music_run-1")
    assert open_dataset(raw.root, {"fmriprep": other.root}).fmriprep == other.root
    assert open_dataset(raw.root, {"anything": other.root}).fmriprep == other.root


def test_an_fmriprep_folder_itself(study) -> None:
    raw, prep = study
    dataset = open_dataset(prep.root)
    assert dataset.layout == "derivatives only"
    assert dataset.root == raw.root  # events lie there
    assert participants(dataset) == ["01"]


def test_an_fmriprep_folder_alone(tree) -> None:
    prep = tree("prep")
    prep.fmriprep_description()
    prep.fmriprep_run("sub-07_task-a", "sub-07/func")
    dataset = open_dataset(prep.root)
    assert (dataset.root, dataset.layout) == (None, "derivatives only")
    assert participants(dataset) == ["07"]


@pytest.mark.parametrize("description", [None, "", "{", "[1]", '{"GeneratedBy": {"Name": 3}}'])
def test_fmriprep_is_known_without_its_description(tree, description) -> None:
    prep = tree("prep")
    prep.fmriprep_run("sub-01_task-a")
    if description is not None:
        prep.text("dataset_description.json", description)
    dataset = open_dataset(prep.root)
    assert dataset.layout == "derivatives only"
    if description in ("", "{", "[1]"):
        assert "dataset_description.json" in str(dataset.problems[0])


def test_raw_alone(tree) -> None:
    raw = tree("raw")
    raw.description()
    raw.text("sub-001/func/x")
    assert open_dataset(raw.root).layout == "raw"


def test_several_fmripreps_must_be_chosen_from(study) -> None:
    raw, prep = study
    (raw.root / "derivatives" / "fmriprep-old" / "sub-01").mkdir(parents=True)
    with pytest.raises(UsageError, match="fmriprep, fmriprep-old"):
        open_dataset(raw.root)
    assert open_dataset(raw.root, {"fmriprep": prep.root}).fmriprep == prep.root


def test_several_derivatives_without_fmriprep(study, tree) -> None:
    raw, _ = study
    one, two = tree("one").root, tree("two").root
    with pytest.raises(UsageError, match="-d fmriprep=PATH"):
        open_dataset(raw.root, {"a": one, "b": two})


def test_legacy_layout_and_derivatives_as_output_folder(tree) -> None:
    raw = tree("raw")
    raw.description()
    raw.text("sub-01/func/x")
    inner = raw.root / "derivatives" / "fmriprep" / "fmriprep"
    (inner / "sub-01").mkdir(parents=True)
    assert open_dataset(raw.root).fmriprep == inner
    other = tree("other")
    other.description()
    other.text("sub-01/func/x")
    other.text("derivatives/sub-01/func/sub-01_task-a_desc-confounds_timeseries.tsv")
    assert open_dataset(other.root).fmriprep == other.root / "derivatives"


def test_derivatives_that_are_not_installed_are_told(tree) -> None:
    raw = tree("raw")
    raw.description()
    raw.text("sub-01/func/x")
    (raw.root / "derivatives" / "fmriprep").mkdir(parents=True)
    dataset = open_dataset(raw.root)
    assert dataset.fmriprep == raw.root / "derivatives" / "fmriprep"
    assert "datalad get" in dataset.problems[0].remedy


def test_participants_are_folders(tree) -> None:
    raw = tree("raw")
    raw.description()
    for name in ("sub-01", "sub-02", "sub-phantom", "sub-001", "sub-bad_name", "stimuli"):
        raw.text(f"{name}/beh/x")
    raw.text("sub-03", "a file")
    raw.tsv("participants.tsv", "participant_id", "01", "04")
    assert participants(open_dataset(raw.root)) == ["001", "01", "02", "phantom"]


def test_participants_of_the_derivatives_count(study) -> None:
    raw, prep = study
    prep.text("sub-99/func/x")
    assert participants(open_dataset(raw.root)) == ["01", "02", "99"]


def test_missing_folders_are_named(tmp_path, tree) -> None:
    with pytest.raises(InputMissingError, match="nowhere does not exist"):
        open_dataset(tmp_path / "nowhere")
    raw = tree("raw")
    raw.text("sub-01/func/x")
    with pytest.raises(InputMissingError, match="-d fmriprep"):
        open_dataset(raw.root, {"fmriprep": tmp_path / "nowhere"})
    with pytest.raises(InputMissingError, match=r"no sub-\* folder"):
        open_dataset(tree("empty").root)


def test_bids_uris(study, tree) -> None:
    raw, prep = study
    sounds = tree("sounds")
    dataset = open_dataset(raw.root)
    paths = [
        prep.root / "sub-01" / "func" / "b.nii.gz",
        raw.root / "sub-01" / "func" / "e.tsv",
        sounds.root / "a.wav",
        raw.root.parent / "elsewhere.wav",
    ]
    assert dataset.bids_uris(paths, sounds.root) == [
        "bids:fmriprep:sub-01/func/b.nii.gz",
        "bids:raw:sub-01/func/e.tsv",
        "bids:stimuli:a.wav",
        "elsewhere.wav",
    ]


def test_derivatives_of_another_tool_are_not_taken_for_fmriprep(tree) -> None:
    raw = tree("raw")
    raw.description()
    raw.text("sub-01/func/x")
    raw.text("derivatives/sub-01/func/sub-01_task-a_bold+tlrc.BRIK")
    raw.json(
        "derivatives/eegprep/dataset_description.json",
        {"Name": "x", "BIDSVersion": "1.8.0", "GeneratedBy": [{"Name": "EEGLAB"}]},
    )
    raw.text("derivatives/eegprep/sub-01/eeg/x")
    dataset = open_dataset(raw.root)
    assert (dataset.fmriprep, dataset.layout) == (None, "raw")
    assert "derivatives (no GeneratedBy), derivatives/eegprep (EEGLAB)" in str(dataset.problems[0])


@pytest.mark.parametrize("made_by", [{"Name": "fMRIPrep"}, [{"Name": "fMRIPrep"}]])
def test_fmriprep_under_another_name_says_what_it_is(tree, made_by) -> None:
    raw = tree("raw")
    raw.description()
    raw.text("sub-01/func/x")
    raw.json("derivatives/preproc/dataset_description.json", {"GeneratedBy": made_by})
    raw.text("derivatives/preproc/sub-01/func/x")
    assert open_dataset(raw.root).fmriprep == raw.root / "derivatives" / "preproc"


def test_raw_data_behind_derivatives_are_found(tree) -> None:
    prep = tree("ds000001-fmriprep")
    prep.fmriprep_description()
    prep.text("sub-01/func/x")
    prep.text("sourcedata/raw/sub-01/func/x")
    assert open_dataset(prep.root).root == prep.root / "sourcedata" / "raw"
    other = tree("linked")
    other.description(
        DatasetType="derivative", DatasetLinks={"raw": "../elsewhere", "doi": "doi:x"}
    )
    other.text("sub-01/func/x")
    raw = tree("elsewhere")
    raw.text("sub-01/func/x")
    assert open_dataset(other.root).root.resolve() == raw.root.resolve()


def test_a_study_keeps_its_raw_data_in_sourcedata(tree) -> None:
    study = tree("study")
    study.description(DatasetType="study")
    study.text("sourcedata/raw/sub-01/func/x")
    study.text("derivatives/fmriprep-25/sub-01/func/x")
    dataset = open_dataset(study.root)
    assert dataset.root == study.root / "sourcedata" / "raw"
    assert dataset.fmriprep == study.root / "derivatives" / "fmriprep-25"
