"""Run the jobs of a plan on an executor, and keep track of what came of each."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from contextlib import closing

from bidsapp.config import Config
from bidsapp.engine.executors import make_executor
from bidsapp.engine.plan import Job, Plan
from bidsapp.engine.status import Record, read_record, write_status
from bidsapp.engine.work import is_finished
from bidsapp.errors import OutputError

LOGGER = logging.getLogger("musicotopy")


def execute(
    plan: Plan, config: Config, prepare: Callable[[], None] = lambda: None
) -> list[Record]:
    """Run every job that is not done yet.

    Parameters
    ----------
    plan, config
        What to do and how.
    prepare
        Writes the files at the root of the output folder; called when the first job is done, so
        that a run in which nothing succeeds leaves no dataset behind.

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
    with closing(make_executor(plan.dataset, config).run(todo)) as outcomes:
        for record in outcomes:
            records[record.job] = record
            if record.state == "done":
                prepare()
            if len(todo) > 1:
                done = sum(job.name in records for job in todo)
                LOGGER.log(25, "%s: %s (%d of %d)", record.job, record.state, done, len(todo))
            if record.state == "failed" and config.stop_on_first_crash:
                LOGGER.error("stopping at the first failure, as asked")
                break
    try:
        write_status(config.output_dir)
    except OutputError as error:  # the records themselves are there
        LOGGER.error("%s", error)
    return [records[job.name] for job in plan.jobs if job.name in records]


def _finished(job: Job, config: Config) -> Record | None:
    """Return the record of a job whose result is there, whole, and up to date."""
    known = read_record(config.output_dir, job.name)
    return known if is_finished(job, known, config) else None
