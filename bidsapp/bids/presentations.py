"""Which sound was played when.

For every run the first of these that says something counts:

1. ``presentations.tsv`` in ``--stimuli-dir`` (or in ``stimuli/``), see `bidsapp.bids.overlay`;
2. the adapter given with ``--adapter``;
3. ``events.tsv`` with ``stim_file`` [and ``stim_start``];
4. ``events.tsv`` with ``stim_id`` and the catalogue ``stimuli.tsv`` (BEP044).

Times are seconds in the run; ``stim_start`` is the position in the sound at which playing began.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bidsapp.bids.adapters import Adapter, EventRule, adapter_names, load_adapter
from bidsapp.bids.dataset import Dataset, participants
from bidsapp.bids.near import near_text
from bidsapp.bids.overlay import OVERLAY, is_for, read_overlay, unmet_rows
from bidsapp.bids.played import Played, read_played, with_starts, without_responses
from bidsapp.bids.records import Presentation, Problem, Run
from bidsapp.bids.sidecars import applicable_files
from bidsapp.bids.sounds import SoundLibrary, clean_stim_file, sound_duration_s
from bidsapp.bids.stimuli import read_catalogue, stimuli_folders
from bidsapp.bids.tables import Table, is_missing, missing_columns, read_table
from bidsapp.text import counted, some_of

_STANDARD = EventRule()


_Found = tuple[list[Played], list[Problem]]


def find_presentations(
    dataset: Dataset,
    runs: Sequence[Run],
    *,
    stimuli_dir: Path | None = None,
    adapter: str | None = None,
) -> tuple[list[Presentation], list[Problem]]:
    """Return the sounds played in `runs`, by run and onset, and what was odd.

    A sound that is not on disk is a presentation with ``path`` None and a `Problem`; a path that
    leads out of the stimuli folder is left out.

    Parameters
    ----------
    dataset
        From `open_dataset`.
    runs
        From `find_runs`.
    stimuli_dir
        ``--stimuli-dir``, searched before ``stimuli/`` of the dataset.
    adapter
        Name, or path of a TOML file, with options; see `load_adapter`.

    Raises
    ------
    UsageError
        The adapter does not exist.
    InputInvalidError
        Rows of a run name one sound, none says from where it was played, and the length of the
        file does not tell; see `bidsapp.bids.played`.
    """
    chosen = load_adapter(adapter) if adapter else None
    folders = stimuli_folders(dataset, stimuli_dir)
    library = SoundLibrary.open(folders)
    overlay, problems = read_overlay(folders)
    if overlay is not None:
        problems += unmet_rows(overlay, runs, participants(dataset))
    presentations: list[Presentation] = []
    silent: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        try:
            played, more = _played(dataset, run, overlay, chosen, library)
        except _SilentRunError as reason:
            silent[str(reason)].append(run)
            continue
        problems += more
        continuous = chosen is not None and chosen.continuous and _covers(chosen, run)
        found, more = _with_sounds(run, played, library, continuous=continuous)
        presentations += found
        problems += more
    if chosen is not None and chosen.warning and any(_covers(chosen, run) for run in runs):
        remedy = "compare what is analysed with the paper"
        problems.append(Problem(dataset.bids_dir, chosen.warning, remedy))
    where = folders[0] if folders else dataset.bids_dir / "stimuli"
    problems += _absent(presentations, problems, where, library)
    problems += [_silence(dataset, reason, who) for reason, who in silent.items()]
    return presentations, list(dict.fromkeys(problems))


def events_file(dataset: Dataset, run: Run) -> Path | None:
    """Return the ``events.tsv`` that applies to a run, inherited ones included."""
    for root in dataset.roots:
        session = [f"ses-{run.entities['ses']}"] if "ses" in run.entities else []
        folder = root.joinpath(f"sub-{run.subject}", *session, "func")
        found = applicable_files(folder, root, run.entities, "events", (".tsv",))
        if found:
            return found[-1]
    return None


def _played(
    dataset: Dataset,
    run: Run,
    overlay: Table | None,
    adapter: Adapter | None,
    library: SoundLibrary,
) -> _Found:
    if overlay is not None:
        rows = [row for row in overlay.rows if is_for(row, run)]
        if rows:
            return read_played(rows, _STANDARD, overlay.path, OVERLAY)
    path = events_file(dataset, run)
    events = read_table(path) if path else None
    if adapter is not None and _covers(adapter, run):
        return _from_adapter(adapter, run, events, dataset)
    if isinstance(events, Problem):
        return [], [events]
    if events is None:
        msg = f"there is no events.tsv{_events_elsewhere(dataset, run)}"
        raise _SilentRunError(msg)
    missing = missing_columns(events, ("onset", "duration"))
    if missing:
        return [], [Problem(events.path, missing, "repair it as BIDS has it")]
    rows = [row for row in events.rows if is_missing(row.get("annot"))]
    if "stim_file" in events.columns:
        played, problems = read_played(rows, _STANDARD, events.path, "events.tsv")
    elif "stim_id" in events.columns:
        played, problems = _from_ids(rows, events.path, library)
    else:
        near = near_text("stim_file", events.columns)
        listed = near or f" (its columns: {', '.join(events.columns)})"
        msg = f"events.tsv has neither stim_file nor stim_id{listed}"
        raise _SilentRunError(msg)
    if not played and not problems:
        msg = f"events.tsv has {counted(len(rows), 'row')} and names no sound"
        raise _SilentRunError(msg)
    return played, problems


def _events_elsewhere(dataset: Dataset, run: Run) -> str:
    """Name events of the participant's task that stand under other entities (a session, a run)."""
    elsewhere = sorted(
        path.relative_to(root).as_posix()
        for root in dataset.roots
        for place in ("func", "ses-*/func")
        for path in (root / f"sub-{run.subject}").glob(f"{place}/*_task-{run.task}_*events.tsv")
    )
    if not elsewhere:
        return ""
    return f" under this name (nearly: {some_of(elsewhere)}; do sessions and runs agree?)"


class _SilentRunError(Exception):
    """Nothing says what was played during a run; the message says why."""


def _silence(dataset: Dataset, reason: str, runs: Sequence[Run]) -> Problem:
    what = f"{some_of([run.name for run in runs])}: {reason}, so no sound is known"
    remedy = (
        f"give {OVERLAY} in --stimuli-dir or an --adapter ({', '.join(adapter_names())}), "
        "or leave out what is silent with --task-id"
    )
    return Problem(dataset.bids_dir, what, remedy)


def _absent(
    presentations: Iterable[Presentation],
    problems: Iterable[Problem],
    folder: Path,
    library: SoundLibrary,
) -> list[Problem]:
    """Name the sounds that are nowhere; those found empty have a problem of their own."""
    broken = {problem.path.stem for problem in problems}
    absent = dict.fromkeys(
        item.stim_file
        for item in presentations
        if item.path is None and Path(item.stim_file).stem not in broken
    )
    if not absent:
        return []
    named = [f"{stim_file}{near_text(stim_file, library.files)}" for stim_file in absent]
    what = f"{counted(len(absent), 'sound')} not found: {some_of(named)}"
    return [Problem(folder, what, "put them there or give --stimuli-dir")]


def _covers(adapter: Adapter, run: Run) -> bool:
    if run.task in adapter.silent_tasks or any(item.task == run.task for item in adapter.played):
        return True
    rule = adapter.events
    return rule is not None and (not rule.tasks or run.task in rule.tasks)


def _from_adapter(
    adapter: Adapter, run: Run, events: Table | Problem | None, dataset: Dataset
) -> _Found:
    source = f"adapter {adapter.name}"
    fixed = [item for item in adapter.played if item.task == run.task]
    if fixed or run.task in adapter.silent_tasks:
        where = dataset.bids_dir
        return [
            Played(
                item.onset_s + adapter.onset_shift_s,
                item.duration_s,
                item.stim_file,
                item.stim_start_s,
                where,
                source,
            )
            for item in fixed
        ], []
    if isinstance(events, Problem):
        return [], [events]
    if events is None or adapter.events is None:
        msg = "there is no events.tsv"
        raise _SilentRunError(msg)
    return read_played(
        adapter.keep(events.rows), adapter.events, events.path, source, adapter.onset_shift_s
    )


def _from_ids(rows: Iterable[Mapping[str, str]], table: Path, library: SoundLibrary) -> _Found:
    """Presentations of BEP044: identifiers, resolved by the catalogue or by file names."""
    catalogue, problems = read_catalogue(library.folders)
    resolved = []
    for row in rows:
        stim_id = row.get("stim_id", "")
        if is_missing(stim_id):
            continue
        entry = catalogue.by_id(stim_id)
        stim_file = entry.get("stim_file") if entry else None
        resolved.append({**row, "stim_file": stim_file or library.with_id(stim_id) or stim_id})
    played, more = read_played(resolved, _STANDARD, table, "events.tsv (stim_id)")
    return played, problems + more


def _with_sounds(
    run: Run, played: Iterable[Played], library: SoundLibrary, *, continuous: bool
) -> tuple[list[Presentation], list[Problem]]:
    """Look up the sounds of one run's rows, and where in its sound each row starts."""
    presentations: list[Presentation] = []
    problems: list[Problem] = []
    named: list[Played] = []
    paths: dict[str, Path | None] = {}
    for item in sorted(played, key=lambda item: item.onset_s):
        stim_file = clean_stim_file(item.stim_file, item.table)
        if isinstance(stim_file, Problem):
            problems.append(stim_file)
            continue
        paths[stim_file], problem = library.find(stim_file)
        problems += [problem] if problem else []
        named.append(replace(item, stim_file=stim_file))
    named, more = without_responses(named)
    problems += more

    def length_s(stim_file: str) -> float | None:
        path = paths[stim_file]
        return sound_duration_s(path) if path is not None else None

    named, more = with_starts(run.name, named, length_s, continuous=continuous)
    problems += more
    for item in named:
        path = paths[item.stim_file]
        duration, more = _duration(run, item, path)
        problems += more
        if duration > 0:
            presentations.append(
                Presentation(
                    run_name=run.name,
                    onset_s=item.onset_s,
                    duration_s=duration,
                    stim_file=item.stim_file,
                    path=path,
                    stim_start_s=item.stim_start_s,
                    source=item.source,
                )
            )
    return presentations, problems


def _duration(run: Run, item: Played, path: Path | None) -> tuple[float, list[Problem]]:
    """Length of a presentation: as stated, else what is left of the sound, else of the run."""
    if item.duration_s > 0:
        return item.duration_s, []
    length = sound_duration_s(path) if path else None
    left = run.duration_s - item.onset_s
    if length is not None:
        left = min(left, length - item.stim_start_s)
    if left > 0:
        stated = "n/a" if math.isnan(item.duration_s) else f"{item.duration_s:g} s"
        what = f"{run.name}: duration of {item.stim_file} is {stated}"
        return left, [Problem(item.table, what, f"{left:.3f} s are taken; state the duration")]
    what = f"{run.name}: {item.stim_file} at {item.onset_s:g} s has no positive duration"
    return 0.0, [Problem(item.table, what, "it is left out; repair onset, duration or stim_start")]
