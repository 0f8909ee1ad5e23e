"""The recipes: each turns one published system into participant and group level analyses.

A recipe is one sub-package and one entry here. Importing this module imports no numerical
library; an entry names its functions, and they are imported when they are called.
"""

from __future__ import annotations

from typing import Any

from bidsapp.recipes.base.recipe import Recipe, load_function
from bidsapp.recipes.emotion3d import RECIPE as EMOTION3D
from bidsapp.recipes.gradients import facts as gradients_facts
from bidsapp.recipes.gradients import settings as gradients_settings
from bidsapp.recipes.gradients.group import facts as gradients_group_facts
from bidsapp.recipes.gradients.group import settings as gradients_group_settings
from bidsapp.recipes.rsa import RECIPE as RSA

_GRADIENTS = Recipe(
    name="gradients",
    question="Are the layers of an audio network encoded along a cortical gradient?",
    paper="kim_gradients",
    variants=gradients_settings.VARIANTS,
    group_variants=gradients_group_settings.VARIANTS,
    needs=("sounds", "ratings"),
    remarks=(*gradients_facts.REMARKS, *gradients_group_facts.REMARKS),
    design="music",
    cost="bidsapp.recipes.gradients.cost:estimate",
    check="bidsapp.simulate.checks.gradients:CHECK",
    participant="",
    group="",
    report="",
    legacy={
        "collect": "bidsapp.recipes.gradients.participant:collect_participant",
        "estimate": "bidsapp.recipes.gradients.cost:estimate",
        "analyse": "bidsapp.recipes.gradients.participant:analyse",
        "collect_group": "bidsapp.recipes.gradients.group.collect:collect_group",
        "analyse_group": "bidsapp.recipes.gradients.group.analyse:analyse_group",
        "report": "bidsapp.report.participant:participant_report",
        "group_report": "bidsapp.report.group:group_report",
        "methods": "bidsapp.report.participant_methods:participant_methods",
        "group_methods": "bidsapp.report.group.page:methods_of_group",
    },
    legacy_descriptions={**gradients_facts.DESCRIPTIONS, **gradients_group_facts.DESCRIPTIONS},
)

RECIPES = {recipe.name: recipe for recipe in (_GRADIENTS, RSA, EMOTION3D)}
"""Name → recipe, in the order of the documentation; the first is the default."""


def truth_checks() -> dict[str, Any]:
    """Return how results of each recipe are compared with a planted truth.

    Returns
    -------
    dict
        Name → `bidsapp.simulate.checks.shared.Check`.
    """
    return {name: load_function(recipe.check) for name, recipe in RECIPES.items() if recipe.check}


__all__ = ["RECIPES", "Recipe", "load_function", "truth_checks"]
