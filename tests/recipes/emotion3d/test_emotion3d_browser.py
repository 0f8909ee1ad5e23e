"""The pages of `emotion3d` in a real browser: no errors, every picture decoded."""

from __future__ import annotations

from pathlib import Path

import pytest

from bidsapp.recipes import RECIPES
from bidsapp.recipes.emotion3d.report import report
from bidsapp.report.html import write_page
from bidsapp.results.read import Results
from tests.report.browser import browse, needs_chromium

pytestmark = needs_chromium


@pytest.mark.parametrize("subject", ["01", ""])
def test_a_page_in_a_browser(subject: str, written: Path, tmp_path: Path) -> None:
    results = Results(written, "emotion3d", RECIPES["emotion3d"].results, subject)
    page, _ = report(results)
    seen, console = browse(write_page(page, tmp_path / "page.html"), tmp_path)
    assert console == []
    assert seen["images"] == seen["decoded"] >= 14
    assert seen["fetched"] == seen["overflowing"] == seen["dead"] == seen["doubled"] == []
