"""Meshes, and participants whose results the real writer wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import UnitSpace, surface_units
from bidsapp.brain.references import reference_map
from bidsapp.results.write import Output

CODE = "aaaa1111"
Writer = Callable[[Output], None]


@pytest.fixture(scope="session")
def toy() -> UnitSpace:
    """Return a mesh that is small and has no cortex here."""
    return surface_units(162, 162, space="toy")


@pytest.fixture(scope="session")
def fsaverage5() -> UnitSpace:
    return surface_units(10242, 10242, space="fsaverage5")


@pytest.fixture(scope="session")
def gradient(fsaverage5: UnitSpace) -> np.ndarray:
    return reference_map("gradient1", fsaverage5)


@pytest.fixture
def write_participants(tmp_path: Path, toy: UnitSpace) -> Callable[..., Path]:
    """Return a function that publishes the results of participants 01, 02, … on the toy mesh.

    It takes one function per participant, which writes to an `Output`.
    """

    def write(*writers: Writer, code: str = CODE) -> Path:
        root = tmp_path / "out"
        for number, writer in enumerate(writers, start=1):
            subject = f"{number:02d}"
            with Staging(root, f"toy_sub-{subject}") as staging:
                writer(Output(staging, toy, subject=subject, common={"ConfigurationHash": code}))
                staging.publish()
        return root

    return write
