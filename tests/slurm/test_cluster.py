"""An array and its group job on a real SLURM."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from bidsapp.cli.tools import parse_words
from bidsapp.results.load import load_results

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

OPTIONS = [
    *("--weights", "random", "-q", "--set", 'gradients.networks=["baseline"]'),
    *("--set", "gradients.min_block_s=10", "--set", "gradients.n_components=8"),
    *("--set", "gradients.n_parcels=12", "--set", "gradients.n_shifts=19"),
]
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}


def submit(cluster: Any, data: Path, out: Path) -> tuple[str, str]:
    """Write the scripts and submit them; return the job numbers of array and group."""
    resources = ["--cpus", "1", "--mem", "2G", "--time", "30"]
    words = ["sbatch", *resources, str(data), str(out), "--", *OPTIONS]
    options = parse_words(words)
    options.function(options)
    done = cluster("bash", out / "slurm" / "submit.sh")
    assert done.returncode == 0, done.stderr
    array, group = re.findall(r"job (\d+)", done.stdout)
    return array, group


def wait(cluster: Any, job: str, timeout_s: float = 900) -> list[str]:
    """Return the final states of a job's elements."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        shown = cluster("scontrol", "show", "job", job).stdout
        states = re.findall(r"JobState=(\w+)", shown)
        if states and set(states) <= ENDED:
            return states
        time.sleep(1)
    raise AssertionError(shown)


def logs(out: Path) -> str:
    return "\n".join(path.read_text() for path in (out / "slurm" / "logs").glob("*.log"))


def test_an_array_and_its_group(cluster: Any, two_participants: Path, tmp_path: Path) -> None:
    out = tmp_path / "out put"
    array, group = submit(cluster, two_participants, out)
    assert wait(cluster, array) == ["COMPLETED", "COMPLETED"], logs(out)
    assert wait(cluster, group) == ["COMPLETED"], logs(out)
    for name in ("sub-01", "sub-02", "group"):
        assert list(out.glob(f"{name}*.html"))
    assert len(load_results(out)) > 0


def test_a_failed_participant_ends_the_group_job(
    cluster: Any, two_participants: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(two_participants, data)
    for path in data.glob("derivatives/fmriprep/sub-*/func/*_bold.nii.gz"):
        path.write_bytes(path.read_bytes()[:1000])
    array, group = submit(cluster, data, tmp_path / "out")
    assert wait(cluster, array) == ["FAILED", "FAILED"]
    assert wait(cluster, group, timeout_s=60) == ["CANCELLED"]
