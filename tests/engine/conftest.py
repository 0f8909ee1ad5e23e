"""A small dataset on two spaces, and copies of it that may be spoiled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bidsapp.simulate.dataset import MusicOptions, simulate
from tests.noise import noise_features

SETTINGS = [
    *("--weights", "random", "--nprocs", "1", "--mem", "2G"),
    *("--set", "gradients.min_block_s=10", "--set", "gradients.n_components=8"),
    *("--set", "gradients.n_parcels=12", "--set", "gradients.n_shifts=19"),
    *("--set", 'gradients.networks=["baseline"]'),
]
FMRIPREP = "derivatives/fmriprep/sub-01/func"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preflight") / "study"
    options = MusicOptions.quick(
        n_participants=1,
        n_pieces=6,
        piece_s=24.0,
        spaces=("fsaverage5", "MNI152NLin2009cAsym"),
    )
    simulate(folder, options, features=noise_features, quiet=True)
    return folder


@pytest.fixture
def study(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "study"))


def first(folder: Path, pattern: str) -> Path:
    return sorted((folder / FMRIPREP).glob(pattern))[0]
