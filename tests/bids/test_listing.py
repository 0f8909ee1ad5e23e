"""What would be read is listed by name, before any content is there."""

from __future__ import annotations

from pathlib import Path

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.filters import Filters
from bidsapp.bids.index import find_runs
from bidsapp.bids.listing import files_to_read
from bidsapp.cli.app import main

MNI = "MNI152NLin2009cAsym"


def is_text(path: Path) -> bool:
    return path.suffix in (".json", ".tsv")


def heard(raw) -> None:
    for number in (1, 2):
        name = f"sub-01/func/sub-01_task-music_run-{number}_events.tsv"
        raw.tsv(name, "onset duration stim_file", f"0 5 piece{number}.wav")
    for number in (1, 2, 3):
        raw.wav(f"stimuli/piece{number}.wav", 5)


def test_they_are_what_a_run_reads(study) -> None:
    raw, _prep = study
    heard(raw)
    dataset = open_dataset(raw.root)
    for space in ("fsaverage5", "fsLR", MNI):
        runs, _ = find_runs(dataset, "01", space=space)
        read = {path for run in runs for path in (*run.bold, run.mask, run.confounds) if path}
        sounds = {raw.root / "stimuli" / f"piece{number}.wav" for number in (1, 2)}
        listed = set(files_to_read(dataset, "01", spaces=(space,)))
        assert {path for path in listed if not is_text(path)} == {
            path for path in read | sounds if not is_text(path)
        }
        assert read <= listed
        events = raw.root / "sub-01" / "func" / "sub-01_task-music_run-1_events.tsv"
        assert {events, raw.root / "dataset_description.json"} <= listed


def test_content_need_not_be_there(study) -> None:
    raw, prep = study
    heard(raw)
    dataset = open_dataset(raw.root)
    before = files_to_read(dataset, "01", spaces=(MNI,))
    for path in before:
        if is_text(path):
            continue  # not in the annex
        path.unlink()
        path.symlink_to(Path("../.git/annex/objects") / path.name)
    assert files_to_read(dataset, "01", spaces=(MNI,)) == before
    one = files_to_read(
        dataset, "01", spaces=(MNI,), filters=Filters(bids_filter={"bold": {"run": 1}})
    )
    assert {"run-1" in path.name for path in one if path.is_relative_to(prep.root / "sub-01")} == {
        True
    }
    assert len([path for path in one if not is_text(path)]) == 3


def test_the_command_prints_one_path_per_line(study, tmp_path, capsys) -> None:
    raw, _prep = study
    heard(raw)
    words = [str(raw.root), str(tmp_path / "out"), "participant", "--participant-label", "01"]
    assert main([*words, "--list-inputs", "--space", "fsaverage5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if not is_text(Path(line))]) == 6
    assert all(Path(line).exists() for line in lines)
    assert not (tmp_path / "out").exists()
