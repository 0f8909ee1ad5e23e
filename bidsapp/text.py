"""Plain text for the terminal."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def text_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Lay out rows as text columns; numbers keep at most two decimals."""
    body = [[_cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *body, strict=True)]
    lines = [list(columns), *body]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def counted(n: int, noun: str, nouns: str = "") -> str:
    """Write a number with its noun: ``1 sound``, ``3 sounds``."""
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def some_of(names: Sequence[str], most: int = 3) -> str:
    """List the first names and how many more there are: ``a, b, c and 2 more``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "n/a"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)


def silence_output() -> None:
    """Send standard output nowhere, after its reader has left (as `head` does)."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
