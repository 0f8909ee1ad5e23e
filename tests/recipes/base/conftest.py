"""Surfaces, and scores on disk."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.brain.geometry import UnitSpace, surface_units
from bidsapp.brain.references import reference_map


@pytest.fixture(scope="session")
def fsaverage5() -> UnitSpace:
    return surface_units(10242, 10242, space="fsaverage5")


@pytest.fixture(scope="session")
def gradient(fsaverage5: UnitSpace) -> np.ndarray:
    return reference_map("gradient1", fsaverage5)
