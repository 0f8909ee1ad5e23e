"""Run the jobs of a plan on an executor, and keep track of what came of each."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from bidsapp.config import Config
from bidsapp.engine.executors import make_executor
from bidsapp.engine.plan import Job, Plan
from bidsapp.engine.status import Record, read_record, write_status
from bidsapp.engine.work import is_finished
from bidsapp.errors import OutputError
from bidsapp.progress import duration

LOGGER = logging.getLogger("musicotopy")


def execute(
    plan: Plan,
    config: Config,
    prepare: Callable[[], None] = lambda: None,
    report: Callable[[Sequence[Record]], Sequence[Record]] = lambda records: records,
) -> list[Record]:
    """Run every job that is not done yet.

    Parameters
    ----------
    plan, config
        What to do and how.
    prepare
        Writes the files at the root of the output folder; called when the first job is done, so
        that a run in which nothing succeeds leaves no dataset behind.
    report
        Writes the page of a participant; called with the records of all its jobs of a recipe,
        when the last of them is done.

    A job that fails leaves the others; its record names the reason. With
    ``--stop-on-first-crash`` what has not started is not started.

    Returns
    -------
    list of Record
        One per job, in the plan's order; the jobs not started have no record.
    """
    records: dict[str, Record] = {}
    todo: list[Job] = []
    for job in plan.jobs:
        known = None if config.overwrite else _finished(job, config)
        if known is None:
            todo.append(job)
            continue
        LOGGER.info("%s: already done, nothing to do", job.name)
        records[job.name] = dataclasses.replace(known, reused=True)
    if records:
        prepare()
    start, n_todo = time.monotonic(), len(todo)
    todo = [
        dataclasses.replace(job, number=f"[{number}/{n_todo}]") if n_todo > 1 else job
        for number, job in enumerate(todo, 1)
    ]
    with closing(make_executor(plan.dataset, config).run(todo)) as outcomes:
        for n_done, record in enumerate(outcomes, 1):
            records[record.job] = record
            if record.state == "done":
                prepare()
                records |= _report_whole(record, plan, records, report)
            if n_todo > 1:
                left_s = (time.monotonic() - start) / n_done * (n_todo - n_done)
                left = f"; about {duration(left_s)} left in all" if n_done < n_todo else ""
                LOGGER.log(
                    25, "%s: %s (%d of %d%s)", record.job, record.state, n_done, n_todo, left
                )
            if record.state == "failed" and config.stop_on_first_crash:
                LOGGER.error("stopping at the first failure, as asked")
                break
    try:
        write_status(config.output_dir)
    except OutputError as error:  # the records themselves are there
        LOGGER.error("%s", error)
    return [records[job.name] for job in plan.jobs if job.name in records]


def _report_whole(
    record: Record,
    plan: Plan,
    records: Mapping[str, Record],
    report: Callable[[Sequence[Record]], Sequence[Record]],
) -> dict[str, Record]:
    """Have the page written that a job was the last one for; return the records of its jobs."""
    whose = (record.recipe, record.subject)
    alike = [job.name for job in plan.jobs if (job.recipe, job.subject) == whose]
    done = [records[name] for name in alike if name in records and records[name].state == "done"]
    return {item.job: item for item in report(done)} if len(done) == len(alike) else {}


def _finished(job: Job, config: Config) -> Record | None:
    """Return the record of a job whose result is there, whole, and up to date."""
    known = read_record(config.output_dir, job.name)
    return known if is_finished(job, known, config) else None
