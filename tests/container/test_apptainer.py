"""singularity.def, built and run by Apptainer itself."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.apptainer, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
Apptainer = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def apptainer() -> Apptainer:
    """Run ``apptainer``, or the words of MUSICOTOPY_APPTAINER that lead to it."""
    lead = shlex.split(os.environ.get("MUSICOTOPY_APPTAINER", "apptainer"))
    if shutil.which(lead[0]) is None:
        pytest.skip("needs apptainer, or MUSICOTOPY_APPTAINER (tests/container/apptainer.sh)")

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*lead, *map(str, words)], capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="module")
def sif(apptainer: Apptainer, shared: Path) -> Path:
    """Build the image from an archive of the Docker image."""
    ready = os.environ.get("MUSICOTOPY_SIF")
    if ready:
        return Path(ready)
    archive = os.environ.get("MUSICOTOPY_IMAGE_ARCHIVE")
    if not archive:
        pytest.skip("needs MUSICOTOPY_IMAGE_ARCHIVE=FILE (podman save --format docker-archive)")
    definition = shared / "singularity.def"
    shutil.copy(ROOT / "singularity.def", definition)
    arguments = ("--build-arg", "BOOTSTRAP=docker-archive", "--build-arg", f"IMAGE={archive}")
    done = apptainer("build", *arguments, shared / "image.sif", definition)
    assert done.returncode == 0, done.stderr[-3000:]
    return shared / "image.sif"


def test_its_own_test_passes(apptainer: Any, sif: Path) -> None:
    done = apptainer("test", "--unsquash", "--containall", sif)
    assert done.returncode == 0, done.stderr
    assert "torch" in done.stdout


def test_help_and_labels(apptainer: Any, sif: Path) -> None:
    assert "apptainer run" in apptainer("run-help", sif).stdout
    labels = apptainer("inspect", "--labels", sif).stdout
    assert "org.opencontainers.image.title: musicotopy" in labels


def test_a_participant_runs(
    apptainer: Any, sif: Path, data: Path, shared: Path, options: list[str]
) -> None:
    out = shared / "apptainer out"
    out.mkdir()
    out.chmod(0o777)
    binds = ("--bind", f"{data}:/data:ro", "--bind", f"{out}:/out")
    isolated = ("run", "--unsquash", "--cleanenv", "--containall", "--net", "--network=none")
    done = apptainer(
        *(*isolated, *binds, sif, "/data", "/out", "participant"),
        *("--participant-label", "01", *options),
    )
    assert done.returncode == 0, done.stderr
    assert list(out.glob("sub-01*.html"))
    described = json.loads((out / "dataset_description.json").read_text())
    assert described["GeneratedBy"][0]["Container"]["Type"] == "singularity"
