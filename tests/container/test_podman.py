"""The image as users run it: any user, read-only root, no network, read-only data."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.container, pytest.mark.slow]

RESULTS = ("*.nii.gz", "*.gii", "*_stats.tsv")
PYTHON = ("--entrypoint", "/opt/venv/bin/python")


def hashes(folder: Path) -> dict[str, str]:
    """Every map and table, by name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in RESULTS
        for path in folder.rglob(pattern)
        if ".work" not in path.parts
    }


def test_it_says_its_version(podman: Any) -> None:
    from bidsapp import __version__

    done = podman("--version")
    assert done.stdout.strip() == f"musicotopy {__version__}", done.stderr


def test_its_labels_are_set(image: str) -> None:
    shown = subprocess.run(
        ["podman", "image", "inspect", image], capture_output=True, text=True, check=True
    )
    (inspected,) = json.loads(shown.stdout)
    for name in ("title", "description", "version", "revision", "licenses"):
        assert inspected["Labels"][f"org.opencontainers.image.{name}"]
    assert inspected["User"] == "musicotopy"


def test_only_tmp_and_out_can_be_written(podman: Any, tmp_path: Path) -> None:
    code = (
        "import getpass, os, pathlib\n"
        "assert getpass.getuser() and os.getuid() == 4321\n"
        "for place in ('/', '/opt', '/usr', '/data', '/weights', '/opt/templateflow'):\n"
        "    assert not os.access(place, os.W_OK), place\n"
        "pathlib.Path.home().joinpath('x').touch()\n"
        "import librosa, matplotlib.pyplot, nilearn.plotting, templateflow.api, torch\n"
    )
    done = podman("-c", code, given=(*PYTHON, "-v", f"{tmp_path}:/data:ro"))
    assert done.returncode == 0, done.stderr


def test_everything_is_compiled(podman: Any) -> None:
    """Without bytecode a read-only image compiles its modules at every start."""
    code = (
        "import sys, bidsapp.cli.app, bidsapp.engine.run, numpy, nibabel\n"
        "from importlib.util import cache_from_source\n"
        "from pathlib import Path\n"
        "files = [m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)]\n"
        "bare = [f for f in files if f.endswith('.py')\n"
        "        and Path(f).is_absolute() and not Path(cache_from_source(f)).exists()]\n"
        "assert not bare, bare[:5]\n"
    )
    done = podman("-c", code, given=PYTHON)
    assert done.returncode == 0, done.stderr


def test_an_output_it_may_not_write_is_named(
    podman: Any, data: Path, tmp_path: Path, options: list[str]
) -> None:
    mounts = ("-v", f"{data}:/data:ro", "-v", f"{tmp_path}:/out:ro")
    done = podman("/data", "/out", "participant", *options, given=mounts)
    assert done.returncode == 73
    assert "/out" in done.stderr
    assert "Traceback" not in done.stderr


def test_participant_then_group_equal_a_local_run(
    podman: Any, data: Path, local: Path, tmp_path: Path, options: list[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)
    mounts = ("-v", f"{data}:/data:ro", "-v", f"{out}:/out")
    for level in ("participant", "group"):
        done = podman("/data", "/out", level, *options, given=mounts)
        assert done.returncode == 0, done.stderr
    described = json.loads((out / "dataset_description.json").read_text())
    assert described["GeneratedBy"][0]["Container"]["Type"] == "docker"
    assert list(out.glob("group*.html"))
    ours, theirs = hashes(local), hashes(out)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 20
    _same_numbers(local, out, [name for name in ours if ours[name] != theirs[name]])


def _same_numbers(local: Path, out: Path, names: list[str]) -> None:
    """Where versions of libraries differ, numbers may differ in the last digits."""
    import nibabel as nib
    import numpy as np
    import pandas as pd

    for name in names:
        if name.endswith(".tsv"):
            tables = [pd.read_csv(folder / name, sep="\t") for folder in (local, out)]
            pd.testing.assert_frame_equal(*tables, rtol=1e-4, atol=1e-5)
        else:
            maps = [np.asarray(nib.load(folder / name).dataobj) for folder in (local, out)]
            np.testing.assert_allclose(*maps, rtol=1e-4, atol=1e-5, err_msg=name)
