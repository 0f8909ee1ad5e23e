"""Which sound fits which moment: likeness of predicted emotions, outside the scanner.

Source: Fong, Kumar and Sudhir, arXiv 2408.07113: advertisements inserted at moments of videos
whose emotion is similar or in contrast. Here the likeness of quadrant probabilities is exported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bidsapp.audio.io import load_audio
from bidsapp.audio.networks.base import Network
from bidsapp.models.harmonic.names import MATCH_COLUMNS
from bidsapp.progress import track
from bidsapp.stats.quadrants import CENTRES, entropy, similarity

Floats = npt.NDArray[np.float64]

_AT_ONCE = 64
_MEMORY_BYTES = 2**28


class Course(Protocol):
    """Quadrants of a sound over time."""

    @property
    def piece(self) -> str:
        """Name of the sound."""

    @property
    def time_s(self) -> Floats:
        """(n,) middle of each window in seconds."""

    @property
    def probabilities(self) -> Floats:
        """(n, 4) of the quadrants."""


@dataclass(frozen=True, eq=False)
class QuadrantCourse:
    """Quadrants of a sound over time; fields as in `Course`."""

    piece: str
    time_s: Floats
    probabilities: Floats


def quadrant_courses(
    sounds: Sequence[tuple[str, Path]], harmonic: Network, *, label: str, quiet: bool
) -> Iterator[QuadrantCourse]:
    """Yield the quadrants of every sound that lasts at least one window.

    Parameters
    ----------
    sounds
        Name and file of each sound.
    harmonic
        The harmonic network; its last layer is used.
    label, quiet
        Of the progress bar.

    Raises
    ------
    InputMissingError, InputInvalidError
        A sound cannot be read.
    """
    last = len(harmonic.layers) - 1
    for piece, path in track(sounds, total=len(sounds), label=label, quiet=quiet):
        frames = harmonic.frames(load_audio(path, harmonic.sampling_hz))
        starts = range(0, len(frames), _AT_ONCE)
        blocks = (frames[start : start + _AT_ONCE] for start in starts)
        parts = [
            dict(harmonic.channels(block, memory_bytes=_MEMORY_BYTES))[last] for block in blocks
        ]
        if parts:
            probabilities = np.concatenate(parts).astype(np.float64)
            yield QuadrantCourse(piece, harmonic.frame_times_s(len(frames)), probabilities)


def match_rows(
    courses: Sequence[Course], moment_s: float, candidates: Sequence[Course] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one row per moment of a sound and candidate.

    Parameters
    ----------
    courses
        Sounds with moments.
    moment_s
        Length of a moment in seconds; probabilities are averaged over it.
    candidates
        Sounds that are compared as wholes; None for the sounds themselves, each with the others.

    Yields
    ------
    dict
        Keys of `bidsapp.models.harmonic.names.MATCH_COLUMNS`.
    """
    others = courses if candidates is None else candidates
    whole = [(course.piece, course.probabilities.mean(axis=0)) for course in others]
    for course in courses:
        number = (course.time_s // moment_s).astype(np.int64)
        for moment in np.unique(number):
            own = course.probabilities[number == moment].mean(axis=0)
            for candidate, other in whole:
                if candidates is None and candidate == course.piece:
                    continue
                contrast = np.round((other - own) @ CENTRES, 6) + 0.0
                values = (
                    course.piece,
                    float(moment * moment_s),
                    candidate,
                    similarity(own, other),
                    contrast[0],
                    contrast[1],
                    (entropy(own) + entropy(other)) / 2,
                )
                yield dict(zip(MATCH_COLUMNS, values, strict=True))
