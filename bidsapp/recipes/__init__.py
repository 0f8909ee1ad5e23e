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
from bidsapp.recipes.gradients.group import facts as gradients_group_facts
from bidsapp.recipes.gradients.group import settings as gradients_group_settings
from bidsapp.recipes.settings import override


@dataclass(frozen=True)
class Recipe:
    """One recipe.

    Attributes
    ----------
    name
        As on the command line.
    variants, group_variants
        Variant name → settings of the participant and of the group level.
    analyse
        ``module:function`` of the participant level, called with an `Analysis`.
    collect_group, analyse_group
        ``module:function`` that finds finished participants, and that of the group level,
        called with a `GroupAnalysis`.
    descriptions
        Every ``desc-`` label of its files, and what it means.
    remarks
        Rows of ``logs/fidelity.tsv`` beyond its settings.
    """

    name: str
    variants: Mapping[str, Any]
    group_variants: Mapping[str, Any]
    analyse: str
    collect_group: str
    analyse_group: str
    descriptions: Mapping[str, str]
    remarks: Sequence[Mapping[str, str]] = ()

    @property
    def group_table(self) -> str:
        """Name of the group level's settings in configuration files and ``--set``."""
        return f"{self.name}_group"

    def settings(self, variant: str, changes: Mapping[str, Mapping[str, Any]]) -> Any:
        """Return the settings of the participant level with the user's changes."""
        return override(self.variants[variant], self.name, changes.get(self.name, {}))

    def group_settings(self, variant: str, changes: Mapping[str, Mapping[str, Any]]) -> Any:
        """Return the settings of the group level with the user's changes."""
        table = self.group_table
        return override(self.group_variants[variant], table, changes.get(table, {}))


def load_function(address: str) -> Callable[..., Any]:
    """Import and return ``module:function``."""
    module, _, name = address.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


RECIPES = {
    "gradients": Recipe(
        "gradients",
        gradients_settings.VARIANTS,
        gradients_group_settings.VARIANTS,
        "bidsapp.recipes.gradients.participant:analyse",
        "bidsapp.recipes.gradients.group.collect:collect_group",
        "bidsapp.recipes.gradients.group.analyse:analyse_group",
        {**gradients_facts.DESCRIPTIONS, **gradients_group_facts.DESCRIPTIONS},
        (*gradients_facts.REMARKS, *gradients_group_facts.REMARKS),
    ),
}
