"""One grammar of file names: entities in BIDS order, a suffix, an extension.

``entity``
    a key and a label, ``task-happy``. Labels are letters, digits and ``+``.
``suffix``
    what the file holds, ``bold``, ``statmap``.
``extension``
    everything from the first dot, ``.nii.gz``, ``.func.gii``.

`build_path` makes names and refuses what is not a name; `parse_name` reads them and accepts
everything, the names of old fMRIPrep versions included. Only this package knows file names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from types import MappingProxyType

from bidsapp.bids.records import ImageKind
from bidsapp.errors import InputInvalidError

#: Entities in the order in which they stand in a file name. Source: BIDS 1.11 (entities), with
#: ``model``, ``contrast`` and ``stat`` of the statistical derivatives before the label and desc.
ENTITY_ORDER = (
    *("tpl", "cohort", "sub", "ses", "sample", "task", "tracksys", "acq", "nuc", "voi"),
    *("ce", "trc", "stain", "rec", "dir", "run", "mod", "echo", "flip", "inv", "mt", "part"),
    *("proc", "from", "to", "mode", "hemi", "space", "split", "recording", "chunk"),
    *("atlas", "seg", "scale", "res", "den", "model", "contrast", "stat", "label", "desc"),
)
#: Entities that tell acquisitions apart; the others say how one was stored or processed.
ACQUISITION_ENTITIES = ("sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part")
#: pybids' names of the entities that differ from the key in the file name.
LONG_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "sub": "subject",
        "ses": "session",
        "acq": "acquisition",
        "ce": "ceagent",
        "rec": "reconstruction",
        "dir": "direction",
        "seg": "segmentation",
    }
)
#: Vertices per hemisphere of FreeSurfer's average surfaces, as a ``den`` label.
FSAVERAGE_DENSITIES: Mapping[str, str] = MappingProxyType(
    {
        "fsaverage3": "642",
        "fsaverage4": "3k",
        "fsaverage5": "10k",
        "fsaverage6": "41k",
        "fsaverage": "164k",
    }
)

_INDEX_ENTITIES = frozenset({"run", "echo", "flip", "inv", "split", "chunk"})
_RANK = {key: rank for rank, key in enumerate(ENTITY_ORDER)}
_LABEL = re.compile(r"[A-Za-z0-9+]+")
_INDEX = re.compile(r"[0-9]+")
_WRITTEN_INDEX = re.compile(r"([0-9]+)(?:\.0*)?")
_SUFFIX = re.compile(r"[A-Za-z0-9]+")
_EXTENSION = re.compile(r"(\.[A-Za-z0-9]+)+")
_OLD_HEMISPHERE = re.compile(r"\.([LR])(\.(?:func|surf|shape)\.gii)$")
#: bare words after ``_bold`` in fMRIPrep 1.0 and 1.1, as (desc, suffix)
_OLD_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "preproc": ("preproc", "bold"),
        "brainmask": ("brain", "mask"),
        "confounds": ("confounds", "regressors"),
    }
)


@dataclass(frozen=True, slots=True)
class Name:
    """A file name taken apart.

    Attributes
    ----------
    entities
        Key to label, in the order of the file name.
    suffix, extension
        Empty when the name has none.
    """

    entities: Mapping[str, str]
    suffix: str
    extension: str


def in_order(entities: Mapping[str, str]) -> dict[str, str]:
    """Return `entities` sorted into BIDS order; unknown keys come last, as they came."""
    last = len(_RANK)
    return dict(sorted(entities.items(), key=lambda item: _RANK.get(item[0], last)))


def check_label(key: str, label: str) -> str:
    """Return `label` if it may stand after ``key-`` in a file name.

    Raises
    ------
    InputInvalidError
        It holds anything but letters, digits and ``+``, or is not a number where BIDS has one.
    """
    pattern, allowed = (
        (_INDEX, "digits") if key in _INDEX_ENTITIES else (_LABEL, "letters, digits and +")
    )
    if not pattern.fullmatch(label):
        msg = f"{key}-{label!r} cannot stand in a file name: only {allowed} are allowed"
        raise InputInvalidError(msg)
    return label


def build_name(entities: Mapping[str, str], suffix: str, extension: str) -> str:
    """Return the file name of `entities` in BIDS order.

    Parameters
    ----------
    entities
        Key to label; keys are those of `ENTITY_ORDER`.
    suffix
        For example ``statmap``.
    extension
        With its dot, for example ``.nii.gz``.

    Raises
    ------
    InputInvalidError
        A key is unknown, or a label, the suffix or the extension cannot stand in a file name.
    """
    unknown = sorted(set(entities) - set(_RANK))
    if unknown:
        msg = f"unknown entities {unknown} in a file name; known are {list(ENTITY_ORDER)}"
        raise InputInvalidError(msg)
    if not _SUFFIX.fullmatch(suffix):
        msg = f"suffix {suffix!r} cannot stand in a file name: only letters and digits"
        raise InputInvalidError(msg)
    if not _EXTENSION.fullmatch(extension):
        msg = f"extension {extension!r} cannot end a file name"
        raise InputInvalidError(msg)
    pairs = [f"{key}-{check_label(key, label)}" for key, label in in_order(entities).items()]
    return "_".join([*pairs, suffix]) + extension


def build_path(
    entities: Mapping[str, str], suffix: str, extension: str, *, datatype: str = "func"
) -> str:
    """Return the POSIX path of a file relative to its dataset.

    ``sub-01/[ses-1/]func/sub-01_..._suffix.ext``; without ``sub`` it lies in ``group/``.

    Parameters
    ----------
    entities, suffix, extension
        As for `build_name`.
    datatype
        Folder below the participant.

    Raises
    ------
    InputInvalidError
        As for `build_name`.
    """
    name = build_name(entities, suffix, extension)
    if "sub" not in entities:
        return f"group/{name}"
    check_label("datatype", datatype)
    folders = [f"{key}-{entities[key]}" for key in ("sub", "ses") if key in entities]
    return "/".join([*folders, datatype, name])


def parse_name(name: str | PurePath) -> Name:
    """Take a file name apart; never fails.

    Names of fMRIPrep 1.x (``_bold_space-fsaverage5.L.func.gii``, ``_bold_space-X_preproc.nii.gz``,
    ``_space-fsaverage5_hemi-L.func.gii``) are read as if they were written today.

    Parameters
    ----------
    name
        A file name or a path, of which the last part counts.
    """
    base = PurePosixPath(name).name if isinstance(name, str) else name.name
    stem, dot, rest = base.partition(".")
    extension = dot + rest
    entities: dict[str, str] = {}
    words: list[str] = []
    for token in stem.split("_"):
        key, dash, label = token.partition("-")
        if dash and key and label:
            entities.setdefault(key, label)
        else:
            words.append(token)
    return _modernise(entities, words, extension, ends_in_word="-" not in stem.split("_")[-1])


def _modernise(
    entities: dict[str, str], words: list[str], extension: str, *, ends_in_word: bool
) -> Name:
    suffix = words[-1] if words and ends_in_word else ""
    old = _OLD_HEMISPHERE.fullmatch(extension)
    if old:
        entities["hemi"], extension = old[1], old[2]
    if "bold" in words[:-1] and suffix in _OLD_WORDS:
        entities["desc"], suffix = _OLD_WORDS[suffix]
    if not suffix and extension == ".func.gii":
        suffix = "bold"
    return Name(MappingProxyType(in_order(entities)), suffix, extension)


def select(entities: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Return those of `entities` whose key is in `keys`, in BIDS order."""
    wanted = set(keys)
    return in_order({key: label for key, label in entities.items() if key in wanted})


def label_key(key: str, label: str) -> str:
    """Return what a label is compared by: equal for labels that mean the same.

    Indices are numbers (``run-1`` is ``run-01``, and the ``1.0`` of a table that went through a
    spreadsheet); all other labels are literal (``sub-1`` is not ``sub-01``).

    Parameters
    ----------
    key, label
        ``run`` and ``01``.
    """
    index = _WRITTEN_INDEX.fullmatch(label.strip()) if key in _INDEX_ENTITIES else None
    return str(int(index[1])) if index else label


def same_label(key: str, one: str, other: str) -> bool:
    """Whether two labels of an entity mean the same; see `label_key`."""
    return label_key(key, one) == label_key(key, other)


def entities_key(
    entities: Mapping[str, str], *, without: Iterable[str] = ()
) -> tuple[tuple[str, str], ...]:
    """Return what a set of entities is compared by, see `label_key`.

    Parameters
    ----------
    entities
        Key to label.
    without
        Keys that are left out.
    """
    dropped = set(without)
    return tuple(
        (key, label_key(key, label)) for key, label in entities.items() if key not in dropped
    )


def is_part_of(fewer: Mapping[str, str], more: Mapping[str, str]) -> bool:
    """Whether every entity of `fewer` stands in `more` with the same label."""
    return all(key in more and same_label(key, label, more[key]) for key, label in fewer.items())


def space_of(entities: Mapping[str, str]) -> str:
    """Return the space of a file: ``native`` without one, the cohort of a template included.

    ``space-MNIPediatricAsym_cohort-2`` and ``space-MNIPediatricAsym+2`` are one space: the
    cohorts of a template are different brains.

    Parameters
    ----------
    entities
        Of the file's name.
    """
    space, cohort = entities.get("space", "native"), entities.get("cohort")
    return f"{space}+{cohort}" if cohort and "+" not in space else space


def plain_space(text: str) -> str:
    """Return a space as a `Run` spells it: ``MNIPediatricAsym:cohort-2`` has its cohort inside.

    Other marks (``:res-2``, ``:den-10k``) stay.

    Parameters
    ----------
    text
        As on the command line.
    """
    name, *marks = text.split(":")
    cohorts = [mark.removeprefix("cohort-") for mark in marks if mark.startswith("cohort-")]
    rest = [mark for mark in marks if not mark.startswith("cohort-")]
    return ":".join(["+".join([name, *cohorts]), *rest])


def space_entities(
    space: str, resolution: str | None = None, density: str | None = None
) -> dict[str, str]:
    """Return the entities with which results in a space are written.

    ``fsaverage5`` is not an identifier that BIDS knows: it becomes ``space-fsaverage_den-10k``.

    Parameters
    ----------
    space, resolution, density
        As in a `Run`.
    """
    if space == "native":
        return {}
    entities = {"space": space}
    if space in FSAVERAGE_DENSITIES:
        entities = {"space": "fsaverage", "den": density or FSAVERAGE_DENSITIES[space]}
    elif density:
        entities["den"] = density
    if resolution:
        entities["res"] = resolution
    return in_order(entities)


def space_kind(space: str) -> ImageKind:
    """Return the kind of image in which fMRIPrep writes a space.

    Parameters
    ----------
    space
        As in a `Run`, with or without ``:res-`` or ``:den-``.
    """
    name = space.partition(":")[0]
    if name == "fsLR":
        return "cifti"
    return "gifti" if name in FSAVERAGE_DENSITIES or name == "fsnative" else "volume"


def relative_path(text: str) -> str:
    """Return a path of a table as a clean POSIX path relative to its folder.

    ``./a//b.wav`` and ``stimuli/a/b.wav`` become ``a/b.wav``: one sound has one name.

    Raises
    ------
    InputInvalidError
        The path is empty, absolute, or leads out of the folder.
    """
    clean = text.strip().replace("\\", "/")
    path = PurePosixPath(clean)
    if path.is_absolute() or PureWindowsPath(clean).drive or ".." in path.parts:
        msg = (
            f"path {text!r} leads out of the folder it is relative to; write it without '..' and "
            f"from that folder on, such as {path.name!r}"
        )
        raise InputInvalidError(msg)
    parts = path.parts[1:] if len(path.parts) > 1 and path.parts[0] == "stimuli" else path.parts
    if not parts or "\0" in clean:
        msg = f"path {text!r} names no file"
        raise InputInvalidError(msg)
    joined = "/".join(parts)
    return joined if joined == joined.strip() else relative_path(joined)
