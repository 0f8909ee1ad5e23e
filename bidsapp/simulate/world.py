"""What all simulated participants share: options, schedule, features, planted directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.errors import UsageError
from bidsapp.simulate import signals
from bidsapp.simulate.signals import LayerFeatures, Playing

Floats = npt.NDArray[np.float64]

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
    label
        The ``run`` entity.
    n_trs
        Volumes.
    playing
        Presentations; ``piece`` counts as in `LayerFeatures.pieces`.
    """

    label: str
    n_trs: int
    playing: tuple[Playing, ...]


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
    task
        The ``task`` entity.
    """

    options: SimulationOptions
    features: LayerFeatures
    runs: tuple[ScheduledRun, ...]
    weights: tuple[Floats, ...]
    task: str = "music"

    def times_s(self, run: ScheduledRun) -> Floats:
        """Time of each volume's reference slice, the middle of the TR."""
        return volume_times_s(run.n_trs, self.options.tr_s)

    def responses(self) -> list[Floats]:
        """Per layer (n_trs of all runs, n_courses): haemodynamic responses."""
        maps = [
            signals.response_matrix(self.times_s(run), run.playing, self.features)
            for run in self.runs
        ]
        matrix = np.concatenate(maps)
        return [
            matrix @ (scores @ weights)
            for scores, weights in zip(self.features.scores, self.weights, strict=True)
        ]


def volume_times_s(n_trs: int, tr_s: float) -> Floats:
    """Time of each volume's reference slice, the middle of the TR: (n_trs,) s."""
    return (np.arange(n_trs, dtype=np.float64) + 0.5) * np.float64(tr_s)


def schedule(options: SimulationOptions, order: Sequence[int]) -> tuple[ScheduledRun, ...]:
    """Spread the pieces, the first of `order` repeated at the end, over the runs.

    Parameters
    ----------
    options
        Lengths and numbers.
    order
        Pieces in the order in which they are first played.
    """
    played = list(order) + [order[0]] * (options.repeats - 1)
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
        runs.append(ScheduledRun(str(number), int(np.ceil(seconds / options.tr_s)), playing))
    return tuple(runs)


def build_world(options: SimulationOptions, features: LayerFeatures) -> World:
    """Draw the order of the pieces and choose the directions that are planted.

    Parameters
    ----------
    options
        What to simulate.
    features
        Of the network, for the pieces.
    """
    order = np.random.default_rng([options.seed, 1]).permutation(len(features.pieces))
    runs = schedule(options, [int(piece) for piece in order])
    draft = World(options, features, runs, ())
    rows, groups = [], []
    played = [(run, item) for run in runs for item in run.playing]
    for number, (run, item) in enumerate(played):
        times = draft.times_s(run)
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
    return replace(draft, weights=tuple(weights))
