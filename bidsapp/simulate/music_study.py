"""The design ``music``: pieces heard once or twice, and a gradient of layers around Heschl's gyri.

What is planted, and how big it is:

- Music: by default five pieces of 70 s, the first one played twice: 7 minutes of music per
  participant at a TR of 1 s, in two runs. Layers of one network say nearly the same; minutes of
  music and SNR bound what any method can tell apart (`bidsapp.simulate.oracle` measures it).
- Signal: within 55 mm of Heschl's gyri each unit follows one layer, the deeper the farther the
  tissue stands along the functional gradient from sensory to transmodal cortex. Courses are
  haemodynamic responses to directions of the layer's 50 leading components that distant layers
  predict badly. The other half of the brain is null: no signal at all.
- Noise: AR(1) with coefficients of .4 to .6, partly smooth over the brain; head motion and its
  derivatives, physiology, and drifts slower than 1/128 Hz.
- Participants differ in gain, motion and the place of the gradient.
- Ratings: felt emotionality follows a superficial layer, enjoyment a middle one, both 5 s late,
  with noise of each listener.

What the oracle recovers (correlation of centroid and planted layer over planted units, mean of
three participants, 6 mm volume):

=====================  ====  ====  ====  ====  ====
signal-to-noise ratio   0.4   0.6   0.8   1.0   1.2
=====================  ====  ====  ====  ====  ====
3 pieces, 4.7 min       .29   .48   .61   .69   .77
5 pieces, 7.0 min       .50   .74   .84   .89   .90
=====================  ====  ====  ====  ====  ====

The default is the last cell. Its scores (mean r of the planted layer .4) are those of the best
voxels of real auditory cortex, everywhere in the planted tissue: minutes are scarcer in a demo
than in a study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.simulate import bold, planted
from bidsapp.simulate.conditions import piece_lengths
from bidsapp.simulate.features import FeatureSource, Source, layer_features
from bidsapp.simulate.music import Piece, write_pieces
from bidsapp.simulate.ratings import PLANS, rate
from bidsapp.simulate.spaces import Space
from bidsapp.simulate.study import Person, Planting, ScheduledRun, Task
from bidsapp.simulate.topography import Topography, plant
from bidsapp.simulate.tree import write_catalogue
from bidsapp.simulate.world import TASK, MusicOptions, World, build_world, schedule


@dataclass(frozen=True)
class MusicStudy:
    """Everybody hears the same; units follow layers (see `bidsapp.simulate.study.Study`).

    Attributes
    ----------
    world
        Schedule, features, planted directions.
    pieces
        What was composed; none where given sounds are played.
    """

    world: World
    pieces: Sequence[Piece] = ()

    noise = bold.NoiseModel()
    task = Task(
        TASK,
        "Simulated music listening",
        "composed music, BOLD with a planted map of network layers, continuous ratings and labels "
        "of mood.",
        "Listen to the music with your eyes closed.",
        "music",
        "A piece",
    )

    @property
    def options(self) -> MusicOptions:
        """As asked for."""
        return self.world.options

    @property
    def sounds(self) -> tuple[str, ...]:
        """Sound files."""
        return self.world.features.pieces

    def runs(self, number: int) -> tuple[ScheduledRun, ...]:
        """Say what participant `number` hears: what all hear."""
        return self.world.runs

    def plant(self, space: Space, person: Person) -> Planting:
        """Plant a gradient of layers."""
        topography = self.topography(space, person)
        places, seed = space.coordinates_mm, self.options.seed
        responses = self.world.responses(person.runs)
        weights_mm = self.options.conditions.weights_mm
        signal = bold.planted_signal(responses, topography, places, seed, weights_mm)
        signal *= np.float32(person.strength)
        return Planting(signal, topography.truth(person.strength))

    def topography(self, space: Space, person: Person) -> Topography:
        """Return the planted map of one participant in one space."""
        return plant(
            space.coordinates_mm,
            len(self.world.features.layers),
            n_inputs=self.world.features.n_inputs,
            radius_mm=self.options.radius_mm,
            shift_mm=person.shift_mm,
            seed=self.options.seed,
        )

    def facts(self) -> dict[str, Any]:
        """Name the network and the layers behind the ratings."""
        features = self.world.features
        ratings = {plan.name: plan.layer_index(len(features.layers)) + 1 for plan in PLANS}
        return {**planted.feature_facts(features), "ratings": ratings}

    def write_shared(self, out_dir: Path) -> None:
        """Write features, catalogue and moods."""
        planted.write_features(out_dir / planted.TRUTH, self.world.features)
        write_catalogue(out_dir / "stimuli", self.pieces)

    def write_own(self, out_dir: Path, person: Person, rng: np.random.Generator) -> None:
        """Write the ratings."""
        rate(out_dir, person.label, self.world, rng)


def music_study(out_dir: Path, options: MusicOptions, source: Source) -> MusicStudy:
    """Compose the music into ``stimuli`` and choose what is planted.

    Parameters
    ----------
    out_dir
        Root of the dataset.
    options
        What to simulate.
    source
        Where layer components come from; by default the network of the options.
    """
    range_s = options.conditions.piece_range_s
    lengths_s = piece_lengths(options.n_pieces, options.piece_s, range_s, options.seed)
    pieces, stimuli = write_pieces(out_dir / "stimuli", lengths_s, options.seed)
    layers = music_features(source, options)(stimuli)
    runs = schedule(options, [piece.seconds for piece in pieces] if range_s else ())
    return MusicStudy(build_world(options, layers, runs), pieces)


def music_features(source: Source, options: MusicOptions) -> FeatureSource:
    """Take the features that were given, or those of the network that was asked for."""
    return source.given or (
        lambda stimuli: layer_features(
            stimuli,
            options.network,
            options.weights,
            hop_s=options.hop_s,
            weights_dir=source.weights_dir,
            cache_dir=source.cache_dir,
            quiet=source.quiet,
        )
    )
