"""``presentations.tsv``: what was played when, for datasets that cannot be edited.

Columns task, run, session, subject (n/a for all), onset, duration, stim_file, stim_start. A row
that speaks of no run is reported with what the rows say and what the runs are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bidsapp.bids.names import same_label
from bidsapp.bids.near import near_text
from bidsapp.bids.records import Problem, Run
from bidsapp.bids.tables import Table, is_missing, missing_columns, read_table
from bidsapp.text import counted

OVERLAY = "presentations.tsv"
_COLUMNS = {"subject": "sub", "session": "ses", "task": "task", "run": "run"}
_N_LISTED = 6


def read_overlay(folders: Iterable[Path]) -> tuple[Table | None, list[Problem]]:
    """Read the first ``presentations.tsv`` of some folders.

    Parameters
    ----------
    folders
        Stimuli folders.

    Returns
    -------
    table
        None when there is none, or none that can be used.
    problems
        Why it cannot be used; a table of another type beside where it should be.
    """
    problems: list[Problem] = []
    for folder in folders:
        path = folder / OVERLAY
        if path.exists() or path.is_symlink():
            table = read_table(path)
            if isinstance(table, Problem):
                return None, [table]
            missing = missing_columns(table, ("onset", "stim_file"))
            if missing:
                return None, [Problem(path, missing, "add it; see musicotopy-tools init")]
            return table, []
        other = path.with_suffix(".csv")
        if other.exists():
            what = f"is not read: the name of this table is {OVERLAY}, with tabs between cells"
            problems.append(Problem(other, what, "save it under that name"))
    return None, problems


def is_for(row: Mapping[str, str], run: Run) -> bool:
    """Whether a row speaks of a run; n/a speaks of all."""
    return not _differing(row, run)


def _differing(row: Mapping[str, str], run: Run) -> list[str]:
    """Columns by which a row speaks of something else than a run."""
    differing = []
    for column, key in _COLUMNS.items():
        cell = row.get(column)
        if cell is None or is_missing(cell):
            continue
        own = run.entities.get(key, "1" if key == "run" else "")
        if not same_label(key, cell.strip().removeprefix(f"{key}-"), own):
            differing.append(column)
    return differing


def unmet_rows(table: Table, runs: Sequence[Run], participants: Iterable[str]) -> list[Problem]:
    """Report the rows that speak of none of a participant's runs though they seem meant.

    Parameters
    ----------
    table
        From `read_overlay`.
    runs
        Runs of one participant that were chosen.
    participants
        Labels of everybody in the dataset.

    Returns
    -------
    list of Problem
        At most one for participants that do not exist, and one for the runs. Rows of another
        participant, and those of a task that was not chosen while rows of the chosen ones meet,
        are as they should be.
    """
    if not runs:
        return []
    labels = list(participants)
    problems = _unknown_participants(table, labels)
    mine = [row for row in table.rows if _is_of(row, runs[0].subject, labels)]
    met = [row for row in mine if any(is_for(row, run) for run in runs)]
    tasks = {run.task for run in runs}
    unmet = [
        row
        for row in mine
        if not any(is_for(row, run) for run in runs) and (not met or _task(row) in {"", *tasks})
    ]
    if unmet:
        wanted = _listed(_described(row) for row in unmet)
        present = _listed(_named(run) for run in runs)
        what = (
            f"{len(unmet)} of {counted(len(table.rows), 'row')} for no run of "
            f"sub-{runs[0].subject}, but for {wanted}; the runs are {present}"
        )
        problems.append(Problem(table.path, what, "correct task, session or run in the table"))
    return problems


def _unknown_participants(table: Table, labels: Sequence[str]) -> list[Problem]:
    cells = dict.fromkeys(
        cell.strip().removeprefix("sub-")
        for row in table.rows
        if not is_missing(cell := row.get("subject", "n/a"))
    )
    unknown = [cell for cell in cells if cell not in labels]
    if not unknown:
        return []
    listed = _listed(repr(label) + near_text(label, labels) for label in unknown)
    what = f"speaks of participants that do not exist: {listed}"
    return [Problem(table.path, what, "write the labels of the sub- folders, zeros included")]


def _is_of(row: Mapping[str, str], subject: str, labels: Sequence[str]) -> bool:
    cell = row.get("subject")
    if cell is None or is_missing(cell):
        return True
    label = cell.strip().removeprefix("sub-")
    return label == subject and label in labels


def _task(row: Mapping[str, str]) -> str:
    cell = row.get("task")
    return "" if cell is None or is_missing(cell) else cell.strip().removeprefix("task-")


def _described(row: Mapping[str, str]) -> str:
    pairs = [
        f"{column} {cell!r}"
        for column in ("session", "task", "run")
        if (cell := row.get(column)) is not None and not is_missing(cell)
    ]
    return " ".join(pairs) or "any run"


def _named(run: Run) -> str:
    keys = ("ses", "task", "run")
    return " ".join(f"{key}-{run.entities[key]}" for key in keys if key in run.entities)


def _listed(texts: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    more = len(distinct) - _N_LISTED
    return "; ".join(distinct[:_N_LISTED]) + (f" and {more} more" if more > 0 else "")
