"""What is known of each job: one small JSON file per job, and their table.

``logs/jobs/<job>.json`` is written when a job ends. A result counts as there only if its
record says ``done``, the hashes match and every file it lists exists, so an interrupted run is
never taken for a finished one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bidsapp import __version__
from bidsapp.bids.atomic import write_json
from bidsapp.errors import OutputError

State = Literal["done", "failed", "skipped"]


@dataclass(frozen=True)
class Record:
    """The end of one job.

    Attributes
    ----------
    job, recipe, level, subject, space
        What it was.
    state
        ``done``, ``failed`` or ``skipped``.
    reason
        Why it failed or was skipped; empty when done.
    exit_code
        Code of the error (0 when done).
    configuration_hash, inputs_hash
        What the result depends on.
    outputs
        Files, relative to the output folder.
    left_out
        Runs of its tasks that lie there and are not part of the result.
    seconds, peak_memory_bytes, host, version
        What it took, where, and by which version.
    reused
        The result was there before this run; never stored as true.
    """

    job: str
    recipe: str
    level: str
    subject: str
    space: str
    state: State
    configuration_hash: str
    inputs_hash: str
    reason: str = ""
    exit_code: int = 0
    outputs: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    host: str = dataclasses.field(default_factory=socket.gethostname)
    version: str = __version__
    reused: bool = False


def record_path(output_dir: Path, job: str) -> Path:
    """Return where the record of a job stands."""
    return output_dir / "logs" / "jobs" / f"{job}.json"


def write_record(output_dir: Path, record: Record) -> None:
    """Write a record atomically.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    write_json(record_path(output_dir, record.job), dataclasses.asdict(record))


def write_status(output_dir: Path) -> None:
    """Write the table of all jobs, ``logs/status.json``.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    records = read_records(output_dir).values()
    jobs = [dataclasses.asdict(record) for record in records]
    write_json(output_dir / "logs" / "status.json", {"Jobs": jobs})


def read_record(output_dir: Path, job: str) -> Record | None:
    """Return the record of a job; None when there is none, or it is broken."""
    return _read(record_path(output_dir, job))


def read_records(output_dir: Path) -> dict[str, Record]:
    """Return the records of an output folder by job; broken ones are left out."""
    paths = sorted((output_dir / "logs" / "jobs").glob("*.json"))
    found = (_read(path) for path in paths)
    return {record.job: record for record in found if record is not None}


def _read(path: Path) -> Record | None:
    names = {item.name for item in dataclasses.fields(Record)}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        known: dict[str, Any] = {key: value for key, value in values.items() if key in names}
        for name in ("outputs", "left_out"):
            known[name] = tuple(known.get(name, ()))
        return Record(**known)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


@contextlib.contextmanager
def running(output_dir: Path, job: str) -> Iterator[None]:
    """Leave a mark while a job is at work: where, by which process, since when."""
    path = _running_dir(output_dir) / f"{job}.json"
    mark = {"job": job, "host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}
    with contextlib.suppress(OutputError):  # a mark is for readers only
        write_json(path, mark)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def marks(output_dir: Path) -> dict[str, Mark]:
    """Return the marks of jobs at work; those of dead processes of this host are left out."""
    found = {}
    for path in sorted(_running_dir(output_dir).glob("*.json")):
        try:
            mark = Mark(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if mark.host != socket.gethostname() or _is_alive(mark.pid):
            found[mark.job] = mark
    return found


@dataclass(frozen=True)
class Mark:
    """A job at work.

    Attributes
    ----------
    job, host, pid
        Which, where, and by which process.
    since
        Seconds since the epoch, by that host's clock.
    """

    job: str
    host: str
    pid: int
    since: float


def _running_dir(output_dir: Path) -> Path:
    return output_dir / "logs" / "running"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def is_complete(output_dir: Path, record: Record | None, configuration: str, inputs: str) -> bool:
    """Tell whether a job's result is there, whole, and from these settings and inputs."""
    return (
        record is not None
        and record.state == "done"
        and record.configuration_hash == configuration
        and record.inputs_hash == inputs
        and all((output_dir / name).is_file() for name in record.outputs)
    )


def reset_peak_memory() -> None:
    """Begin a new count for `peak_memory_bytes`, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process since the last reset, in bytes."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path("/proc/self/status").read_text()
        return int(text.split("VmHWM:")[1].split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
