"""Tab- and comma-separated tables as text, read without any heavy library."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bidsapp.bids.near import near_text
from bidsapp.bids.records import Problem

_MISSING = frozenset({"", "n/a", "na", "nan", "none", "null"})
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_CLOCK = re.compile(r"(?:([0-9]+):)?([0-9]+):([0-5]?[0-9](?:\.[0-9]+)?)")


@dataclass(frozen=True)
class Table:
    """A table with a header; every cell is stripped text.

    Attributes
    ----------
    path
        Where it was read.
    header
        Names as they stand in the first row.
    body
        The text below it; taken apart only if `rows` are asked for, as some event files have
        a row for every frame of a film.
    delimiter
        Between cells.
    """

    path: Path
    header: tuple[str, ...]
    body: str = field(repr=False)
    delimiter: str = "\t"

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns; the first of two equal names wins."""
        return tuple(dict.fromkeys(self.header))

    @cached_property
    def rows(self) -> tuple[Mapping[str, str], ...]:
        """One mapping for each row, column name to cell; short rows are filled with ``n/a``."""
        first = {column: self.header.index(column) for column in self.columns}
        return tuple(
            {
                column: row[index].strip() if index < len(row) else "n/a"
                for column, index in first.items()
            }
            for row in _split(self.body, self.delimiter)
        )


def is_missing(cell: str | None) -> bool:
    """Whether a cell holds no value (``n/a``, empty, NaN)."""
    return cell is None or cell.strip().lower() in _MISSING


def number(cell: str | None) -> float:
    """Return the number in a cell; NaN when there is none or it is not finite.

    Text that holds more than a number (``10 s``, ``12,5``) is no number, nor is what Python
    alone would read (``1_000``).
    """
    text = (cell or "").strip()
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else math.nan


def time_s(cell: str | None) -> float:
    """Return the time in a cell in seconds; NaN when there is none.

    A number, also with a decimal comma, or minutes as ``m:ss`` and ``h:mm:ss``.
    """
    text = (cell or "").strip().replace(",", ".")
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return number(text)
    return 3600.0 * int(clock[1] or 0) + 60.0 * int(clock[2]) + float(clock[3])


def is_plain(cell: str | None) -> bool:
    """Whether a cell is missing, or a number as BIDS writes it."""
    return is_missing(cell) or not math.isnan(number(cell))


def read_table(path: Path) -> Table | Problem:
    """Read a table with a header row.

    TSV is split at tabs and never unquoted, as BIDS has it; ``.csv`` is split at commas (or
    semicolons, if the header has only those) and unquoted.

    Parameters
    ----------
    path
        ``.tsv``, ``.csv``, also with ``.gz``.
    """
    text = read_text(path)
    if isinstance(text, Problem):
        return text
    lines = io.StringIO(text.lstrip("\r\n "), newline=None)
    first = lines.readline()
    delimiter = "\t"
    if ".csv" in path.suffixes:
        delimiter = ";" if ";" in first and "," not in first else ","
    header = tuple(cell.strip() for cell in next(_split(first, delimiter)))
    return Table(path, header, lines.read(), delimiter)


def read_text(path: Path) -> str | Problem:
    """Return the text of a file, unpacked if it is gzipped.

    A file that is absent, empty or not text is a `Problem`.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Problem(path, "is no ordinary file (a folder or a pipe?)", _fetch(path))
        data = path.read_bytes()
        if path.suffix == ".gz" and data:
            data = gzip.decompress(data)
        is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        return Problem(path, f"cannot be read ({error})", _fetch(path))
    return text if text.strip() else Problem(path, "is empty (0 bytes of text)", _fetch(path))


def missing_columns(table: Table, wanted: Iterable[str]) -> str:
    """Say which of the columns a table lacks, and why that may be so; or nothing.

    Columns that are nearly called so are named, or how the cells are separated if not by tabs.

    Parameters
    ----------
    table
        A table that was read.
    wanted
        Names of the columns that are needed.
    """
    missing = sorted(set(wanted) - set(table.columns))
    if not missing:
        return ""
    named = [f"{name}{near_text(name, table.columns)}" for name in missing]
    what = f"has no column {', '.join(named)}"
    marks = {",": "commas", ";": "semicolons", " ": "blanks"}
    separated = [
        word
        for mark, word in marks.items()
        if len(table.header) == 1 and all(name in table.header[0].split(mark) for name in missing)
    ]
    return f"{what}: its cells are separated by {separated[0]}, not tabs" if separated else what


def _fetch(path: Path) -> str:
    return f"fetch it (`datalad get {path}`), restore it or remove it"


def _split(text: str, delimiter: str) -> Iterator[list[str]]:
    lines = io.StringIO(text, newline=None)
    if delimiter == "\t":
        yield from (line.rstrip("\n").split("\t") for line in lines if line.strip())
    else:
        yield from (row for row in csv.reader(lines, delimiter=delimiter) if any(row))
