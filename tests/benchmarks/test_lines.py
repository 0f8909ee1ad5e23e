"""What the count of lines leaves out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "lines.py"


@pytest.fixture(scope="module")
def lines() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lines", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", 0),
        ('"""Two\nlines."""\n\n# comment\nx = 1\n', 1),
        ('def f():\n    """One."""\n    return """two\n    lines"""\n', 3),
        ('class A:\n    """One."""\n\n    # two\n    x = 1  # three\n    "no docstring"\n', 3),
    ],
)
def test_what_counts(lines: ModuleType, source: str, expected: int) -> None:
    assert lines.code_lines(source) == expected


def test_packages_add_up(lines: ModuleType, tmp_path: Path) -> None:
    for name, text in {
        "a.py": "x = 1\n",
        "b/c.py": "x = 1\ny = 2\n",
        "b/d/e.py": "z = 3\n",
    }.items():
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    counted, modules = lines.counts(tmp_path, "p", 2)
    assert counted == {"p": 1, "p/b": 3}
    assert modules == {"p": 1, "p/b": 2}
