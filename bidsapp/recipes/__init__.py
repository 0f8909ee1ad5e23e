"""The recipes: each turns one published system into participant and group level analyses.

A recipe is one sub-package and one entry here. Importing this module imports no recipe: an entry
is imported when it is looked up, and the functions it names when they are called.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bidsapp.recipes.base.recipe import Recipe


class Registry(MutableMapping[str, "Recipe"]):
    """Name → recipe; what was given as an address ``module:name`` is imported when looked up."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._entries: dict[str, str | Recipe] = {**addresses}

    def __getitem__(self, name: str) -> Recipe:
        """Look a recipe up."""
        entry = self._entries[name]
        recipe: Recipe = load_function(entry) if isinstance(entry, str) else entry
        return recipe

    def __setitem__(self, name: str, recipe: Recipe) -> None:
        """Add a recipe."""
        self._entries[name] = recipe

    def __delitem__(self, name: str) -> None:
        """Take a recipe out."""
        del self._entries[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a recipe of this name; none is imported."""
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Count the recipes."""
        return len(self._entries)


def load_function(address: str) -> Any:
    """Import and return what an address ``module:name`` stands for."""
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(module), name)


RECIPES = Registry(
    {
        name: f"bidsapp.recipes.{name}:RECIPE"
        for name in ("gradients", "rsa", "emotion3d", "reconstruct", "harmony")
    }
)
"""Name → recipe, in the order of the documentation; the first is the default."""

SETTINGS_TABLES = tuple(table for name in RECIPES for table in (name, f"{name}_group"))
"""Names of tables of settings, as in configuration files and ``--set``."""


def truth_checks() -> dict[str, Any]:
    """Return how results of each recipe are compared with a planted truth.

    Returns
    -------
    dict
        Name → `bidsapp.simulate.checks.shared.Check`.
    """
    return {name: load_function(recipe.check) for name, recipe in RECIPES.items() if recipe.check}


__all__ = ["RECIPES", "SETTINGS_TABLES", "Registry", "load_function", "truth_checks"]
