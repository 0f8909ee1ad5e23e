"""What a recipe is called with for one participant in one space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.write import Staging
from bidsapp.config import Config
from bidsapp.recipes.inputs import Inputs


@dataclass(frozen=True)
class Analysis:
    """One unit of work, as the recipe sees it.

    Attributes
    ----------
    dataset, config, settings, inputs
        What to analyse and how.
    configuration_hash
        Goes into every sidecar.
    staging
        Where results are written; they appear in the output folder all at once.
    scratch
        Folder for intermediate files that other units may share.
    """

    dataset: Dataset
    config: Config
    settings: Any
    inputs: Inputs
    configuration_hash: str
    staging: Staging
    scratch: Path
