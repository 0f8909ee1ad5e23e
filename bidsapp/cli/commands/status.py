"""`musicotopy-tools status`: what is done, what failed, what is at work."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from bidsapp.errors import InputMissingError

_COLUMNS = ("job", "state", "seconds", "peak memory (MB)", "host", "reason")


def add(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    text = "Show the state of every job of an output folder; also while runs are at work."
    tool = tools.add_parser("status", help=text, description=text)
    tool.add_argument("output_dir", type=Path, help="Output folder of musicotopy.")
    tool.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
    tool.set_defaults(function=_status)


def _status(options: argparse.Namespace) -> None:
    from bidsapp.text import text_table

    rows = status_rows(options.output_dir)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(text_table(rows, _COLUMNS))
    counts = {state: sum(row["state"] == state for row in rows) for state in _states(rows)}
    print(", ".join(f"{number} {state}" for state, number in counts.items()))


def _states(rows: list[dict[str, Any]]) -> list[str]:
    return sorted({row["state"] for row in rows})


def status_rows(output_dir: Path) -> list[dict[str, Any]]:
    """Return one row per job that has run or is running.

    Raises
    ------
    InputMissingError
        If the folder holds no record of any run.
    """
    from bidsapp.engine.status import marks, read_records

    records, at_work = read_records(output_dir), marks(output_dir)
    if not records and not at_work:
        msg = f"{output_dir}: no run has left a record here; name the OUTPUT_DIR of musicotopy"
        raise InputMissingError(msg)
    rows: list[dict[str, Any]] = []
    for job in sorted({*records, *at_work}):
        if job in at_work:
            mark = at_work[job]
            rows.append(
                {
                    "job": job,
                    "state": "running",
                    "seconds": round(max(0.0, time.time() - mark.since), 1),  # clocks differ
                    "peak memory (MB)": None,
                    "host": mark.host,
                    "reason": "",
                }
            )
            continue
        record = records[job]
        rows.append(
            {
                "job": job,
                "state": record.state,
                "seconds": record.seconds,
                "peak memory (MB)": record.peak_memory_bytes >> 20,
                "host": record.host,
                "reason": record.reason.splitlines()[0] if record.reason else "",
            }
        )
    return rows
