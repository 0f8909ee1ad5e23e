"""An image, a dataset, and what a run on this machine makes of it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bidsapp.simulate.dataset import MusicOptions, simulate

Podman = Callable[..., "subprocess.CompletedProcess[str]"]

OPTIONS = [
    *("--weights", "random", "--nprocs", "1", "-q"),
    *("--set", 'gradients.networks=["baseline"]', "--set", "gradients.min_block_s=10"),
    *("--set", "gradients.n_components=8", "--set", "gradients.n_parcels=12"),
    *("--set", "gradients.n_shifts=19"),
]


@pytest.fixture(scope="session")
def options() -> list[str]:
    """Settings of a quick run."""
    return OPTIONS


@pytest.fixture(scope="session")
def image() -> str:
    """Name of the image to test: one that build.sh made from this checkout."""
    name = os.environ.get("MUSICOTOPY_IMAGE")
    if not name or shutil.which("podman") is None:
        pytest.skip("needs podman and MUSICOTOPY_IMAGE=NAME (tests/container/build.sh makes it)")
    return name


@pytest.fixture(scope="session")
def podman(image: str) -> Podman:
    """Run the image: read-only root, no network, no rights, a user without a name."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    fixed = [
        *("podman", "--runtime", "runc", "run", "--rm", "--network=none", "--read-only"),
        *("--ulimit", f"nofile={hard}:{hard}", "--ulimit", "nproc=32768:32768"),
        *("--cap-drop=all", "--security-opt=no-new-privileges"),
        *("--tmpfs", "/tmp:rw,mode=1777", "--user", "4321:4321"),
    ]

    def run(*words: object, given: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*fixed, *given, image, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """Make a folder that every user may enter and write to; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="musicotopy-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def data(shared: Path) -> Path:
    """Two participants, three pieces of 24 s in two runs, 12 mm voxels."""
    folder = shared / "data"
    options = MusicOptions.quick(n_participants=2, n_pieces=3, piece_s=24.0)
    simulate(folder, options, quiet=True)
    return folder


@pytest.fixture(scope="session")
def local(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of this installation."""
    out = tmp_path_factory.mktemp("local") / "out"
    words = [str(data), str(out), "participant", "group", *OPTIONS]
    subprocess.run([sys.executable, "-m", "bidsapp.cli.app", *words], check=True)
    return out
