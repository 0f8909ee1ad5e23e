"""A small simulated dataset, and the app as a subprocess."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bidsapp.simulate.dataset import MusicOptions, simulate
from tests.noise import noise_features

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = [
    *("--weights", "random", "--nprocs", "2", "-q"),
    *("--set", "gradients.min_block_s=10"),
    *("--set", "gradients.n_components=8"),
    *("--set", "gradients.n_parcels=12"),
    *("--set", "gradients.n_shifts=19"),
]
BASELINE = [*SMALL, "--set", 'gradients.networks=["baseline"]']


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two participants, three pieces of 28 s in two runs, 12 mm voxels."""
    folder = tmp_path_factory.mktemp("simulated") / "data set"  # a space in the path, on purpose
    options = MusicOptions.quick(n_participants=2, n_pieces=3, piece_s=28.0)
    simulate(folder, options, features=noise_features, quiet=True)
    return folder


@pytest.fixture(scope="session")
def musicotopy() -> Run:
    """Run the app in a process of its own."""

    def run(*words: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bidsapp.cli.app", *map(str, words)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run


@pytest.fixture(scope="session")
def finished(
    dataset: Path, musicotopy: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Output and work folder of a finished run of both participants with the baseline."""
    folder = tmp_path_factory.mktemp("finished")
    output, work = folder / "out", folder / "work"
    done = musicotopy(dataset, output, "participant", "-w", work, *BASELINE)
    assert done.returncode == 0, done.stderr
    return output, work
