"""Works that a report cites: BibTeX in `templates/references.bib`, and plain text from it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

_ENTRY = re.compile(r"^@\w+\{(?P<key>\w+),\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (?P<name>\w+) = \{(?P<value>.*)\},$", re.MULTILINE)
_CONTAINERS = ("journal", "booktitle", "howpublished", "publisher")
_MOST_NAMED = 3


@dataclass(frozen=True)
class Reference:
    """One cited work.

    Attributes
    ----------
    bibtex
        Its entry.
    fields
        BibTeX fields, without braces.
    """

    bibtex: str
    fields: Mapping[str, str]

    @property
    def plain(self) -> str:
        """The work in one line."""
        work = self.fields
        names = [name.partition(",")[0] for name in work["author"].split(" and ")]
        several = f"{names[0]} et al." if len(names) > _MOST_NAMED else _enumerate(names)
        year = f" ({work['year']})" if "year" in work else ""
        where = next(work[name] for name in _CONTAINERS if name in work)
        volume = f" {work['volume']}" if "volume" in work else ""
        pages = f": {work['pages'].replace('--', '-')}" if "pages" in work else ""
        doi = f" doi:{work['doi']}" if "doi" in work else ""
        return f"{several}{year}. {work['title']}. {where}{volume}{pages}.{doi}"


def _enumerate(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@functools.cache
def references() -> Mapping[str, Reference]:
    """Read the works that can be cited, by key."""
    text = files("bidsapp.report").joinpath("templates/references.bib").read_text("utf-8")
    return {entry["key"]: _reference(entry) for entry in _ENTRY.finditer(text)}


def _reference(entry: re.Match[str]) -> Reference:
    fields = {
        field["name"]: field["value"].strip("{}") for field in _FIELD.finditer(entry["body"])
    }
    return Reference(entry[0], fields)


def bibliography(keys: Iterable[str]) -> str:
    """Return BibTeX entries of these works, each once, in the given order."""
    known = references()
    return "\n\n".join(known[key].bibtex for key in dict.fromkeys(keys)) + "\n"
