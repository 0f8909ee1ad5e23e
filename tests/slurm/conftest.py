"""A SLURM cluster of two nodes on this machine, and a dataset for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bidsapp.simulate.dataset import MusicOptions, simulate

RECIPE = Path(__file__).parent / "cluster.sh"
TOOLS = ("slurmctld", "slurmd", "sbatch", "munged")
PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"

Cluster = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a cluster and return the environment of its users."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(TOOLS)} (apt-get: tests/slurm/cluster.sh)")
    folder = tmp_path_factory.mktemp("slurm")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # munge refuses a socket that others cannot reach
    started = subprocess.run(
        ["bash", str(RECIPE), "start", str(folder)], stdout=subprocess.PIPE, text=True, check=False
    )
    if started.returncode:
        pytest.skip("the cluster does not start here (logs in the temporary folder)")
    yield {
        **os.environ,
        "PATH": PATH,
        "SLURM_CONF": str(folder / "slurm.conf"),
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run(["bash", str(RECIPE), "stop", str(folder)], check=False)


@pytest.fixture(scope="session")
def cluster(environment: dict[str, str]) -> Cluster:
    """Run a command as a user of the cluster would."""

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*map(str, words)], env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def two_participants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "data set"
    options = MusicOptions.quick(n_participants=2, n_pieces=3, piece_s=24.0)
    simulate(folder, options, quiet=True)
    return folder
