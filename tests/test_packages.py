"""Each package of the design card is imported by the app, and docs/packages.md says what for."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CARD = {
    "pybids": "bids",
    "nibabel": "nibabel",
    "nilearn": "nilearn",
    "numpy": "numpy",
    "scipy": "scipy",
    "torch": "torch",
    "torchaudio": "torchaudio",
    "himalaya": "himalaya",
    "templateflow": "templateflow",
    "neuromaps": "neuromaps",
}
"""Package of the card → name that is imported."""
_ROW = re.compile(r"^\| (?P<packages>`[^|]+) \| (?P<text>.+) \|$", re.MULTILINE)


@cache
def imports(path: Path) -> frozenset[str]:
    """Packages that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return frozenset(name.partition(".")[0] for name in names)


def rows() -> dict[str, str]:
    """Package → what docs/packages.md says of it."""
    text = (ROOT / "docs" / "packages.md").read_text("utf-8")
    return {
        package: row["text"]
        for row in _ROW.finditer(text)
        for package in re.findall(r"`([\w-]+)`", row["packages"])
    }


@pytest.mark.parametrize("package", CARD)
def test_the_app_imports_the_package_where_the_page_says(package: str) -> None:
    text = rows()[package]
    named = re.findall(r"`(bidsapp/[\w/]+\.py)`", text.partition(" | ")[0])
    assert named, f"docs/packages.md names no module of {package}"
    for module in named:
        assert CARD[package] in imports(ROOT / module), f"{module} does not import {package}"


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + [line for lines in extras.values() for line in lines]
    names = {re.split(r"[<>=\[ ]", line)[0] for line in wanted}
    missing = names - set(rows())
    assert not missing, f"docs/packages.md says nothing of {', '.join(sorted(missing))}"
    assert set(CARD) <= names


def test_every_dependency_of_the_app_has_an_alternative_and_what_is_by_hand() -> None:
    """Four columns in both tables of what the app imports; an empty last one means nothing is."""
    text = (ROOT / "docs" / "packages.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    own = text.partition("## For development")[0].count("\n| `")
    for line in lines[:own]:
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        assert len(cells) == 4, line
        assert all(cells[:3]), line


def test_what_the_page_names_exists() -> None:
    text = (ROOT / "docs" / "packages.md").read_text("utf-8")
    for name in re.findall(r"`((?:bidsapp|tests)/[\w/]+(?:\.py)?)`", text):
        assert (ROOT / name).exists(), name
