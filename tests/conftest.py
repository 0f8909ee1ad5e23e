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


@pytest.fixture(scope="session")
def musicnn_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the four networks of the package musicnn, if pip can reach it."""
    pytest.importorskip("safetensors")
    from bidsapp.errors import ResourceUnavailableError
    from bidsapp.fetch.packages import PACKAGES, fetch_package

    folder = tmp_path_factory.mktemp("musicnn")
    try:
        fetch_package(PACKAGES["musicnn"], folder)
    except ResourceUnavailableError as error:
        pytest.skip(str(error))
    return folder
