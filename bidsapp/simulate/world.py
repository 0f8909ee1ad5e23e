"""What all simulated participants share: options, schedule, features, planted directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.errors import UsageError
from bidsapp.simulate import signals
from bidsapp.simulate.signals import LayerFeatures, Playing

Floats = npt.NDArray[np.float64]

TASK = "music"
_LEAD_S, _GAP_S, _TAIL_S = 6.0, 10.0, 12.0
_SHRINK = 0.01


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What to simulate.

    Attributes
    ----------
    n_participants, n_pieces
        How many.
    piece_s
        Length of each piece in s.
    repeats
        How often the first piece is played (2 gives a noise ceiling).
    n_runs
        Runs over which the presentations are spread.
    tr_s
        Repetition time in s.
    spaces
        ``fsaverage5`` and names of volume templates.
    voxel_mm
        Voxel size of the volumes, a whole number of mm.
    snr
        Standard deviation of the signal over that of the noise without drift.
    hop_s
        Time between feature frames.
    n_courses
        Directions of each layer that are planted.
    radius_mm
        Extent of the planted tissue around Heschl's gyri.
    rating_snr
        The same as `snr`, for the ratings.
    seed
        Of everything.
    """

    n_participants: int = 3
    n_pieces: int = 5
    piece_s: float = 70.0
    repeats: int = 2
    n_runs: int = 2
    tr_s: float = 1.0
    spaces: tuple[str, ...] = ("fsaverage5", "MNI152NLin2009cAsym")
    voxel_mm: int = 6
    snr: float = 1.2
    hop_s: float = 0.48
    n_courses: int = 6
    radius_mm: float = 55.0
    rating_snr: float = 1.5
    seed: int = 0

    @classmethod
    def quick(cls, **changes: Any) -> SimulationOptions:
        """Return the smallest dataset that still has everything: seconds to make."""
        small: dict[str, Any] = {
            "n_participants": 1,
            "n_pieces": 2,
            "piece_s": 20.0,
            "spaces": ("MNI152NLin2009cAsym",),
            "voxel_mm": 12,
        }
        return cls(**(small | changes))

    def check(self) -> None:
        """Raise `UsageError` if there is nothing to simulate."""
        numbers = (self.n_participants, self.n_pieces, self.repeats, self.n_runs)
        if min(numbers) < 1 or self.piece_s < 5 or self.tr_s <= 0 or not self.spaces:
            msg = (
                "a simulation needs at least one participant, piece, repeat, run and space, "
                f"pieces of 5 s and a TR above 0; got {self}"
            )
            raise UsageError(msg)


@dataclass(frozen=True)
class ScheduledRun:
    """When what is played in one run.

    Attributes
    ----------
    entities
        What names the run: ``task``, and ``run`` if there are several.
    n_trs
        Volumes.
    tr_s
        Repetition time.
    start_s
        Time of the reference slice of the first volume.
    playing
        Presentations; ``piece`` counts as in `LayerFeatures.pieces`.
    """

    entities: dict[str, str]
    n_trs: int
    tr_s: float
    start_s: float
    playing: tuple[Playing, ...]

    @property
    def times_s(self) -> Floats:
        """Time of each volume's reference slice, (n_trs,) s."""
        return np.asarray(self.start_s + self.tr_s * np.arange(self.n_trs), dtype=np.float64)

    @property
    def duration_s(self) -> float:
        """Length of the scan in s."""
        return self.n_trs * self.tr_s


@dataclass(frozen=True)
class World:
    """All that participants share: schedule, features, planted directions.

    Attributes
    ----------
    options
        What was asked for.
    features
        Of the network; pieces are numbered as in `LayerFeatures.pieces`.
    runs
        The schedule.
    weights
        Per layer (k, n_courses): planted directions of the components.
    """

    options: SimulationOptions
    features: LayerFeatures
    runs: tuple[ScheduledRun, ...]
    weights: tuple[Floats, ...]

    def responses(self) -> list[Floats]:
        """Per layer (n_trs of all runs, n_courses): haemodynamic responses."""
        maps = [
            signals.response_matrix(run.times_s, run.playing, self.features) for run in self.runs
        ]
        matrix = np.concatenate(maps)
        return [
            matrix @ (scores @ weights)
            for scores, weights in zip(self.features.scores, self.weights, strict=True)
        ]


def schedule(options: SimulationOptions) -> tuple[ScheduledRun, ...]:
    """Spread the pieces, in random order and the first repeated at the end, over the runs.

    Volumes are stamped with the middle of the TR, as fMRIPrep's slice timing correction does.

    Parameters
    ----------
    options
        Lengths and numbers.
    """
    order = np.random.default_rng([options.seed, 1]).permutation(options.n_pieces)
    played = [*order, *[order[0]] * (options.repeats - 1)]
    runs = []
    for number, part in enumerate(np.array_split(np.array(played), options.n_runs), start=1):
        if len(part) == 0:
            continue
        onsets = _LEAD_S + np.arange(len(part)) * (options.piece_s + _GAP_S)
        playing = tuple(
            Playing(int(piece), float(onset), options.piece_s)
            for piece, onset in zip(part, onsets, strict=True)
        )
        seconds = playing[-1].onset_s + options.piece_s + _TAIL_S
        n_trs = int(np.ceil(seconds / options.tr_s))
        entities = {"task": TASK, "run": str(number)}
        runs.append(ScheduledRun(entities, n_trs, options.tr_s, options.tr_s / 2, playing))
    return tuple(runs)


def build_world(
    options: SimulationOptions, features: LayerFeatures, runs: tuple[ScheduledRun, ...]
) -> World:
    """Choose the directions that are planted.

    Parameters
    ----------
    options
        What to simulate.
    features
        Of the network, for the pieces.
    runs
        Schedule; at least one presentation.
    """
    rows, groups = [], []
    played = [(run, item) for run in runs for item in run.playing]
    for number, (run, item) in enumerate(played):
        times = run.times_s
        heard = (times > item.onset_s + 5) & (times < item.onset_s + item.duration_s)
        rows.append(signals.response_matrix(times[heard], run.playing, features))
        groups.append(np.full(int(heard.sum()), number))
    matrix = np.concatenate(rows)
    weights = signals.distinct_courses(
        [matrix @ scores for scores in features.scores],
        np.concatenate(groups),
        options.n_courses,
        shrink=_SHRINK,
    )
    return World(options, features, runs, tuple(weights))
