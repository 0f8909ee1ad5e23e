"""Tab- and comma-separated tables as text, read without any heavy library."""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bidsapp.bids.records import Problem

_MISSING = frozenset({"", "n/a", "na", "nan", "none", "null"})


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
    """Return the number in a cell; NaN when there is none or it is not finite."""
    try:
        value = float(cell) if cell is not None else math.nan
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


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
        data = path.read_bytes()
        if path.suffix == ".gz" and data:
            data = gzip.decompress(data)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        return Problem(path, f"cannot be read ({error})", _fetch(path))
    return text if text.strip() else Problem(path, "is empty (0 bytes of text)", _fetch(path))


def _fetch(path: Path) -> str:
    return f"fetch it (`datalad get {path}`), restore it or remove it"


def _split(text: str, delimiter: str) -> Iterator[list[str]]:
    lines = io.StringIO(text, newline=None)
    if delimiter == "\t":
        yield from (line.rstrip("\n").split("\t") for line in lines if line.strip())
    else:
        yield from (row for row in csv.reader(lines, delimiter=delimiter) if any(row))
