"""Attend to one job: its result is whole or absent, its outcome recorded."""

from __future__ import annotations

import dataclasses
import logging
import time
import traceback
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from bidsapp import progress
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.describe import write_descriptions
from bidsapp.bids.names import parse_name
from bidsapp.bids.staging import Staging
from bidsapp.config import Config
from bidsapp.engine.plan import Job, settings_that_differ
from bidsapp.engine.reports import report_path
from bidsapp.engine.status import (
    Record,
    is_complete,
    peak_memory_bytes,
    read_record,
    reset_peak_memory,
    running,
    write_record,
)
from bidsapp.errors import AppError, OutputError
from bidsapp.recipes import RECIPES, load_function
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy

LOGGER = logging.getLogger("musicotopy")
Records = Generator[Record, None, None]
ATTEMPTS = 3
"""How often a job whose worker dies is tried."""


@dataclass(frozen=True)
class Worker:
    """What a process needs to attend to jobs: data, so that it can be sent anywhere.

    Attributes
    ----------
    dataset
        The opened dataset.
    config
        The run's configuration with this worker's share of memory and threads.
    """

    dataset: Dataset
    config: Config

    def __call__(self, job: Job) -> Record:
        """Run or refuse one job and record what came of it; never raises for the job's sake.

        If another process is at work on the same job, its result is waited for.
        """
        config = self.config
        try:
            with Staging(config.output_dir, job.name, wait=True) as staging:
                known = read_record(config.output_dir, job.name)
                if not config.overwrite and is_finished(job, known, config):
                    assert known is not None
                    return known  # done by another run, or by a worker that died
                return self._attend(job, staging, known)
        except OutputError as error:
            LOGGER.error("%s: %s", job.name, error)
            return failed(job, str(error), error.exit_code)

    def _attend(self, job: Job, staging: Staging, known: Record | None) -> Record:
        config = self.config
        LOGGER.log(25, "%s started (%s)", job.whose, job.recipe)
        start = time.monotonic()
        reset_peak_memory()
        before = known.outputs if known is not None else ()
        with running(config.output_dir, job.name), progress.job(job.whose, quiet=config.quiet):
            record = _run(job, self.dataset, config, staging, known)
        if record.state == "failed":  # what an earlier run left is still there, and still known
            record = dataclasses.replace(record, outputs=before)
        record = dataclasses.replace(
            record,
            seconds=round(time.monotonic() - start, 2),
            peak_memory_bytes=peak_memory_bytes(),
        )
        write_record(config.output_dir, record)
        return record


def is_finished(job: Job, known: Record | None, config: Config) -> bool:
    """Tell whether a job's result is there, whole, and up to date."""
    code, inputs = job.configuration_hash, job.inputs_hash
    return is_complete(config.output_dir, known, code, inputs)


def _run(
    job: Job, dataset: Dataset, config: Config, staging: Staging, known: Record | None
) -> Record:
    if job.inputs is None:
        error = job.error or AppError(f"{job.name}: no input")
        LOGGER.error("%s: %s", job.name, error)
        return failed(job, str(error), error.exit_code)
    try:
        _refuse_other_settings(job, known, config)
        _call(job, dataset, config, staging)
        report_path(config.output_dir, job.recipe, job.subject).unlink(missing_ok=True)
        outputs = tuple(staging.publish(replaces=known.outputs if known is not None else ()))
        networks = sorted({parse_name(name).entities.get("model", "") for name in outputs})
        write_descriptions(config.output_dir, RECIPES[job.recipe].descriptions(networks))
    except AppError as error:
        LOGGER.error("%s: %s", job.name, error)
        return failed(job, str(error), error.exit_code)
    except MemoryError:
        reason = f"out of memory; give more with --mem (now {config.memory_bytes >> 20} MB)"
        LOGGER.error("%s: %s", job.name, reason)
        return failed(job, reason, 75)
    except OSError as error:
        reason = f"{error.filename or config.output_dir}: {error.strerror or error}"
        LOGGER.error("%s: %s", job.name, reason)
        LOGGER.debug("%s", traceback.format_exc())
        return failed(job, reason, 73)
    except Exception as error:  # the other participants go on; the log keeps the traceback
        LOGGER.error("%s: internal error: %s\n%s", job.name, error, traceback.format_exc())
        return failed(job, f"internal error: {error!r}", 70)
    return _record(job, "done", outputs=outputs)


def _refuse_other_settings(job: Job, known: Record | None, config: Config) -> None:
    """Refuse to replace what a run beside this one has just made with other settings."""
    if config.overwrite or job.level != "participant" or known is None or known.state != "done":
        return
    if known.configuration_hash != job.configuration_hash:
        differing = "; ".join(settings_that_differ(job.recipe, known.configuration_hash, config))
        msg = (
            f"{config.output_dir}: another run has just made {job.name} with other settings "
            f"({differing}); choose another output folder"
        )
        raise OutputError(msg)


def _call(job: Job, dataset: Dataset, config: Config, staging: Staging) -> None:
    """Call the recipe's function of the job's level."""
    recipe = RECIPES[job.recipe]
    common: dict[str, Any] = {
        "recipe": job.recipe,
        "dataset": dataset,
        "config": config,
        "settings": job.settings,
        "inputs": job.inputs,
        "configuration_hash": job.configuration_hash,
        "staging": staging,
        "scratch": config.scratch_dir,
    }
    if job.level == "group":
        load_function(recipe.group)(GroupStudy(**common))
    else:
        load_function(recipe.participant)(ParticipantStudy(**common))


def failed(job: Job, reason: str, exit_code: int) -> Record:
    """Return the record of a job that failed."""
    return _record(job, "failed", reason=reason, exit_code=exit_code)


def given_up(job: Job, config: Config) -> Record:
    """Record a job that killed its worker every time it was tried."""
    reason = (
        "its process was killed every time it was tried (out of memory?); give it more with "
        "--mem or use fewer --workers"
    )
    LOGGER.error("%s: %s", job.name, reason)
    record = failed(job, reason, 75)
    write_record(config.output_dir, record)
    return record


def _record(job: Job, state: Any, **values: Any) -> Record:
    return Record(
        job=job.name,
        recipe=job.recipe,
        level=job.level,
        subject=job.subject,
        space=job.space,
        state=state,
        configuration_hash=job.configuration_hash,
        inputs_hash=job.inputs_hash,
        left_out=job.left_out,
        **values,
    )
