"""What a recipe is called with for one participant in one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.records import Problem, Run
from bidsapp.bids.staging import Staging
from bidsapp.config import Config


class ParticipantInputs(Protocol):
    """The input of one participant in one space, whatever the recipe."""

    @property
    def subject(self) -> str:
        """Label without ``sub-``."""

    @property
    def space(self) -> str:
        """Space as the files spell it."""

    @property
    def runs(self) -> Sequence[Run]:
        """Runs to analyse."""

    @property
    def problems(self) -> Sequence[Problem]:
        """What was passed over."""

    @property
    def files(self) -> Sequence[Path]:
        """Every file a result depends on."""

    def identity(self) -> str:
        """Hash of names, sizes and times of the files, and of all timings."""

    def overview(self) -> str:
        """Say what meets what, for ``--dry-run``."""


InputsT = TypeVar("InputsT", bound=ParticipantInputs)


@dataclass(frozen=True)
class Analysis(Generic[InputsT]):
    """One job, as the recipe sees it.

    Attributes
    ----------
    recipe
        Name of the recipe.
    dataset, config, settings, inputs
        What to analyse and how.
    configuration_hash
        Goes into every sidecar.
    staging
        Where results are written; they appear in the output folder all at once.
    scratch
        Folder for intermediate files that other units may share.
    """

    recipe: str
    dataset: Dataset
    config: Config
    settings: Any
    inputs: InputsT
    configuration_hash: str
    staging: Staging
    scratch: Path
