"""The scripts that `musicotopy-tools sbatch` writes, without a cluster."""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

import pytest

from bidsapp.cli.commands import sbatch
from bidsapp.cli.tools import parse_words
from bidsapp.errors import AppError, InputMissingError, UsageError


def parsed(*words: object) -> argparse.Namespace:
    return parse_words(["sbatch", *map(str, words)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three participants, no images; a space in the path."""
    folder = tmp_path / "the data"
    for label in ("01", "02", "A3"):
        (folder / "derivatives" / "fmriprep" / f"sub-{label}" / "func").mkdir(parents=True)
    return folder


def written(*words: object, folder: Path) -> dict[str, str]:
    return sbatch.scripts(parsed(*words), folder)


def labels_of_element(script: str, element: int, tmp_path: Path) -> list[str]:
    """Run a script with a stand-in for the app and return the participants it is asked for."""
    stand_in = tmp_path / "musicotopy"
    stand_in.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    lines = script.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("exec "))
    lines[start] = f"exec {stand_in}" + lines[start].partition("/musicotopy")[2]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        env={**os.environ, "SLURM_ARRAY_TASK_ID": str(element)},
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.split("\n")
    first = words.index("--participant-label") + 1
    return words[first : words.index("--nprocs")]


def test_one_participant_per_element(data: Path, tmp_path: Path) -> None:
    script = written(data, tmp_path / "out", folder=tmp_path)["participants.sbatch"]
    assert "#SBATCH --array=0-2\n" in script
    got = [labels_of_element(script, i, tmp_path) for i in range(3)]
    assert got == [["01"], ["02"], ["A3"]]


def test_more_participants_than_elements_share_them(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbatch, "LARGEST_ARRAY", 2)
    script = written(data, tmp_path / "out", folder=tmp_path)["participants.sbatch"]
    got = [labels_of_element(script, i, tmp_path) for i in range(2)]
    assert got == [["01", "A3"], ["02"]]


def test_the_choice_of_participants_is_the_scripts_own(data: Path, tmp_path: Path) -> None:
    options = ("--participant_label", "A3", "sub-01", "--seed", "3")
    made = written(data, tmp_path / "out", "--", *options, folder=tmp_path)
    script = made["participants.sbatch"]
    assert "labels=(\n01\nA3\n)" in script
    assert script.count("label") == script.count("labels") + 1
    assert "--seed 3" in script
    assert "--participant-label 01 A3 " in made["group.sbatch"]


def test_resources_and_own_lines(data: Path, tmp_path: Path) -> None:
    options = ("--cpus", 8, "--mem", "10G", "--at-once", 5, "--sbatch=--partition=long")
    made = written(*options, data, tmp_path / "out", folder=tmp_path)
    script = made["participants.sbatch"]
    for line in ("--cpus-per-task=8", "--mem=10G", "--array=0-2%5", "--partition=long"):
        assert f"#SBATCH {line}\n" in script
    assert "--nprocs 8 --mem 9216M" in script


def test_everything_behind_the_first_dashes_belongs_to_the_app(data: Path, tmp_path: Path) -> None:
    words = (data, tmp_path / "out", "--cpus", 4, "--sbatch=--partition=long", "--at-once", 5)
    made = written(*words, "--", "--random-seed", "3", "--recipe", "gradients", folder=tmp_path)
    script = made["participants.sbatch"]
    assert "#SBATCH --partition=long\n" in script
    assert "--random-seed 3 --recipe gradients" in script


def test_memory_need_not_be_requested(data: Path, tmp_path: Path) -> None:
    made = written(data, tmp_path / "out", "--mem", "none", folder=tmp_path)
    assert "--mem" not in made["participants.sbatch"]
    assert "--mem" not in made["group.sbatch"]


def test_the_group_waits_and_is_not_left_hanging(data: Path, tmp_path: Path) -> None:
    submit = written(data, tmp_path / "out", folder=tmp_path)["submit.sh"]
    assert '--dependency="afterok:' in submit
    assert "--kill-on-invalid-dep=yes" in submit
    anyway = written("--group-anyway", data, tmp_path / "out", folder=tmp_path)["submit.sh"]
    assert '--dependency="afterany:' in anyway


def test_the_container_sees_every_path(data: Path, tmp_path: Path) -> None:
    image, weights, work = tmp_path / "image.sif", tmp_path / "weights", tmp_path / "work"
    image.touch()
    weights.mkdir()
    options = ("--", "--weights-dir", weights, "-w", work)
    made = written("--container", image, data, tmp_path / "out", *options, folder=tmp_path)
    script = made["participants.sbatch"]
    assert f"--bind '{data}:{data}:ro'" in script
    assert f"--bind {weights}:{weights}:ro" in script
    assert f"--bind {work}:{work} " in script
    assert f"mkdir -p {tmp_path}/out {work}" in script
    assert "exec apptainer run --cleanenv --containall" in script
    assert "--nv" not in script
    gpu = ("--sbatch=--gres=gpu:1", "--container", image, data, tmp_path / "out")
    assert " --nv " in written(*gpu, folder=tmp_path)["group.sbatch"]


@pytest.mark.parametrize("name", ["participants.sbatch", "group.sbatch", "submit.sh"])
def test_the_scripts_are_bash(data: Path, tmp_path: Path, name: str) -> None:
    options = ("--", "--set", 'gradients.networks=["a b", "$c"]')
    script = written(data, tmp_path / "o'ut", *options, folder=tmp_path / "x y")[name]
    subprocess.run(["bash", "-n", "-c", script], check=True)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("--dry-run",), UsageError),
        (("--participant-label", "99"), InputMissingError),
        (("--mem", "1M"), UsageError),
    ],
)
def test_what_cannot_work_is_refused(
    data: Path, tmp_path: Path, words: tuple[str, ...], kind: type[AppError]
) -> None:
    with pytest.raises(kind):
        written(data, tmp_path / "out", "--", *words, folder=tmp_path)


def test_relative_paths_are_refused_in_containers(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.sif").touch()
    (tmp_path / "my" / "weights").mkdir(parents=True)
    words = ("--container", "image.sif", data, "out", "--", "--weights-dir", "my/weights")
    with pytest.raises(UsageError, match="absolute"):
        written(*words, folder=tmp_path)
