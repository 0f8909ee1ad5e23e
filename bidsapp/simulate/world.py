"""Music with a gradient of layers: options, schedule, features, planted directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bidsapp.errors import UsageError
from bidsapp.simulate import signals
from bidsapp.simulate.signals import LayerFeatures, Playing
from bidsapp.simulate.study import MNI, ScheduledRun, StudyOptions, scheduled_run

Floats = npt.NDArray[np.float64]

TASK = "music"
_LEAD_S, _GAP_S, _TAIL_S = 6.0, 10.0, 12.0
_SHRINK = 0.01
_SHORTEST_S = 5.0


@dataclass(frozen=True, slots=True)
class MusicOptions(StudyOptions):
    """Options of the design ``music``, beside those of `StudyOptions`.

    Attributes
    ----------
    n_pieces
        How many.
    piece_s
        Length of each piece in s.
    repeats
        How often the first piece is played (2 gives a noise ceiling).
    hop_s
        Time between feature frames.
    n_courses
        Directions of each layer that are planted.
    radius_mm
        Extent of the planted tissue around Heschl's gyri.
    rating_snr
        The same as `snr`, for the ratings.
    network, weights
        Whose layers are planted, as ``--network`` and ``--weights`` name them.
    """

    design: ClassVar[str] = "music"
    small: ClassVar[Mapping[str, Any]] = {
        "n_participants": 1,
        "n_pieces": 3,
        "piece_s": 20.0,
        "spaces": (MNI,),
        "voxel_mm": 12,
    }

    n_pieces: int = 5
    piece_s: float = 70.0
    repeats: int = 2
    hop_s: float = 0.48
    n_courses: int = 6
    radius_mm: float = 55.0
    rating_snr: float = 1.5
    network: str = "vggish"
    weights: str = "random"

    def check(self) -> None:
        """Raise `UsageError` if there is nothing to simulate."""
        StudyOptions.check(self)
        if min(self.n_pieces, self.repeats) < 1 or self.piece_s < _SHORTEST_S:
            msg = (
                "a simulation of music needs at least one piece and repeat, and pieces of "
                f"{_SHORTEST_S:g} s; got {self}"
            )
            raise UsageError(msg)


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

    options: MusicOptions
    features: LayerFeatures
    runs: tuple[ScheduledRun, ...]
    weights: tuple[Floats, ...]

    def responses(self, runs: Sequence[ScheduledRun]) -> list[Floats]:
        """Per layer (n_trs of all runs, n_courses): haemodynamic responses."""
        maps = [signals.response_matrix(run.times_s, run.playing, self.features) for run in runs]
        matrix = np.concatenate(maps)
        return [
            matrix @ (scores @ weights)
            for scores, weights in zip(self.features.scores, self.weights, strict=True)
        ]


def schedule(options: MusicOptions, lengths_s: Sequence[float] = ()) -> tuple[ScheduledRun, ...]:
    """Spread the pieces, in random order and the first repeated at the end, over the runs.

    Parameters
    ----------
    options
        Lengths and numbers.
    lengths_s
        Length of each piece in s; by default that of the options.
    """
    lengths = np.array(lengths_s or [options.piece_s] * options.n_pieces)
    order = np.random.default_rng([options.seed, 1]).permutation(options.n_pieces)
    played = [*order, *[order[0]] * (options.repeats - 1)]
    runs = []
    for number, part in enumerate(np.array_split(np.array(played), options.n_runs), start=1):
        if len(part) == 0:
            continue
        ends = np.cumsum(lengths[part] + _GAP_S)
        onsets = _LEAD_S + np.concatenate([[0.0], ends[:-1]])
        playing = tuple(
            Playing(int(piece), float(onset), float(lengths[piece]))
            for piece, onset in zip(part, onsets, strict=True)
        )
        seconds = playing[-1].onset_s + playing[-1].duration_s + _TAIL_S
        runs.append(scheduled_run(TASK, number, options.tr_s, seconds, playing))
    return tuple(runs)


def build_world(
    options: MusicOptions, features: LayerFeatures, runs: tuple[ScheduledRun, ...]
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
