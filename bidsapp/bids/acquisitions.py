"""Acquisitions by name alone: grouping files, spaces on offer, variants that must be chosen.

Nothing here opens a file or knows pybids.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bidsapp.bids.filters import Filters, Query
from bidsapp.bids.names import (
    ACQUISITION_ENTITIES,
    FSAVERAGE_DENSITIES,
    LONG_NAMES,
    Name,
    entities_key,
    parse_name,
    select,
    space_of,
)
from bidsapp.bids.near import near_text
from bidsapp.bids.records import ImageKind, Problem
from bidsapp.errors import InputInvalidError, InputMissingError

#: spaces by preference: the cortex at 10k first, then grayordinates, then volumes
PREFERRED_SPACES = ("fsaverage5", "fsaverage", "fsLR", "MNI152NLin2009cAsym", "MNI152NLin6Asym")
_LAST_SPACES = ("T1w", "native")
#: entities that tell versions of one acquisition apart
_VARIANT_ENTITIES = ("acq", "ce", "rec", "echo", "part")
_KINDS: Mapping[str, ImageKind] = {
    ".nii.gz": "volume",
    ".nii": "volume",
    ".func.gii": "gifti",
    ".dtseries.nii": "cifti",
}


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The files of one acquisition in one space, not yet opened.

    Attributes
    ----------
    entities, space, resolution, density, kind, bold
        As in `Run`.
    desc
        ``desc`` entity, if any.
    """

    entities: Mapping[str, str]
    space: str
    resolution: str | None
    density: str | None
    kind: ImageKind
    bold: tuple[Path, ...]
    desc: str | None

    @property
    def name(self) -> str:
        """``sub-01_task-happy_run-1``: the acquisition, whatever the space, as in `Run`."""
        return "_".join(f"{key}-{value}" for key, value in self.entities.items())

    @property
    def target(self) -> tuple[str, str | None, str | None]:
        """Space, resolution and density, whatever the spelling of FreeSurfer's averages."""
        if self.space in FSAVERAGE_DENSITIES:
            return "fsaverage", self.resolution, self.density or FSAVERAGE_DENSITIES[self.space]
        return self.space, self.resolution, self.density


def bold_files(paths: Iterable[Path]) -> list[tuple[Name, Path]]:
    """Return the BOLD series among `paths`, with their names taken apart."""
    names = [(parse_name(path), path) for path in paths]
    return [
        (name, path)
        for name, path in names
        if name.suffix == "bold" and name.extension in _KINDS and "task" in name.entities
    ]


def is_wanted(name: Name, query: Query, filters: Filters) -> bool:
    """Whether a BOLD file is one of the sessions, tasks and kinds to take.

    Preprocessed BOLD (``desc-preproc`` or none) and magnitudes are taken, unless `query` says
    something about ``desc`` or ``part``.
    """
    entities = name.entities
    if filters.sessions and entities.get("ses") not in filters.sessions:
        return False
    if filters.tasks and entities["task"] not in filters.tasks:
        return False
    if "desc" not in query and entities.get("desc") not in (None, "preproc"):
        return False
    return "part" in query or entities.get("part") != "phase"


def group_acquisitions(
    bold: Iterable[tuple[Name, Path]],
) -> tuple[list[Acquisition], list[Problem]]:
    """Put both files of a surface together; a file without its partner is a problem."""
    groups: dict[tuple[object, ...], dict[str, Path]] = defaultdict(dict)
    heads: dict[tuple[object, ...], Name] = {}
    key: tuple[object, ...]
    for name, path in sorted(bold, key=lambda item: item[1].name):
        rest = {entity: label for entity, label in name.entities.items() if entity != "hemi"}
        key = (_KINDS[name.extension], *sorted(rest.items()))
        groups[key].setdefault(name.entities.get("hemi", ""), path)
        heads[key] = name
    found, problems = [], []
    for key, files in groups.items():
        name, kind = heads[key], _KINDS[heads[key].extension]
        if kind == "gifti" and set(files) != {"L", "R"}:
            path = next(iter(files.values()))
            problems.append(
                Problem(path, "has no partner of the other hemisphere", "restore the partner")
            )
            continue
        found.append(_acquisition(name, kind, tuple(files[side] for side in sorted(files))))
    return sorted(found, key=_sort_key), problems


def _acquisition(name: Name, kind: ImageKind, files: tuple[Path, ...]) -> Acquisition:
    entities = name.entities
    return Acquisition(
        entities=select(entities, ACQUISITION_ENTITIES),
        space=space_of(entities),
        resolution=entities.get("res"),
        density=entities.get("den"),
        kind=kind,
        bold=files,
        desc=entities.get("desc"),
    )


def _sort_key(acquisition: Acquisition) -> tuple[tuple[object, ...], ...]:
    return (
        tuple(
            (key, int(label) if label.isdecimal() else -1, label)
            for key, label in acquisition.entities.items()
        ),
        tuple(part or "" for part in acquisition.target),
    )


def combined_echoes(found: list[Acquisition], query: Query) -> list[Acquisition]:
    """Leave out single echoes where the combined series exists, unless echoes are asked for."""
    if "echo" in query:
        return found

    def without_echo(item: Acquisition) -> tuple[object, ...]:
        rest = tuple((key, label) for key, label in item.entities.items() if key != "echo")
        return (rest, item.target, item.kind)

    combined = {without_echo(item) for item in found if "echo" not in item.entities}
    return [
        item for item in found if "echo" not in item.entities or without_echo(item) not in combined
    ]


def offered_spaces(acquisitions: Iterable[Acquisition]) -> dict[str, int]:
    """Return the spaces of `acquisitions` by preference, with the number of acquisitions."""
    variants: dict[str, dict[tuple[str | None, str | None], int]] = {}
    for item in acquisitions:
        counts = variants.setdefault(item.space, {})
        key = (item.resolution, item.density)
        counts[key] = counts.get(key, 0) + 1
    offered = {}
    for space in sorted(variants, key=_preference):
        for (res, den), count in variants[space].items():
            marks = [f"res-{res}"] * bool(res) + [f"den-{den}"] * bool(den)
            several = len(variants[space]) > 1
            offered[":".join([space, *marks]) if several else space] = count
    return offered


def _preference(space: str) -> tuple[int, str]:
    order = (*PREFERRED_SPACES, None, *_LAST_SPACES)
    return (order.index(space if space in order else None), space)


def in_space(
    acquisitions: list[Acquisition], space: str | None, subject: str
) -> list[Acquisition]:
    """Return those of `acquisitions` in `space`; None for the most preferred.

    Raises
    ------
    InputMissingError
        There are none; the message says which spaces are offered.
    InputInvalidError
        The template is offered in several cohorts and `space` names none.
    """
    offered = offered_spaces(acquisitions)
    wanted = space or next(iter(offered))
    name, *marks = wanted.split(":")
    pairs = dict(mark.partition("-")[::2] for mark in marks)
    if "cohort" in pairs:
        name = space_of({"space": name, "cohort": pairs["cohort"]})
    density = pairs.get("den") or (FSAVERAGE_DENSITIES[name] if _has_number(name) else None)
    target = "fsaverage" if name in FSAVERAGE_DENSITIES else name
    chosen = [
        item
        for item in acquisitions
        if target in (item.target[0], item.target[0].partition("+")[0])
        and pairs.get("res") in (None, item.target[1])
        and density in (None, item.target[2])
    ]
    if not chosen:
        listing = ", ".join(f"{key} ({count} runs)" for key, count in offered.items())
        msg = (
            f"sub-{subject} has no BOLD in space {wanted}{near_text(name, offered)}; it is "
            f"offered in {listing}"
        )
        raise InputMissingError(msg)
    templates = sorted({item.target[0] for item in chosen})
    if len(templates) > 1:
        msg = (
            f"sub-{subject}: {name} is offered in {len(templates)} cohorts, which are different "
            f"templates; choose one with --space: {', '.join(templates)}"
        )
        raise InputInvalidError(msg)
    return chosen


def _has_number(space: str) -> bool:
    return space in FSAVERAGE_DENSITIES and space != "fsaverage"


def refuse_variants(chosen: list[Acquisition], query: Query, subject: str) -> None:
    """Refuse to analyse one acquisition twice, and say which choices there are.

    Raises
    ------
    InputInvalidError
        A run exists in several variants (acq, rec, echo, res, desc) and `query` does not choose.
    """
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, str]]] = defaultdict(list)
    _refuse_spellings(chosen, subject)
    for item in chosen:
        core = entities_key(item.entities, without=_VARIANT_ENTITIES)
        groups[core].append(_variant(item))
    for core, variants in groups.items():
        keys = {key for variant in variants for key in variant}
        differing = [key for key in sorted(keys) if len({v.get(key) for v in variants}) > 1]
        open_keys = [key for key in differing if LONG_NAMES.get(key, key) not in query]
        if len(variants) < 2 or not open_keys:
            continue
        name = "_".join(f"{key}-{label}" for key, label in core)
        key = open_keys[0]
        labels = sorted({variant.get(key) for variant in variants}, key=str)
        choices = ", ".join(f"{key}-{label}" if label else f"no {key}" for label in labels)
        example = json.dumps({"bold": {LONG_NAMES.get(key, key): labels[0]}})
        msg = (
            f"sub-{subject}: {name} exists in {len(variants)} variants ({choices}) and would be "
            f"analysed {len(variants)} times; choose with --bids-filter-file, e.g. {example}"
        )
        raise InputInvalidError(msg)


def _refuse_spellings(chosen: Iterable[Acquisition], subject: str) -> None:
    """Refuse one acquisition under two spellings of its name (``run-1`` and ``run-01``)."""
    spellings: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for item in chosen:
        names = spellings[(entities_key(item.entities), item.desc, item.target, item.kind)]
        if item.name not in names:
            names.append(item.name)
    for names in spellings.values():
        if len(names) > 1:
            msg = (
                f"sub-{subject}: {' and '.join(names)} are one run under {len(names)} names and "
                "would be analysed twice; remove the one that is not meant, or rename it"
            )
            raise InputInvalidError(msg)


def _variant(item: Acquisition) -> dict[str, str]:
    marks = {"res": item.resolution, "den": item.density, "desc": item.desc, "kind": item.kind}
    return select(item.entities, _VARIANT_ENTITIES) | {k: v for k, v in marks.items() if v}
