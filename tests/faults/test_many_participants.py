"""The plan of five hundred participants is made in seconds."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

from tests.faults.conftest import DERIVATIVES, SETTINGS, App

N_PARTICIPANTS = 500
LONGEST_CPU_S = 30.0
"""Five times what it takes, so that a busy machine does not fail it."""


def linked(dataset: Path, target: Path, n: int) -> None:
    """Make a dataset of `n` participants whose files are those of the first."""
    for root, shared in ((".", "stimuli"), (DERIVATIVES, "")):
        (target / root).mkdir(parents=True, exist_ok=True)
        for path in (dataset / root).iterdir():
            if path.is_file() or path.name == shared:
                (target / root / path.name).symlink_to(path)
        files = [path for path in (dataset / root / "sub-01").rglob("*") if path.is_file()]
        for number in range(1, n + 1):
            for path in files:
                name = path.relative_to(dataset).as_posix().replace("sub-01", f"sub-{number:03d}")
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).symlink_to(path)


def test_plan_of_five_hundred(dataset: Path, app: App, tmp_path: Path) -> None:
    linked(dataset, tmp_path / "many", N_PARTICIPANTS)
    plan = tmp_path / "plan.json"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [tmp_path / "many", tmp_path / "out", "participant", *SETTINGS]
    done = app.run(*words, "--plan-json", plan)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    jobs = json.loads(plan.read_text())["jobs"]
    assert len(jobs) == N_PARTICIPANTS
    assert all(job["state"] == "to do" for job in jobs)
    assert not (tmp_path / "out").exists()
    assert after.ru_utime - before.ru_utime < LONGEST_CPU_S
    assert os.listdir(tmp_path / "many")  # noqa: PTH208
