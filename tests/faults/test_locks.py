"""Locks: released when their holder dies, also on NFS; and what holds without any."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bidsapp.bids.atomic import write_text
from bidsapp.bids.locks import lock_file, lock_folder
from bidsapp.bids.staging import Staging, clean_leftovers
from bidsapp.errors import OutputError
from bidsapp.scratch import make_once

MAKER = """
    import sys, time
    from pathlib import Path
    from bidsapp.scratch import make_once

    def make(folder):
        (folder / "half").write_text("half")
        print("ready", flush=True)
        time.sleep(120)

    make_once(Path(sys.argv[1]), make)
"""


def start_maker(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(MAKER), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def whole(folder: Path) -> None:
    (folder / "whole").write_text("whole")


def test_killed_maker_of_features(tmp_path: Path) -> None:
    bank = tmp_path / "bank"
    process = start_maker(bank)
    assert not bank.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    make_once(bank, whole)
    assert [path.name for path in bank.iterdir()] == ["whole"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank", "bank.lock"]


def test_makers_of_features_wait(tmp_path: Path) -> None:
    bank = tmp_path / "bank"
    process = start_maker(bank)
    context = multiprocessing.get_context("spawn")
    other = context.Process(target=make_once, args=(bank, whole))
    other.start()
    time.sleep(0.5)
    assert not bank.exists()
    process.kill()
    process.wait()
    other.join(60)
    assert other.exitcode == 0
    assert [path.name for path in bank.iterdir()] == ["whole"]


@pytest.fixture
def nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks as on NFS: only files open for writing can be locked."""
    flock = fcntl.flock

    def like_nfs(handle: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(handle, operation)

    monkeypatch.setattr("bidsapp.bids.locks.fcntl.flock", like_nfs)


@pytest.mark.usefixtures("nfs")
def test_locks_hold_on_nfs(tmp_path: Path) -> None:
    with Staging(tmp_path, "job") as first:
        write_text(first.path("a"), "first")
        with pytest.raises(OutputError, match="another process is writing job"):
            Staging(tmp_path, "job").__enter__()
        assert clean_leftovers(tmp_path) == []
        first.publish()
    assert (tmp_path / "a").read_text() == "first"
    held = lock_folder(tmp_path, tmp_path / "spare", wait=False)
    assert held is not None
    assert held.is_exclusive
    assert lock_folder(tmp_path, tmp_path / "spare", wait=False) is None
    held.release()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("bidsapp.bids.locks.fcntl.flock", refuse)
    lock = lock_file(tmp_path / "lock", wait=True)
    assert lock is not None
    assert not lock.is_exclusive
    lock.release()
    bank = tmp_path / "bank"

    def overtaken(folder: Path) -> None:
        (folder / "late").write_text("late")
        if not bank.exists():
            make_once(bank, whole)

    make_once(bank, overtaken)
    assert [path.name for path in bank.iterdir()] == ["whole"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank", "bank.lock", "lock"]
    (tmp_path / ".staging-other").mkdir()
    assert clean_leftovers(tmp_path) == []  # its owner may be alive
    with Staging(tmp_path, "other") as staging:
        write_text(staging.path("b"), "x")
        staging.publish()
    assert (tmp_path / "b").is_file()
