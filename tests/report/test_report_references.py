"""References are whole, known, and numbered in the order of their first citation."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from bidsapp.recipes import RECIPES
from bidsapp.report.html import environment
from bidsapp.report.methods import Methods, bibliography, fill_methods, references
from bidsapp.results.inferences import INFERENCES

TEMPLATES = sorted(
    item.name
    for item in files("bidsapp.report").joinpath("templates").iterdir()
    if item.name.endswith(".txt.j2")
)


def test_every_reference_is_whole() -> None:
    known = references()
    assert len(known) >= 20
    for key, work in known.items():
        assert work.bibtex.startswith("@")
        assert work.bibtex.count("{") == work.bibtex.count("}")
        assert {"author", "title"} <= set(work.fields), key
        assert re.fullmatch(r"[^{}]+\.( doi:10\.\S+)?", work.plain), key
        if key != "kim_gradients":
            assert re.fullmatch(r"(19|20)\d\d", work.fields["year"])


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_cite_known_works(name: str) -> None:
    text = files("bidsapp.report").joinpath("templates", name).read_text("utf-8")
    cited = re.findall(r'"(\w+)"', " ".join(re.findall(r"cite\(([^)]*)\)", text)))
    assert set(cited) <= set(references())


@pytest.mark.parametrize("key", INFERENCES)
def test_inferences_cite_known_works(key: str) -> None:
    assert set(INFERENCES[key].cites) <= set(references())


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_follow_a_known_paper(name: str) -> None:
    assert RECIPES[name].paper in references()


def test_references_are_listed_in_order_each_once() -> None:
    made = Methods("Text [1, 2].", ("nichols2002", "phipson2010"))
    first, second = made.numbered.splitlines()
    assert first.startswith("[1] Nichols")
    assert second.startswith("[2] Phipson")
    assert made.markdown.startswith("# Methods\n\nText [1, 2].\n\n# References\n\n1. Nichols")
    assert made.bibtex.count("@") == 2
    assert bibliography(["harris2020", "harris2020"]).count("@") == 1


def test_works_are_numbered_as_the_text_cites_them() -> None:
    template = environment().from_string(
        "{% macro by(who) %}An app {{ cite('he2016', 'pons2019') }} after {{ who }}.{% endmacro %}"
        "{{ by('Them ' ~ cite('harris2020')) }}  And\n{{ cite('pons2019') }}. § § Second."
    )
    made = fill_methods(template, {})
    assert made.text == "An app [1, 2] after Them [3]. And [2].\n\nSecond."
    assert made.references == ("he2016", "pons2019", "harris2020")
