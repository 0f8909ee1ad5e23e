"""Every row of docs/faults.md names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def named_tests() -> dict[str, str]:
    """Return the test that each row of the tables names, by the row's fault."""
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    return {
        f"{number} {row[0]}": row[-1].strip("`")
        for number, row in enumerate(cells)
        if row[0] != "fault"
    }


def test_every_row_names_a_test_that_exists() -> None:
    known = {
        match[1]
        for path in (ROOT / "tests").rglob("test_*.py")
        for match in re.finditer(
            r"^(?:    )?def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE
        )
    }
    named = named_tests()
    assert len(named) > 30
    assert {fault: name for fault, name in named.items() if name not in known} == {}


def test_every_test_of_faults_stands_in_the_table() -> None:
    paths = [path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    tests = {
        match[1]
        for path in paths
        for match in re.finditer(r"^def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE)
    }
    assert tests - set(named_tests().values()) == set()
