"""The recipes: each turns one published system into participant and group level analyses.

A recipe is one sub-package and one entry here. Importing this module imports no numerical
library; an entry names its functions, and they are imported when they are called.
"""

from __future__ import annotations

from typing import Any

from bidsapp.recipes.base.recipe import Recipe, load_function
from bidsapp.recipes.emotion3d import RECIPE as EMOTION3D
from bidsapp.recipes.gradients import RECIPE as GRADIENTS
from bidsapp.recipes.harmony import RECIPE as HARMONY
from bidsapp.recipes.reconstruct import RECIPE as RECONSTRUCT
from bidsapp.recipes.rsa import RECIPE as RSA

RECIPES = {recipe.name: recipe for recipe in (GRADIENTS, RSA, EMOTION3D, RECONSTRUCT, HARMONY)}
"""Name → recipe, in the order of the documentation; the first is the default."""

SETTINGS_TABLES = tuple(
    table for recipe in RECIPES.values() for table in (recipe.name, recipe.group_table)
)
"""Names of tables of settings, as in configuration files and ``--set``."""


def truth_checks() -> dict[str, Any]:
    """Return how results of each recipe are compared with a planted truth.

    Returns
    -------
    dict
        Name → `bidsapp.simulate.checks.shared.Check`.
    """
    return {name: load_function(recipe.check) for name, recipe in RECIPES.items() if recipe.check}


__all__ = ["RECIPES", "SETTINGS_TABLES", "Recipe", "load_function", "truth_checks"]
