"""Which sound fits which moment: likeness of predicted emotions, outside the scanner.

Source: Fong, Kumar and Sudhir, arXiv 2408.07113: advertisements inserted at moments of videos
whose emotion is similar or in contrast. Here the likeness of quadrant probabilities is exported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.recipes.harmony.stimuli import SoundCourse, entropy
from bidsapp.stats.quadrants import CENTRES

Floats = npt.NDArray[np.float64]


def similarity(first: Floats, second: Floats) -> Floats:
    """Return 1 - Jensen-Shannon distance (base 2) of probabilities over the last axis.

    1 for the same, 0 for distributions without a common class.
    """
    between = entropy((first + second) / 2) - (entropy(first) + entropy(second)) / 2
    return np.asarray(1.0 - np.sqrt(np.clip(between, 0.0, 1.0)))


def similarity_rows(courses: Sequence[SoundCourse], moment_s: float) -> Iterator[dict[str, Any]]:
    """Yield one row per moment of a sound and other sound.

    Parameters
    ----------
    courses
        From `bidsapp.recipes.harmony.stimuli.sound_courses`.
    moment_s
        Length of a moment in seconds; probabilities are averaged over it.
    """
    whole = {course.piece: course.probabilities.mean(axis=0) for course in courses}
    for course in courses:
        number = (course.time_s // moment_s).astype(np.int64)
        for moment in np.unique(number):
            own = course.probabilities[number == moment].mean(axis=0)
            for candidate, other in whole.items():
                if candidate == course.piece:
                    continue
                contrast = np.round((other - own) @ CENTRES, 6) + 0.0
                yield {
                    "piece": course.piece,
                    "start_s": float(moment * moment_s),
                    "candidate": candidate,
                    "similarity": similarity(own, other),
                    "valence_contrast": contrast[0],
                    "arousal_contrast": contrast[1],
                    "uncertainty": (entropy(own) + entropy(other)) / 2,
                }
