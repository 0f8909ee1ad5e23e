"""The pages of `emotion3d` in a real browser: no errors, every picture decoded."""

from __future__ import annotations

from pathlib import Path

import pytest

from bidsapp.report.html import Page, write_page
from bidsapp.report.methods import Methods
from tests.report.browser import check_page, needs_chromium

pytestmark = needs_chromium


@pytest.mark.parametrize("subject", ["01", ""])
def test_a_page_in_a_browser(
    subject: str, reports: dict[str, tuple[Page, Methods]], tmp_path: Path
) -> None:
    page, _ = reports[subject]
    seen = check_page(write_page(page, tmp_path / "page.html"), tmp_path)
    assert seen["images"] >= 10
