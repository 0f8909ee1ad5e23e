"""What ``--list-inputs`` prints is what a run opens, and a result is what these files are."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bidsapp.cli.app import main
from bidsapp.cli.configure import parse_arguments
from bidsapp.engine.plan import make_plan
from bidsapp.engine.preflight import checked
from tests.engine.conftest import SETTINGS, first

MNI = ["--space", "MNI152NLin2009cAsym"]
RSA = ["--recipe", "rsa", "--weights", "random", "--network", "baseline", *MNI]
_LISTENERS: list[list[str]] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | os.PathLike):
        for listener in _LISTENERS:
            listener.append(os.fspath(arguments[0]))


sys.addaudithook(_note)  # stays for good, and does nothing outside of `opened`


@pytest.fixture
def opened() -> Iterator[list[str]]:
    names: list[str] = []
    _LISTENERS.append(names)
    yield names
    _LISTENERS.remove(names)


def add_grey_matter(study: Path) -> Path:
    mask = nib.load(first(study, "*MNI*brain_mask.nii.gz"))
    name = "sub-01_space-MNI152NLin2009cAsym_label-GM_probseg.nii.gz"
    path = study / "derivatives" / "fmriprep" / "sub-01" / "anat" / name
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(mask.dataobj, np.float32), mask.affine), path)
    return path


def listed(study: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> list[Path]:
    capsys.readouterr()
    assert main([str(study), str(study.parent / "o"), "participant", *words, "--list-inputs"]) == 0
    return [Path(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("words", [[*SETTINGS, *MNI], RSA], ids=["gradients", "rsa"])
def test_no_other_file_of_the_dataset_is_opened(study, capsys, opened, words) -> None:
    """Not even headers of raw BOLD are needed, which are read where they are there."""
    grey_matter = add_grey_matter(study)
    for path in study.glob("sub-*/func/*_bold.nii.gz"):
        path.unlink()
    names = {path.resolve() for path in listed(study, words, capsys)}
    assert (grey_matter in names) == (words is RSA)
    opened.clear()
    assert main([str(study), str(study.parent / "out"), "participant", *words, "-q"]) == 0
    read = {Path(name).resolve() for name in opened}
    assert {path for path in read if path.is_relative_to(study) and path.is_file()} <= names


def change(path: Path) -> None:
    """Change what a file says, so that it stays readable."""
    text = path.read_bytes()
    if path.name.endswith("_events.tsv"):
        path.write_bytes(text.replace(b"\n6\t", b"\n7\t", 1))
    elif path.name.endswith("_stim.tsv.gz"):
        values = gzip.decompress(text).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join([values[-1], *values[1:]])))
    elif path.name.endswith("_stim.json"):
        path.write_bytes(text.replace(b'"StartTime": 0', b'"StartTime": 1'))
    elif path.name.endswith("_bold.json"):
        path.write_bytes(text.rstrip().removesuffix(b"}") + b', "StartTime": 0.25}')
    else:
        path.write_bytes(text)  # of the same size, written anew
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
        return
    assert path.read_bytes() != text, path


ELSEWHERE = (
    *("dataset_description.json", "_mask.json", "_annot-emotion_events.tsv"),
    *("_annot-emotion_events.json", "stimuli.tsv", "stimuli.json", "task-music_bold.json"),
)
"""Ends of names of what bears on no result of gradients: who made a dataset, descriptions of
masks, labels, which other recipes read, and the raw sidecar, where the derivative's says more."""
COURSES = ("_stim.tsv.gz", "_stim.json")


@pytest.mark.parametrize(
    ("words", "elsewhere"),
    [([*SETTINGS, *MNI], ELSEWHERE), (RSA, (*ELSEWHERE, *COURSES))],
    ids=["gradients", "rsa"],
)
def test_a_change_of_any_listed_file_makes_the_result_another(
    study, capsys, words, elsewhere
) -> None:
    add_grey_matter(study)

    def identity() -> str:
        arguments = [str(study), str(study.parent / "out"), "participant", *words]
        config = parse_arguments(arguments)
        (job,) = checked(make_plan(config), config).jobs
        assert job.error is None
        return job.inputs_hash

    unchanged = []
    for path in listed(study, words, capsys):
        if path.name.endswith(elsewhere):
            continue
        kept = path.with_name(f".{path.name}.kept")
        shutil.copy2(path, kept)
        before = identity()
        change(path)
        if identity() == before:
            unchanged.append(path.relative_to(study).as_posix())
        kept.replace(path)
    assert unchanged == []


def test_files_that_settings_name_belong_to_the_inputs(tmp_path: Path) -> None:
    from bidsapp.engine.job_checks import named_files
    from bidsapp.recipes import RECIPES
    from bidsapp.recipes.base.settings import override

    folder = tmp_path / "index"
    folder.mkdir()
    (folder / "index.json").write_text("{}")
    settings = RECIPES["reconstruct"].variants["robust"]
    assert named_files(settings) == ()
    named = override(settings, "reconstruct", {"corpus": str(folder), "embedding_layer": "mel"})
    assert named_files(named) == (folder / "index.json",)
