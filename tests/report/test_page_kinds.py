"""Every kind of page is looked at in a browser: wide, narrow, dark and in print."""

from __future__ import annotations

from pathlib import Path

import pytest

from bidsapp.recipes import RECIPES

TESTS = Path(__file__).parents[1]
PLACES = [f"recipes/{name}" for name in RECIPES] + ["engine", "report"]


@pytest.mark.parametrize("place", PLACES)
def test_pages_are_checked_in_a_browser(place: str) -> None:
    """`check_page` looks at all of it; a recipe without such a test has unseen pages."""
    texts = [path.read_text(encoding="utf-8") for path in (TESTS / place).glob("test_*.py")]
    assert any(text.count("check_page(") for text in texts)
