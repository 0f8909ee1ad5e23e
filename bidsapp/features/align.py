"""Check that sounds fit the runs they were played in: one row per run, and what is odd."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.bids.records import Presentation, Problem, Run
from bidsapp.errors import InputInvalidError
from bidsapp.features.timeline import heard_until_s, timeline

TOLERANCE_S = 0.5
"""Beyond one TR: rounding in events files and padding by audio encoders."""

Row = dict[str, str | int | float]


def alignment_table(
    runs: Sequence[Run],
    presentations: Sequence[Presentation],
    lags_s: Sequence[float],
    durations: Mapping[str, float],
) -> tuple[list[Row], list[Problem]]:
    """Say for each presentation how sound, scan and volumes meet.

    Parameters
    ----------
    runs
        Acquisitions.
    presentations
        Sounds played in them; those of other runs are left out.
    lags_s
        Lags of the model in seconds.
    durations
        Length of each sound in seconds by stim_file; unknown where the sound was not found.

    Returns
    -------
    rows
        One for each presentation: ``run, n_trs, tr_s, scan_s, stim_file, onset_s, duration_s,
        stim_start_s, sound_s, first_volume, last_volume, n_rows, source, note``. Volumes count
        from 0 and are those the model can use; without any, first and last are NaN.
    problems
        What was cut or cannot be used.

    Raises
    ------
    InputInvalidError
        Beyond one TR + 0.5 s: a presentation lies outside its scan, ends after it though the sound
        is no longer than the scan, asks for more than the sound has, or overlaps the next one.
    """
    by_name = {run.name: run for run in runs}
    lines = timeline(runs, presentations, lags_s, durations)
    rows: list[Row] = []
    problems: list[Problem] = []
    for position, shown in enumerate(presentations):
        if shown.run_name not in by_name:
            continue
        run = by_name[shown.run_name]
        slack = run.tr_s + TOLERANCE_S
        sound = durations.get(shown.stim_file, math.nan)
        _refuse(run, shown, sound, slack)
        _refuse_overlap(shown, presentations, slack)
        volumes = lines.volume[lines.presentation == position]
        heard = heard_until_s(shown, presentations, durations)
        note = _note(run, shown, sound, heard, volumes.size)
        rows.append(_row(run, shown, sound, volumes, note))
        problems += _problems(run, shown, note)
    return rows, problems


def _refuse(run: Run, shown: Presentation, sound_s: float, slack_s: float) -> None:
    """Raise where sound and scan disagree by more than the tolerance."""
    end = shown.onset_s + shown.duration_s
    scan_end = run.scan_end_s
    asked = shown.stim_start_s + shown.duration_s
    where = (
        f"{run.bold[0]}: {shown.stim_file} plays from {shown.onset_s:.2f} to {end:.2f} s "
        f"({shown.source})"
    )
    if shown.onset_s >= scan_end or end <= 0:
        msg = f"{where}, the scan lasts {run.duration_s:.2f} s; correct onset or run"
        raise InputInvalidError(msg)
    longest = shown.duration_s if math.isnan(sound_s) else max(sound_s, shown.duration_s)
    if end > scan_end + slack_s and longest <= run.duration_s:
        msg = (
            f"{where}, {end - scan_end:.2f} s beyond the end of the scan of "
            f"{run.duration_s:.2f} s (tolerance {slack_s:.2f} s); correct onset or duration"
        )
        raise InputInvalidError(msg)
    if asked > sound_s + slack_s:
        msg = (
            f"{where} and asks for the sound up to {asked:.2f} s, the file has {sound_s:.2f} s "
            f"(tolerance {slack_s:.2f} s); correct duration or stim_start, or give the right file"
        )
        raise InputInvalidError(msg)


def _refuse_overlap(
    shown: Presentation, presentations: Sequence[Presentation], slack_s: float
) -> None:
    end = shown.onset_s + shown.duration_s
    for other in presentations:
        same_run = other.run_name == shown.run_name and other is not shown
        if same_run and shown.onset_s <= other.onset_s < end - slack_s:
            msg = (
                f"{shown.run_name}: {other.stim_file} starts at {other.onset_s:.2f} s while "
                f"{shown.stim_file} plays until {end:.2f} s (tolerance {slack_s:.2f} s); "
                f"correct the onsets"
            )
            raise InputInvalidError(msg)


def _row(
    run: Run, shown: Presentation, sound_s: float, volumes: npt.NDArray[np.intp], note: str
) -> Row:
    return {
        "run": run.name,
        "n_trs": run.n_trs,
        "tr_s": run.tr_s,
        "scan_s": run.duration_s,
        "stim_file": shown.stim_file,
        "onset_s": shown.onset_s,
        "duration_s": shown.duration_s,
        "stim_start_s": shown.stim_start_s,
        "sound_s": sound_s,
        "first_volume": int(volumes[0]) if volumes.size else math.nan,
        "last_volume": int(volumes[-1]) if volumes.size else math.nan,
        "n_rows": int(volumes.size),
        "source": shown.source,
        "note": note,
    }


def _note(run: Run, shown: Presentation, sound_s: float, heard_s: float, n_rows: int) -> str:
    end = shown.onset_s + shown.duration_s
    notes = []
    if math.isnan(sound_s):
        notes.append("sound not found")
    if shown.onset_s < -run.tr_s / 2:
        notes.append(f"starts {-shown.onset_s:.2f} s before the scan")
    cut = end - run.scan_end_s
    if cut > run.tr_s / 2:
        notes.append(f"last {cut:.2f} s not scanned")
    if end - heard_s > run.tr_s / 2:
        notes.append(f"sound ends {end - heard_s:.2f} s early")
    if n_rows == 0:
        notes.append("too short for the lags")
    return "; ".join(notes)


def _problems(run: Run, shown: Presentation, note: str) -> list[Problem]:
    if not note:
        return []
    path = shown.path if shown.path is not None else Path(shown.stim_file)
    remedy = "only what was both played and scanned is used"
    return [Problem(path, f"in {run.name}: {note}", remedy)]
