"""What designs of short clips share: local patterns with the geometry of a layer.

A unit sums the haemodynamic responses to the principal components of a layer's channels with
loadings of its own, drawn anew for every participant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.simulate import bold, planted, signals
from bidsapp.simulate.features import Source, course_features
from bidsapp.simulate.music import Piece, write_pieces
from bidsapp.simulate.signals import LayerFeatures
from bidsapp.simulate.spaces import Space
from bidsapp.simulate.study import Person, Planting, StudyOptions
from bidsapp.simulate.topography import Topography, smooth_fields
from bidsapp.simulate.tree import write_catalogue

Floats = npt.NDArray[np.float64]
Bulk = npt.NDArray[np.float32]

_LOADING_MM = 4.0
_N_WAVES = 600


@dataclass(frozen=True, slots=True)
class PatternOptions(StudyOptions):
    """Options of designs of clips, beside those of `StudyOptions`.

    Attributes
    ----------
    n_pieces, piece_s
        Clips, and the length of each.
    network, weights
        Whose channels are planted, and its weights: ``random`` (seed 0) or ``pretrained``.
    radius_mm
        Extent of the planted tissue around Heschl's gyri.
    """

    n_pieces: int = 8
    piece_s: float = 20.0
    network: str = "resnet1d"
    weights: str = "random"
    radius_mm: float = 55.0


@dataclass(frozen=True)
class PatternStudy:
    """Clips of music that nobody rates (see `bidsapp.simulate.study.Study`).

    Attributes
    ----------
    options
        As asked for.
    features
        Courses of every channel of every layer.
    pieces
        The clips.
    """

    options: PatternOptions
    features: LayerFeatures
    pieces: Sequence[Piece]

    noise = bold.NoiseModel()

    @property
    def sounds(self) -> tuple[str, ...]:
        """Sound files."""
        return self.features.pieces

    def planting(
        self,
        space: Space,
        person: Person,
        topography: Topography,
        seeds: Mapping[int, int],
        n_components: int,
    ) -> Planting:
        """Plant local patterns that carry the geometry of layers.

        Parameters
        ----------
        space, person
            Units, and the participant with the clips as they were heard.
        topography
            Which unit follows which layer, from 1; 0 for none.
        seeds
            Layer → last part of the seed of its loadings.
        n_components
            Of each layer, at most.
        """
        matrix = np.concatenate(
            [
                signals.response_matrix(run.times_s, run.playing, self.features)
                for run in person.runs
            ]
        )
        signal = np.zeros((len(matrix), len(space.coordinates_mm)), dtype=np.float32)
        for layer, seed in seeds.items():
            units = np.flatnonzero(topography.layer == layer)
            response = matrix @ principal_courses(self.features.scores[layer - 1], n_components)
            signal[:, units] = pattern_courses(
                response, space.coordinates_mm[units], [*person.seed, seed]
            )
        signal *= (person.strength * topography.amplitude).astype(np.float32)
        return Planting(signal, topography.truth(person.strength))

    def facts(self) -> dict[str, Any]:
        """Name the network."""
        return planted.feature_facts(self.features)

    def write_shared(self, out_dir: Path) -> None:
        """Write features and catalogue."""
        planted.write_features(out_dir / planted.TRUTH, self.features)
        write_catalogue(out_dir / "stimuli", self.pieces)

    def write_own(self, out_dir: Path, person: Person, rng: np.random.Generator) -> None:
        """Write nothing: nobody rates clips."""


def compose_clips(
    out_dir: Path, options: PatternOptions, source: Source, lengths_s: Sequence[float] = ()
) -> tuple[Sequence[Piece], LayerFeatures]:
    """Compose the clips into ``stimuli`` and compute the channels of the network.

    Parameters
    ----------
    out_dir
        Root of the dataset.
    options
        What to simulate.
    source
        Where channel courses come from; the network of `options` by default.
    lengths_s
        Length of each clip; by default that of the options.
    """
    lengths_s = lengths_s or [options.piece_s] * options.n_pieces
    pieces, stimuli = write_pieces(out_dir / "stimuli", lengths_s, options.seed)
    if source.given:
        return pieces, source.given(stimuli)
    features = course_features(
        stimuli,
        options.network,
        options.weights,
        weights_dir=source.weights_dir,
        cache_dir=source.cache_dir,
        quiet=source.quiet,
    )
    return pieces, features


def principal_courses(channels: Floats, n_components: int) -> Floats:
    """Standardise channels and rotate them to their principal components.

    Parameters
    ----------
    channels
        (n_frames, n_channels).
    n_components
        Kept at most.

    Returns
    -------
    Floats
        (n_frames, k), total variance 1. Distances between frames are those between standardised
        channels, but for the components left out.
    """
    spread = channels.std(axis=0)
    standard = (channels - channels.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    basis, values, _ = np.linalg.svd(standard, full_matrices=False)
    courses = basis[:, :n_components] * values[:n_components]
    return np.asarray(courses / np.sqrt(max(courses.var(axis=0).sum(), 1e-12)))


def pattern_courses(response: Floats, coordinates_mm: Floats, seed: list[int]) -> Bulk:
    """Give every unit its own mixture of courses, unit variance each.

    Parameters
    ----------
    response
        (n_times, n_courses).
    coordinates_mm
        (n_units, 3); loadings are correlated over 4 mm.
    seed
        Of the loadings.

    Returns
    -------
    Bulk
        (n_times, n_units).
    """
    loadings = smooth_fields(
        coordinates_mm, response.shape[1], length_mm=_LOADING_MM, seed=seed, n_waves=_N_WAVES
    )
    course = (response @ loadings).astype(np.float32)
    return np.asarray(course / np.maximum(course.std(axis=0), 1e-12), dtype=np.float32)
