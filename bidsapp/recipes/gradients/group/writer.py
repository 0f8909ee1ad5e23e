"""The writer of group maps and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bidsapp import __version__
from bidsapp.bids.names import space_entities
from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.group_inputs import GroupAnalysis
from bidsapp.recipes.writer import ResultWriter


class GroupWriter(ResultWriter):
    """Writes group maps and tables: `ResultWriter` without a participant.

    Parameters
    ----------
    analysis
        The unit of work.
    units
        The space of the maps.
    sources
        Files that the results are made from.
    facts
        Further fields of every sidecar.
    """

    def __init__(
        self,
        analysis: GroupAnalysis,
        units: UnitSpace,
        sources: Iterable[Path],
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.analysis = analysis  # type: ignore[assignment]
        self.units = units
        self.subject = {}
        self.space = space_entities(units.space, units.resolution, units.density)
        common: dict[str, Any] = {
            "ConfigurationHash": analysis.configuration_hash,
            "Recipe": analysis.inputs.recipe,
            "Variant": analysis.config.variant,
            "MusicotopyVersion": __version__,
            "NumberOfParticipants": len(analysis.inputs.participants),
            **(facts or {}),
        }
        self._common = common
        self._sources = [
            f"bids::{path.relative_to(analysis.output_dir).as_posix()}" for path in sources
        ]
