"""What every recipe of the registry declares, so that everything else can follow from it."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, get_args

import pytest

from bidsapp.bids.records import ImageKind
from bidsapp.recipes import RECIPES, SETTINGS_TABLES, load_function
from bidsapp.recipes.base.recipe import Need, Recipe
from bidsapp.recipes.base.settings import fidelity, fields_of, override
from bidsapp.report.methods import references
from bidsapp.results.inferences import INFERENCES
from bidsapp.results.kinds import Facts, Maps, Table, expand
from bidsapp.simulate.checks.shared import Check
from bidsapp.simulate.dataset import DESIGNS

FUNCTIONS = {"refuse": 4, "prepare": 4, "cost": 3, "participant": 1, "group": 1, "report": 1}
"""Function of a recipe → number of its parameters."""


@pytest.fixture(params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return RECIPES[request.param]


def levels(recipe: Recipe) -> list[tuple[str, dict[str, Any]]]:
    """Name of the table of settings of each level, and its variants."""
    return [
        (recipe.name, dict(recipe.variants)),
        (recipe.group_table, dict(recipe.group_variants)),
    ]


def repeated(items: Iterable[object]) -> list[object]:
    return [item for item, number in Counter(items).items() if number > 1]


def test_names_are_labels_of_files_and_tables_of_settings() -> None:
    tables = [table for recipe in RECIPES.values() for table, _ in levels(recipe)]
    assert repeated(tables) == []
    assert tables == list(SETTINGS_TABLES)
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert name.isalnum()
        assert name.islower()


def test_it_asks_a_question_and_cites_its_paper(recipe: Recipe) -> None:
    assert recipe.question.endswith("?")
    assert recipe.paper in references()


def test_settings_have_both_variants_and_say_what_the_paper_did(recipe: Recipe) -> None:
    for _, variants in levels(recipe):
        assert list(variants) == ["robust", "faithful"]
        assert len({type(settings) for settings in variants.values()}) == 1
        for name, declared, _ in fields_of(variants["robust"]):
            assert declared["paper"], name
            assert declared["source"], name


def test_where_the_variants_differ_a_reason_is_given(recipe: Recipe) -> None:
    for _, variants in levels(recipe):
        rows = [fidelity(settings, name) for name, settings in variants.items()]
        for robust, faithful in zip(*rows, strict=True):
            assert robust["used"] == faithful["used"] or robust["why"], robust["option"]


def test_settings_come_back_from_the_summary_that_the_group_reads(recipe: Recipe) -> None:
    for table, variants in levels(recipe):
        for settings in variants.values():
            written = json.loads(json.dumps(asdict(settings)))
            assert override(variants["faithful"], table, written) == settings


def test_remarks_are_rows_of_the_fidelity_table(recipe: Recipe) -> None:
    for remark in recipe.remarks:
        assert list(remark) == ["option", "paper", "used", "variant", "source", "why"]
        assert all(remark[key] for key in ("option", "paper", "used", "source"))


def test_needs_and_kinds_are_known(recipe: Recipe) -> None:
    assert set(recipe.needs) <= set(get_args(Need))
    assert recipe.kinds
    assert set(recipe.kinds) <= set(get_args(ImageKind))


def test_its_functions_can_be_imported_and_called(recipe: Recipe) -> None:
    for name, n_parameters in FUNCTIONS.items():
        address = getattr(recipe, name)
        if name in ("refuse", "prepare") and not address:
            continue
        signature = inspect.signature(load_function(address))
        signature.bind(*range(n_parameters))


def test_it_can_be_tried_on_a_simulated_dataset(recipe: Recipe) -> None:
    assert recipe.design in DESIGNS
    assert isinstance(load_function(recipe.check), Check)


def test_every_result_has_a_label_of_its_own() -> None:
    declared = [result for recipe in RECIPES.values() for result in expand(recipe.results)]
    files = [
        (result.desc, result.suffix, getattr(result, "stat", type(result).__name__), level)
        for result in declared
        for level in ("participant", "group")
        if result.at(level)
    ]
    assert repeated(files) == []


def test_results_say_what_they_hold(recipe: Recipe) -> None:
    assert isinstance(next(r for r in recipe.results if not isinstance(r, Table | Facts)), Maps)
    for result in expand(recipe.results):
        assert result.desc.startswith(recipe.name), result.desc
        assert result.desc.isalnum(), result.desc
        assert result.title, result.desc
        assert result.says.endswith("."), result.desc
        assert "{" not in result.title + result.says, result.desc
        if isinstance(result, Table):
            names = [column.name for column in result.columns]
            assert names or result.further, result.desc
            assert repeated(names) == [], result.desc
            assert set(result.same) <= set(names), result.desc
            silent = [column.name for column in result.columns if not column.says]
            assert silent == [], f"{result.desc}: columns that the sidecar would not explain"


def test_a_summary_is_declared_at_both_levels(recipe: Recipe) -> None:
    summaries = [item for item in recipe.results if item.desc == f"{recipe.name}summary"]
    assert all(isinstance(item, Facts) for item in summaries)
    for level in ("participant", "group"):
        assert any(item.at(level) for item in summaries), level


def test_what_is_inferred_names_its_inference(recipe: Recipe) -> None:
    for result in expand(recipe.results):
        columns = result.columns if isinstance(result, Table) else ()
        keys = {result.by, *(column.by for column in columns)} - {""}
        assert keys <= set(INFERENCES), result.desc
        if isinstance(result, Maps) and result.scale.log10:
            assert result.by, f"{result.desc}: p-values without an inference"
