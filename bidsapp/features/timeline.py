"""Which volume hears which moment of which sound.

Volume i of a run stands for ``t_i = start_time_s + i · TR``: without slice timing correction the
middle of its acquisition. Within a presentation it stands at
``stim_start + (t_i - onset)`` in the sound file. A model with lags of 4, 5 and 6 s explains it by
the sound 4, 5 and 6 s before; a row of the design exists only where all those moments belong to
the same presentation: nothing wraps around, nothing crosses into another sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.bids.records import Presentation, Run

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]

_ROUNDING_S = 1e-6
MOST_ONSET = 0.2
"""Share of a presentation that may be left out because it begins."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rows of a design: volumes that hear a sound, lags included.

    Attributes
    ----------
    pieces
        Names of the sounds (stim_file), in order of first presentation.
    presentation, run, volume, piece
        (n_rows,) positions in the presentations, in the runs, in the run, and in `pieces`.
    stim_time_s
        (n_rows,) position in the sound file when the volume was taken.
    tr_s
        (n_rows,) repetition time of the row's run.
    heard_s
        (n_rows, 2) positions in the sound file where the presentation begins and ends.
    """

    pieces: tuple[str, ...]
    presentation: Ints
    run: Ints
    volume: Ints
    piece: Ints
    stim_time_s: Floats
    tr_s: Floats
    heard_s: Floats

    @property
    def n_rows(self) -> int:
        """Rows of the design."""
        return len(self.volume)


def timeline(
    runs: Sequence[Run],
    presentations: Sequence[Presentation],
    lags_s: Sequence[float],
    durations: Mapping[str, float] | None = None,
    *,
    begin_s: float = 0.0,
) -> Timeline:
    """List the volumes that all lags can explain.

    Parameters
    ----------
    runs
        Acquisitions with distinct names.
    presentations
        Sounds played; those of other runs are left out.
    lags_s
        How long after the sound the response is looked for, in seconds; negative lags look
        before it, as a control.
    durations
        Lengths of the sounds in seconds, if known: no row reaches beyond the end of a sound.
    begin_s
        Seconds after the onset of a presentation that are left out, at most a fifth of it. That
        a sound begins is the same event in every piece, in the brain and in the sound.

    Returns
    -------
    Timeline
        Rows in the order of `presentations`, then of volumes. A volume stands in at most one
        presentation: one that starts ends the one before.
    """
    pieces = tuple(dict.fromkeys(shown.piece for shown in presentations))
    number = {run.name: position for position, run in enumerate(runs)}
    rows: list[tuple[Ints, Floats]] = []
    for position, shown in enumerate(presentations):
        if shown.run_name not in number:
            continue
        run = runs[number[shown.run_name]]
        end = heard_until_s(shown, presentations, durations)
        volumes, stim_time = _volumes(run, shown, end, lags_s, begin_s)
        place = np.array([position, number[run.name], pieces.index(shown.piece)])
        where = np.vstack([np.tile(place[:, None], len(volumes)), volumes])
        start_s = shown.stim_start_s
        same = np.array([[run.tr_s], [start_s], [start_s + end - shown.onset_s]])
        rows.append((where, np.vstack([stim_time, np.tile(same, len(volumes))])))
    where = np.hstack([part for part, _ in rows]) if rows else np.empty((4, 0), np.intp)
    times = np.hstack([part for _, part in rows]) if rows else np.empty((4, 0))
    return Timeline(
        pieces, where[0], where[1], where[3], where[2], times[0], times[1], times[2:].T
    )


def asked_times(
    runs: Sequence[Run],
    presentations: Sequence[Presentation],
    lags_s: Sequence[float],
    durations: Mapping[str, float] | None = None,
) -> dict[str, Floats]:
    """List the moments of each sound that the rows of a design ask for.

    Parameters
    ----------
    runs, presentations, lags_s, durations
        As `timeline` takes them.

    Returns
    -------
    dict
        Sound → (n_rows · n_lags,) seconds from the start of its file; sounds without rows are not
        in it.
    """
    rows = timeline(runs, presentations, lags_s, durations)
    asked = {}
    for number in np.unique(rows.piece):
        times_s = rows.stim_time_s[rows.piece == number]
        asked[rows.pieces[number]] = np.concatenate([times_s - lag for lag in lags_s])
    return asked


def heard_until_s(
    shown: Presentation,
    presentations: Sequence[Presentation],
    durations: Mapping[str, float] | None = None,
) -> float:
    """Run time at which a sound ends: its own end, or the onset of the next one."""
    ends = [shown.onset_s + shown.duration_s]
    ends += [
        other.onset_s
        for other in presentations
        if other.run_name == shown.run_name and other.onset_s > shown.onset_s
    ]
    if durations is not None and shown.stim_file in durations:
        ends.append(shown.onset_s + durations[shown.stim_file] - shown.stim_start_s)
    return min(ends)


def _volumes(
    run: Run, shown: Presentation, end_s: float, lags_s: Sequence[float], begin_s: float
) -> tuple[Ints, Floats]:
    """Volumes of a presentation that all lags can explain, and their times in the sound."""
    since_onset = run.volume_times_s - shown.onset_s
    earliest = since_onset - max([0.0, *lags_s])
    latest = since_onset - min([0.0, *lags_s])
    length_s = end_s - shown.onset_s
    inside = (earliest >= -_ROUNDING_S) & (latest < length_s - _ROUNDING_S)
    begun = since_onset >= min(begin_s, MOST_ONSET * length_s) - _ROUNDING_S
    volumes = np.flatnonzero(inside & begun)
    return volumes, shown.stim_start_s + since_onset[volumes]
