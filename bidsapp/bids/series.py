"""Continuous annotations as they lie on disk: ``_stim.tsv.gz``, or a table with a time column.

A ``_stim.tsv.gz`` has no header by the standard; its sidecar says rate, start and columns. Files
with a header all the same are common (and pass the validator): the header is recognised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bidsapp.bids.records import Problem
from bidsapp.bids.tables import Table, is_missing, is_plain, number, read_table, read_text, time_s
from bidsapp.text import counted

TIME_COLUMNS = ("time", "time_s", "times", "t", "seconds", "timestamp", "onset")
#: of the sampling interval: times that stray less are taken for regular
_JITTER = 0.25
#: sampling intervals that a gap may be long before samples in it are missing
_LONGEST_GAP = 3.0


@dataclass(frozen=True, slots=True)
class Series:
    """Columns sampled at a constant rate.

    Attributes
    ----------
    columns
        Name to samples; NaN is missing.
    sampling_hz
        Rate.
    start_s
        Time of the first sample.
    metadata
        The sidecar.
    """

    columns: Mapping[str, tuple[float, ...]]
    sampling_hz: float
    start_s: float
    metadata: Mapping[str, Any]

    def between(self, start_s: float, end_s: float) -> Series:
        """Return the samples with ``start_s <= time < end_s``; their times stay."""
        count = max(map(len, self.columns.values()), default=0)
        first = max(0, math.ceil((start_s - self.start_s) * self.sampling_hz - 1e-9))
        stop = max(first, min(count, math.ceil((end_s - self.start_s) * self.sampling_hz - 1e-9)))
        return Series(
            {name: values[first:stop] for name, values in self.columns.items()},
            self.sampling_hz,
            self.start_s + first / self.sampling_hz,
            self.metadata,
        )


def read_series(path: Path, metadata: Mapping[str, Any]) -> tuple[Series | None, list[Problem]]:
    """Read a continuous annotation.

    Parameters
    ----------
    path
        ``.tsv.gz`` (or ``_stim.tsv``) with a sidecar, or ``.tsv`` and ``.csv`` with a time column.
    metadata
        The sidecars that apply.

    Returns
    -------
    series
        None if the file cannot be used.
    problems
        Why, and what else was odd.
    """
    if "SamplingFrequency" in metadata:
        return _sampled(path, metadata)
    table = read_table(path)
    if isinstance(table, Problem):
        return None, [table]
    column = time_column(table)
    if column is None:
        what = "has neither SamplingFrequency in a sidecar nor a time column"
        remedy = "add a JSON sidecar with SamplingFrequency, StartTime and Columns"
        return None, [Problem(path, what, remedy)]
    return _timed(table, column, metadata)


def time_column(table: Table) -> str | None:
    """Return the name of the column with times, if the table has one and it is no event list."""
    if "duration" in table.columns:
        return None
    lower = {column.lower(): column for column in table.columns}
    return next((lower[name] for name in TIME_COLUMNS if name in lower), None)


def _sampled(path: Path, metadata: Mapping[str, Any]) -> tuple[Series | None, list[Problem]]:
    text = read_text(path)
    if isinstance(text, Problem):
        return None, [text]
    rate, start = metadata["SamplingFrequency"], metadata.get("StartTime", 0.0)
    if not (_is_finite(rate) and rate > 0 and _is_finite(start)):
        what = f"has SamplingFrequency {rate!r} and StartTime {start!r} in its sidecar"
        return None, [Problem(path, what, "both must be numbers, the first above 0")]
    rows = [line.split("\t") for line in text.splitlines() if line.strip()]
    problems: list[Problem] = []
    names = [str(name) for name in metadata.get("Columns", ())]
    if _is_header(rows[0]):
        problems.append(
            Problem(path, "has a header row, which BIDS forbids in .tsv.gz", "it is passed over")
        )
        names = names or rows[0]
        rows = rows[1:]
    width = len(rows[0]) if rows else 0
    if len(names) != width or any(len(row) != width for row in rows):
        what = f"has {width} columns and its sidecar names {len(names)}"
        return None, [*problems, Problem(path, what, "correct Columns in the JSON sidecar")]
    cells = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    known = {cell: _value(cell) for row in rows for cell in row}
    columns = {name: tuple(known[cell] for cell in column) for name, column in cells.items()}
    problems += _odd_cells(path, cells)
    return Series(columns, float(rate), float(start), metadata), problems


def _value(cell: str) -> float:
    """Return the number in a cell, also with a decimal comma; NaN when there is none."""
    return number(cell.replace(",", "."))


def _odd_cells(path: Path, cells: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Quote the cells that are no numbers or not written as BIDS has them; say so if none is."""
    plain = {c: is_plain(c) for c in {c for column in cells.values() for c in column}}
    odd = [(n, c) for n, column in cells.items() for c in column if not plain[c]]
    words = [pair for pair in odd if _is_word(pair[1])]
    commas = [pair for pair in odd if not _is_word(pair[1])]
    problems = []
    if words:
        what = f"{counted(len(words), 'cell')} without a number ({_quoted(words)})"
        problems.append(Problem(path, what, "they are missing values; correct them"))
    if commas:
        what = f"{counted(len(commas), 'number')} with a decimal comma ({_quoted(commas)})"
        problems.append(Problem(path, what, "they are read so; write a point"))
    empty = [name for name, column in cells.items() if all(is_missing(cell) for cell in column)]
    if empty:
        what = f"holds no value in {', '.join(empty)}"
        problems.append(Problem(path, what, "it is left out"))
    return problems


def _is_word(cell: str) -> bool:
    return not is_missing(cell) and math.isnan(_value(cell))


def _quoted(pairs: Sequence[tuple[str, str]]) -> str:
    distinct = list(dict.fromkeys(f"{name} {cell!r}" for name, cell in pairs))
    return ", ".join(distinct[:3]) + (", ..." if len(distinct) > 3 else "")


def _is_finite(value: Any) -> bool:
    number_like = isinstance(value, int | float) and not isinstance(value, bool)
    return number_like and abs(value) < 1e12  # also of integers too large for a float


def _is_header(row: Sequence[str]) -> bool:
    return all(_is_word(cell) for cell in row)


def _timed(
    table: Table, column: str, metadata: Mapping[str, Any]
) -> tuple[Series | None, list[Problem]]:
    times = [time_s(row[column]) for row in table.rows]
    kept = [index for index, time in enumerate(times) if math.isfinite(time)]
    kept.sort(key=lambda index: times[index])
    ordered = [times[index] for index in kept]
    step = _step(ordered)
    if step <= 0:
        what = f"has no increasing times in column {column!r}"
        return None, [Problem(table.path, what, "repair the column; times are in seconds")]
    values = {
        name: [_value(table.rows[index][name]) for index in kept]
        for name in table.columns
        if name != column
    }
    values = {name: cells for name, cells in values.items() if any(map(math.isfinite, cells))}
    # a column without any number is a remark or a label, not a course
    cells = {name: [table.rows[index][name] for index in kept] for name in (column, *values)}
    problems = _odd_cells(table.path, cells)
    if _stray(ordered, step) > _JITTER * step:
        what = f"is sampled irregularly (about every {step:g} s)"
        problems.append(Problem(table.path, what, f"it is interpolated to {1 / step:g} Hz"))
        values = {name: _regular(ordered, cells, step) for name, cells in values.items()}
    columns = {name: tuple(cells) for name, cells in values.items()}
    return Series(columns, 1.0 / step, ordered[0], metadata), problems


def _step(times: Sequence[float]) -> float:
    """Return the sampling interval: the mean one if times keep to it, else the median; 0 if none.

    Written times are rounded, so that the median may be off and the mean is not.
    """
    if len(times) < 2:
        return 0.0
    mean = (times[-1] - times[0]) / (len(times) - 1)
    if _stray(times, mean) <= _JITTER * mean:
        return mean
    steps = sorted(late - early for early, late in pairwise(times))
    return steps[len(steps) // 2]


def _stray(times: Sequence[float], step: float) -> float:
    return max(abs(time - times[0] - index * step) for index, time in enumerate(times))


def _regular(times: Sequence[float], values: Sequence[float], step: float) -> list[float]:
    """Interpolate to a regular grid; what lies in a long gap is missing."""
    import numpy as np

    t, y = np.asarray(times), np.asarray(values)
    t, y = t[np.isfinite(y)], y[np.isfinite(y)]
    grid = np.arange(times[0], times[-1] + step / 2, step)
    after = np.searchsorted(t, grid - 1e-9 * step)
    gap = t[np.clip(after, 0, t.size - 1)] - t[np.clip(after - 1, 0, t.size - 1)]
    outside = (grid < t[0] - 1e-9) | (grid > t[-1] + 1e-9) | (gap > _LONGEST_GAP * step)
    regular: list[float] = np.where(outside, np.nan, np.interp(grid, t, y)).tolist()
    return regular
