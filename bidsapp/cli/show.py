"""What the user reads on the terminal: the plan, warnings, and the outcome of a run."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from textwrap import fill

from bidsapp.bids.atomic import write_json
from bidsapp.config import Config
from bidsapp.engine.plan import Job, Plan
from bidsapp.engine.plan_json import describe_plans
from bidsapp.engine.preflight import verdict
from bidsapp.engine.reports import Reported, answer_of, report_path, reported
from bidsapp.engine.status import Record
from bidsapp.errors import AppError, JobsFailedError, RunsLeftOutError
from bidsapp.recipes.base.cost import Cost
from bidsapp.text import text_table

LOGGER = logging.getLogger("musicotopy")


def show_plans(parts: Sequence[Plan], config: Config, refusal: AppError | None) -> None:
    """Print whether a run would be refused, and what it would do (``--dry-run``).

    The first participant's table is shown, and those that differ from it; all with ``-v``.

    Parameters
    ----------
    parts
        Checked plans of the levels.
    config
        The run's configuration.
    refusal
        What keeps the whole run from starting.
    """
    print("\n".join(verdict(parts, config, refusal)))
    dataset = parts[0].dataset
    print(f"\ndataset: {dataset.bids_dir} ({dataset.layout})")
    print(f"fMRIPrep: {dataset.fmriprep or 'none'}")
    print(f"output:  {config.output_dir}")
    for name, code in parts[0].configuration_hashes.items():
        print(f"recipe:  {name} ({config.variant}), configuration {code}")
    for problem in () if config.skip_bids_validation else dataset.problems:
        print(f"note: {problem}")
    seen: dict[str, str] = {}
    for job in (job for part in parts for job in part.jobs):
        print(f"\n{job.name}")
        if job.error is not None or job.inputs is None:
            first = seen.setdefault(str(job.error), job.name)
            print(f"  cannot run{f', as {first}' if first != job.name else f': {job.error}'}")
            continue
        overview = _indent(job.inputs.overview())
        alike = seen.setdefault(_without_subject(overview, job), job.name)
        if alike != job.name and not config.verbose:
            print(f"  as {alike}")
        else:
            print(overview)
            if (cost := job.cost(config)) is not None:
                print(f"  {_cost(cost, config)}")
        for problem in job.inputs.problems:
            print(f"  note: {problem}")


def _without_subject(text: str, job: Job) -> str:
    """Return a table as it would be of another participant."""
    return f"{job.recipe} {job.space} " + " ".join(text.replace(f"sub-{job.subject}", "").split())


def write_plan(plans: Sequence[Plan], target: Path, config: Config) -> None:
    """Write the plan as JSON to a file, or to standard output if `target` is ``-``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    content = describe_plans(plans, config)
    if str(target) == "-":
        print(json.dumps(content, indent=2))
    else:
        write_json(target, content)


def _cost(cost: Cost, config: Config) -> str:
    worker = config.of_one_worker()
    return (
        f"estimate: {cost.size}; {cost.time(worker.n_threads)}; memory "
        f"{cost.memory_bytes / 2**30:.1f} of "
        f"{worker.memory_bytes / 2**30:.1f} GiB allowed; scratch "
        f"{cost.scratch_bytes / 2**30:.1f} GiB"
    )


def show_warnings(plan: Plan, config: Config) -> None:
    """Say what was passed over, once per problem.

    ``--skip-bids-validation`` leaves out what is odd about the dataset as a whole.
    """
    whole = () if config.skip_bids_validation else plan.dataset.problems
    parts = (job.inputs.problems for job in plan.jobs if job.inputs)
    for text in dict.fromkeys(str(problem) for problem in chain(whole, *parts)):
        LOGGER.warning("note: %s", text)


def show_records(records: Sequence[Record], n_jobs: int, config: Config) -> int:
    """Print the outcome of every job, the success line last, and return the exit code."""
    failed = [record for record in records if record.state != "done"]
    missing = n_jobs - len(records) if not config.reports_only else 0
    if not config.quiet:
        rows = [
            {
                "job": record.job,
                "state": record.state,
                "seconds": record.seconds,
                "peak memory (MB)": record.peak_memory_bytes >> 20,
                "reason": record.reason.splitlines()[0] if record.reason else "",
            }
            for record in records
        ]
        print(text_table(rows, ("job", "state", "seconds", "peak memory (MB)", "reason")))
        for recipe, subject in reported(records):
            print(f"report: {report_path(config.output_dir, recipe, subject)}")
    if failed or missing:
        n_others = n_jobs - len(failed) - missing
        print(
            f"musicotopy: {len(failed)} of {n_jobs} {_plural('job', n_jobs)} failed"
            + (f", {missing} not started" if missing else "")
            + (f"; {n_others} complete" if n_others else "")
            + " (logs/status.json)",
            file=sys.stderr,
        )
        return _exit_code(failed, n_jobs)
    if not config.quiet:
        counts = _counts(records, reports_only=config.reports_only)
        show_answer(reported(records), config.output_dir)
        print(f"Finished: {counts}.{_open_first(records, config)}")
    return _show_left_out(records)


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def _counts(records: Sequence[Record], *, reports_only: bool) -> str:
    """Say whose results are there and how many of them were computed now."""
    subjects = {record.subject for record in records if record.level == "participant"}
    parts = [f"{len(subjects)} {_plural('participant', len(subjects))}"] * bool(subjects)
    parts += ["group"] * any(record.level == "group" for record in records)
    if reports_only:
        n = len(reported(records))
        return f"{' + '.join(parts)} (0 failed, {n} {_plural('report', n)} written again)"
    reused = sum(record.reused for record in records)
    done = "nothing to do, " if reused and reused == len(records) else ""
    return (
        f"{' + '.join(parts)} ({done}0 failed, {len(records) - reused} computed, {reused} reused)"
    )


def show_answer(written: Iterable[Reported], output_dir: Path) -> None:
    """Print what was found: the first sentences of the group's report, else of the first one.

    Parameters
    ----------
    written
        Reports that are there.
    output_dir
        Of the results.
    """
    for recipe, subject in sorted(written, key=lambda item: bool(item[1]))[:1]:
        text = answer_of(output_dir, recipe, subject)
        if text:
            print(fill(f"What was found: {text}", 100))


def _open_first(records: Sequence[Record], config: Config) -> str:
    """Name the report to open first: the group's, else the first participant's."""
    written = sorted(reported(records), key=lambda item: bool(item[1]))
    return f" Open: {report_path(config.output_dir, *written[0])}" if written else ""


def _show_left_out(records: Sequence[Record]) -> int:
    """Name the runs that are there and are part of no result; return the exit code."""
    left_out = dict.fromkeys(name for record in records for name in record.left_out)
    if not left_out:
        return 0
    print(
        f"musicotopy: done, without {len(left_out)} {_plural('run', len(left_out))} that could "
        f"not be used: {', '.join(left_out)} (see the notes above and in the reports)",
        file=sys.stderr,
    )
    return RunsLeftOutError.exit_code


def _exit_code(failed: Sequence[Record], n_jobs: int) -> int:
    """Return 1, or the common code when every job failed for the same kind of reason.

    A group that failed after all of its participants failed because of them.
    """
    own = [record for record in failed if record.level == "participant"] or failed
    codes = {record.exit_code for record in own}
    same = len(failed) == n_jobs and len(codes) == 1
    return codes.pop() if same else JobsFailedError.exit_code


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
