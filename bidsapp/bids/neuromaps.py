"""Annotations of the cortex by their neuromaps names, from files on this machine.

An annotation is a published map: ``neuromaps:SOURCE/DESC/SPACE/DENSITY`` (for volumes the
resolution), as `neuromaps.datasets.available_annotations` lists them. The package finds the files
in ``NEUROMAPS_DATA`` (else ``~/neuromaps-data``); it would download what is absent, so it is asked
only for what is there. ``musicotopy-tools fetch neuromaps`` brings the rest. Its licence is
CC BY-NC-SA; the app runs without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bidsapp.errors import InputInvalidError, ResourceUnavailableError, UsageError

PREFIX: Final = "neuromaps:"
_INSTALL: Final = (
    "the package neuromaps is not installed (its licence is CC BY-NC-SA): pip install "
    "musicotopy[neuromaps]"
)


@dataclass(frozen=True, slots=True)
class AnnotationName:
    """Which annotation.

    Attributes
    ----------
    source, desc, space
        As neuromaps names them: ``hcps1200``, ``myelinmap``, ``fsLR``.
    density
        Of a surface (``32k``), or resolution of a volume (``2mm``).
    """

    source: str
    desc: str
    space: str
    density: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.source}/{self.desc}/{self.space}/{self.density}"

    @property
    def label(self) -> str:
        """Name in tables: ``hcps1200-myelinmap``."""
        return f"{self.source}-{self.desc}"

    @property
    def query(self) -> dict[str, str]:
        """Arguments of `neuromaps.datasets.fetch_annotation`."""
        size = "res" if self.density.endswith("mm") else "den"
        plain = {"source": self.source, "desc": self.desc, "space": self.space}
        return {**plain, size: self.density}


def annotation_name(wish: str) -> AnnotationName:
    """Read ``neuromaps:SOURCE/DESC/SPACE/DENSITY``; the prefix may be left out.

    Raises
    ------
    UsageError
        It has another form.
    """
    parts = wish.removeprefix(PREFIX).split("/")
    if len(parts) != 4 or not all(parts):
        msg = (
            f"{wish}: name an annotation as {PREFIX}SOURCE/DESC/SPACE/DENSITY, such as "
            f"{PREFIX}hcps1200/myelinmap/fsLR/32k"
        )
        raise UsageError(msg)
    return AnnotationName(*parts)


def neuromaps_folder() -> Path:
    """Folder of neuromaps' data, whether or not it is there."""
    return Path(os.environ.get("NEUROMAPS_DATA") or "~/neuromaps-data").expanduser()


def datasets() -> Any:
    """Import `neuromaps.datasets`.

    Raises
    ------
    ResourceUnavailableError
        The package is not installed.
    """
    try:
        from neuromaps import datasets as module
    except ImportError as error:
        raise ResourceUnavailableError(_INSTALL) from error
    return module


def annotation_files(name: AnnotationName) -> tuple[Path, ...]:
    """Find the files of an annotation on this machine.

    Parameters
    ----------
    name
        Of the annotation.

    Returns
    -------
    tuple of Path
        One volume, or the hemispheres that were published, left first.

    Raises
    ------
    ResourceUnavailableError
        neuromaps is not installed, or has not downloaded the annotation.
    UsageError
        neuromaps has no such annotation.
    """
    folder = neuromaps_folder()
    at_hand = folder.is_dir() and all(path.is_file() for path in _expected(name, folder))
    if not at_hand:
        msg = (
            f"{name} is not in {folder} (NEUROMAPS_DATA); bring it with `musicotopy-tools fetch "
            f"neuromaps {str(name).removeprefix(PREFIX)}`"
        )
        raise ResourceUnavailableError(msg)
    paths = datasets().fetch_annotation(**name.query, data_dir=str(folder), verbose=0)
    files = [paths] if isinstance(paths, str) else paths
    return tuple(sorted(map(Path, files)))


def annotation_paths(name: AnnotationName) -> tuple[Path, ...]:
    """List the files of an annotation on this machine by their names, without the package.

    Returns
    -------
    tuple of Path
        Empty where there are none.
    """
    folder = neuromaps_folder() / "annotations" / name.source / name.desc / name.space
    sizes = (f"_den-{name.density}_", f"_res-{name.density}_")
    return tuple(sorted(p for p in folder.glob("*") if any(size in p.name for size in sizes)))


def _expected(name: AnnotationName, folder: Path) -> Iterator[Path]:
    """Yield the files that the annotation has, there or not."""
    for record in records(name):
        yield folder / "annotations" / str(record["rel_path"]) / str(record["fname"])


def records(name: AnnotationName) -> list[Mapping[str, Any]]:
    """Return what neuromaps knows of the files of an annotation: path, address, checksum.

    Raises
    ------
    UsageError
        It knows none.
    """
    datasets()
    from neuromaps.datasets.utils import get_dataset_info

    listed = [
        record
        for record in get_dataset_info("annotations", return_restricted=False)
        if all(record.get(key) == value for key, value in name.query.items())
    ]
    if not listed:
        msg = f"{name}: neuromaps has no such annotation; `neuromaps.datasets` lists them"
        raise UsageError(msg)
    return listed


def _licence(stated: Mapping[str, str] | str | None) -> str:
    """Licence in words; what neuromaps states no other for has that of the package."""
    if isinstance(stated, Mapping):
        return ", ".join(str(value) for value in stated.values() if value)
    return stated or "as neuromaps, CC BY-NC-SA 4.0"


def annotation_facts(name: AnnotationName) -> dict[str, str]:
    """Say what an annotation is, by neuromaps' own list.

    Returns
    -------
    dict
        ``description``, ``citation`` (works to cite, joined by ``; ``) and ``licence``.

    Raises
    ------
    InputInvalidError
        neuromaps lists it without a description.
    """
    datasets()
    from neuromaps.datasets.annotations import NEUROMAPS_META

    for entry in NEUROMAPS_META["annotations"]:
        if entry["annot"] == name.query:
            works = [work["citation"] for work in entry["refs"]["primary"] if work["citation"]]
            return {
                "description": str(entry["full_desc"]),
                "citation": "; ".join(works),
                "licence": _licence(entry.get("license")),
            }
    msg = f"{name}: neuromaps does not say what it is; choose another annotation"
    raise InputInvalidError(msg)
