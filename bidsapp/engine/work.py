"""Attend to one unit of work: its result is whole or absent, its outcome recorded."""

from __future__ import annotations

import dataclasses
import logging
import time
import traceback
from dataclasses import dataclass
from typing import Any

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.write import Staging
from bidsapp.config import Config
from bidsapp.engine.plan import Unit
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
from bidsapp.recipes.analysis import Analysis
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy
from bidsapp.recipes.group_inputs import GroupAnalysis

LOGGER = logging.getLogger("musicotopy")


@dataclass(frozen=True)
class Worker:
    """What a process needs to attend to units: data, so that it can be sent anywhere.

    Attributes
    ----------
    dataset
        The opened dataset.
    config
        The run's configuration with this worker's share of memory and threads.
    """

    dataset: Dataset
    config: Config

    def __call__(self, unit: Unit) -> Record:
        """Run or refuse one unit and record what came of it; never raises for the unit's sake.

        If another process is at work on the same unit, its result is waited for.
        """
        config = self.config
        try:
            with Staging(config.output_dir, unit.name, wait=True) as staging:
                known = read_record(config.output_dir, unit.name)
                if not config.overwrite and is_finished(unit, known, config):
                    assert known is not None
                    return known  # done by another run, or by a worker that died
                return self._attend(unit, staging, known)
        except OutputError as error:
            LOGGER.error("%s: %s", unit.name, error)
            return failed(unit, str(error), error.exit_code)

    def _attend(self, unit: Unit, staging: Staging, known: Record | None) -> Record:
        config = self.config
        LOGGER.log(25, "%s: started", unit.name)
        start = time.monotonic()
        reset_peak_memory()
        before = known.outputs if known is not None else ()
        with running(config.output_dir, unit.name):
            record = _run(unit, self.dataset, config, staging, known)
        if record.state == "failed":  # what an earlier run left is still there, and still known
            record = dataclasses.replace(record, outputs=before)
        record = dataclasses.replace(
            record,
            seconds=round(time.monotonic() - start, 2),
            peak_memory_bytes=peak_memory_bytes(),
        )
        write_record(config.output_dir, record)
        return record


def is_finished(unit: Unit, known: Record | None, config: Config) -> bool:
    """Tell whether a unit's result is there, whole, and up to date."""
    code, inputs = unit.configuration_hash, unit.inputs_hash
    return is_complete(config.output_dir, known, code, inputs)


def _run(
    unit: Unit, dataset: Dataset, config: Config, staging: Staging, known: Record | None
) -> Record:
    if unit.inputs is None:
        error = unit.error or AppError(f"{unit.name}: no input")
        LOGGER.error("%s: %s", unit.name, error)
        return failed(unit, str(error), error.exit_code)
    try:
        _check_configuration(unit, known, config)
        _call(unit, dataset, config, staging)
        report_path(config.output_dir, unit.recipe, unit.subject).unlink(missing_ok=True)
        outputs = tuple(staging.publish(replaces=known.outputs if known is not None else ()))
    except AppError as error:
        LOGGER.error("%s: %s", unit.name, error)
        return failed(unit, str(error), error.exit_code)
    except MemoryError:
        reason = f"out of memory; give more with --mem (now {config.memory_bytes >> 20} MB)"
        LOGGER.error("%s: %s", unit.name, reason)
        return failed(unit, reason, 75)
    except OSError as error:
        reason = f"{error.filename or config.output_dir}: {error.strerror or error}"
        LOGGER.error("%s: %s", unit.name, reason)
        LOGGER.debug("%s", traceback.format_exc())
        return failed(unit, reason, 73)
    except Exception as error:  # the other participants go on; the log keeps the traceback
        LOGGER.error("%s: internal error: %s\n%s", unit.name, error, traceback.format_exc())
        return failed(unit, f"internal error: {error!r}", 70)
    return _record(unit, "done", outputs=outputs)


def _check_configuration(unit: Unit, known: Record | None, config: Config) -> None:
    """Refuse to replace what a run beside this one has just made with other settings."""
    if config.overwrite or unit.level != "participant" or known is None or known.state != "done":
        return
    if known.configuration_hash != unit.configuration_hash:
        msg = (
            f"{config.output_dir}: another run has just made {unit.name} with configuration "
            f"{known.configuration_hash}; choose another output folder for "
            f"{unit.configuration_hash}"
        )
        raise OutputError(msg)


def _call(unit: Unit, dataset: Dataset, config: Config, staging: Staging) -> None:
    """Call the recipe's function of the unit's level."""
    recipe = RECIPES[unit.recipe]
    common: dict[str, Any] = {
        "recipe": unit.recipe,
        "dataset": dataset,
        "config": config,
        "settings": unit.settings,
        "inputs": unit.inputs,
        "configuration_hash": unit.configuration_hash,
        "staging": staging,
        "scratch": config.scratch_dir,
    }
    if recipe.legacy is not None:
        if unit.level == "group":
            analysis: GroupAnalysis[Any] = GroupAnalysis(output_dir=config.output_dir, **common)
            load_function(recipe.legacy["analyse_group"])(analysis)
        else:
            load_function(recipe.legacy["analyse"])(Analysis(**common))
    elif unit.level == "group":
        load_function(recipe.group)(GroupStudy(**common))
    else:
        load_function(recipe.participant)(ParticipantStudy(**common))


def failed(unit: Unit, reason: str, exit_code: int) -> Record:
    """Return the record of a unit that failed."""
    return _record(unit, "failed", reason=reason, exit_code=exit_code)


def _record(unit: Unit, state: Any, **values: Any) -> Record:
    return Record(
        unit=unit.name,
        recipe=unit.recipe,
        level=unit.level,
        subject=unit.subject,
        space=unit.space,
        state=state,
        configuration_hash=unit.configuration_hash,
        inputs_hash=unit.inputs_hash,
        **values,
    )
