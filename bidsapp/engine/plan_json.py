"""The plan as data: what a scheduler of any kind has to know about each job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bidsapp import __version__
from bidsapp.config import Config
from bidsapp.engine.plan import Job, Plan
from bidsapp.engine.status import is_complete, read_record

Row = dict[str, Any]


def describe_plans(plans: Sequence[Plan], config: Config) -> Row:
    """Return the jobs of a run as JSON values.

    Parameters
    ----------
    plans
        Of the participant level, of the group level, or both.
    config
        The run's configuration.

    Returns
    -------
    dict
        ``version``, ``output_dir`` and ``jobs``; a job has ``name``, ``recipe``, ``level``,
        ``participant``, ``space``, ``configuration_hash``, ``inputs_hash``, ``state`` (``done``,
        ``to do`` or ``cannot run``), ``reason``, ``cost`` (bytes and CPU seconds; null for
        groups) and ``depends_on``, the names of the jobs that must be done before.
    """
    jobs = [job for plan in plans for job in plan.jobs]
    return {
        "version": __version__,
        "output_dir": str(config.output_dir),
        "jobs": [_job(job, jobs, config) for job in jobs],
    }


def _job(job: Job, jobs: Sequence[Job], config: Config) -> Row:
    known = read_record(config.output_dir, job.name)
    done = is_complete(config.output_dir, known, job.configuration_hash, job.inputs_hash)
    state = "done" if done else "to do" if job.inputs is not None else "cannot run"
    return {
        "name": job.name,
        "recipe": job.recipe,
        "level": job.level,
        "participant": job.subject or None,
        "space": job.space or None,
        "configuration_hash": job.configuration_hash or None,
        "inputs_hash": job.inputs_hash or None,
        "state": state,
        "reason": str(job.error) if job.error is not None else None,
        "cost": _cost(job, config),
        "depends_on": [other.name for other in jobs if _needs(job, other)],
    }


def _needs(job: Job, other: Job) -> bool:
    """Tell whether a group needs a participant: same recipe, and same space if it has one."""
    levels = job.level == "group" and other.level == "participant"
    return levels and job.recipe == other.recipe and job.space in ("", other.space)


def _cost(job: Job, config: Config) -> Row | None:
    cost = job.cost(config)
    if cost is None:
        return None
    return {
        "memory_bytes": cost.memory_bytes,
        "scratch_bytes": cost.scratch_bytes,
        "cpu_seconds": round(sum(cost.seconds.values())),
    }
