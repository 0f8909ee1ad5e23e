"""The recipes: each turns one published system into participant and group level analyses.

A recipe is one sub-package and one entry here. Importing this module imports no numerical
library; an entry names its functions, and they are imported when they are called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from bidsapp.bids.records import ImageKind
from bidsapp.config import Config
from bidsapp.errors import UsageError
from bidsapp.recipes.emotion3d import facts as emotion3d_facts
from bidsapp.recipes.emotion3d import settings as emotion3d_settings
from bidsapp.recipes.emotion3d.group import settings as emotion3d_group_settings
from bidsapp.recipes.gradients import facts as gradients_facts
from bidsapp.recipes.gradients import settings as gradients_settings
from bidsapp.recipes.gradients.group import facts as gradients_group_facts
from bidsapp.recipes.gradients.group import settings as gradients_group_settings
from bidsapp.recipes.rsa import facts as rsa_facts
from bidsapp.recipes.rsa import settings as rsa_settings
from bidsapp.recipes.rsa.group import facts as rsa_group_facts
from bidsapp.recipes.rsa.group import settings as rsa_group_settings
from bidsapp.recipes.settings import override


@dataclass(frozen=True)
class Functions:
    """Where a recipe's functions are, as ``module:function``.

    Attributes
    ----------
    collect
        ``(dataset, subject, space, config, settings) → UnitInputs``: finds and checks what one
        participant's analysis needs; computes nothing.
    estimate
        ``(inputs, settings, config) → Cost`` of one participant.
    analyse
        ``(Analysis) → None``: the participant level.
    collect_group
        ``(dataset, subjects, config) → list of GroupInputs``: finished participants, by space.
    analyse_group
        ``(GroupAnalysis) → None``: the group level.
    report, group_report
        ``(output_dir, subject) → Path`` and ``(output_dir) → Path``: write the HTML reports.
    methods, group_methods
        ``(output_dir, subject) → Methods`` and ``(output_dir) → Methods``: what to cite.
    """

    collect: str
    estimate: str
    analyse: str
    collect_group: str
    analyse_group: str
    report: str
    group_report: str
    methods: str
    group_methods: str


@dataclass(frozen=True)
class Recipe:
    """One recipe.

    Attributes
    ----------
    name
        As on the command line.
    variants, group_variants
        Variant name → settings of the participant and of the group level.
    functions
        What it does.
    descriptions
        Every ``desc-`` label of its files, and what it means.
    remarks
        Rows of ``logs/fidelity.tsv`` beyond its settings.
    kinds
        Kinds of image it can analyse.
    """

    name: str
    variants: Mapping[str, Any]
    group_variants: Mapping[str, Any]
    functions: Functions
    descriptions: Mapping[str, str]
    remarks: Sequence[Mapping[str, str]] = ()
    kinds: tuple[ImageKind, ...] = ("gifti", "cifti", "volume")

    @property
    def group_table(self) -> str:
        """Name of the group level's settings in configuration files and ``--set``."""
        return f"{self.name}_group"

    def settings(self, config: Config) -> Any:
        """Return the settings of the participant level with the user's changes.

        Raises
        ------
        UsageError
            If a setting does not exist, has the wrong type, or the recipe uses no networks.
        """
        changes = dict(config.recipe_settings.get(self.name, {}))
        default = self.variants[config.variant]
        if config.network:
            if "networks" not in {item.name for item in fields(default)}:
                msg = f"--network: {self.name} does not use networks of sounds; leave it out"
                raise UsageError(msg)
            changes.setdefault("networks", list(config.network))
        return override(default, self.name, changes)

    def group_settings(self, config: Config) -> Any:
        """Return the settings of the group level with the user's changes."""
        table = self.group_table
        changes = config.recipe_settings.get(table, {})
        return override(self.group_variants[config.variant], table, changes)


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
        Functions(
            collect="bidsapp.recipes.gradients.participant:collect_participant",
            estimate="bidsapp.recipes.gradients.cost:estimate",
            analyse="bidsapp.recipes.gradients.participant:analyse",
            collect_group="bidsapp.recipes.gradients.group.collect:collect_group",
            analyse_group="bidsapp.recipes.gradients.group.analyse:analyse_group",
            report="bidsapp.report.participant:participant_report",
            group_report="bidsapp.report.group:group_report",
            methods="bidsapp.report.participant_methods:participant_methods",
            group_methods="bidsapp.report.group.page:methods_of_group",
        ),
        {**gradients_facts.DESCRIPTIONS, **gradients_group_facts.DESCRIPTIONS},
        (*gradients_facts.REMARKS, *gradients_group_facts.REMARKS),
    ),
    "rsa": Recipe(
        "rsa",
        rsa_settings.VARIANTS,
        rsa_group_settings.VARIANTS,
        Functions(
            collect="bidsapp.recipes.rsa.participant:collect_participant",
            estimate="bidsapp.recipes.rsa.cost:estimate",
            analyse="bidsapp.recipes.rsa.participant:analyse",
            collect_group="bidsapp.recipes.rsa.group.collect:collect_group",
            analyse_group="bidsapp.recipes.rsa.group.analyse:analyse_group",
            report="bidsapp.report.rsa:participant_report",
            group_report="bidsapp.report.rsa:group_report",
            methods="bidsapp.report.rsa:participant_methods",
            group_methods="bidsapp.report.rsa:group_methods",
        ),
        {**rsa_facts.DESCRIPTIONS, **rsa_group_facts.DESCRIPTIONS},
        (*rsa_facts.REMARKS, *rsa_group_facts.REMARKS),
    ),
    "emotion3d": Recipe(
        "emotion3d",
        emotion3d_settings.VARIANTS,
        emotion3d_group_settings.VARIANTS,
        Functions(
            collect="bidsapp.recipes.emotion3d.inputs:collect_participant",
            estimate="bidsapp.recipes.emotion3d.cost:estimate",
            analyse="bidsapp.recipes.emotion3d.participant:analyse",
            collect_group="bidsapp.recipes.emotion3d.group.collect:collect_group",
            analyse_group="bidsapp.recipes.emotion3d.group.analyse:analyse_group",
            report="bidsapp.report.emotion3d:participant_report",
            group_report="bidsapp.report.emotion3d:group_report",
            methods="bidsapp.report.emotion3d:participant_methods",
            group_methods="bidsapp.report.emotion3d:group_methods",
        ),
        emotion3d_facts.DESCRIPTIONS,
        emotion3d_facts.REMARKS,
        kinds=("volume",),
    ),
}
