"""The group level as users run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import BASELINE, Run

QUICK = ["--set", "gradients_group.n_rotations=60", "--set", "gradients_group.n_bootstrap=40"]


@pytest.fixture(scope="module")
def group(
    dataset: Path,
    finished: tuple[Path, Path],
    musicotopy: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Output folder after the group level, and what the run printed."""
    output = tmp_path_factory.mktemp("group") / "out"
    shutil.copytree(finished[0], output)
    words = [word for word in BASELINE if word != "-q"]
    done = musicotopy(dataset, output, "group", "-w", finished[1], *words, *QUICK)
    assert done.returncode == 0, done.stderr
    return output, done


def test_group_writes_tables_maps_and_report(
    group: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    output, done = group
    assert "group_gradients.html" in done.stdout
    assert (output / "group_gradients.html").stat().st_size > 100_000
    names = {path.name for path in (output / "group").iterdir()}
    for desc in ("spin", "participantalignment", "regions", "participants"):
        assert any(f"desc-gradients{desc}_stats.tsv" in name for name in names), desc
    fidelity = (output / "logs" / "fidelity.tsv").read_text()
    assert "n_rotations" in fidelity


@pytest.mark.slow
def test_validator_finds_no_error(
    group: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    command = [Path(sys.executable).with_name("bids-validator-deno"), group[0], "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_group_without_participants_says_so(
    dataset: Path, musicotopy: Run, tmp_path: Path
) -> None:
    done = musicotopy(dataset, tmp_path / "out", "group", *BASELINE)
    assert done.returncode == 66
    assert "participant level first" in done.stderr


def test_group_is_planned_from_what_is_there(
    dataset: Path, group: tuple[Path, subprocess.CompletedProcess[str]], musicotopy: Run
) -> None:
    done = musicotopy(dataset, group[0], "group", "--dry-run", *BASELINE)
    assert done.returncode == 0, done.stderr
    assert "2 participants: 01 02" in done.stdout
