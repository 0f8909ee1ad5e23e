"""Workers that are SLURM jobs: the same results, though one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bidsapp.engine.status import marks

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

OPTIONS = [
    *("--weights", "random", "-q", "--set", 'gradients.networks=["baseline"]'),
    *("--set", "gradients.min_block_s=10", "--set", "gradients.n_components=8"),
    *("--set", "gradients.n_parcels=12", "--set", "gradients.n_shifts=19"),
    *("--mem", "2G", "--omp-nthreads", "1"),
]
SLURM = [
    *("--executor", "slurm", "--workers", "2"),
    *("--slurm", "queue=main", "interface=lo", "walltime=00:30:00"),
]


def command(data: Path, out: Path, *more: str) -> list[str]:
    app = [sys.executable, "-m", "bidsapp.cli.app"]
    return [*app, str(data), str(out), "participant", *OPTIONS, *more]


def results(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted((out / "sub-01").rglob("*")) + sorted((out / "sub-02").rglob("*"))
        if path.is_file() and not path.name.endswith(".json")
    }


def test_a_killed_worker_changes_nothing(
    environment: dict[str, str], two_participants: Path, tmp_path: Path
) -> None:
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is an extra")
    out = tmp_path / "jobs"
    run = subprocess.Popen(
        command(two_participants, out, *SLURM),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    victim = None
    while victim is None and run.poll() is None:
        victim = next(iter(marks(out).values()), None)
        time.sleep(0.1)
    assert victim is not None, run.communicate()[0]
    os.kill(victim.pid, signal.SIGKILL)
    text, _ = run.communicate(timeout=900)
    assert run.returncode == 0, text
    alone = tmp_path / "alone"
    subprocess.run(command(two_participants, alone), env=environment, check=True)
    assert results(out) == results(alone)
    assert len(results(out)) > 20
