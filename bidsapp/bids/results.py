"""Our results, read back: a pybids layout of the output, and one tidy table.

>>> from bidsapp.bids.results import load_results
>>> table = load_results("out", table="gradientsparcelsummary")  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bidsapp.bids.index import open_layout
from bidsapp.bids.names import parse_name
from bidsapp.errors import InputMissingError

if TYPE_CHECKING:
    import pandas as pd

#: staging folders and logs hold no results
_NO_RESULTS = (r"^/(?:\.|logs)", r"/figures/")
#: entities that become columns, under these names
_COLUMNS = {"sub": "participant", "ses": "session", "task": "task", "space": "space"}
_COLUMNS |= {"res": "res", "den": "den", "model": "model", "desc": "table"}


def open_results(output_dir: Path | str) -> Any:
    """Return a pybids layout of an output folder.

    It knows our entities ``model`` and ``stat`` beside those of BIDS:
    ``open_results(out).get(suffix="statmap", stat="r", desc="gradientspositive", subject="01")``.

    Parameters
    ----------
    output_dir
        Output folder of the app.

    Raises
    ------
    InputMissingError
        The folder does not exist.
    """
    return open_layout(_existing(output_dir), ignore=_NO_RESULTS)


def load_results(
    output_dir: Path | str, table: str | None = None, participant: str | None = None
) -> pd.DataFrame:
    """Return the ``_stats.tsv`` tables of an output folder as one tidy table.

    Parameters
    ----------
    output_dir
        Output folder of the app.
    table
        ``desc-`` label of the tables to read (``gradientsparcels``, ``rsaprofile``, ...);
        None for all, with missing values where a table lacks a column.
    participant
        Label without ``sub-``; None for all and the group.

    Returns
    -------
    DataFrame
        The rows of the tables, after columns ``participant`` (``n/a``: the group), ``session``,
        ``task``, ``space``, ``res``, ``den``, ``model`` and ``table`` (missing: not in the name).

    Raises
    ------
    InputMissingError
        There is no such folder or no such table.
    """
    import pandas as pd

    root = _existing(output_dir)
    found = []
    for path in sorted(root.glob("sub-*/**/*_stats.tsv")) + sorted(root.glob("group/*_stats.tsv")):
        name = parse_name(path)
        if table not in (None, name.entities.get("desc")):
            continue
        if participant not in (None, name.entities.get("sub")):
            continue
        rows = pd.read_csv(path, sep="\t", na_values=["n/a"], keep_default_na=False)
        for place, (key, column) in enumerate(_COLUMNS.items()):
            if column not in rows.columns:
                value = name.entities.get(key, "n/a" if key == "sub" else None)
                rows.insert(
                    min(place, rows.shape[1]), column, pd.Series(value, rows.index, "object")
                )
        found.append(rows)
    if not found:
        wanted = f" desc-{table}" * (table is not None) + f" sub-{participant}" * bool(participant)
        msg = f"{root} holds no{wanted} _stats.tsv; run the participant level first"
        raise InputMissingError(msg)
    return pd.concat(found, ignore_index=True)


def _existing(output_dir: Path | str) -> Path:
    root = Path(output_dir)
    if not root.is_dir():
        msg = f"output folder {root} does not exist"
        raise InputMissingError(msg)
    return root
