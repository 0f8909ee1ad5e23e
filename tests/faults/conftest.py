"""A tiny dataset, its undisturbed results, and the app in processes that can be hurt."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bidsapp.simulate.dataset import MusicOptions, simulate
from tests.noise import noise_features

SETTINGS = [
    *("--weights", "random", "--nprocs", "1", "--mem", "2G"),
    *("--set", "gradients.min_block_s=10"),
    *("--set", "gradients.n_components=8"),
    *("--set", "gradients.n_parcels=12"),
    *("--set", "gradients.n_shifts=19"),
    *("--set", 'gradients.networks=["baseline"]'),
]
DERIVATIVES = "derivatives/fmriprep"
BOLD = "*desc-preproc_bold.nii.gz"
_MEMORY = re.compile(rb'"mem": "[^"]*"')
Copy = Callable[..., Path]


@dataclass
class App:
    """Starts the app; `environment` is added to that of the tests."""

    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Start the app in a process group of its own."""
        # a shell lets its background jobs ignore SIGINT, and what they start inherits that
        heed = ["env", "--default-signal=INT"]
        command = [*heed, sys.executable, "-m", "bidsapp.cli.app", *map(str, words)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **self.environment}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, env=environment, start_new_session=True
        )

    def run(self, *words: object, timeout_s: float = 400) -> subprocess.CompletedProcess[str]:
        """Run the app to its end."""
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="session")
def app() -> App:
    """Start the app as users do."""
    return App()


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two participants who heard three pieces of 24 s in two runs; blanks and umlauts in paths."""
    folder = tmp_path_factory.mktemp("faults") / "Hören und Fühlen 音楽"
    options = MusicOptions.quick(n_participants=1, n_pieces=3, piece_s=24.0)
    simulate(folder, options, features=noise_features, quiet=True)
    shutil.rmtree(folder / "derivatives" / "truth")
    add_participant(folder, "02")
    return folder


def add_participant(folder: Path, label: str) -> None:
    """Copy the first participant's files under another label."""
    for root in (folder, folder / DERIVATIVES):
        for path in sorted((root / "sub-01").rglob("*")):
            if path.is_file():
                relative = path.relative_to(root).as_posix().replace("sub-01", f"sub-{label}")
                target = root / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Copy:
    """Return a function that copies the dataset, with more participants if labels are given."""

    def copied(*labels: str) -> Path:
        target = tmp_path / "Daten ü"
        shutil.copytree(dataset, target)
        for label in labels:
            add_participant(target, label)
        return target

    return copied


@pytest.fixture(scope="session")
def undisturbed(
    dataset: Path, app: App, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Output and work folder of a serial run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    output, work = folder / "out", folder / "work"
    done = app.run(dataset, output, "participant", "-w", work, *SETTINGS)
    assert done.returncode == 0, done.stderr
    return output, work


def results(folder: Path, participant: str = "") -> dict[str, str]:
    """Digest of every result, or of one participant's.

    Left out: logs and reports, which carry times, and the memory that each worker was given.
    """
    return {
        name: hashlib.sha256(_MEMORY.sub(b"", path.read_bytes())).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (name := path.relative_to(folder).as_posix()).startswith(participant)
        and name.partition("/")[0] not in ("logs", ".work")
        and path.suffix != ".html"
    }


def leftovers(folder: Path) -> list[str]:
    """Files and folders that no finished run leaves."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix == ".part" or path.name.startswith((".staging", ".probe"))
    ]


def records(output: Path) -> dict[str, dict[str, Any]]:
    """Records of jobs by participant."""
    paths = (output / "logs" / "jobs").glob("*.json")
    found = (json.loads(path.read_text("utf-8")) for path in paths)
    return {item["subject"]: item for item in found}


def wait_for_mark(output: Path, process: subprocess.Popen[str], timeout_s: float = 240) -> int:
    """Wait until a job is at work and return the number of its process."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for path in (output / "logs" / "running").glob("*.json"):
            try:
                return int(json.loads(path.read_text("utf-8"))["pid"])
            except (OSError, ValueError):
                continue
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    msg = "no job has started"
    raise AssertionError(msg)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a disk with options (``size=1m``), or changes them."""
    disk = tmp_path / "small disk"
    disk.mkdir()

    def mount(options: str) -> Path:
        again = ["-o", f"remount,{options}"] if disk.is_mount() else ["-o", options]
        command: Sequence[object] = ["mount", "-t", "tmpfs", *again, "tmpfs", disk]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        return disk

    yield mount
    if disk.is_mount():
        subprocess.run(["umount", "-l", str(disk)], check=False)
