"""Splits of volumes into training and test that cannot leak, and one that does.

Neighbouring volumes are alike and so are their labels: a split that puts neighbours on both
sides measures that likeness (80 to 97 % accuracy on noise). Here whole runs, whole participants
or long blocks stand on one side, and what is closer than an embargo to a test volume, in the
run's time or in the time of the stimulus, is in neither part.

`shuffled` is the published split over single volumes, for comparison only; it says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.stats.samples import Samples

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]

LEAST_BLOCK_EMBARGO_S = 20.0
MOST_INNER = 4


@dataclass(frozen=True, eq=False)
class InnerFold:
    """Training rows divided once more, to stop or to choose a penalty: sorted rows."""

    train: IntArray
    val: IntArray


@dataclass(frozen=True, eq=False)
class DecodingFold:
    """One outer fold.

    Attributes
    ----------
    name
        What is held out, such as ``run 3``.
    train, test
        Sorted rows; rows in neither are under embargo or in the same run or participant.
    inners
        Divisions of `train`, each without its own embargo, at most `MOST_INNER`.
    """

    name: str
    train: IntArray
    test: IntArray
    inners: tuple[InnerFold, ...]

    @property
    def inner(self) -> InnerFold:
        """The first division: networks stop on it."""
        return self.inners[0]


@dataclass(frozen=True, eq=False)
class Split:
    """A cross-validation.

    Attributes
    ----------
    name
        Of `SPLITTERS`.
    leaky
        Whether its scores say nothing about the brain.
    note
        What a score under this split means; to be printed with every score.
    folds
        Outer folds.
    """

    name: str
    leaky: bool
    note: str
    folds: tuple[DecodingFold, ...]


class Splitter(Protocol):
    """From samples to a split."""

    def __call__(
        self,
        samples: Samples,
        *,
        embargo_s: float = 20.0,
        n_folds: int | None = None,
        seed: int = 0,
    ) -> Split:
        """Divide; `n_folds` and `seed` matter only where a splitter says so."""


def leave_run_out(
    samples: Samples, *, embargo_s: float = 20.0, n_folds: int | None = None, seed: int = 0
) -> Split:
    """Test each run with the others; several participants keep their own runs together.

    Parameters
    ----------
    samples
        Volumes of one or more participants.
    embargo_s
        Training volumes whose stimulus time is closer to that of a test volume are dropped.
    n_folds, seed
        Not used.

    Returns
    -------
    Split

    Raises
    ------
    InputInvalidError
        With one run, or if the embargo leaves no training volumes.
    """
    _at_least_two(samples.run, "leave-run-out", "runs", "use the blocked split")
    folds = [
        _fold(samples, f"run {run}", samples.run == run, samples.run != run, embargo_s, ("run",))
        for run in np.unique(samples.run)
    ]
    note = "Tested on runs that were not trained on: new stimulus, same participants."
    return Split("leave_run_out", False, note, tuple(folds))


def blocked(
    samples: Samples, *, embargo_s: float = 20.0, n_folds: int | None = None, seed: int = 0
) -> Split:
    """Test contiguous stretches of every run; for one run only.

    Parameters
    ----------
    samples
        Volumes.
    embargo_s
        Distance between training and test volumes in s, at least 20.
    n_folds
        Stretches per run; 5 by default.
    seed
        Not used.

    Returns
    -------
    Split

    Raises
    ------
    InputInvalidError
        If the embargo is shorter than 20 s or leaves no training volumes.
    """
    if embargo_s < LEAST_BLOCK_EMBARGO_S:
        msg = (
            f"an embargo of {embargo_s:g} s does not separate blocks of one run; "
            f"use at least {LEAST_BLOCK_EMBARGO_S:g} s"
        )
        raise InputInvalidError(msg)
    n_blocks = n_folds or 5
    block = np.empty(samples.n, np.int64)
    for _, rows in _members(samples.series):
        order = np.argsort(np.argsort(samples.time_s[rows], kind="stable"), kind="stable")
        block[rows] = order * n_blocks // len(rows)
    folds = [
        _fold(samples, f"block {k + 1}", block == k, block != k, embargo_s, (), block)
        for k in range(n_blocks)
    ]
    note = (
        f"Tested on stretches of runs that were also trained on, {embargo_s:g} s apart: "
        "slow drifts may still help."
    )
    return Split("blocked", False, note, tuple(folds))


def leave_participant_out(
    samples: Samples, *, embargo_s: float = 20.0, n_folds: int | None = None, seed: int = 0
) -> Split:
    """Test participants with all others, all runs: the stimulus is the same on both sides.

    Parameters
    ----------
    samples
        Volumes of several participants.
    embargo_s
        For the inner division only: nothing is purged between participants.
    n_folds
        Participants are left out in this many groups; by default one at a time.
    seed
        Not used.

    Returns
    -------
    Split

    Raises
    ------
    InputInvalidError
        With one participant.
    """
    group, names = _participant_groups(samples, n_folds, "leave-participant-out")
    folds = [
        _fold(
            samples,
            names[k],
            group == k,
            group != k,
            None,
            ("participant", "run"),
            None,
            embargo_s,
        )
        for k in range(len(names))
    ]
    note = (
        "SAME STIMULUS: the left-out participant saw or heard what the others were trained on; "
        "a score shows that responses are shared, not that a new stimulus can be decoded."
    )
    return Split("leave_participant_out", False, note, tuple(folds))


def leave_participant_and_run_out(
    samples: Samples, *, embargo_s: float = 20.0, n_folds: int | None = None, seed: int = 0
) -> Split:
    """Test one run of left-out participants with the other runs of the others.

    Parameters
    ----------
    samples
        Volumes of several participants.
    embargo_s
        Training volumes whose stimulus time is closer to that of a test volume are dropped.
    n_folds
        Participants are left out in this many groups; by default one at a time.
    seed
        Not used.

    Returns
    -------
    Split

    Raises
    ------
    InputInvalidError
        With one participant or one run.
    """
    _at_least_two(samples.run, "leave-participant-and-run-out", "runs", "add runs")
    group, names = _participant_groups(samples, n_folds, "leave-participant-and-run-out")
    folds = []
    for k, name in enumerate(names):
        for run in np.unique(samples.run[group == k]):
            test = (group == k) & (samples.run == run)
            train = (group != k) & (samples.run != run)
            label = f"{name}, run {run}"
            folds.append(_fold(samples, label, test, train, embargo_s, ("run", "participant")))
    note = "Tested on a new participant and a new stimulus at once."
    return Split("leave_participant_and_run_out", False, note, tuple(folds))


def shuffled(
    samples: Samples, *, embargo_s: float = 20.0, n_folds: int | None = None, seed: int = 0
) -> Split:
    """Test single volumes drawn at random: LEAKY, for comparison with publications only.

    Parameters
    ----------
    samples
        Volumes.
    embargo_s
        Not used.
    n_folds
        5 by default.
    seed
        Names the shuffling.

    Returns
    -------
    Split
        With `leaky` set.
    """
    n_folds = n_folds or 5
    order = np.random.default_rng([seed, 0x5F]).permutation(samples.n)
    folds = []
    for k in range(n_folds):
        test, rest = np.sort(order[k::n_folds]), np.delete(order, np.s_[k::n_folds])
        inner = InnerFold(
            np.sort(rest[len(rest) // n_folds :]), np.sort(rest[: len(rest) // n_folds])
        )
        folds.append(DecodingFold(f"part {k + 1}", np.sort(rest), test, (inner,)))
    note = (
        "LEAKY: training and test volumes are neighbours in time; noise without any signal "
        "scores 80 to 97 % here. For comparison with publications only."
    )
    return Split("shuffled", True, note, tuple(folds))


SPLITTERS: dict[str, Splitter] = {
    "leave_run_out": leave_run_out,
    "blocked": blocked,
    "leave_participant_out": leave_participant_out,
    "leave_participant_and_run_out": leave_participant_and_run_out,
    "shuffled": shuffled,
}


def too_close(
    samples: Samples, rows: BoolArray, test: BoolArray, embargo_s: float, *, stimulus: bool = True
) -> BoolArray:
    """Say which of `rows` lie within an embargo of a test volume.

    Parameters
    ----------
    samples
        Volumes.
    rows, test : bool arrays of shape (n_volumes,)
    embargo_s
        In the time of a run of one participant and in the time of the stimulus, in s.
    stimulus
        Whether the stimulus' time counts.

    Returns
    -------
    bool array of shape (n_volumes,)
    """
    near = _near(samples.series, samples.time_s, rows, test, embargo_s)
    if stimulus:
        near |= _near(samples.stimulus, samples.stimulus_s, rows, test, embargo_s)
    return near


def _near(
    axis: IntArray, time_s: FloatArray, rows: BoolArray, test: BoolArray, embargo_s: float
) -> BoolArray:
    near = np.zeros(len(axis), np.bool_)
    known = np.isfinite(time_s)
    for number in np.unique(axis[test & known]):
        there = np.sort(time_s[test & known & (axis == number)])
        asked = np.flatnonzero(rows & known & (axis == number))
        right = np.searchsorted(there, time_s[asked])
        before = time_s[asked] - there[np.maximum(right - 1, 0)]
        after = there[np.minimum(right, len(there) - 1)] - time_s[asked]
        near[asked] = np.minimum(np.abs(before), np.abs(after)) < embargo_s
    return near


def _fold(
    samples: Samples,
    name: str,
    test: BoolArray,
    train: BoolArray,
    embargo_s: float | None,
    inner_by: tuple[str, ...],
    block: IntArray | None = None,
    inner_embargo_s: float | None = None,
) -> DecodingFold:
    """Purge, check and divide once more; `embargo_s` None purges nothing."""
    if embargo_s is not None:
        train = train & ~too_close(samples, train, test, embargo_s)
    if not train.any():
        msg = (
            f"fold {name}: no training volumes are left because all are within "
            f"{embargo_s:g} s of the same stimulus; use a split by participants or leave the "
            "stimulus' times out"
        )
        raise InputInvalidError(msg)
    within = embargo_s if embargo_s is not None else inner_embargo_s
    inners = _inners(samples, train, test, inner_by, block, 20.0 if within is None else within)
    return DecodingFold(name, np.flatnonzero(train), np.flatnonzero(test), inners)


def _inners(
    samples: Samples,
    train: BoolArray,
    test: BoolArray,
    by: Iterable[str],
    block: IntArray | None,
    embargo_s: float,
) -> tuple[InnerFold, ...]:
    """Hold out the next runs (participants, blocks) after the tested one, in cyclic order."""
    axes = [(getattr(samples, kind), kind) for kind in by]
    axes += [] if block is None else [(block, "block")]
    least = (3, 2) if len(axes) > 1 else (2,)
    for number in least:
        for axis, kind in axes:
            there = np.unique(axis[train])
            if len(there) < number:
                continue
            inners: list[InnerFold] = []
            for held_out in np.roll(there, -np.searchsorted(there, axis[test].max(), "right")):
                val = train & (axis == held_out)
                rest = train & ~val
                rest &= ~too_close(samples, rest, val, embargo_s, stimulus=kind != "participant")
                if rest.any() and len(inners) < MOST_INNER:
                    inners.append(InnerFold(np.flatnonzero(rest), np.flatnonzero(val)))
            if inners:
                return tuple(inners)
    return (_last_fifth(samples, train, embargo_s),)


def _last_fifth(samples: Samples, train: BoolArray, embargo_s: float) -> InnerFold:
    """Hold out the end of every run."""
    val = np.zeros(samples.n, np.bool_)
    for _, rows in _members(samples.series):
        here = rows[train[rows]]
        if here.size:
            times = samples.time_s[here]
            val[here] = times > times.min() + 0.8 * (times.max() - times.min())
    rest = train & ~val
    kept = rest & ~too_close(samples, rest, val, embargo_s)
    if not kept.any() or not val.any():
        msg = (
            f"runs are too short to hold out a validation part {embargo_s:g} s away from the "
            "rest; use longer or more runs"
        )
        raise InputInvalidError(msg)
    return InnerFold(np.flatnonzero(kept), np.flatnonzero(val))


def _members(numbers: IntArray) -> Iterator[tuple[int, IntArray]]:
    for number in np.unique(numbers):
        yield int(number), np.flatnonzero(numbers == number)


def _participant_groups(
    samples: Samples, n_folds: int | None, split: str
) -> tuple[IntArray, list[str]]:
    """Group of each volume, and the name of each group."""
    _at_least_two(samples.participant, split, "participants", "use leave-run-out")
    found, number = np.unique(samples.participant, return_inverse=True)
    n_groups = min(max(n_folds or len(found), 2), len(found))
    of = np.arange(len(found)) * n_groups // len(found)
    names = ["participant " + " ".join(map(str, found[of == k])) for k in range(n_groups)]
    return of[number.reshape(-1)], names


def _at_least_two(numbers: IntArray, split: str, what: str, instead: str) -> None:
    if len(np.unique(numbers)) < 2:
        msg = f"{split} needs at least 2 {what}, found {len(np.unique(numbers))}; {instead}"
        raise InputInvalidError(msg)
