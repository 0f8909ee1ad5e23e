"""Files that annotate a sound: ``<stem>_annot-<label>[_rater-<id>][_stim|_events].<ext>``.

``<stem>`` is the name of the sound without extension, or ``stim-<id>`` (BEP044). They lie anywhere
in a stimuli folder, usually in ``annotations/``; where two sounds share a stem, the folder of the
annotation tells them apart.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bidsapp.bids.names import parse_name
from bidsapp.bids.records import Problem
from bidsapp.bids.sidecars import read_json
from bidsapp.bids.sounds import SOUND_EXTENSIONS

_NAME = re.compile(
    r"(?P<stem>.+)_annot-(?P<label>[A-Za-z0-9+]+)(?:_rater-(?P<rater>[A-Za-z0-9+]+))?"
    r"(?:_(?P<suffix>stim|events))?(?P<extension>\.tsv\.gz|\.tsv|\.csv)"
)


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """An annotation of one sound.

    Attributes
    ----------
    path, stim_file
        The file, and the sound it speaks of.
    label, rater
        What is annotated, and by whom if the name says so.
    is_events
        Intervals, not samples.
    metadata
        ``annot-<label>_<suffix>.json`` and the JSON of the same name, merged.
    """

    path: Path
    stim_file: str
    label: str
    rater: str | None
    is_events: bool
    metadata: Mapping[str, Any]


def annotation_files(
    folders: Iterable[Path], stim_files: Collection[str]
) -> tuple[list[AnnotationFile], list[Problem]]:
    """Return the annotations of some sounds, and what was odd.

    Parameters
    ----------
    folders
        Stimuli folders; of two files with the same path in them the first counts.
    stim_files
        Sounds that were played.
    """
    found: list[AnnotationFile] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for folder in folders:
        for path in tables_below(folder):
            relative = path.relative_to(folder).as_posix()
            match = _NAME.fullmatch(path.name)
            if match is None or is_run_locked(path) or relative in seen:
                continue
            seen.add(relative)
            sounds = _sounds(match["stem"], PurePosixPath(relative).parent, stim_files)
            if len(sounds) > 1:
                what = f"fits several sounds ({', '.join(sorted(sounds)[:4])})"
                problems.append(Problem(path, what, "put it in a folder named like the sound's"))
            if len(sounds) != 1:
                continue
            metadata, more = _metadata(path, match)
            problems += more
            is_events = match["suffix"] == "events"
            found.append(
                AnnotationFile(
                    path, sounds[0], match["label"], match["rater"], is_events, metadata
                )
            )
    return found, problems


def tables_below(folder: Path) -> list[Path]:
    """Return every table below a folder, sorted; hidden folders are passed over."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name) for name in names if name.endswith((".tsv", ".tsv.gz", ".csv"))
        ]
    return sorted(found)


def is_run_locked(path: Path) -> bool:
    """Whether a file in a stimuli folder speaks of a run or a task, not of a sound."""
    entities = parse_name(path).entities
    return "run" in entities or "task" in entities


def _sounds(stem: str, folder: PurePosixPath, stim_files: Collection[str]) -> list[str]:
    stems = {stim_file: _without_extension(stim_file) for stim_file in stim_files}
    found = [
        stim_file
        for stim_file, path in stems.items()
        if path.name == stem or (stem.startswith("stim-") and path.name.startswith(f"{stem}_"))
    ]
    if len(found) > 1:
        inner = [part for part in folder.parts if part != "annotations"]
        found = [item for item in found if list(stems[item].parent.parts) == inner] or found
    return sorted(found)


def _without_extension(stim_file: str) -> PurePosixPath:
    path = PurePosixPath(stim_file)
    return path.with_suffix("") if path.suffix.lower() in SOUND_EXTENSIONS else path


def _metadata(path: Path, match: re.Match[str]) -> tuple[dict[str, Any], list[Problem]]:
    bare = path.name.removesuffix(match["extension"])
    shared = f"annot-{match['label']}_{match['suffix'] or 'stim'}"
    merged: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in (shared, bare):
        sidecar = path.with_name(f"{name}.json")
        if not sidecar.exists():
            continue
        content = read_json(sidecar)
        if isinstance(content, Problem):
            problems.append(content)
        else:
            merged.update(content)
    return merged, problems
