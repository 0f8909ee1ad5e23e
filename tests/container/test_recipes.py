"""What the recipes of the images must say; no tool is needed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bidsapp import __version__

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DEFINITION = (ROOT / "singularity.def").read_text(encoding="utf-8")


def test_the_version_is_that_of_the_package() -> None:
    assert f"ARG VERSION={__version__}\n" in DOCKERFILE


def test_the_base_is_pinned_to_a_release() -> None:
    base = re.search(r"ARG BASE_IMAGE=(\S+)", DOCKERFILE)
    assert base is not None
    assert re.fullmatch(r"\S+/python:3\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base[1])


def test_it_runs_as_an_ordinary_user_at_last() -> None:
    last = DOCKERFILE.strip().splitlines()[-2:]
    assert last == ["USER musicotopy", 'ENTRYPOINT ["/opt/venv/bin/musicotopy"]']


def test_nothing_is_added_from_elsewhere() -> None:
    assert not re.search(r"^\s*(ADD|COPY\s+https?:)|curl|wget", DOCKERFILE, re.MULTILINE)


def test_the_context_holds_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert allowed == {word for copy in copies for word in copy.split()}
    assert "*" in lines


def test_threads_and_user_packages_are_pinned() -> None:
    for name in ("OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"):
        assert name in DOCKERFILE
    assert "PYTHONNOUSERSITE=1" in DOCKERFILE
    assert "PYTHONNOUSERSITE=1" in DEFINITION


@pytest.mark.parametrize(
    "name", ["arguments", "help", "labels", "environment", "runscript", "test"]
)
def test_the_definition_has_the_section(name: str) -> None:
    assert re.search(rf"^%{name}$", DEFINITION, re.MULTILINE)


@pytest.mark.parametrize("name", ["environment", "runscript", "test"])
def test_the_section_is_shell(name: str) -> None:
    text = re.search(rf"^%{name}$\n(.*?)(?=^%|\Z)", DEFINITION, re.MULTILINE | re.DOTALL)
    assert text is not None
    lines = [line.removeprefix("    ") for line in text[1].splitlines()]
    subprocess.run(["sh", "-n", "-c", "\n".join(lines)], check=True)


@pytest.mark.parametrize("name", ["build.sh", "apptainer.sh"])
def test_the_setup_scripts_are_bash(name: str) -> None:
    subprocess.run(["bash", "-n", str(Path(__file__).parent / name)], check=True)
