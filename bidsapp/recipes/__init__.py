"""The recipes: each turns one published system into participant and group level analyses.

A recipe is one sub-package and one entry here. Importing this module imports no numerical
library; an entry names its functions, and they are imported when they are called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bidsapp.recipes.gradients import facts as gradients_facts
from bidsapp.recipes.gradients import settings as gradients_settings
from bidsapp.recipes.settings import override


@dataclass(frozen=True)
class Recipe:
    """One recipe.

    Attributes
    ----------
    name
        As on the command line.
    variants
        Variant name → settings.
    analyse
        ``module:function`` of the participant level, called with an `Analysis`.
    descriptions
        Every ``desc-`` label of its files, and what it means.
    remarks
        Rows of ``logs/fidelity.tsv`` beyond its settings.
    """

    name: str
    variants: Mapping[str, Any]
    analyse: str
    descriptions: Mapping[str, str]
    remarks: Sequence[Mapping[str, str]] = ()

    def settings(self, variant: str, changes: Mapping[str, Any]) -> Any:
        """Return the settings of a variant with the user's changes."""
        return override(self.variants[variant], self.name, changes)

    def participant_function(self) -> Callable[..., Any]:
        """Import and return the function of the participant level."""
        module, _, name = self.analyse.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function


RECIPES = {
    "gradients": Recipe(
        "gradients",
        gradients_settings.VARIANTS,
        "bidsapp.recipes.gradients.participant:analyse",
        gradients_facts.DESCRIPTIONS,
        gradients_facts.REMARKS,
    ),
}
