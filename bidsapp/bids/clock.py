"""When the volumes of a run were acquired: repetition time, first volume, volumes left out.

Several places say it: the header, the sidecar of each file, the raw sidecar, the length of the
raw file. Where they disagree, it is said with their numbers, or the run is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidsapp.bids.headers import TimeAxis, seconds
from bidsapp.bids.records import Problem

#: relative difference above which two repetition times disagree
_TR_TOLERANCE = 0.01
_FIRST_START_TIME = "fMRIPrep before 20.2.6"


@dataclass(frozen=True, slots=True)
class Stated:
    """What the files of one acquisition say about its time.

    Attributes
    ----------
    own
        Metadata of each of its files (two for surfaces), the sidecars alone.
    raw
        Metadata of the raw file it was made from; empty for raw data.
    axis
        Number of volumes, and the repetition time of the header.
    n_raw_trs
        Volumes of the raw file; None when it cannot be read.
    """

    own: Sequence[Mapping[str, Any]]
    raw: Mapping[str, Any]
    axis: TimeAxis
    n_raw_trs: int | None


def repetition_time(path: Path, stated: Stated) -> tuple[float | None, list[Problem]]:
    """Return the repetition time in seconds; None when nothing or too much is stated.

    The sidecar of the file counts, then the raw one, then the header.

    Parameters
    ----------
    path
        First file of the acquisition.
    stated
        What is said about it.
    """
    problems: list[Problem] = []
    values: dict[str, float] = {}
    sides = ["its sidecar"] if len(stated.own) == 1 else ["the left sidecar", "the right sidecar"]
    for where, metadata in [
        *zip(sides, stated.own, strict=False),
        ("the raw sidecar", stated.raw),
    ]:
        value = metadata.get("RepetitionTime")
        if value is None:
            continue
        tr_s = _positive(value)
        if tr_s is None:
            what = f"RepetitionTime is {value!r} in {where}, which is no time"
            problems.append(Problem(path, what, "it is passed over; write seconds as a number"))
        else:
            values[where] = tr_s
    own = [values[side] for side in sides if side in values]
    if len(own) == 2 and _differ(*own):
        what = f"RepetitionTime is {own[0]:g} s on the left and {own[1]:g} s on the right"
        return None, [*problems, Problem(path, what, "correct the sidecar that is wrong")]
    sidecar = own[0] if own else values.get("the raw sidecar")
    header = stated.axis.tr_s
    if sidecar is None and any(
        "VolumeTiming" in metadata for metadata in (*stated.own, stated.raw)
    ):
        what = "has VolumeTiming instead of RepetitionTime (sparse acquisition)"
        return None, [*problems, Problem(path, what, "leave it out with --bids-filter-file")]
    if sidecar is None and header is None:
        what = "has no RepetitionTime in any sidecar and none in its header"
        return None, [*problems, Problem(path, what, "add RepetitionTime (s) to its JSON sidecar")]
    if header is not None:
        values["the header"] = header
    if sidecar is not None and any(_differ(sidecar, value) for value in values.values()):
        listed = ", ".join(f"{value:g} s in {where}" for where, value in values.items())
        what = f"RepetitionTime is {listed}"
        remedy = f"{sidecar:g} s are used; correct whichever is wrong"
        problems.append(Problem(path, what, remedy))
    if sidecar is None and header == 1.0:
        what = (
            "RepetitionTime is in no sidecar, and 1 s in the header, which may stand for unknown"
        )
        problems.append(Problem(path, what, "1 s is used; add RepetitionTime (s) to its sidecar"))
    return sidecar or header, problems


def _positive(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return seconds(number, "sec") if math.isfinite(number) and number > 0 else None


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > _TR_TOLERANCE * max(one, other)


def start_time(
    path: Path, stated: Stated, tr_s: float, *, preprocessed: bool, given_s: float | None
) -> tuple[float, list[Problem]]:
    """Return the time that the first volume stands for, in seconds since its acquisition began.

    With slice timing correction it is the reference that the sidecar states (``StartTime``).
    Without, slices of volume i were acquired from i TR to (i + 1) TR: the volume stands for the
    mean of the raw ``SliceTiming``, or for the middle of the repetition time.

    Source: fMRIPrep writes ``SliceTimingCorrected`` and ``StartTime`` since 20.2.6; before, slice
    times were corrected to the middle of the repetition time without a word.

    Parameters
    ----------
    path, stated
        As for `repetition_time`.
    tr_s
        Repetition time.
    preprocessed
        Whether the BOLD comes from fMRIPrep.
    given_s
        ``--start-time``: counts before all sidecars.
    """
    metadata = {**stated.raw, **(stated.own[0] if stated.own else {})}
    corrected = metadata.get("SliceTimingCorrected") if preprocessed else False
    if given_s is not None:
        return given_s, []
    middle_s = tr_s / 2
    if corrected is True:
        value = metadata.get("StartTime", middle_s)
        usable = isinstance(value, int | float) and not isinstance(value, bool)
        if usable and math.isfinite(value):
            return float(value), _doubts(path, stated, value, tr_s)
        what = f"StartTime is {value!r}, which is no time"
        remedy = f"half the repetition time is used, {middle_s:g} s; write seconds as a number"
        return middle_s, [Problem(path, what, remedy)]
    timing = metadata.get("SliceTiming")
    if timing is None:
        return middle_s, []
    if corrected is None:
        what = f"no sidecar says whether slice times were corrected ({_FIRST_START_TIME})"
        remedy = f"volumes stand for the middle of the repetition time, {middle_s:g} s, either way"
        return middle_s, [Problem(path, what, f"{remedy}; --start-time states another")]
    listed = timing if isinstance(timing, list) else []
    slices_s = [value for value in listed if _is_time(value, tr_s)]
    if slices_s and len(slices_s) == len(listed):
        return float(sum(slices_s) / len(slices_s)), []
    what = f"SliceTiming is not a list of times from 0 to {tr_s:g} s"
    remedy = f"half the repetition time is used, {middle_s:g} s; write seconds as numbers"
    return middle_s, [Problem(path, what, remedy)]


def _doubts(path: Path, stated: Stated, start_s: float, tr_s: float) -> list[Problem]:
    """Say that hemispheres start at different times, or outside of the repetition time."""
    problems = []
    remedy = f"{start_s:g} s is used; correct the sidecar, or state it with --start-time"
    if not _is_time(start_s, tr_s):
        what = f"StartTime is {start_s:g} s, which is not within the repetition time of {tr_s:g} s"
        problems.append(Problem(path, what, remedy))
    sides = [metadata["StartTime"] for metadata in stated.own if "StartTime" in metadata]
    if any(side != sides[0] for side in sides):
        what = f"StartTime is {sides[0]} s on the left and {sides[1]} s on the right"
        problems.append(Problem(path, what, remedy))
    return problems


def _is_time(value: Any, tr_s: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return bool(number and 0 <= value <= tr_s * (1 + _TR_TOLERANCE))


def dropped_volumes(path: Path, stated: Stated, n_stated: int) -> tuple[int, Problem | None]:
    """Return how many volumes were left out at the start, and why the run cannot be used if so.

    Parameters
    ----------
    path, stated
        As for `repetition_time`.
    n_stated
        ``--dropped-volumes``.
    """
    n_trs, n_raw = stated.axis.n_trs, stated.n_raw_trs
    if n_raw is None or (n_raw == n_trs and not n_stated):
        return n_stated, None
    what = f"has {n_trs} volumes and the raw file {n_raw}"
    if n_trs > n_raw:
        return 0, Problem(path, what, "check that they are the same run")
    if n_trs == n_raw:
        return 0, Problem(path, what, "none was left out: run without --dropped-volumes")
    if n_stated and n_raw - n_trs >= n_stated:
        return n_stated, None
    remedy = (
        f"if the first {n_raw - n_trs} were left out, onsets are {n_raw - n_trs} volumes late: "
        f"say so with --dropped-volumes {n_raw - n_trs}"
    )
    return 0, Problem(path, what, remedy)
