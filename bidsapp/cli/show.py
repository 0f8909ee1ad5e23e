"""What the user reads on the terminal: the plan, warnings, and the outcome of a run."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from bidsapp.config import Config
from bidsapp.engine.estimate import estimate
from bidsapp.engine.plan import Plan, Unit
from bidsapp.engine.reports import report_path
from bidsapp.engine.status import Record
from bidsapp.recipes.group_inputs import GroupInputs
from bidsapp.recipes.inputs import Inputs

LOGGER = logging.getLogger("musicotopy")
_ALIGNMENT_COLUMNS = (
    "run",
    "n_trs",
    "tr_s",
    "scan_s",
    "stim_file",
    "onset_s",
    "duration_s",
    "stim_start_s",
    "sound_s",
    "n_rows",
    "note",
)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Lay out rows as text columns; numbers keep at most two decimals."""
    body = [[_cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *body, strict=True)]
    lines = [list(columns), *body]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "n/a"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)


def show_plan(plan: Plan, config: Config) -> None:
    """Print what a run would do (``--dry-run``)."""
    print(f"dataset: {plan.dataset.bids_dir} ({plan.dataset.layout})")
    print(f"fMRIPrep: {plan.dataset.fmriprep or 'none'}")
    print(f"output:  {config.output_dir}")
    for name, code in plan.configuration_hashes.items():
        print(f"recipe:  {name} ({config.variant}), configuration {code}")
    for unit in plan.units:
        print(f"\n{unit.name}")
        if unit.error is not None or unit.inputs is None:
            print(f"  cannot run: {unit.error}")
            continue
        if isinstance(unit.inputs, GroupInputs):
            _show_group(unit.inputs)
        elif isinstance(unit.inputs, Inputs):
            _show_participant(unit.inputs, unit, config)
        for problem in unit.inputs.problems:
            print(f"  note: {problem}")


def _show_participant(inputs: Inputs, unit: Unit, config: Config) -> None:
    print(_indent(table(inputs.alignment, _ALIGNMENT_COLUMNS)))
    names = sorted({rating.name for rating in inputs.ratings})
    print(f"  ratings: {', '.join(names) or 'none'}")
    cost = estimate(inputs, unit.settings, config)
    print(
        f"  estimate: {cost.n_units:,} units, {cost.n_frames:,} feature frames; memory "
        f"{cost.memory_bytes / 2**30:.1f} of {config.memory_bytes / 2**30:.1f} GiB allowed; "
        f"scratch {cost.scratch_bytes / 2**30:.1f} GiB"
    )


def _show_group(inputs: GroupInputs) -> None:
    print(f"  {len(inputs.participants)} participants: {' '.join(inputs.subjects)}")
    for subject, reason in inputs.left_out:
        print(f"  left out: {subject} ({reason})")


def show_warnings(plan: Plan, config: Config) -> None:
    """Say what was passed over, once per problem.

    ``--skip-bids-validation`` leaves out what is odd about the dataset as a whole.
    """
    whole = () if config.skip_bids_validation else plan.dataset.problems
    parts = (unit.inputs.problems for unit in plan.units if unit.inputs)
    for text in dict.fromkeys(str(problem) for problem in chain(whole, *parts)):
        LOGGER.warning("note: %s", text)


def show_records(records: Sequence[Record], n_units: int, config: Config) -> int:
    """Print the outcome of every unit, the success line last, and return the exit code."""
    failed = [record for record in records if record.state != "done"]
    missing = n_units - len(records) if not config.reports_only else 0
    if not config.quiet:
        rows = [
            {
                "unit": record.unit,
                "state": record.state,
                "seconds": record.seconds,
                "peak memory (MB)": record.peak_memory_bytes >> 20,
                "reason": record.reason.splitlines()[0] if record.reason else "",
            }
            for record in records
        ]
        print(table(rows, ("unit", "state", "seconds", "peak memory (MB)", "reason")))
        for subject in dict.fromkeys(item.subject for item in records if item.state == "done"):
            print(f"report: {report_path(config.output_dir, subject)}")
    if failed or missing:
        print(
            f"musicotopy: {len(failed)} of {n_units} units failed"
            + (f", {missing} not started" if missing else "")
            + "; the others are complete (logs/status.json)",
            file=sys.stderr,
        )
        return _exit_code(failed, n_units)
    if not config.quiet:
        print(f"musicotopy: all {len(records)} units are complete")
    return 0


def _exit_code(failed: Sequence[Record], n_units: int) -> int:
    """Return 1, or the common code when every unit failed for the same kind of reason."""
    codes = {record.exit_code for record in failed}
    return codes.pop() if len(failed) == n_units and len(codes) == 1 else 1


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
