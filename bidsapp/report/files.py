"""Find one participant's written derivatives by their entities.

The report reads files, never the analysis in memory, so that it can be made again at any time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bidsapp.bids.names import parse_name
from bidsapp.errors import InputInvalidError, InputMissingError

_SIDECAR = ".json"
_TEXT = {"participant": str}  # a label, even when it looks like a number


@dataclass(frozen=True, slots=True)
class Artefact:
    """One derivative file and what its name says."""

    path: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str


@dataclass(frozen=True)
class Derivatives:
    """All derivative files of one participant, looked up by entities.

    Attributes
    ----------
    root
        The output folder.
    subject
        Label without ``sub-``.
    artefacts
        What was found below ``root/sub-<subject>``, sorted by path.
    """

    root: Path
    subject: str
    artefacts: tuple[Artefact, ...] = field(repr=False)

    def find(self, suffix: str, **entities: str | None) -> list[Artefact]:
        """Files with this suffix whose named entities have these values (None: absent)."""
        return [
            artefact
            for artefact in self.artefacts
            if artefact.suffix == suffix
            and all(artefact.entities.get(key) == value for key, value in entities.items())
        ]

    def data_files(self, suffix: str, **entities: str | None) -> list[Path]:
        """Like `find`, without JSON sidecars; left hemisphere before right."""
        found = self.find(suffix, **entities)
        return [artefact.path for artefact in found if artefact.extension != _SIDECAR]

    def table(self, desc: str, suffix: str = "stats", **entities: str | None) -> pd.DataFrame:
        """Read a table; empty when there is none.

        Raises
        ------
        InputInvalidError
            When the file cannot be parsed.
        """
        paths = self.data_files(suffix, desc=desc, **entities)
        return read_table(paths[0]) if paths else pd.DataFrame()

    def records(self) -> list[dict[str, Any]]:
        """Read what the app recorded of the units of work that ended well: seconds, memory."""
        found = []
        for path in sorted((self.root / "logs" / "jobs").glob("*.json")):
            with contextlib.suppress(InputInvalidError):
                found.append(read_json(path))
        return [
            record
            for record in found
            if record.get("subject") == self.subject and record.get("state") == "done"
        ]

    def sidecar(self, path: Path) -> dict[str, Any]:
        """Return the metadata beside a file; empty when there are none."""
        stem = path.name.partition(".")[0]
        beside = path.with_name(stem + _SIDECAR)
        return read_json(beside) if beside.exists() else {}


def open_derivatives(output_dir: Path, subject: str) -> Derivatives:
    """Index the derivative files of one participant.

    Parameters
    ----------
    output_dir
        Where the app wrote its results.
    subject
        Label, with or without ``sub-``.

    Raises
    ------
    InputMissingError
        When nothing was written for this participant.
    """
    label = subject.removeprefix("sub-")
    folder = output_dir / f"sub-{label}"
    artefacts = tuple(_walk(folder))
    if not artefacts:
        msg = f"{folder}: no results of sub-{label} found; run the participant level first"
        raise InputMissingError(msg)
    return Derivatives(output_dir, label, artefacts)


def _walk(folder: Path) -> Iterator[Artefact]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        name = parse_name(path)
        if name.suffix and "sub" in name.entities:
            yield Artefact(path, name.entities, name.suffix, name.extension)


def read_table(path: Path) -> pd.DataFrame:
    """Read a BIDS table; ``n/a`` becomes NaN.

    Raises
    ------
    InputInvalidError
        When the file cannot be parsed.
    """
    try:
        return pd.read_csv(path, sep="\t", na_values=["n/a"], keep_default_na=False, dtype=_TEXT)
    except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        msg = f"{path}: not a readable table ({error}); remove it and run the participant again"
        raise InputInvalidError(msg) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    InputInvalidError
        When the file is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        msg = f"{path}: not readable as JSON ({error}); remove it and run the participant again"
        raise InputInvalidError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: holds a {type(content).__name__}, not an object; remove it and run again"
        raise InputInvalidError(msg)
    return content
