"""Metadata on demand: the JSON files that apply to one file, read when they are needed.

A sidecar applies to a file when it has the same suffix, lies in the same folder or above it, and
names no entity that the file does not have. Nearer and more specific files win. The same rule
finds inherited tables such as a ``task-happy_events.tsv`` at the root.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from bidsapp.bids.names import is_part_of, parse_name
from bidsapp.bids.records import Problem
from bidsapp.bids.tables import read_text

_SETTLED_S = 2.0


def read_json(path: Path) -> dict[str, Any] | Problem:
    """Return the object in a JSON file, or the `Problem` with it (absent, empty, broken)."""
    text = read_text(path)
    if isinstance(text, Problem):
        return text
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Problem(path, f"is not valid JSON ({error})", "repair the file or remove it")
    if not isinstance(content, dict):
        what = f"holds a JSON {type(content).__name__} where an object is needed"
        return Problem(path, what, "repair the file or remove it")
    return content


def folders_above(folder: Path, root: Path) -> list[Path]:
    """Return `root` and every folder on the way down to `folder`; only `folder` if outside."""
    if folder != root and root not in folder.parents:
        return [folder]
    way = [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]
    return way[::-1]


def applicable_files(
    folder: Path, root: Path, entities: Mapping[str, str], suffix: str, extensions: tuple[str, ...]
) -> list[Path]:
    """Return the files that apply to a file with `entities` in `folder`, the general ones first.

    Parameters
    ----------
    folder
        Where the file lies.
    root
        The dataset, where inheritance starts.
    entities
        Entities of the file.
    suffix
        Suffix of the files looked for.
    extensions
        Extensions of the files looked for; later ones win.
    """
    found: list[Path] = []
    for level in folders_above(folder, root):
        ranked = []
        for path in _files(level, extensions):
            name = parse_name(path)
            if name.extension not in extensions or name.suffix != suffix:
                continue
            if is_part_of(name.entities, entities):
                ranked.append((len(name.entities), extensions.index(name.extension), path))
        found += [path for *_, path in sorted(ranked)]
    return found


def _files(folder: Path, extensions: tuple[str, ...]) -> Iterator[Path]:
    """Files of a folder with certain extensions, sorted.

    The root of a dataset is asked for every run of every participant: what it holds is kept until
    its time of change says otherwise. Folders that changed just now are always read anew, as
    file systems count time in steps.
    """
    try:
        status = folder.stat()
        is_settled = time.time() - status.st_mtime > _SETTLED_S
        read = _names if is_settled else _names.__wrapped__
        names = read(folder, status.st_mtime_ns, status.st_ino)
    except OSError:
        return
    yield from (folder / name for name in names if name.endswith(extensions))


@lru_cache(maxsize=64)
def _names(folder: Path, changed_ns: int, inode: int) -> tuple[str, ...]:
    return tuple(sorted(name for name in os.listdir(folder) if "." in name))  # noqa: PTH208


def inherited_metadata(file: Path, root: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Return the metadata that apply to `file`, merged, and the sidecars that are broken.

    Parameters
    ----------
    file
        Data file; it need not exist.
    root
        Dataset it belongs to.
    """
    name = parse_name(file)
    # ``.dtseries.json`` and ``.func.json`` are what fMRIPrep 20 wrote beside CIFTI and GIFTI
    own = name.extension.removesuffix(".gz").rpartition(".")[0] + ".json"
    files = applicable_files(
        file.parent, root, name.entities, name.suffix, tuple(dict.fromkeys((own, ".json")))
    )
    merged: dict[str, Any] = {}
    problems: list[Problem] = []
    for path in files:
        content = read_json(path)
        if isinstance(content, Problem):
            problems.append(content)
        else:
            merged.update(content)
    return merged, problems
