"""Processes that are killed: nothing half-written, and the same command goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import (
    SETTINGS,
    App,
    leftovers,
    records,
    results,
    wait_for_mark,
)
from tests.processes import kill_at

Finished = tuple[Path, Path]


@pytest.mark.parametrize("executor", ["local", pytest.param("dask", marks=pytest.mark.slow)])
def test_killed_worker(
    dataset: Path, undisturbed: Finished, app: App, tmp_path: Path, executor: str
) -> None:
    if executor == "dask":
        pytest.importorskip("distributed", reason="dask is an extra")
    output = tmp_path / "out"
    words = [dataset, output, "participant", "-w", undisturbed[1], *SETTINGS]
    process = app.start(*words, "--executor", executor, "--workers", "1")
    worker = wait_for_mark(output, process)
    assert worker != process.pid
    os.kill(worker, signal.SIGKILL)
    _, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    assert results(output) == results(undisturbed[0])
    assert leftovers(output) == []
    assert not list((output / "logs" / "running").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "local"])
@pytest.mark.parametrize("line", ["positive lags", "negative lags"])
def test_killed_run(
    dataset: Path, undisturbed: Finished, app: App, tmp_path: Path, line: str, executor: str
) -> None:
    """The whole run is killed, while it fits one condition or the next."""
    output, work = tmp_path / "out", tmp_path / "work"
    words = [dataset, output, "participant", "-w", work, "-v", *SETTINGS]
    words += ["--executor", executor, "--workers", "2"]
    kill_at(app.start(*words), output, line)
    done = app.run(*words)
    assert done.returncode == 0, done.stderr
    assert results(output) == results(undisturbed[0])
    assert leftovers(output) == []


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "dask"])
def test_killed_leader_leaves_no_worker(
    dataset: Path, app: App, tmp_path: Path, executor: str
) -> None:
    """Only the leading process is killed: its workers end by themselves."""
    if executor == "dask":
        pytest.importorskip("distributed", reason="dask is an extra")
    output = tmp_path / "out"
    words = [dataset, output, "participant", "-w", tmp_path / "work", *SETTINGS]
    process = app.start(*words, "--executor", executor, "--workers", "1")
    wait_for_mark(output, process)
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive, [item.cmdline() for item in alive]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run(
    dataset: Path, undisturbed: Finished, app: App, tmp_path: Path, number: signal.Signals
) -> None:
    output = tmp_path / "out"
    words = [dataset, output, "participant", "-w", undisturbed[1], *SETTINGS]
    process = app.start(*words)
    wait_for_mark(output, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert not list((output / "logs" / "running").iterdir())
    assert leftovers(output) == []
    assert app.run(*words).returncode == 0
    assert results(output) == results(undisturbed[0])
    assert {item["state"] for item in records(output).values()} == {"done"}
