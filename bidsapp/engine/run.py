"""Run the units of a plan: each on its own, each result whole or absent, all outcomes recorded."""

from __future__ import annotations

import dataclasses
import logging
import time
import traceback
from typing import Any

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.write import Staging
from bidsapp.config import Config
from bidsapp.engine.plan import Plan, Unit
from bidsapp.engine.status import (
    Record,
    is_complete,
    peak_memory_bytes,
    read_records,
    write_record,
)
from bidsapp.errors import AppError
from bidsapp.recipes import RECIPES, load_function
from bidsapp.recipes.analysis import Analysis
from bidsapp.recipes.group_inputs import GroupAnalysis

LOGGER = logging.getLogger("musicotopy")


def execute(plan: Plan, config: Config) -> list[Record]:
    """Run every unit that is not done yet, one after the other.

    A unit that fails leaves the others; its record names the reason. With
    ``--stop-on-first-crash`` the rest is not started.

    Returns
    -------
    list of Record
        One per unit, in the plan's order; the units not started have no record.
    """
    known = read_records(config.output_dir)
    records: list[Record] = []
    for unit in plan.units:
        record = _attend(unit, plan.dataset, config, known.get(unit.name))
        records.append(record)
        if record.state == "failed" and config.stop_on_first_crash:
            LOGGER.error("stopping at the first failure, as asked")
            break
    return records


def _attend(unit: Unit, dataset: Dataset, config: Config, known: Record | None) -> Record:
    """Skip, run or refuse one unit and record what came of it."""
    code, inputs = unit.configuration_hash, unit.inputs_hash
    if not config.overwrite and is_complete(config.output_dir, known, code, inputs):
        assert known is not None
        LOGGER.info("%s: already done, nothing to do", unit.name)
        return known
    LOGGER.log(25, "%s: started", unit.name)
    start = time.monotonic()
    before = known.outputs if known is not None else ()
    record = _run(unit, dataset, config, before)
    if record.state == "failed":  # what an earlier run left is still there, and still known
        record = dataclasses.replace(record, outputs=before)
    record = _timed(record, time.monotonic() - start)
    write_record(config.output_dir, record)
    return record


def _run(unit: Unit, dataset: Dataset, config: Config, replaces: tuple[str, ...]) -> Record:
    if unit.inputs is None:
        error = unit.error or AppError(f"{unit.name}: no input")
        LOGGER.error("%s: %s", unit.name, error)
        return _record(unit, "failed", reason=str(error), exit_code=error.exit_code)
    try:
        with Staging(config.output_dir, unit.name) as staging:
            _call(unit, dataset, config, staging)
            outputs = tuple(staging.publish(replaces=replaces))
    except AppError as error:
        LOGGER.error("%s: %s", unit.name, error)
        return _record(unit, "failed", reason=str(error), exit_code=error.exit_code)
    except MemoryError:
        reason = f"out of memory; give more with --mem (now {config.memory_bytes >> 20} MB)"
        LOGGER.error("%s: %s", unit.name, reason)
        return _record(unit, "failed", reason=reason, exit_code=75)
    except OSError as error:
        reason = f"{error.filename or config.output_dir}: {error.strerror or error}"
        LOGGER.error("%s: %s", unit.name, reason)
        LOGGER.debug("%s", traceback.format_exc())
        return _record(unit, "failed", reason=reason, exit_code=73)
    except Exception as error:  # the other participants go on; the log keeps the traceback
        LOGGER.error("%s: internal error: %s\n%s", unit.name, error, traceback.format_exc())
        return _record(unit, "failed", reason=f"internal error: {error!r}", exit_code=70)
    return _record(unit, "done", outputs=outputs)


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
    if unit.level == "group":
        analysis: GroupAnalysis[Any] = GroupAnalysis(output_dir=config.output_dir, **common)
        load_function(recipe.functions.analyse_group)(analysis)
    else:
        load_function(recipe.functions.analyse)(Analysis(**common))


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


def _timed(record: Record, seconds: float) -> Record:
    return dataclasses.replace(
        record, seconds=round(seconds, 2), peak_memory_bytes=peak_memory_bytes()
    )
