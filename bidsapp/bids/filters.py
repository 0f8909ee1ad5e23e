"""Which runs to take: sessions, tasks and the ``--bids-filter-file`` as fMRIPrep knows it.

The file is a JSON object of queries, each an object of entity and value::

    {"bold": {"acquisition": "dico", "run": [1, 2], "reconstruction": null, "session": "*"}}

``null`` means that the entity is absent, ``"*"`` that it is present with any value.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bidsapp.bids.names import LONG_NAMES
from bidsapp.bids.records import Problem
from bidsapp.bids.sidecars import read_json
from bidsapp.errors import InputInvalidError, UsageError

#: queries this app makes
QUERIES = ("bold", "confounds", "mask")
#: queries of fMRIPrep's that this app does not make: a shared filter file may hold them
FOREIGN_QUERIES = (
    *("t1w", "t2w", "flair", "sbref", "fmap", "roi", "dwi", "asl", "pet", "anat", "meg", "eeg"),
)
#: entities by which files can be filtered, under pybids' names
ENTITIES = (
    *("session", "task", "acquisition", "ceagent", "reconstruction", "direction", "run", "echo"),
    *("part", "hemi", "space", "res", "den", "desc", "suffix", "extension", "datatype"),
)

Query = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filters:
    """Choice of runs.

    Attributes
    ----------
    sessions, tasks
        Labels without prefix; empty for all.
    bids_filter
        Queries of the filter file; None for none.
    allow_raw_bold
        Take raw BOLD where there are no derivatives.
    dropped_volumes
        Volumes at the start of the raw runs that the derivatives lack (``--dropped-volumes``).
    start_time_s
        Time that the first volume stands for, before all sidecars (``--start-time``); None to
        read it from them.
    """

    sessions: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    bids_filter: Mapping[str, Query] | None = None
    allow_raw_bold: bool = False
    dropped_volumes: int = 0
    start_time_s: float | None = None

    def __post_init__(self) -> None:
        checked = {key: _checked(key, query) for key, query in (self.bids_filter or {}).items()}
        object.__setattr__(self, "bids_filter", MappingProxyType(checked) if checked else None)

    def __reduce__(self) -> tuple[object, ...]:
        plain = {key: dict(query) for key, query in (self.bids_filter or {}).items()} or None
        clock = (self.dropped_volumes, self.start_time_s)
        return (Filters, (self.sessions, self.tasks, plain, self.allow_raw_bold, *clock))

    @classmethod
    def from_options(
        cls,
        *,
        sessions: Iterable[str] = (),
        tasks: Iterable[str] = (),
        bids_filter_file: Path | None = None,
        allow_raw_bold: bool = False,
        dropped_volumes: int = 0,
        start_time_s: float | None = None,
    ) -> Filters:
        """Return the choice that command-line options make.

        Raises
        ------
        InputInvalidError, UsageError
            As for `read_filter_file`.
        """
        query = read_filter_file(bids_filter_file) if bids_filter_file is not None else None
        clock = (dropped_volumes, start_time_s)
        return cls(tuple(sessions), tuple(tasks), query, allow_raw_bold, *clock)

    def query(self, name: str) -> Query:
        """Return the query called `name`; empty if the file has none."""
        return (self.bids_filter or {}).get(name, {})

    @property
    def unused(self) -> tuple[str, ...]:
        """Queries of the file that this app does not make."""
        return tuple(key for key in self.bids_filter or {} if key not in QUERIES)


def read_filter_file(path: Path) -> dict[str, dict[str, Any]]:
    """Read a ``--bids-filter-file``.

    Raises
    ------
    InputInvalidError
        It is not a JSON object of objects.
    UsageError
        It names a query or an entity that does not exist.
    """
    content = read_json(path)
    if isinstance(content, Problem):
        raise InputInvalidError(str(content))
    return {key: dict(_checked(key, query)) for key, query in content.items()}


def _checked(key: str, query: Any) -> Query:
    if key not in QUERIES and key not in FOREIGN_QUERIES:
        msg = f"BIDS filter: unknown query {key!r}{_hint(key, QUERIES)}; known are {list(QUERIES)}"
        raise UsageError(msg)
    if not isinstance(query, Mapping):
        msg = f"BIDS filter: query {key!r} must be an object of entities, not {query!r}"
        raise InputInvalidError(msg)
    if key in FOREIGN_QUERIES:
        return query
    long = {LONG_NAMES.get(entity, entity): value for entity, value in query.items()}
    for entity in long:
        if entity not in ENTITIES:
            msg = (
                f"BIDS filter: query {key!r} has an unknown entity {entity!r}"
                f"{_hint(entity, ENTITIES)}; known are {list(ENTITIES)}"
            )
            raise UsageError(msg)
    return long


def _hint(word: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
