"""Results appear together or not at all, whatever happens to the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from bidsapp.bids import staging as staging_module
from bidsapp.bids.atomic import write_text
from bidsapp.bids.staging import Staging, clean_leftovers
from bidsapp.errors import InputInvalidError, OutputError


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def run_and_kill(code: str, output: Path) -> None:
    """Run a program that writes ``ready`` when it stands where it should be killed."""
    program = textwrap.dedent(code)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(output)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    process.send_signal(signal.SIGKILL)
    process.wait()


WRITING = """
    import sys, time
    from pathlib import Path
    from bidsapp.bids.atomic import write_text
    from bidsapp.bids.staging import Staging
    with Staging(Path(sys.argv[1]), "job") as staging:
        write_text(staging.path("sub-01/func/a.tsv"), "half")
        print("ready", flush=True)
        time.sleep(60)
"""
PUBLISHING = """
    import sys, time
    from pathlib import Path
    from bidsapp.bids import staging as module
    from bidsapp.bids.atomic import write_text
    from bidsapp.bids.staging import Staging

    replace, count = Path.replace, 0

    def slow(self, target):
        global count
        if ".part" not in self.name:
            count += 1
            if count == 2:
                print("ready", flush=True)
                time.sleep(60)
        return replace(self, target)

    Path.replace = slow
    with Staging(Path(sys.argv[1]), "job") as staging:
        for name in "abc":
            write_text(staging.path(f"sub-01/func/{name}.tsv"), f"new {name}")
        staging.publish(replaces=["sub-01/func/old.tsv"])
"""


def test_nothing_appears_before_it_is_published(tmp_path) -> None:
    with Staging(tmp_path, "job") as staging:
        write_text(staging.path("sub-01/func/a.tsv"), "x")
        assert not (tmp_path / "sub-01").exists()
        assert staging.publish() == ["sub-01/func/a.tsv"]
    assert files(tmp_path) == ["sub-01/func/a.tsv"]
    assert list(tmp_path.iterdir()) == [tmp_path / "sub-01"]


def test_an_error_leaves_nothing(tmp_path) -> None:
    def fail() -> None:
        with Staging(tmp_path, "job") as staging:
            write_text(staging.path("sub-01/func/a.tsv"), "x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_published_files_replace_older_ones(tmp_path) -> None:
    write_text(tmp_path / "sub-01" / "a.tsv", "old")
    write_text(tmp_path / "sub-01" / "b.tsv", "old")
    write_text(tmp_path / "sub-01" / "c.tsv", "kept")
    with Staging(tmp_path, "job") as staging:
        write_text(staging.path("sub-01/a.tsv"), "new")
        staging.publish(replaces=["sub-01/a.tsv", "sub-01/b.tsv"])
    assert files(tmp_path) == ["sub-01/a.tsv", "sub-01/c.tsv"]
    assert (tmp_path / "sub-01" / "a.tsv").read_text() == "new"


@pytest.mark.parametrize("path", ["../a", "/a", "", "a/../../b", "a\0b"])
def test_no_path_leads_out_of_the_output(tmp_path, path) -> None:
    with (
        Staging(tmp_path / "out", "job") as staging,
        pytest.raises(InputInvalidError, match="inside the output folder"),
    ):
        staging.path(path)
    assert files(tmp_path) == []


@pytest.mark.parametrize("job", ["gradients_sub-01_space-MNI:res-2", "../escape", "a/b", "."])
def test_any_job_name_stays_inside(tmp_path, job) -> None:
    output = tmp_path / "out"
    with Staging(output, job) as staging:
        assert staging.folder.parent == output
        write_text(staging.path("a"), "x")
        staging.publish()
    assert files(tmp_path) == ["out/a"]


def test_killed_while_writing(tmp_path) -> None:
    run_and_kill(WRITING, tmp_path)
    assert files(tmp_path) == [".staging-job/sub-01/func/a.tsv"]
    with Staging(tmp_path, "job") as staging:
        assert staging.files() == []
    assert files(tmp_path) == []


def test_killed_while_publishing_the_next_run_finishes(tmp_path) -> None:
    write_text(tmp_path / "sub-01" / "func" / "old.tsv", "old")
    run_and_kill(PUBLISHING, tmp_path)
    seen = [name for name in files(tmp_path) if not name.startswith(".")]
    assert seen == ["sub-01/func/a.tsv"]  # old is gone
    assert clean_leftovers(tmp_path) == ["job"]
    assert files(tmp_path) == [f"sub-01/func/{name}.tsv" for name in "abc"]
    assert (tmp_path / "sub-01/func/a.tsv").read_text() == "new a"
    assert clean_leftovers(tmp_path) == []


def test_the_same_job_finishes_it_too(tmp_path) -> None:
    run_and_kill(PUBLISHING, tmp_path)
    with Staging(tmp_path, "job"):
        pass
    assert files(tmp_path) == [f"sub-01/func/{name}.tsv" for name in "abc"]


def test_two_processes_on_one_job(tmp_path) -> None:
    with Staging(tmp_path, "job") as first:
        write_text(first.path("a"), "first")
        with pytest.raises(OutputError, match="another process is writing job"):
            Staging(tmp_path, "job").__enter__()
        assert clean_leftovers(tmp_path) == []  # it is at work, not left over
        first.publish()
    assert (tmp_path / "a").read_text() == "first"


def test_participants_in_parallel(tmp_path) -> None:
    def work(number: int) -> None:
        with Staging(tmp_path, f"sub-{number:02d}") as staging:
            for i in range(20):
                write_text(staging.path(f"sub-{number:02d}/{i:02d}"), str(number))
            staging.publish()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files(tmp_path)) == 160
    assert not list(tmp_path.glob(".staging-*"))


def test_a_file_where_a_folder_should_be(tmp_path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written") as error:
        Staging(tmp_path / "out", "job").__enter__()
    assert error.value.exit_code == 73


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(tmp_path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="permissions"):
        Staging(tmp_path, "job").__enter__()
    tmp_path.chmod(0o755)


def test_a_disk_that_fills_up(tmp_path, monkeypatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    with Staging(tmp_path, "job") as staging:
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="No space left"):
            write_text(staging.path("a"), "x")
        assert staging.files() == []


def test_a_publication_that_fails_is_finished_later(tmp_path, monkeypatch) -> None:
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if self.name == "b":
            raise OSError(5, "Input/output error", str(target))
        return replace(self, target)

    with pytest.raises(OutputError), Staging(tmp_path, "job") as staging:  # noqa: PT012
        write_text(staging.path("a"), "x")
        write_text(staging.path("b"), "x")
        monkeypatch.setattr(Path, "replace", fail)
        staging.publish()
    monkeypatch.undo()
    assert clean_leftovers(tmp_path) == ["job"]
    assert files(tmp_path) == ["a", "b"]


def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("bidsapp.bids.locks.fcntl.flock", refuse)
    with Staging(tmp_path, "job") as staging:
        write_text(staging.path("a"), "x")
        staging.publish()
    assert files(tmp_path) == ["a"]
    assert staging_module.clean_leftovers(tmp_path) == []
