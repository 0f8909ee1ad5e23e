"""What is known of each unit of work: one small JSON file per unit, and their table.

``logs/units/<unit>.json`` is written when a unit ends. A result counts as there only if its
record says ``done``, the hashes match and every file it lists exists, so an interrupted run is
never taken for a finished one.
"""

from __future__ import annotations

import dataclasses
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bidsapp import __version__
from bidsapp.bids.write import write_json

State = Literal["done", "failed", "skipped"]


@dataclass(frozen=True)
class Record:
    """The end of one unit.

    Attributes
    ----------
    unit, recipe, level, subject, space
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
    seconds, peak_memory_bytes, host, version
        What it took, where, and by which version.
    """

    unit: str
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
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    host: str = dataclasses.field(default_factory=socket.gethostname)
    version: str = __version__


def record_path(output_dir: Path, unit: str) -> Path:
    """Return where the record of a unit stands."""
    return output_dir / "logs" / "units" / f"{unit}.json"


def write_record(output_dir: Path, record: Record) -> None:
    """Write a record atomically and renew the table of all units."""
    path = record_path(output_dir, record.unit)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, dataclasses.asdict(record))
    write_json(output_dir / "logs" / "status.json", {"Units": _all(output_dir)})


def read_records(output_dir: Path) -> dict[str, Record]:
    """Return the records of an output folder by unit; broken ones are left out."""
    names = {item.name for item in dataclasses.fields(Record)}
    records = {}
    for values in _all(output_dir):
        known: dict[str, Any] = {key: value for key, value in values.items() if key in names}
        try:
            known["outputs"] = tuple(known.get("outputs", ()))
            record = Record(**known)
        except TypeError:
            continue
        records[record.unit] = record
    return records


def _all(output_dir: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted((output_dir / "logs" / "units").glob("*.json")):
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError):
            continue
    return found


def is_complete(output_dir: Path, record: Record | None, configuration: str, inputs: str) -> bool:
    """Tell whether a unit's result is there, whole, and from these settings and inputs."""
    return (
        record is not None
        and record.state == "done"
        and record.configuration_hash == configuration
        and record.inputs_hash == inputs
        and all((output_dir / name).is_file() for name in record.outputs)
    )


def peak_memory_bytes() -> int:
    """Return the largest resident size this process has had, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
