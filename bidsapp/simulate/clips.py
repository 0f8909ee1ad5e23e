"""The design ``clips``: short clips in every run, and patterns with the geometry of a layer.

- Clips: by default eight of 20 s, each heard once in each of four runs, 8 s of silence between
  them. Order: rows of a balanced Latin square, other ones for every run and participant, or the
  same order for everybody.
- Signal: the deeper the layer, the farther the tissue stands from Heschl's gyri along the superior
  temporal gyri, forwards and backwards. A unit sums the haemodynamic responses to all channels of
  its layer with loadings of its own, drawn anew for every participant and nearly independent
  between neighbours: single units say little, local patterns are as far apart as the channels are.
  The other half of the brain is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bidsapp.errors import UsageError
from bidsapp.simulate.conditions import piece_lengths
from bidsapp.simulate.features import Source
from bidsapp.simulate.patterns import PatternOptions, PatternStudy, compose_clips
from bidsapp.simulate.signals import Playing
from bidsapp.simulate.spaces import Space
from bidsapp.simulate.study import (
    MNI,
    Person,
    Planting,
    ScheduledRun,
    StudyOptions,
    Task,
    scheduled_run,
)
from bidsapp.simulate.topography import axis_rank, plant

Ints = npt.NDArray[np.int64]

_TASK = "clips"
_ORDERS = ("latin", "common")
_LEAD_S, _TAIL_S = 6.0, 12.0
_N_COMPONENTS = 50


@dataclass(frozen=True, slots=True)
class ClipsOptions(PatternOptions):
    """Options of the design ``clips``, beside those of `PatternOptions`.

    Attributes
    ----------
    gap_s
        Silence after each clip, which is heard once in every run.
    order
        ``latin`` (other orders in every run and participant) or ``common`` (always the same).
    """

    design: ClassVar[str] = "clips"
    small: ClassVar[Mapping[str, Any]] = {
        "n_participants": 2,
        "n_pieces": 6,
        "piece_s": 16.0,
        "tr_s": 2.0,
        "spaces": (MNI,),
        "voxel_mm": 8,
    }

    n_participants: int = 4
    n_runs: int = 4
    gap_s: float = 8.0
    order: str = "latin"

    def check(self) -> None:
        """Raise `UsageError` if there is nothing to simulate."""
        StudyOptions.check(self)
        if self.n_pieces < 3 or self.piece_s < 5 or self.gap_s < 0 or self.order not in _ORDERS:
            msg = (
                "a simulation of clips needs at least three clips of 5 s, a gap of 0 s or more "
                f"and an order that is one of {', '.join(_ORDERS)}; got {self}"
            )
            raise UsageError(msg)


@dataclass(frozen=True)
class ClipsStudy(PatternStudy):
    """Clips in changing order, patterns of layers."""

    options: ClipsOptions

    task = Task(
        _TASK,
        "Simulated listening to clips",
        "clips of composed music that come back in every run, and BOLD whose local patterns are "
        "as far apart as the activations of a layer.",
        "Listen to the clips with your eyes closed.",
        "music",
        "A clip",
    )

    def runs(self, number: int) -> tuple[ScheduledRun, ...]:
        """Say in which order participant `number` (from 1) hears the clips in each run."""
        options = self.options
        lengths = np.full(options.n_pieces, options.piece_s)
        if options.conditions.piece_range_s:
            lengths = np.array([piece.seconds for piece in self.pieces])
        runs = []
        for run, order in enumerate(clip_orders(options, number), start=1):
            ends = np.cumsum(lengths[order] + options.gap_s)
            onsets = _LEAD_S + np.concatenate([[0.0], ends[:-1]])
            playing = tuple(
                Playing(int(clip), float(onset), float(lengths[clip]))
                for clip, onset in zip(order, onsets, strict=True)
            )
            seconds = float(onsets[-1]) + playing[-1].duration_s + _TAIL_S
            runs.append(scheduled_run(_TASK, run, options.tr_s, seconds, playing))
        return tuple(runs)

    def plant(self, space: Space, person: Person) -> Planting:
        """Plant local patterns that carry the geometry of layers."""
        topography = plant(
            space.coordinates_mm,
            len(self.features.layers),
            n_inputs=self.features.n_inputs,
            radius_mm=self.options.radius_mm,
            shift_mm=person.shift_mm,
            seed=self.options.seed,
            rank=axis_rank,
        )
        seeds = {number: 50 + number for number in range(1, 1 + len(self.features.layers))}
        return self.planting(space, person, topography, seeds, _N_COMPONENTS)


def clips_study(out_dir: Path, options: ClipsOptions, source: Source) -> ClipsStudy:
    """Compose the clips into ``stimuli`` and compute what is planted.

    Parameters
    ----------
    out_dir
        Root of the dataset.
    options
        What to simulate.
    source
        Where channel courses come from; the network of `options` by default.
    """
    range_s = options.conditions.piece_range_s
    lengths_s = piece_lengths(options.n_pieces, options.piece_s, range_s, options.seed)
    pieces, features = compose_clips(out_dir, options, source, lengths_s)
    return ClipsStudy(options, features, pieces)


def clip_orders(options: ClipsOptions, number: int) -> Ints:
    """Orders of the clips in the runs of participant `number`, (n_runs, n_pieces)."""
    rng = np.random.default_rng([options.seed, 3])
    square = latin_square(options.n_pieces)
    if options.order == "common":
        return np.tile(rng.permutation(options.n_pieces), (options.n_runs, 1))
    own = np.random.default_rng([options.seed, 3, number])
    rows = own.permutation(options.n_pieces)[np.arange(options.n_runs) % options.n_pieces]
    return np.asarray(own.permutation(options.n_pieces)[square[rows]])


def latin_square(n: int) -> Ints:
    """Balanced Latin square (n, n): rows are orders; every item once in every row and column.

    With an even number of items every item follows every other one exactly once.

    Source: Williams 1949, Experimental designs balanced for the estimation of residual effects of
    treatments.
    """
    first = [(step + 1) // 2 if step % 2 else (n - step // 2) % n for step in range(n)]
    return (np.array(first) + np.arange(n)[:, None]) % n
