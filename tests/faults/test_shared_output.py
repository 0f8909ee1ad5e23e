"""The output folder: full, read-only, shared by two runs, seen by a wrong clock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import (
    SETTINGS,
    App,
    Copy,
    leftovers,
    records,
    results,
    wait_for_mark,
)

Finished = tuple[Path, Path]
Disk = Callable[[str], Path]


def test_full_disk(dataset: Path, undisturbed: Finished, app: App, small_disk: Disk) -> None:
    output = small_disk("size=160k") / "out"
    words = [dataset, output, "participant", "-w", undisturbed[1], *SETTINGS]
    words += ["--participant-label", "01"]
    full = app.run(*words)
    assert full.returncode == 73
    assert "No space left on device" in full.stderr
    assert str(output) in full.stderr
    assert "Traceback" not in full.stderr
    assert "Logging error" not in full.stderr
    assert leftovers(output) == []
    assert not (output / "sub-01").exists()
    small_disk("size=64m")
    done = app.run(*words)
    assert done.returncode == 0, done.stderr
    assert results(output, "sub-01") == results(undisturbed[0], "sub-01")


@pytest.mark.slow
@pytest.mark.parametrize("size", ["64k", "1m"])
def test_full_work_folder(
    dataset: Path, undisturbed: Finished, app: App, small_disk: Disk, tmp_path: Path, size: str
) -> None:
    """Mapped files find no room: a message, not a bus error."""
    work, output = small_disk(f"size={size}"), tmp_path / "out"
    words = [dataset, output, "participant", "-w", work, *SETTINGS]
    full = app.run(*words)
    assert full.returncode == 73, full.stderr
    assert "No space left on device" in full.stderr or "make room" in full.stderr
    assert "Traceback" not in full.stderr
    small_disk("size=256m")
    done = app.run(*words)
    assert done.returncode == 0, done.stderr
    assert results(output) == results(undisturbed[0])


def test_read_only_output(dataset: Path, app: App, small_disk: Disk) -> None:
    disk = small_disk("size=1m")
    small_disk("ro")
    refused = app.run(dataset, disk / "out", "participant", *SETTINGS)
    assert refused.returncode == 73
    assert refused.stderr.startswith("musicotopy: ")
    assert "Read-only file system" in refused.stderr
    assert str(disk / "out") in refused.stderr


@pytest.mark.slow
def test_two_runs_at_once(dataset: Path, undisturbed: Finished, app: App, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = [dataset, output, "participant", "-w", tmp_path / "work", *SETTINGS]
    runs = [app.start(*words) for _ in range(2)]
    ended = [run.communicate(timeout=500) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], ended
    assert results(output) == results(undisturbed[0])
    assert leftovers(output) == []
    assert {item["state"] for item in records(output).values()} == {"done"}


@pytest.mark.slow
def test_two_runs_with_different_settings(
    dataset: Path, undisturbed: Finished, app: App, tmp_path: Path
) -> None:
    """The second waits, then leaves what the first has made alone."""
    output = tmp_path / "out"
    words = [dataset, output, "participant", "-w", tmp_path / "work", *SETTINGS]
    words += ["--participant-label", "01"]
    first = app.start(*words)
    wait_for_mark(output, first)
    second = app.run(*words, "--set", "gradients.n_components=5")
    _, err = first.communicate(timeout=400)
    assert first.returncode == 0, err
    assert second.returncode == 73
    assert "choose another output folder" in second.stderr
    assert results(output, "sub-01") == results(undisturbed[0], "sub-01")


@pytest.mark.slow
def test_clock_in_the_future(copy: Copy, undisturbed: Finished, app: App, tmp_path: Path) -> None:
    """Inputs, results and reports of the year to come: done is done, new is reported."""
    data, output = copy(), tmp_path / "out"
    later = time.time() + 4e7
    for path in data.rglob("*"):
        os.utime(path, (later, later))
    words = [data, output, "participant", "-w", tmp_path / "work", *SETTINGS]
    words += ["--participant-label", "01"]
    assert app.run(*words).returncode == 0
    for path in output.rglob("*"):
        os.utime(path, (later, later))
    report = output / "sub-01_gradients.html"
    again = app.run(*words, "-v")
    assert again.returncode == 0
    assert "already done" in again.stderr
    assert report.stat().st_mtime > time.time()
    anew = app.run(*words, "--overwrite")
    assert anew.returncode == 0
    assert report.stat().st_mtime < time.time()
    images = [name for name in results(output, "sub-01") if not name.endswith(".json")]
    truth = results(undisturbed[0], "sub-01")
    assert all(results(output)[name] == truth[name] for name in images)


@pytest.mark.slow
def test_unwritable_home(dataset: Path, undisturbed: Finished, tmp_path: Path) -> None:
    nowhere = {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere/.cache"}
    output = tmp_path / "out"
    done = App(nowhere).run(dataset, output, "participant", "-w", tmp_path / "work", *SETTINGS)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert results(output) == results(undisturbed[0])


def test_broken_record_is_no_result(undisturbed: Finished, tmp_path: Path) -> None:
    from bidsapp.engine.status import read_record, record_path

    source = next((undisturbed[0] / "logs" / "jobs").glob("*.json"))
    assert read_record(undisturbed[0], source.stem) is not None
    target = record_path(tmp_path, source.stem)
    target.parent.mkdir(parents=True)
    for content in (source.read_text()[:100], "", "[]", json.dumps({"job": 1}), "\0"):
        target.write_text(content)
        assert read_record(tmp_path, source.stem) is None


def test_status_with_clocks_that_differ(tmp_path: Path) -> None:
    """A job at work on a host whose clock is ahead has not begun in the future."""
    from bidsapp.cli.commands.status import status_rows

    mark = {"job": "u", "host": "elsewhere", "pid": 1, "since": time.time() + 1e6}
    folder = tmp_path / "logs" / "running"
    folder.mkdir(parents=True)
    (folder / "u.json").write_text(json.dumps(mark))
    (folder / "half.json").write_text(json.dumps(mark)[:20])
    (row,) = status_rows(tmp_path)
    assert (row["state"], row["seconds"]) == ("running", 0.0)
