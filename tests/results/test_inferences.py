"""Every inference is calibrated by what ships, and every printed p-value has an inference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bidsapp.recipes import RECIPES
from bidsapp.results.inferences import INFERENCES
from bidsapp.results.kinds import Column, Maps, Table, expand

N_SETS = 20
#: at most so many of 20 valid p-values are at or below .05 (probability of more: 3 in 10,000)
MOST = 5
#: at least so many of 20 intervals of 95 % cover (probability of fewer: 3 in 100,000)
LEAST_COVERED = 14
STATISTICS = {"p", "q"}
#: shares of penalties at the lowest and the highest of the grid: ends of no interval
EDGES = "alpha_edge"


@pytest.mark.parametrize("key", sorted(INFERENCES))
def test_null_data_give_what_the_entry_promises(key: str) -> None:
    entry = INFERENCES[key]
    values = entry.load_calibration()(np.random.default_rng(11), N_SETS)
    assert values.shape == (N_SETS,)
    if entry.gives == "interval":
        assert values.dtype == bool
        assert values.sum() >= LEAST_COVERED
        return
    assert ((values > 0) & (values <= 1)).all()
    if entry.holds:
        assert (values <= 0.05).sum() <= MOST
        assert np.mean(values) > 0.2
    else:
        assert np.mean(values <= 0.05) > 0.5  # this is what its claim warns of


@pytest.mark.parametrize("key", sorted(INFERENCES))
def test_entries_say_what_a_small_p_shows_and_what_not(key: str) -> None:
    entry = INFERENCES[key]
    assert entry.key == key
    assert entry.gives in {"p", "interval"}
    for text in (entry.method, entry.shows, entry.does_not_show):
        assert text.strip().endswith(".")
    assert not entry.title.endswith(".")


def _columns() -> Iterator[tuple[str, Column]]:
    for recipe in RECIPES.values():
        for result in recipe.results:
            if isinstance(result, Table):
                yield from ((result.desc, column) for column in result.columns)


def _is_inferred(name: str) -> bool:
    """Whether a column of this name holds a p-value, a q-value or the end of an interval."""
    is_end = name.endswith(("_low", "_high")) and not name.startswith(EDGES)
    return is_end or name.split("_", maxsplit=1)[0] in STATISTICS


def test_every_p_value_and_interval_has_an_inference() -> None:
    without = [
        f"{desc}: {column.name}"
        for desc, column in _columns()
        if _is_inferred(column.name) and not column.by
    ]
    without += [
        f"{result.desc}: stat-{result.stat}"
        for recipe in RECIPES.values()
        for result in expand(recipe.results)
        if isinstance(result, Maps) and result.stat in STATISTICS and not result.by
    ]
    assert without == []


def test_every_declared_inference_exists() -> None:
    declared = {column.by for _, column in _columns()}
    declared |= {result.by for recipe in RECIPES.values() for result in recipe.results}
    assert declared - {""} <= set(INFERENCES)
