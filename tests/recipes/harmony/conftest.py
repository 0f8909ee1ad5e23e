"""A small simulated study, analysed once by the app."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bidsapp.cli.app import main
from bidsapp.simulate.dataset import MusicOptions, simulate
from tests.noise import noise_features


@dataclass(frozen=True)
class Study:
    """Where data and results lie."""

    data: Path
    out: Path


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two participants who heard three pieces of 24 s, 12 mm voxels, both levels."""
    folder = tmp_path_factory.mktemp("harmony")
    options = MusicOptions.quick(
        n_participants=2, n_pieces=3, piece_s=24.0, spaces=("MNI152NLin2009cAsym",)
    )
    simulate(folder / "data", options, features=partial(noise_features, n_layers=2), quiet=True)
    words = [str(folder / "data"), str(folder / "out"), "participant", "group", "-q"]
    words += ["--recipe", "harmony", "--weights", "random", "-w", str(folder / "work")]
    changes = [
        "min_block_s=10",
        "n_components=3",
        "n_parcels=6",
        "n_shifts=9",
        "max_inner_folds=2",
    ]
    for change in (*changes, "ratings_are=felt"):
        words += ["--set", f"harmony.{change}"]
    assert main(words) == 0
    return Study(folder / "data", folder / "out")
