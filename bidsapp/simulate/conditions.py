"""What real recordings have and a plain simulation has not: the conditions of a scenario.

``plain``
    pieces of one length, slice times that were corrected, motion that is independent of the
    sound, and weights that neighbours nearly share.
``realistic``
    - pieces (of the designs that play whole pieces) of 25 to 120 s;
    - slice times that were not corrected: a unit has the time of its slice, sidecars have no
      ``StartTime``, and the raw sidecar has ``SliceTiming``;
    - a head that follows the loudness in two of its six parameters, and an artefact of motion
      that is partly the same in all runs and participants;
    - weights that differ between neighbouring units, so that means of parcels cancel.

Slow drifts are in both. The truth names the conditions (``truth.json``), the time of each unit's
slice (``slice_time_s`` of the maps) and of each volume and presentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsapp.simulate.nuisance import Nuisance, motion_nuisance
from bidsapp.simulate.signals import Playing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_SLICES = 4
"""Slices of the stand-ins for raw BOLD."""
_SLICE_MM = 2.7
_INTERLEAVED = (0, 2, 1, 3)
_LATE_S, _SMOOTH_S = 2.0, 4.0
_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a scenario plants beside the responses.

    Attributes
    ----------
    piece_range_s
        Shortest and longest piece in s; None: all pieces have the length of the options.
    slice_times
        Whether units are sampled at the times of their slices, uncorrected.
    motion_follows
        Standard deviation of the loudness within two motion parameters, relative to the motion
        that is independent of it.
    motion
        Size of the artefact of motion (`bidsapp.simulate.bold.NoiseModel`).
    shared_artefact
        Share of the artefact's variance over units that all runs and participants have in common.
    weights_mm
        Distance over which weights of neighbouring units are alike; 0: over parcels.
    """

    piece_range_s: tuple[float, float] | None = None
    slice_times: bool = False
    motion_follows: float = 0.0
    motion: float = 0.35
    shared_artefact: float = 0.0
    weights_mm: float = 0.0


SCENARIOS = {
    "plain": Conditions(),
    "realistic": Conditions(
        piece_range_s=(25.0, 120.0),
        slice_times=True,
        motion_follows=_SHARE,
        motion=0.5,
        shared_artefact=0.5,
        weights_mm=4.0,
    ),
}
"""Name → conditions."""


def piece_lengths(
    n_pieces: int, piece_s: float, range_s: tuple[float, float] | None, seed: int
) -> list[float]:
    """Return the length of each piece in s.

    Parameters
    ----------
    n_pieces
        How many.
    piece_s
        Length of all pieces without a range.
    range_s
        Shortest and longest; lengths are then spread evenly over the logarithm, in random order.
    seed
        Of the order.
    """
    if range_s is None:
        return [piece_s] * n_pieces
    spread = np.round(np.geomspace(*range_s, n_pieces), 1)
    return [float(value) for value in np.random.default_rng([seed, 11]).permutation(spread)]


def slice_slots(coordinates_mm: Floats) -> Ints:
    """Which of `N_SLICES` moments of a repetition time each unit is acquired at, interleaved.

    Parameters
    ----------
    coordinates_mm
        (n_units, 3); slices of 2.7 mm are counted along the third axis.
    """
    number = np.floor(coordinates_mm[:, 2] / _SLICE_MM).astype(np.int64)
    return np.asarray(np.array(_INTERLEAVED)[number % N_SLICES])


def slot_times(tr_s: float) -> list[float]:
    """Time of each slot since its volume began, (`N_SLICES`,) s; their mean is half the TR."""
    return [(slot + 0.5) * tr_s / N_SLICES for slot in range(N_SLICES)]


def slice_timing(tr_s: float) -> list[float]:
    """``SliceTiming`` of the stand-ins for raw BOLD, in s."""
    times = slot_times(tr_s)
    return [times[slot] for slot in _INTERLEAVED]


def read_loudness(folder: Path, sounds: tuple[str, ...], rate_hz: float = 10.0) -> list[Floats]:
    """Root mean square of each sound.

    Parameters
    ----------
    folder, sounds
        Folder of the stimuli and files in it.
    rate_hz
        Values per second.

    Returns
    -------
    list
        Per sound (n_steps,).
    """
    import soundfile

    courses = []
    for name in sounds:
        wave, sampling_hz = soundfile.read(folder / name, dtype="float32", always_2d=True)
        step = round(sampling_hz / rate_hz)
        whole = wave[: len(wave) // step * step].mean(axis=1).reshape(-1, step)
        courses.append(np.sqrt(np.square(whole).mean(axis=1)).astype(np.float64))
    return courses


def head_course(
    times_s: Floats, playing: tuple[Playing, ...], loudness: list[Floats], rate_hz: float = 10.0
) -> Floats:
    """Loudness as a head follows it: 2 s late, averaged over 4 s.

    Parameters
    ----------
    times_s
        (n_trs,) times of the volumes.
    playing
        Presentations of the run.
    loudness
        Of each sound, from `read_loudness`.
    rate_hz
        As for `read_loudness`.

    Returns
    -------
    Floats
        (n_trs,) mean 0 and variance 1; zeros where loudness does not change.
    """
    heard = np.zeros(int((times_s[-1] + 1.0) * rate_hz) + 1)
    for item in playing:
        first, start = round(item.onset_s * rate_hz), round(item.stim_start_s * rate_hz)
        part = loudness[item.piece][start : start + round(item.duration_s * rate_hz)]
        part = part[: max(0, len(heard) - first)]
        heard[first : first + len(part)] += part
    width = round(_SMOOTH_S * rate_hz)
    smooth = np.convolve(heard, np.full(width, 1 / width))[: len(heard)]
    late = times_s - (_LATE_S - _SMOOTH_S / 2)
    course = np.interp(late, np.arange(len(smooth)) / rate_hz, smooth)
    spread = course.std()
    return (course - course.mean()) / spread if spread > 0 else np.zeros(len(course))


def follow_loudness(nuisance: Nuisance, course: Floats, strength: float) -> Nuisance:
    """Let two translations follow a course, and the artefact of motion with them.

    Parameters
    ----------
    nuisance
        Of one run.
    course
        (n_trs,) from `head_course`.
    strength
        Standard deviation of the course relative to that of the parameter as it was. The
        parameter keeps its mean and standard deviation.
    """
    motion = nuisance.motion.copy()
    for column in range(2):
        own = motion[:, column]
        mixed = (own - own.mean()) / own.std() + strength * course
        motion[:, column] = own.mean() + own.std() * mixed / max(float(mixed.std()), 1e-12)
    return motion_nuisance(nuisance, motion)
