"""Adapters: how a dataset that predates ``stim_file`` says which sound was played when.

An adapter is a TOML file, not code. It either lists what was played in each task, or says how the
columns of ``events.tsv`` name the sound. Every number a user may doubt is an option that can be
set with the name: ``--adapter ds003085:onset_shift_s=15``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from bidsapp.bids.tables import is_missing
from bidsapp.errors import InputInvalidError, UsageError

_FIELD = re.compile(r"\{(\w+)(?::0(\d)d)?\}")


@dataclass(frozen=True, slots=True)
class Played:
    """One sound played in every run of a task."""

    task: str
    onset_s: float
    duration_s: float
    stim_file: str
    stim_start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EventRule:
    """How a row of ``events.tsv`` names a sound.

    Attributes
    ----------
    stim_file
        Template over columns, ``{genre}/{genre}.{track:05d}.wav``.
    stim_start
        Column with the position in the file (s).
    delay
        Column that is added to the onset (s).
    strip
        Characters removed from both ends of every cell.
    tasks
        Tasks it is for; empty for all.
    """

    stim_file: str = "{stim_file}"
    stim_start: str = "stim_start"
    delay: str = ""
    strip: str = ""
    tasks: tuple[str, ...] = ()

    def file_of(self, row: Mapping[str, str]) -> str | None:
        """Return the sound of a row; None when a column it needs is absent or n/a."""
        cells = {key: cell.strip(self.strip or None) for key, cell in row.items()}
        wanted = _FIELD.findall(self.stim_file)
        if any(is_missing(cells.get(column)) for column, _ in wanted):
            return None
        return _FIELD.sub(lambda match: _padded(cells[match[1]], match[2]), self.stim_file)


@dataclass(frozen=True, slots=True)
class Adapter:
    """A dataset's way of naming sounds.

    Attributes
    ----------
    name, title, source
        Registry name, what the dataset is, where the numbers come from.
    played
        Sounds played in every run of a task.
    events
        Rule for ``events.tsv``, if it has the information.
    silent_tasks
        Tasks without sound.
    recognise_names
        Beginnings of the ``Name`` in ``dataset_description.json`` by which `recognise` knows it.
    recognise_tasks
        Tasks that all have to exist.
    onset_shift_s
        Added to every onset (s).
    drop_first
        Number of events at the start of every run that are left out.
    drop_where
        Events whose column has this value are left out.
    continuous
        Several events of a run that name one sound are stretches of one playing, whatever the
        length of the file: each starts where its onset stands after the first of them.
    warning
        What is known to be wrong in the dataset; shown whenever the adapter is used.
    """

    name: str
    title: str
    source: str
    played: tuple[Played, ...] = ()
    events: EventRule | None = None
    silent_tasks: tuple[str, ...] = ()
    recognise_names: tuple[str, ...] = ()
    recognise_tasks: tuple[str, ...] = ()
    onset_shift_s: float = 0.0
    drop_first: int = 0
    drop_where: Mapping[str, str] = field(default_factory=dict)
    continuous: bool = False
    warning: str = ""

    def keep(self, rows: tuple[Mapping[str, str], ...]) -> list[Mapping[str, str]]:
        """Return the rows of a run's events that are not dropped."""
        return [
            row
            for row in rows[self.drop_first :]
            if not any(row.get(column) == value for column, value in self.drop_where.items())
        ]


def adapter_names() -> list[str]:
    """Return the names of the adapters that are shipped."""
    folder = resources.files("bidsapp.bids") / "adapters"
    return sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml"))


def load_adapter(text: str) -> Adapter:
    """Return an adapter.

    Parameters
    ----------
    text
        A name of `adapter_names`, or the path of a TOML file, each optionally followed by options:
        ``ds003720:drop_first=0``, ``ds000113-auditoryperception:drop_where.catch=1``.

    Raises
    ------
    UsageError
        There is no such adapter or option.
    InputInvalidError
        The file is not a valid adapter.
    """
    name, _, options = text.partition(":")
    adapter = _read(name)
    for option in filter(None, options.split(",")):
        adapter = _with_option(adapter, option)
    return adapter


def recognise(name: str, tasks: set[str]) -> list[str]:
    """Return the shipped adapters made for a dataset with this name, or with these tasks.

    Parameters
    ----------
    name
        ``Name`` of ``dataset_description.json``.
    tasks
        Task labels that exist.
    """
    found = []
    for adapter in map(load_adapter, adapter_names()):
        has_tasks = set(adapter.recognise_tasks) <= tasks
        if has_tasks and any(name.startswith(start) for start in adapter.recognise_names):
            found.append(adapter.name)
    return found


def _read(name: str) -> Adapter:
    if name in adapter_names():
        content = (resources.files("bidsapp.bids") / "adapters" / f"{name}.toml").read_bytes()
    elif name.endswith(".toml") and Path(name).is_file():
        content = Path(name).read_bytes()
    else:
        msg = f"unknown adapter {name!r}; known are {adapter_names()}, or give a .toml file"
        raise UsageError(msg)
    try:
        return _adapter(tomllib.loads(content.decode("utf-8")), Path(name).stem)
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:
        msg = f"adapter {name}: {error}; compare it with the adapters that are shipped"
        raise InputInvalidError(msg) from error


def _adapter(content: dict[str, Any], name: str) -> Adapter:
    known = content.pop("recognise", {})
    rule = content.pop("events", None)
    played = content.pop("played", [])
    options = content.pop("options", {})
    return Adapter(
        name=content.pop("name", name),
        title=content.pop("title"),
        source=content.pop("source"),
        played=tuple(Played(**entry) for entry in played),
        events=None
        if rule is None
        else EventRule(**rule | {"tasks": tuple(rule.get("tasks", ()))}),
        silent_tasks=tuple(content.pop("silent_tasks", ())),
        recognise_names=tuple(known.get("names", ())),
        recognise_tasks=tuple(known.get("tasks", ())),
        **options,
        **content,
    )


def _with_option(adapter: Adapter, option: str) -> Adapter:
    key, _, value = option.partition("=")
    try:
        if key == "onset_shift_s":
            return replace(adapter, onset_shift_s=float(value))
        if key == "drop_first":
            return replace(adapter, drop_first=int(value))
        if key.startswith("drop_where."):
            column = key.removeprefix("drop_where.")
            return replace(adapter, drop_where={**adapter.drop_where, column: value})
    except ValueError as error:
        msg = f"--adapter {adapter.name}: {option!r} is not a number; {error}"
        raise UsageError(msg) from error
    msg = (
        f"--adapter {adapter.name}: unknown option {option!r}; "
        "known are onset_shift_s=SECONDS, drop_first=N, drop_where.COLUMN=VALUE"
    )
    raise UsageError(msg)


def _padded(cell: str, width: str | None) -> str:
    if not width:
        return cell
    try:
        return f"{int(float(cell)):0{width}d}"
    except ValueError:
        return cell
