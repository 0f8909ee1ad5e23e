"""What listeners said about the music: continuous ratings, locked to a run or to a sound.

Ratings are looked for in four places, and for each run and name the first counts:

1. a listener's own rating of a run, ``sub-01/func/<run>_recording-<label>_stim.tsv.gz``;
2. the listener's own rating in another session, ``sub-01/beh/..._recording-<label>_stim.tsv.gz``,
   brought to the sounds by ``stim_file`` of the events beside it;
3. a rating of a run that holds for everybody, at the root, without ``sub-01`` in its name;
4. a rating of a sound, ``stimuli/**/<stem>_annot-<label>[_rater-<id>]_stim.tsv.gz``, or a plain
   ``.csv``/``.tsv`` with a time column: the listener's own if there is one, else the mean over
   raters.

Times are never extrapolated.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bidsapp.bids.annotation_files import annotation_files
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.intervals import find_intervals
from bidsapp.bids.names import is_part_of, parse_name
from bidsapp.bids.records import Presentation, Problem, Rating, Run, TimeReference
from bidsapp.bids.series import Series, read_series
from bidsapp.bids.sidecars import applicable_files, folders_above, inherited_metadata
from bidsapp.bids.sounds import clean_stim_file, sound_duration_s
from bidsapp.bids.stimuli import stimuli_folders
from bidsapp.bids.tables import is_missing, number, read_table

__all__ = ["find_intervals", "find_ratings"]

_GENERIC_COLUMNS = frozenset({"rating", "ratings", "value", "values", "score", "mean"})
_RATER_COLUMN = re.compile(r"(?:(?P<name>.+)_)?rater-(?P<rater>[A-Za-z0-9+]+)")
#: times its sound or run that a rating may end late, and times it may be short
_TOO_LONG, _TOO_SHORT = 10.0, 50.0
_Found = tuple[list[Rating], list[Problem]]


def find_ratings(
    dataset: Dataset,
    runs: Sequence[Run],
    presentations: Sequence[Presentation],
    stimuli_dir: Path | None = None,
    subject: str | None = None,
) -> tuple[list[Rating], list[Problem]]:
    """Return the ratings that apply to `runs` and `presentations`, and what was odd.

    Parameters
    ----------
    dataset
        From `open_dataset`.
    runs, presentations
        Of one participant.
    stimuli_dir
        ``--stimuli-dir``, searched before ``stimuli/`` of the dataset.
    subject
        Whose own ratings come first; None for those of the first run.

    Returns
    -------
    ratings
        Ratings of sounds before ratings of runs: where both cover a moment, the later one holds.
    problems
        What was passed over.
    """
    if not runs:
        return [], []
    subject = subject or runs[0].subject
    own, problems = _run_ratings(dataset, runs)
    at_desk, more = _desk_ratings(dataset, subject, presentations)
    problems += more
    of_sounds, more = _sound_ratings(dataset, presentations, stimuli_dir, subject)
    problems += more
    chosen = _by_priority(own, at_desk, of_sounds, presentations)
    rated = {rating.key for rating in chosen if rating.reference == "stimulus"}
    heard = [item for item in presentations if item.stim_file in rated]
    chosen, more = _on_clock(chosen, _lengths_s(runs, heard))
    return chosen, list(dict.fromkeys([*problems, *more]))


def _lengths_s(
    runs: Iterable[Run], presentations: Iterable[Presentation]
) -> dict[tuple[str, str], float]:
    """Length of what a rating can refer to, by reference and key; unknown ones are absent."""
    lengths: dict[tuple[str, str], float] = {("run", run.name): run.duration_s for run in runs}
    paths = {item.stim_file: item.path for item in presentations if item.path is not None}
    for stim_file, path in paths.items():
        length = sound_duration_s(path)
        if length:
            lengths["stimulus", stim_file] = length
    return lengths


def _on_clock(
    ratings: Iterable[Rating], lengths_s: Mapping[tuple[str, str], float]
) -> tuple[list[Rating], list[Problem]]:
    """Leave out ratings whose times are on another clock than their sound or run.

    Milliseconds and sample numbers make a rating hundreds of times too long, minutes and hours
    too short.
    """
    kept: list[Rating] = []
    problems = []
    for rating in ratings:
        length = lengths_s.get((rating.reference, rating.key))
        span = len(rating.values) / rating.sampling_hz
        end = rating.start_time_s + span
        if length is None or (end <= _TOO_LONG * length and span >= length / _TOO_SHORT):
            kept.append(rating)
            continue
        what = (
            f"{rating.name} spans {rating.start_time_s:g} to {end:g} s, {rating.key} lasts "
            f"{length:g} s"
        )
        remedy = "it is left out; write its times in seconds from the start"
        problems.append(Problem(rating.source or Path(rating.key), what, remedy))
    return kept, problems


def _by_priority(
    of_runs: list[Rating],
    at_desk: list[Rating],
    of_sounds: list[Rating],
    presentations: Iterable[Presentation],
) -> list[Rating]:
    """Keep, for each run and name, the ratings of the first place that has any."""
    runs_of: dict[str, set[str]] = defaultdict(set)
    for item in presentations:
        runs_of[item.stim_file].add(item.run_name)
    covered = {(item.name, item.key) for item in of_runs if item.rater is not None}
    desk = [
        item
        for item in at_desk
        if any((item.name, run) not in covered for run in runs_of[item.key])
    ]
    by_desk = {(item.name, run) for item in desk for run in runs_of[item.key]}
    shared = [
        item
        for item in of_runs
        if item.rater is None
        and (item.name, item.key) not in covered
        and (item.name, item.key) not in by_desk
    ]
    covered |= {(item.name, item.key) for item in shared}
    desk_sounds = {(item.name, item.key) for item in desk}
    sounds = [
        item
        for item in of_sounds
        if (item.name, item.key) not in desk_sounds
        and any((item.name, run) not in covered for run in runs_of[item.key])
    ]
    return [*sounds, *desk, *shared, *(item for item in of_runs if item.rater is not None)]


def _run_ratings(dataset: Dataset, runs: Iterable[Run]) -> _Found:
    """Return the ratings of runs: a listener's own carry the rater, those of the root do not."""
    ratings: list[Rating] = []
    problems: list[Problem] = []
    for run in runs:
        for root in dataset.roots:
            session = [f"ses-{run.entities['ses']}"] if "ses" in run.entities else []
            folder = root.joinpath(f"sub-{run.subject}", *session, "func")
            for level in folders_above(folder, root):
                for path in sorted(level.glob("*_stim.tsv.gz")):
                    name = parse_name(path)
                    entities = {k: v for k, v in name.entities.items() if k != "recording"}
                    if not entities or not is_part_of(entities, run.entities):
                        continue
                    series, more = _read(path, root)
                    problems += more
                    rater = run.subject if "sub" in entities else None
                    label = name.entities.get("recording", "")
                    if series is not None:
                        ratings += _ratings(series, label, rater, "run", run.name, path)
    return ratings, problems


def _desk_ratings(dataset: Dataset, subject: str, presentations: Iterable[Presentation]) -> _Found:
    """Return the ratings a listener made outside the scanner, brought to the sounds."""
    pieces = {item.stim_file for item in presentations}
    ratings: list[Rating] = []
    problems: list[Problem] = []
    for root in dataset.roots:
        folder = root / f"sub-{subject}"
        for path in sorted(
            {*folder.glob("beh/*_stim.tsv.gz"), *folder.glob("*/beh/*_stim.tsv.gz")}
        ):
            series, more = _read(path, root)
            problems += more
            if series is None:
                continue
            name = parse_name(path)
            entities = {k: v for k, v in name.entities.items() if k != "recording"}
            tables = applicable_files(path.parent, root, entities, "events", (".tsv",))
            events = read_table(tables[-1]) if tables else None
            if events is None or isinstance(events, Problem) or "stim_file" not in events.columns:
                what = "has no events.tsv with stim_file beside it"
                problems.append(Problem(path, what, "add it: it says which sound was rated when"))
                continue
            label = name.entities.get("recording", "")
            for row in events.rows:
                part = _of_sound(series, row, events.path)
                if part is not None and part[0] in pieces:
                    ratings += _ratings(part[1], label, subject, "stimulus", part[0], path)
    return ratings, problems


def _of_sound(series: Series, row: Mapping[str, str], table: Path) -> tuple[str, Series] | None:
    """Cut out what was rated during one sound, in the time of the sound."""
    stim_file = clean_stim_file(row["stim_file"], table)
    onset, duration = number(row.get("onset")), number(row.get("duration"))
    if is_missing(row["stim_file"]) or isinstance(stim_file, Problem) or math.isnan(onset):
        return None
    end = math.inf if math.isnan(duration) else onset + duration
    start = number(row.get("stim_start"))
    part = series.between(onset, min(end, 1e9))
    shift = (0.0 if math.isnan(start) else start) - onset
    return stim_file, replace(part, start_s=part.start_s + shift)


def _sound_ratings(
    dataset: Dataset,
    presentations: Iterable[Presentation],
    stimuli_dir: Path | None,
    subject: str,
) -> _Found:
    files, problems = annotation_files(
        stimuli_folders(dataset, stimuli_dir), {item.stim_file for item in presentations}
    )
    ratings: list[Rating] = []
    for file in files:
        if file.is_events:
            continue
        series, more = read_series(file.path, file.metadata)
        problems += more
        if series is not None:
            ratings += _ratings(
                series, file.label, file.rater, "stimulus", file.stim_file, file.path
            )
    return _own_or_mean(ratings, subject), problems


def _own_or_mean(ratings: Iterable[Rating], subject: str) -> list[Rating]:
    groups: dict[tuple[str, str], list[Rating]] = defaultdict(list)
    for rating in ratings:
        groups[rating.name, rating.key].append(rating)
    chosen = []
    for group in groups.values():
        own = [item for item in group if item.rater in (subject, f"sub-{subject}")]
        everybody = [item for item in group if item.rater is None]
        chosen += own or everybody[:1] or [_mean(group)]
    return chosen


def _mean(group: Sequence[Rating]) -> Rating:
    """Average raters on the grid of the first; raters on another grid are brought to it."""
    first = group[0]
    if len(group) == 1:
        return replace(first, rater=None)
    import numpy as np

    grid = first.start_time_s + np.arange(len(first.values)) / first.sampling_hz
    columns = []
    for item in group:
        times = item.start_time_s + np.arange(len(item.values)) / item.sampling_hz
        columns.append(np.interp(grid, times, item.values, left=np.nan, right=np.nan))
    stacked = np.array(columns)
    count = np.isfinite(stacked).sum(axis=0)
    total = np.nansum(stacked, axis=0)
    mean = np.divide(total, count, out=np.full(grid.shape, np.nan), where=count > 0)
    return replace(first, rater=None, values=tuple(mean.tolist()))


def _read(path: Path, root: Path) -> tuple[Series | None, list[Problem]]:
    metadata, problems = inherited_metadata(path, root)
    series, more = read_series(path, metadata)
    return series, problems + more


def _ratings(
    series: Series,
    label: str,
    rater: str | None,
    reference: TimeReference,
    key: str,
    source: Path,
) -> list[Rating]:
    found = []
    for column, values in series.columns.items():
        name, whose = _name_of(column, label, series)
        if not any(map(math.isfinite, values)):
            continue
        found.append(
            Rating(
                name=name,
                rater=whose or rater,
                reference=reference,
                key=key,
                sampling_hz=series.sampling_hz,
                start_time_s=series.start_s,
                values=values,
                source=source,
            )
        )
    return found


def _name_of(column: str, label: str, series: Series) -> tuple[str, str | None]:
    """Return what a column rates and whose rating it is, if the column says so.

    ``valence`` is a name; ``valence_rater-07`` and ``rater-07`` say whose it is; a column called
    ``rating`` is named by the file.
    """
    described = series.metadata.get(column)
    rater = described.get("Rater") if isinstance(described, dict) else None
    match = _RATER_COLUMN.fullmatch(column)
    name = (match["name"] or label) if match else column
    if name.lower() in _GENERIC_COLUMNS and label:
        name = label
    return name or column, match["rater"] if match else rater
