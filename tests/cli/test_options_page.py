"""The page of options says what the table of options says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_page_is_up_to_date() -> None:
    path = ROOT / "tools" / "write_options_page.py"
    spec = importlib.util.spec_from_file_location("write_options_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: python tools/write_options_page.py"
