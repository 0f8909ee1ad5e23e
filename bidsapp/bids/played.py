"""From the rows of a table to what was played: times read strictly, responses set aside.

A row names a sound and says when it began and how long it lasted. Three things have to be told
apart where several rows of a run name one sound and none has a ``stim_start``:

- the sound was repeated: every row is about as long as the file;
- it was played once and the rows label stretches of it: the file is about as long as the time
  from the first onset to the last end, so a row starts where it stands in that time;
- a row is a rating, a question or a response *about* a sound that was played before.

What cannot be told apart is refused: a wrong start would be analysed without a sign of it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bidsapp.bids.adapters import EventRule
from bidsapp.bids.records import Problem
from bidsapp.bids.tables import is_missing, is_plain, time_s
from bidsapp.errors import InputInvalidError
from bidsapp.text import counted

_N_QUOTED = 3
#: how much shorter (s) a row may be than the file and still play all of it
_WHOLE_S = 1.5
#: share of the time from first onset to last end by which the file may be longer (silence at its
#: end: 3 % in ds002345), and seconds by which it may be shorter
_LONGER = 0.05
_RESPONSE = frozenset(
    (
        *("rating", "ratings", "rate", "question", "questions", "response", "responses", "resp"),
        *("answer", "answers", "button", "buttonpress", "keypress", "feedback"),
    )
)


@dataclass(frozen=True, slots=True)
class Played:
    """A presentation before its sound is looked up; `duration_s` may be NaN.

    Attributes
    ----------
    onset_s, duration_s, stim_start_s
        As in `Presentation`.
    stim_file
        As the table has it.
    table, source
        Where it stands, and the name of that for the alignment table.
    trial_type
        The cell of that column, if there is one.
    has_start
        The table states `stim_start_s`; otherwise it is 0 for want of a statement.
    """

    onset_s: float
    duration_s: float
    stim_file: str
    stim_start_s: float
    table: Path
    source: str
    trial_type: str = ""
    has_start: bool = True


def read_played(
    rows: Iterable[Mapping[str, str]],
    rule: EventRule,
    table: Path,
    source: str,
    shift_s: float = 0.0,
) -> tuple[list[Played], list[Problem]]:
    """Read the rows that name a sound.

    Parameters
    ----------
    rows
        Column to cell.
    rule
        Which columns name the sound, its start and a delay.
    table, source
        Where the rows stand.
    shift_s
        Added to every onset (s).

    Returns
    -------
    played
        One for each row whose times are numbers; rows that are the same in onset, duration and
        sound count once.
    problems
        What was left out, with the cells that are no numbers, and what was read as a number
        though it is not written as BIDS has it.
    """
    played: dict[tuple[object, ...], Played] = {}
    without_onset: list[str] = []
    unreadable: list[str] = []
    read_as: list[str] = []
    n_named = 0
    for row in rows:
        stim_file = rule.file_of(row)
        if stim_file is None:
            continue
        n_named += 1
        columns = ["onset", "duration", *filter(None, (rule.delay, rule.stim_start))]
        times = {column: time_s(row.get(column)) for column in columns}
        bad = [c for c in columns if math.isnan(times[c]) and not is_missing(row.get(c))]
        if math.isnan(times["onset"]):
            without_onset.append(repr(row.get("onset", "")))
            continue
        if bad:
            unreadable += [f"{column} {row[column]!r}" for column in bad]
            continue
        read_as += [f"{row[c]!r} as {times[c]:g} s" for c in columns if not is_plain(row.get(c))]
        start = times.get(rule.stim_start, math.nan)
        item = Played(
            onset_s=times["onset"] + shift_s + _or_zero(times.get(rule.delay, 0.0)),
            duration_s=times["duration"],
            stim_file=stim_file,
            stim_start_s=_or_zero(start),
            table=table,
            source=source,
            trial_type=row.get("trial_type", ""),
            has_start=not math.isnan(start),
        )
        key = (item.onset_s, str(item.duration_s), stim_file, item.stim_start_s)
        played.setdefault(key, item)
    n_again = n_named - len(without_onset) - len(played)
    if unreadable:
        n_again = 0
    return list(played.values()), _problems(table, without_onset, unreadable, read_as, n_again)


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _problems(
    table: Path,
    without_onset: Sequence[str],
    unreadable: Sequence[str],
    read_as: Sequence[str],
    n_again: int,
) -> list[Problem]:
    problems = []
    if without_onset:
        cells = _quoted(without_onset)
        what = f"{counted(len(without_onset), 'presentation')} without a numeric onset ({cells})"
        problems.append(Problem(table, what, "they are left out; repair the onset column"))
    if unreadable:
        what = f"cells that are no numbers: {_quoted(unreadable)}"
        problems.append(Problem(table, what, "their presentations are left out; write seconds"))
    if read_as:
        what = f"times that are not written as BIDS has them: {_quoted(read_as)}"
        problems.append(Problem(table, what, "they are read so; write seconds with a point"))
    if n_again:
        what = f"{counted(n_again, 'row')} with the onset, duration and sound of another row"
        problems.append(Problem(table, what, "they are counted once; remove them"))
    return problems


def _quoted(texts: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    more = len(distinct) - _N_QUOTED
    return ", ".join(distinct[:_N_QUOTED]) + (f" and {more} more" if more > 0 else "")


def without_responses(played: Sequence[Played]) -> tuple[list[Played], list[Problem]]:
    """Leave out the rows that speak about a sound which another row of the run plays before.

    Such a row is called a rating, question or response by its ``trial_type``, or has the stated
    duration 0.

    Parameters
    ----------
    played
        All rows of one run.
    """
    plays = [item for item in played if item.duration_s > 0 and not _is_response(item)]
    first: dict[str, float] = {}
    for item in plays:
        first[item.stim_file] = min(item.onset_s, first.get(item.stim_file, math.inf))
    about = [
        item
        for item in played
        if (_is_response(item) or item.duration_s == 0)
        and item.onset_s > first.get(item.stim_file, math.inf)
    ]
    if not about:
        return list(played), []
    kinds = _quoted([repr(item.trial_type) if item.trial_type else "duration 0" for item in about])
    what = f"{counted(len(about), 'row')} ({kinds}) of a sound that was played before"
    problem = Problem(about[0].table, what, "they are taken for responses, not presentations")
    return [item for item in played if item not in about], [problem]


def _is_response(item: Played) -> bool:
    return bool(_RESPONSE & set(re.split(r"[^a-z]+", item.trial_type.casefold())))


def with_starts(
    run_name: str,
    played: Sequence[Played],
    length_s: Callable[[str], float | None],
    *,
    continuous: bool = False,
) -> tuple[list[Played], list[Problem]]:
    """Say where in its file each row starts, if several rows of a run name one sound.

    Parameters
    ----------
    run_name
        For messages.
    played
        All rows of one run, responses left out.
    length_s
        Length of a sound by its name (s); None where the sound is not there.
    continuous
        It is known that each sound was played once in a run, whatever its length (an adapter
        says so).

    Raises
    ------
    InputInvalidError
        Rows are shorter than the file and may be repeats of its beginning as well as parts of it.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(played):
        if not item.has_start:
            groups[item.stim_file].append(position)
    placed = list(played)
    problems = []
    for stim_file, positions in groups.items():
        rows = [played[position] for position in positions]
        length = length_s(stim_file)
        if len(rows) < 2 or any(math.isnan(row.duration_s) for row in rows):
            continue
        first = min(row.onset_s for row in rows)
        span = max(row.onset_s + row.duration_s for row in rows) - first
        if not continuous:
            if length is None or max(row.duration_s for row in rows) >= length - _WHOLE_S:
                continue
            _refuse_unclear(run_name, stim_file, rows, length, span)
        for position in positions:
            start = played[position].onset_s - first
            placed[position] = replace(played[position], stim_start_s=start)
        stated = "the adapter says so" if continuous else f"the file lasts {length:.1f} s"
        what = (
            f"{run_name}: {len(rows)} rows of {stim_file} span {span:.1f} s ({stated}) without "
            "stim_start"
        )
        problems.append(Problem(rows[0].table, what, "taken as one playing from the first onset"))
    return placed, problems


def _refuse_unclear(
    run_name: str, stim_file: str, rows: Sequence[Played], length_s: float, span_s: float
) -> None:
    if -_WHOLE_S <= length_s - span_s <= max(_WHOLE_S, _LONGER * span_s):
        return
    lengths = sorted({row.duration_s for row in rows})
    durations = f"{lengths[0]:g}" if len(lengths) == 1 else f"{lengths[0]:g} to {lengths[-1]:g}"
    msg = (
        f"{rows[0].table}: {run_name}: {len(rows)} rows of {durations} s name {stim_file}, which "
        f"lasts {length_s:.1f} s, and none says from where it was played; add a column stim_start "
        "(s in the file; 0 where it was played from its beginning)"
    )
    raise InputInvalidError(msg)
