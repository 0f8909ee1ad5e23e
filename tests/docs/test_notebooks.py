"""The notebooks of the library run, and print what they were saved with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import musicotopy

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
pytestmark = pytest.mark.slow


def printed(notebook: Any) -> list[str]:
    """Return what the cells print and show as text."""
    outputs = [item for cell in notebook.cells for item in cell.get("outputs", [])]
    texts = [item.get("text") or item.get("data", {}).get("text/plain", "") for item in outputs]
    return [text for text in texts if "<Figure" not in text]


def test_each_function_has_one() -> None:
    names = {path.stem for path in FOLDER.glob("*.ipynb")}
    functions = {"encode", "banded", "spin", "searchlight_rsa", "load_maps"}
    assert names == functions <= set(musicotopy.__all__)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_runs_and_prints_what_was_saved(path: Path, tmp_path: Path) -> None:
    saved = nbformat.read(path, as_version=4)
    assert printed(saved)
    assert path.stat().st_size < 60_000
    again = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(again, timeout=120, kernel_name="python3", resources=resources).execute()
    assert printed(again) == printed(saved)
