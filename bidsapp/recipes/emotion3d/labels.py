"""Which class each volume has: intervals, agreement, hemodynamic shift, majority."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.label_maps import LabelMap
from bidsapp.bids.names import entities_key
from bidsapp.bids.records import Interval, Presentation, Run
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.emotion3d.settings import Emotion3dSettings
from bidsapp.stats.samples import Samples
from bidsapp.stats.splits import SPLITTERS, Split

_POINTS = 20
_TIE = 1e-9
RunKey = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Span:
    """A label in the time of a run.

    Attributes
    ----------
    label, character, weight
        What, of whom, and which share of the observers says so.
    start_s, end_s
        In run time.
    """

    label: str
    character: str | None
    weight: float
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class LabelledVolumes:
    """All volumes of all runs that take part, in the order of runs.

    Attributes
    ----------
    classes
        Names.
    labels : integer array of shape (n_volumes,)
        -1 where there is none.
    volume : integer array of shape (n_volumes,)
        Number of the volume in its run's file, from 0.
    samples
        Run, time, and where known the position in the stimulus of each volume.
    """

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    volume: NDArray[np.int64]
    samples: Samples


def run_key(run: Run) -> RunKey:
    """Return what names a run in all participants: its entities without the participant.

    ``run-1`` of one participant and ``run-01`` of another are the same run.
    """
    return entities_key(run.entities, without=("sub",))


def run_title(key: RunKey) -> str:
    """Return the name of a run in all participants: ``task-film_run-1``."""
    return "_".join(f"{entity}-{value}" for entity, value in key)


def spans_of(
    run: Run, intervals: Iterable[Interval], presentations: Iterable[Presentation]
) -> list[Span]:
    """Bring the intervals of a run, and of the sounds played in it, to the time of the run.

    Parameters
    ----------
    run
        The run.
    intervals
        Of all runs and sounds; agreement None counts as 1, divided by the number of raters where
        raters speak for themselves.
    presentations
        Of all runs.
    """
    intervals = list(intervals)
    raters = {item.rater for item in intervals if item.rater is not None}
    played: dict[str, list[Presentation]] = defaultdict(list)
    for item in presentations:
        if item.run_name == run.name:
            played[item.stim_file].append(item)
    found = []
    for one in intervals:
        weight = 1.0 if one.agreement is None else one.agreement
        if one.agreement is None and one.rater is not None:
            weight = 1 / len(raters)
        for start_s, end_s in _in_run(one, run, played):
            found.append(Span(one.label, one.character, weight, start_s, end_s))
    return found


def _in_run(
    interval: Interval, run: Run, played: Mapping[str, Sequence[Presentation]]
) -> Iterable[tuple[float, float]]:
    start_s, end_s = interval.onset_s, interval.onset_s + interval.duration_s
    if interval.reference == "run":
        if interval.key == run.name:
            yield start_s, end_s
        return
    for item in played.get(interval.key, ()):
        ahead_s = item.onset_s - item.stim_start_s
        first = max(start_s + ahead_s, item.onset_s)
        last = min(end_s + ahead_s, item.onset_s + item.duration_s)
        if last > first:
            yield first, last


def winning_class(
    times_s: NDArray[np.floating],
    spans: Sequence[Span],
    label_map: LabelMap,
    classes: Sequence[str],
    min_agreement: float,
) -> NDArray[np.int64]:
    """Return the class at each moment, -1 where none or several lead.

    Parameters
    ----------
    times_s
        (n,) ascending moments in run time.
    spans
        Of the run.
    label_map, classes
        What belongs together, and the order of classes.
    min_agreement
        Least share of the observers.
    """
    keys: dict[tuple[str, str | None], list[Span]] = defaultdict(list)
    for span in spans:
        keys[(span.label, span.character)].append(span)
    score = np.zeros((len(classes), len(times_s)))
    for (label, _), members in keys.items():
        target = label_map.class_of(label)
        if target is None:
            continue
        share = np.zeros(len(times_s))
        for span in members:
            first, last = np.searchsorted(times_s, [span.start_s, span.end_s])
            share[first:last] += span.weight
        share[share < min_agreement - _TIE] = 0.0
        score[classes.index(target)] += np.minimum(share, 1.0)
    if len(classes) < 2:
        return np.where(score[0] > 0, 0, -1)
    best = score.argmax(axis=0)
    ordered = np.sort(score, axis=0)
    clear = ordered[-1] > ordered[-2] + _TIE
    return np.where(clear, best, -1).astype(np.int64)


def run_labels(
    run: Run,
    spans: Sequence[Span],
    label_map: LabelMap,
    classes: Sequence[str],
    settings: Emotion3dSettings,
    shift_s: float | None = None,
) -> NDArray[np.int64]:
    """Return the class of each volume of a run, (n_trs,), -1 where there is none.

    Parameters
    ----------
    run, spans, label_map, classes
        See `winning_class`.
    settings
        Shift, window, shares.
    shift_s
        Instead of the settings' shift.
    """
    shift_s = settings.shift_s if shift_s is None else shift_s
    window_s = settings.window_s or run.tr_s
    inside = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    moments = (run.volume_times_s - shift_s)[:, None] + window_s * inside
    order = np.argsort(moments, axis=None, kind="stable")
    winner = np.empty(moments.size, np.int64)
    winner[order] = winning_class(
        moments.ravel()[order], spans, label_map, classes, settings.min_agreement
    )
    by_volume = winner.reshape(moments.shape)
    shares = np.stack([(by_volume == k).mean(axis=1) for k in range(len(classes))])
    best = shares.argmax(axis=0)
    won = shares.max(axis=0) > settings.min_share + _TIE
    return np.where(won, best, -1).astype(np.int64)


def stimulus_times(
    run: Run, presentations: Iterable[Presentation], shift_s: float, pieces: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return which piece each volume responds to and where in it, (n_trs,) each; NaN if none.

    Parameters
    ----------
    run
        The run.
    presentations
        Of all runs.
    shift_s
        By how much the response is late.
    pieces
        Names in the order of their numbers.
    """
    heard_s = run.volume_times_s - shift_s
    piece, position = np.zeros(run.n_trs, np.int64), np.full(run.n_trs, np.nan)
    for item in presentations:
        if item.run_name != run.name:
            continue
        here = (heard_s >= item.onset_s) & (heard_s < item.onset_s + item.duration_s)
        piece[here] = pieces.index(item.stim_file)
        position[here] = heard_s[here] - item.onset_s + item.stim_start_s
    return piece, position


def n_blocks(labels: NDArray[np.integer], wanted: int) -> int:
    """Count contiguous stretches of a class in the labels of one run."""
    here = np.r_[False, labels == wanted]
    return int(np.count_nonzero(here[1:] & ~here[:-1]))


N_PARTS = 5
"""Folds of the splits that do not hold out whole runs."""


def split_names(n_runs: int, settings: Emotion3dSettings) -> tuple[str, ...]:
    """Return the split that counts and, if asked for, the leaky one."""
    name = settings.split
    if name == "auto":
        name = "leave_run_out" if n_runs > 1 else "blocked"
    return (name, "shuffled") if settings.shuffled else (name,)


def n_folds(name: str, n_runs: int) -> int:
    """Return how many folds a split has."""
    return n_runs if name == "leave_run_out" else N_PARTS


def make_splits(
    labelled: LabelledVolumes, n_runs: int, settings: Emotion3dSettings, seed: int
) -> tuple[Split, ...]:
    """Divide volumes.

    Parameters
    ----------
    labelled
        Run, time and place in the stimulus of each volume.
    n_runs
        Whole runs are held out when there are several.
    settings
        Split and embargo.
    seed
        Of the leaky split.

    Returns
    -------
    tuple of Split
        The one that counts comes first.

    Raises
    ------
    InputInvalidError
        Runs are too few or too short, or all share one stimulus.
    """
    names = split_names(n_runs, settings)
    try:
        return tuple(
            SPLITTERS[name](
                labelled.samples, embargo_s=settings.embargo_s, n_folds=N_PARTS, seed=seed
            )
            for name in names
        )
    except InputInvalidError as error:
        hint = "(emotion3d.purge_stimulus=false keeps the same stimulus in training and test)"
        msg = f"{error} {hint}" if "stimulus" in str(error) else str(error)
        raise InputInvalidError(msg) from error
