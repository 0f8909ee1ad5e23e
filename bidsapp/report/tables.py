"""Tables of a page, from data frames and declared columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.report.html import Cell, Table, cell, p_cell
from bidsapp.results.kinds import Column

Row = Mapping[str, Any]
MakeCell = Callable[[Row], Cell]
MISSING = "\u2013"
_P_VALUES = ("p", "q")


def table(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    caption: str = "",
    *,
    cells: Mapping[str, MakeCell] | None = None,
    keep_empty: bool = False,
    floor: float | str = 0.0,
) -> Table:
    """Show a data frame with the titles and digits of its declared columns.

    Parameters
    ----------
    frame
        Rows, in the order in which they are shown.
    columns
        Those to show, in order (`choose` picks some of a declaration). Columns that the frame
        lacks are left out.
    caption
        How to read it.
    cells
        Column → function of a row (a mapping) that makes its cell instead.
    keep_empty
        Whether columns without any value are shown, too.
    floor
        Smallest possible p-value, or the column that holds it for each row: a p-value that is as
        small is shown as ``≤ 0.025``.
    """
    made = cells or {}
    kept = [
        column
        for column in columns
        if column.name in made
        or (column.name in frame and (keep_empty or frame[column.name].notna().any()))
    ]
    rows = [
        [
            made[column.name](row)
            if column.name in made
            else show(row[column.name], column, row[floor] if isinstance(floor, str) else floor)
            for column in kept
        ]
        for row in records_of(frame)
    ]
    return Table(kept, rows, caption)


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a data frame as mappings from column to value."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def show(value: Any, column: Column, floor: float = 0.0) -> Cell:
    """Format one value as its column declares it.

    Missing values are an en dash and sort last, truth values ``yes`` and ``no``; p-values and
    q-values get a fourth decimal below 0.01; a p-value at the `floor` is shown as ``≤``.
    """
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no", float(value))
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return Cell(MISSING, math.inf if column.holds == "numeric" else MISSING)
    if column.holds != "numeric" or isinstance(value, str):
        return Cell(str(value), str(value))
    if column.by and column.name.split("_")[0] in _P_VALUES:
        made = p_cell(float(value))
        at_floor = column.name.startswith("p") and float(value) <= floor * (1 + 1e-6)
        return replace(made, text=f"\u2264\u2009{made.text}") if at_floor else made
    return cell(float(value), column.digits)


def choose(columns: Iterable[Column], *names: str) -> tuple[Column, ...]:
    """Return the columns with these names, in the order of the names.

    Raises
    ------
    KeyError
        A name is not declared.
    """
    known = {column.name: column for column in columns}
    return tuple(known[name] for name in names)


def numbered(number: str, name: str) -> MakeCell:
    """Return a function that shows ``15 conv3_1``, sorted by the number.

    Parameters
    ----------
    number, name
        Columns of the number and of the name, such as ``layer_index`` and ``layer``.
    """

    def make(row: Row) -> Cell:
        value, label = row[number], row[name]
        if not isinstance(label, str) or pd.isna(value):
            return Cell(MISSING, math.inf)
        return Cell(f"{value:.0f} {label}", float(value))

    return make


def interval(value: str, low: str, high: str, digits: int = 3) -> MakeCell:
    """Return a function that shows ``0.31 (0.21 – 0.40)``, sorted by the value.

    Parameters
    ----------
    value, low, high
        Columns of the value and of the ends; without ends the value alone is shown.
    digits
        Decimals.
    """

    def make(row: Row) -> Cell:
        plain = cell(row[value], digits)
        if any(pd.isna(row[end]) for end in (low, high)):
            return plain
        ends = " \u2013 ".join(cell(row[end], digits).text for end in (low, high))
        return Cell(f"{plain.text} ({ends})", plain.key)

    return make


def rows_of(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the rows with these values; none when a column is missing."""
    if frame.empty or any(column not in frame for column in values):
        return frame.iloc[:0]
    keep = np.ones(len(frame), dtype=bool)
    for column, value in values.items():
        keep &= (frame[column] == value).to_numpy()
    return frame[keep]


def by_layer(
    frame: pd.DataFrame, column: str, layers: Sequence[str], key: str = "layer"
) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Return a column in the order of the layers.

    Parameters
    ----------
    frame
        One row per layer.
    column
        Of numbers.
    layers
        Names, first to last.
    key
        Column of the names.

    Returns
    -------
    (n_layers,) array or None
        NaN for layers without a row; None without the column, or without rows.
    """
    if frame.empty or column not in frame:
        return None
    unique = frame.drop_duplicates(key).set_index(key)[column]
    return np.asarray(unique.reindex(list(layers)).to_numpy(dtype=float))
