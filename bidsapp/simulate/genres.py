"""The design ``genres``: many short clips of several genres, each heard once, end to end.

- Clips: by default 48 of 15 s in eight genres, dealt over runs without silence between them. As
  in ds003720 every run begins with the last clip of the run before (the first run with the last
  clip of the last run), so that whoever takes presentations for clips has the same clip on both
  sides of a fold.
- Signal: one layer of a network is the embedding. Around Heschl's gyri units sum the haemodynamic
  responses to the principal components of its channels with loadings of their own, drawn anew
  for every participant. The rest of the brain is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bidsapp.errors import UsageError
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
from bidsapp.simulate.topography import Topography, plant

_TASK = "genres"
_TAIL_S = 16.0
_N_COMPONENTS = 20
_ORDER_SEED = 5


@dataclass(frozen=True, slots=True)
class GenresOptions(PatternOptions):
    """Options of the design ``genres``, beside those of `PatternOptions`.

    Attributes
    ----------
    layer
        Of the network, which is planted; the last one if not named.
    """

    design: ClassVar[str] = "genres"
    small: ClassVar[Mapping[str, Any]] = {
        "n_participants": 2,
        "n_pieces": 24,
        "n_runs": 2,
        "tr_s": 1.5,
        "spaces": (MNI,),
        "voxel_mm": 8,
    }

    n_participants: int = 5
    n_runs: int = 4
    tr_s: float = 1.5
    n_pieces: int = 48
    piece_s: float = 15.0
    network: str = "baseline"
    layer: str = ""
    radius_mm: float = 30.0

    def check(self) -> None:
        """Raise `UsageError` if there is nothing to simulate."""
        StudyOptions.check(self)
        if self.n_pieces < 2 * self.n_runs or self.piece_s < 5:
            msg = (
                "a simulation of genres needs clips of 5 s and two of them in each run; got "
                f"{self}"
            )
            raise UsageError(msg)


@dataclass(frozen=True)
class GenresStudy(PatternStudy):
    """Clips of several genres, an embedding planted."""

    options: GenresOptions

    task = Task(
        _TASK,
        "Simulated listening to clips of several genres",
        "clips of composed music in eight genres, end to end, and BOLD that carries one embedding "
        "of them around the auditory cortices.",
        "Listen to the music with your eyes closed.",
        "music",
        "A clip",
    )

    @property
    def layer(self) -> int:
        """Position of the planted layer."""
        names = self.features.layers
        return names.index(self.options.layer) if self.options.layer else len(names) - 1

    def runs(self, number: int) -> tuple[ScheduledRun, ...]:
        """Say what every participant hears: the same clips in the same order."""
        options = self.options
        order = np.random.default_rng([options.seed, _ORDER_SEED]).permutation(options.n_pieces)
        parts = np.array_split(order, options.n_runs)
        runs = []
        for run, part in enumerate(parts):
            clips = [parts[run - 1][-1], *part]
            onsets = np.arange(len(clips)) * options.piece_s
            playing = tuple(
                Playing(int(clip), float(onset), options.piece_s)
                for clip, onset in zip(clips, onsets, strict=True)
            )
            seconds = float(onsets[-1]) + options.piece_s + _TAIL_S
            runs.append(scheduled_run(_TASK, run + 1, options.tr_s, seconds, playing))
        return tuple(runs)

    def plant(self, space: Space, person: Person) -> Planting:
        """Plant responses to the components of the embedding."""
        around = plant(
            space.coordinates_mm,
            1,
            radius_mm=self.options.radius_mm,
            shift_mm=person.shift_mm,
            seed=self.options.seed,
        )
        topography = Topography(around.layer * (self.layer + 1), around.amplitude)
        return self.planting(space, person, topography, {self.layer + 1: 50}, _N_COMPONENTS)

    def facts(self) -> dict[str, Any]:
        """Name the network and the planted layer."""
        layer = self.features.layers[self.layer]
        return super().facts() | {"planted_layer": layer}


def genres_study(out_dir: Path, options: GenresOptions, source: Source) -> GenresStudy:
    """Compose the clips into ``stimuli`` and compute what is planted.

    Parameters
    ----------
    out_dir
        Root of the dataset.
    options
        What to simulate.
    source
        Where channel courses come from; the network of `options` by default.

    Raises
    ------
    UsageError
        The network has no such layer.
    """
    pieces, features = compose_clips(out_dir, options, source)
    if options.layer and options.layer not in features.layers:
        msg = f"{options.network} has no layer {options.layer}, but {', '.join(features.layers)}"
        raise UsageError(msg)
    return GenresStudy(options, features, pieces)
