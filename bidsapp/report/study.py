"""What one recipe wrote of a participant or of a group: found, and described, in one way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from bidsapp.bids.names import parse_name
from bidsapp.errors import InputMissingError
from bidsapp.report.files import Artefact, Derivatives, open_derivatives, read_json
from bidsapp.report.results import Space

GROUP = "group"


class OfSpace(Protocol):
    """Results in one space."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Content of the summary."""


SpaceT = TypeVar("SpaceT", bound=OfSpace)


@dataclass(frozen=True)
class StudyBase(Generic[SpaceT]):
    """Everything a recipe wrote of one participant, or of a group.

    Attributes
    ----------
    files
        The derivatives.
    description
        ``dataset_description.json``.
    spaces
        In order; at least one.
    is_group
        What it is of.
    """

    recipe: ClassVar[str]

    files: Derivatives = field(repr=False)
    description: Mapping[str, Any]
    spaces: tuple[SpaceT, ...]
    is_group: bool = False

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return the summary of the first space: what holds for all of them."""
        return self.spaces[0].facts

    @property
    def own_settings(self) -> Mapping[str, Any]:
        """Settings of the participant level."""
        key = "participant_settings" if self.is_group else "settings"
        return dict(self.facts.get(key) or {})

    @property
    def date(self) -> str:
        """When the results were written (UTC)."""
        found = self.files.find("stats", desc=f"{self.recipe}summary")
        latest = max(artefact.path.stat().st_mtime for artefact in found)
        return f"{datetime.fromtimestamp(latest, UTC):%Y-%m-%d %H:%M} UTC"

    @property
    def n_participants(self) -> int:
        """Those who take part."""
        listed = self.facts.get("participants") or ()
        return int(self.facts.get("n_participants") or len(listed) or 1)


def participant_summaries(
    output_dir: Path, subject: str, recipe: str
) -> tuple[Derivatives, list[Artefact]]:
    """Return a participant's derivatives, and the recipe's summary of each space.

    Raises
    ------
    InputMissingError
        When the recipe has no results of this participant.
    """
    files = open_derivatives(output_dir, subject)
    found = _summaries(files, recipe)
    if not found:
        msg = (
            f"sub-{files.subject}: no results of recipe {recipe} found in {output_dir}; run the "
            f"participant level with --recipe {recipe}"
        )
        raise InputMissingError(msg)
    return files, found


def group_summaries(output_dir: Path, recipe: str) -> tuple[Derivatives, list[Artefact]]:
    """Return the group's derivatives, and the recipe's summary of each space.

    Raises
    ------
    InputMissingError
        When the recipe has no results of a group.
    """
    files = group_derivatives(output_dir)
    found = _summaries(files, recipe)
    if not found:
        msg = (
            f"{output_dir / GROUP}: no group results of recipe {recipe} found; run the group "
            f"level with --recipe {recipe}"
        )
        raise InputMissingError(msg)
    return files, found


def group_derivatives(output_dir: Path) -> Derivatives:
    """Return what lies in the group's folder."""
    folder = output_dir / GROUP
    named = ((path, parse_name(path)) for path in sorted(folder.glob("*")) if path.is_file())
    found = tuple(
        Artefact(path, name.entities, name.suffix, name.extension)
        for path, name in named
        if name.suffix and not path.name.startswith(".")
    )
    return Derivatives(output_dir, "", found)


def _summaries(files: Derivatives, recipe: str) -> list[Artefact]:
    named = files.find("stats", desc=f"{recipe}summary")
    return [artefact for artefact in named if "space" in artefact.entities]


def space_of(entities: Mapping[str, str]) -> Space:
    """Return the space that a name tells."""
    return Space(entities["space"], entities.get("res"), entities.get("den"))


def read_description(files: Derivatives) -> Mapping[str, Any]:
    """Return ``dataset_description.json``; empty without it."""
    path = files.root / "dataset_description.json"
    return read_json(path) if path.exists() else {}
