"""The plan as data: what a scheduler of any kind has to know about each unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bidsapp import __version__
from bidsapp.config import Config
from bidsapp.engine.plan import Plan, Unit
from bidsapp.engine.status import is_complete, read_record
from bidsapp.recipes import RECIPES, load_function

Row = dict[str, Any]


def describe_plans(plans: Sequence[Plan], config: Config) -> Row:
    """Return the units of a run as JSON values.

    Parameters
    ----------
    plans
        Of the participant level, of the group level, or both.
    config
        The run's configuration.

    Returns
    -------
    dict
        ``version``, ``output_dir`` and ``units``; a unit has ``name``, ``recipe``, ``level``,
        ``participant``, ``space``, ``configuration_hash``, ``inputs_hash``, ``state`` (``done``,
        ``to do`` or ``cannot run``), ``reason``, ``cost`` (bytes; null for groups) and
        ``depends_on``, the names of the units that must be done before.
    """
    units = [unit for plan in plans for unit in plan.units]
    return {
        "version": __version__,
        "output_dir": str(config.output_dir),
        "units": [_unit(unit, units, config) for unit in units],
    }


def _unit(unit: Unit, units: Sequence[Unit], config: Config) -> Row:
    known = read_record(config.output_dir, unit.name)
    done = is_complete(config.output_dir, known, unit.configuration_hash, unit.inputs_hash)
    state = "done" if done else "to do" if unit.inputs is not None else "cannot run"
    return {
        "name": unit.name,
        "recipe": unit.recipe,
        "level": unit.level,
        "participant": unit.subject or None,
        "space": unit.space or None,
        "configuration_hash": unit.configuration_hash or None,
        "inputs_hash": unit.inputs_hash or None,
        "state": state,
        "reason": str(unit.error) if unit.error is not None else None,
        "cost": _cost(unit, config),
        "depends_on": [other.name for other in units if _needs(unit, other)],
    }


def _needs(unit: Unit, other: Unit) -> bool:
    """Tell whether a group needs a participant: same recipe, and same space if it has one."""
    levels = unit.level == "group" and other.level == "participant"
    return levels and unit.recipe == other.recipe and unit.space in ("", other.space)


def _cost(unit: Unit, config: Config) -> Row | None:
    if unit.inputs is None or unit.level != "participant":
        return None
    estimate = load_function(RECIPES[unit.recipe].cost)
    cost = estimate(unit.inputs, unit.settings, config)
    return {"memory_bytes": cost.memory_bytes, "scratch_bytes": cost.scratch_bytes}
