"""Labelled stretches of time: emotions, sections, moods.

- of a sound: ``<stem>_annot-<label>_events.tsv`` in a stimuli folder;
- of a run: rows of ``events.tsv`` whose column ``annot`` is filled;
- of a run, for everybody: ``*[task-<t>_]run-<n>_events.tsv`` in a stimuli folder, as studyforrest
  has it. Without ``task-`` in the name such a file is used only if all runs are of one task.

- of whole sounds: the column ``emotion`` of ``stimuli.tsv``, where none of these says anything.

The label is ``trial_type``; a table with columns ``e_<label>`` gives one interval for each of them
that is above zero, with that value as agreement. Intervals may overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bidsapp.bids.annotation_files import annotation_files, is_run_locked, tables_below
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.names import is_part_of, parse_name, select
from bidsapp.bids.presentations import events_file
from bidsapp.bids.records import Interval, Presentation, Problem, Run, TimeReference
from bidsapp.bids.stimuli import read_catalogue, stimuli_folders
from bidsapp.bids.tables import Table, is_missing, is_plain, number, read_table
from bidsapp.text import counted

_WIDE = "e_"
_N_QUOTED = 4


def find_intervals(
    dataset: Dataset,
    runs: Sequence[Run],
    presentations: Sequence[Presentation],
    stimuli_dir: Path | None = None,
) -> tuple[list[Interval], list[Problem]]:
    """Return the labelled intervals of `runs` and of the sounds played in them.

    Parameters
    ----------
    dataset
        From `open_dataset`.
    runs, presentations
        Of one participant.
    stimuli_dir
        ``--stimuli-dir``, searched before ``stimuli/`` of the dataset.
    """
    folders = stimuli_folders(dataset, stimuli_dir)
    files, problems = annotation_files(folders, {item.stim_file for item in presentations})
    found: list[Interval] = []
    for file in files:
        if file.is_events:
            intervals, more = _read(file.path, "stimulus", file.stim_file, file.rater)
            found += intervals
            problems += more
    for run in runs:
        path = events_file(dataset, run)
        table = read_table(path) if path else None
        if isinstance(table, Table) and "annot" in table.columns:
            rows = [row for row in table.rows if not is_missing(row["annot"])]
            intervals, more = _intervals(rows, table, "run", run.name, None)
            found += intervals
            problems += more
    shared, more = _of_runs(folders, runs)
    found, problems = found + shared, problems + more
    if not found:
        found, more = _of_catalogue(folders, presentations)
        problems += more
    return found, list(dict.fromkeys(problems))


def _of_catalogue(
    folders: Iterable[Path], presentations: Iterable[Presentation]
) -> tuple[list[Interval], list[Problem]]:
    """Label each sound that was played as a whole, by the catalogue."""
    ends_s: dict[str, float] = {}
    for item in presentations:
        end_s = item.stim_start_s + item.duration_s
        ends_s[item.stim_file] = max(end_s, ends_s.get(item.stim_file, 0.0))
    catalogue, problems = read_catalogue(folders)
    found = [
        Interval(label, 0.0, ends_s[name], "stimulus", name, source=catalogue.path)
        for name, (label, *_) in catalogue.values("emotion").items()
        if name in ends_s
    ]
    return found, problems


def _of_runs(folders: Iterable[Path], runs: Sequence[Run]) -> tuple[list[Interval], list[Problem]]:
    found: list[Interval] = []
    problems: list[Problem] = []
    one_task = len({run.task for run in runs}) == 1
    homeless: list[Path] = []
    for folder in folders:
        for path in tables_below(folder):
            name = parse_name(path)
            if name.suffix != "events" or not is_run_locked(path):
                continue
            if "task" not in name.entities and not one_task:
                homeless.append(path)
                continue
            key = select(name.entities, ("ses", "task", "acq", "rec", "dir", "run"))
            for run in runs:
                if is_part_of(key, run.entities):
                    intervals, more = _read(path, "run", run.name, None)
                    found += intervals
                    problems += more
    if homeless and runs:
        what = f"{len(homeless)} files like this name a run but no task, and there are several"
        problems.append(Problem(homeless[0], what, "choose one with --task-id"))
    return found, problems


def _read(
    path: Path, reference: TimeReference, key: str, rater: str | None
) -> tuple[list[Interval], list[Problem]]:
    table = read_table(path)
    if isinstance(table, Problem):
        return [], [table]
    labelled = "trial_type" in table.columns or any(c.startswith(_WIDE) for c in table.columns)
    if not {"onset", "duration"} <= set(table.columns) or not labelled:
        what = "has no columns onset, duration and trial_type (or e_<label>)"
        return [], [Problem(path, what, "it is passed over as labels")]
    return _intervals(table.rows, table, reference, key, rater)


def _intervals(
    rows: Iterable[Mapping[str, str]],
    table: Table,
    reference: TimeReference,
    key: str,
    rater: str | None,
) -> tuple[list[Interval], list[Problem]]:
    found = []
    unreadable: list[str] = []
    beyond: list[float] = []
    for row in rows:
        onset, duration = number(row.get("onset")), number(row.get("duration"))
        cells = [row.get(name) for name in ("onset", "duration", "agreement")]
        unreadable += [repr(cell) for cell in cells if cell is not None and not is_plain(cell)]
        if math.isnan(onset) or math.isnan(duration):
            continue
        for label, agreement in _labels(row):
            beyond += [agreement] * (agreement > 1 or agreement < 0)
            found.append(
                Interval(
                    label=label,
                    onset_s=onset,
                    duration_s=duration,
                    reference=reference,
                    key=key,
                    agreement=None if math.isnan(agreement) else agreement,
                    rater=_text(row, "rater") or rater,
                    character=_text(row, "character"),
                    source=table.path,
                )
            )
    return found, _odd_cells(table.path, unreadable, beyond)


def _odd_cells(path: Path, unreadable: Sequence[str], beyond: Sequence[float]) -> list[Problem]:
    """Say which times and shares of a table of labels cannot be what they should be."""
    problems = []
    if unreadable:
        listed = ", ".join(list(dict.fromkeys(unreadable))[:_N_QUOTED])
        cells = counted(len(unreadable), "time or share", "times or shares")
        what = f"{cells} of labels without a number ({listed})"
        remedy = "stretches without a time are left out, those without a share count as 1"
        problems.append(Problem(path, what, f"{remedy}; write numbers"))
    if beyond:
        of = counted(len(beyond), "stretch", "stretches")
        what = f"agreement goes from {min(beyond):g} to {max(beyond):g} in {of}"
        remedy = "it is a share of the observers: write 0 to 1; these count as they stand"
        problems.append(Problem(path, what, remedy))
    return problems


def _labels(row: Mapping[str, str]) -> list[tuple[str, float]]:
    label = row.get("trial_type")
    if label is not None and not is_missing(label):
        return [(label, number(row.get("agreement")))]
    wide = {c.removeprefix(_WIDE): number(v) for c, v in row.items() if c.startswith(_WIDE)}
    return [(label, value) for label, value in wide.items() if value > 0]


def _text(row: Mapping[str, str], column: str) -> str | None:
    cell = row.get(column)
    return None if cell is None or is_missing(cell) else cell
