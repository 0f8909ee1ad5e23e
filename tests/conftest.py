"""Fixtures for the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of the real test material, or a skip with the reason."""
    folder = os.environ.get("MUSICOTOPY_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MUSICOTOPY_TEST_DATA names no folder with the real test material")
    return Path(folder)
