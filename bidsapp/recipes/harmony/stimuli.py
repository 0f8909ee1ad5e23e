"""What the harmonic network says of the sounds: quadrants, Grad-CAM and consonance over time.

Source: Fong, Kumar and Sudhir, arXiv 2408.07113: time-varying emotion of windows of 6 s, explained
by Grad-CAM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bidsapp.audio.io import load_audio
from bidsapp.audio.networks.base import Network
from bidsapp.audio.networks.harmonic import Harmonic, window_mel_db
from bidsapp.bids.records import Rating
from bidsapp.features.sampling import sample_series
from bidsapp.models.harmonic.explain import branch_maps, brightness
from bidsapp.models.harmonic.names import PITCH_CLASSES, QUADRANTS
from bidsapp.progress import track
from bidsapp.stats.quadrants import CENTRES, entropy

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]

_AT_ONCE = 64
_LEAST_RATED = 10
"""Moments with a rating below which no correlation is given."""


@dataclass(frozen=True, eq=False)
class SoundCourse:
    """One sound, moment by moment.

    Attributes
    ----------
    piece
        Sound file.
    time_s
        (n,) middle of each window in seconds.
    probabilities
        (n, 4) of the quadrants.
    brightness
        (n,) mean of the Grad-CAM map of the likeliest quadrant after division by its maximum.
    gradcam
        (n, 12) Grad-CAM of each pitch class in the middle of the window.
    consonance
        (n, 3) roughness, harmonicity, loudness.
    """

    piece: str
    time_s: Floats
    probabilities: Floats
    brightness: Floats
    gradcam: Floats
    consonance: Floats

    @property
    def affect(self) -> Floats:
        """(n, 2) predicted valence and arousal: probabilities times the signs of quadrants."""
        return np.asarray(self.probabilities @ CENTRES)

    @property
    def uncertainty(self) -> Floats:
        """(n,) entropy of the probabilities in bits; 2 is no knowledge."""
        return entropy(self.probabilities)


def sound_courses(
    sounds: Sequence[tuple[str, Path]],
    harmonic: Network,
    consonance: Network,
    *,
    label: str,
    quiet: bool,
) -> list[SoundCourse]:
    """Follow every sound that lasts at least one window.

    Parameters
    ----------
    sounds
        Piece and file of each sound.
    harmonic, consonance
        Networks of these names, with the same hop.
    label, quiet
        Of the progress bar.

    Returns
    -------
    list of SoundCourse
    """
    assert isinstance(harmonic, Harmonic)
    courses = []
    for piece, path in track(sounds, total=len(sounds), label=label, quiet=quiet):
        waveform = load_audio(path, harmonic.sampling_hz)
        frames = harmonic.frames(waveform)
        if not len(frames):
            continue
        parts = [
            _explained(harmonic, frames[start : start + _AT_ONCE])
            for start in range(0, len(frames), _AT_ONCE)
        ]
        probabilities, bright, gradcam = (np.concatenate(p) for p in zip(*parts, strict=True))
        time_s = harmonic.frame_times_s(len(frames))
        described = consonance.frames(waveform)
        own_s = consonance.frame_times_s(len(described))
        columns = [np.interp(time_s, own_s, described[:, k]) for k in (0, 1, -1)]
        courses.append(
            SoundCourse(piece, time_s, probabilities, bright, gradcam, np.stack(columns, axis=1))
        )
    return courses


def _explained(
    harmonic: Harmonic, frames: npt.NDArray[np.float32]
) -> tuple[Floats, Floats, Floats]:
    """Probabilities (n, 4), brightness (n,) and Grad-CAM (n, 12) of some windows."""
    spectrograms = window_mel_db(frames)
    module = harmonic.module.to("cpu")
    with torch.no_grad():
        logits = module(torch.from_numpy(spectrograms)).double()
        probabilities = logits.softmax(dim=1).numpy()
    maps = branch_maps(module, spectrograms, probabilities.argmax(axis=1))
    middle = harmonic.central_times(harmonic.layers[1])
    return probabilities, brightness(maps), maps[:, :, middle].mean(axis=2)


def course_rows(courses: Sequence[SoundCourse]) -> Iterator[Row]:
    """Yield one row per sound and moment."""
    for course in courses:
        affect, uncertainty = course.affect, course.uncertainty
        for n, time_s in enumerate(course.time_s):
            rough, harmonic, loud = course.consonance[n]
            yield {
                "piece": course.piece,
                "time_s": time_s,
                **dict(zip(QUADRANTS, course.probabilities[n], strict=True)),
                "valence": affect[n, 0],
                "arousal": affect[n, 1],
                "uncertainty": uncertainty[n],
                "brightness": course.brightness[n],
                "roughness": rough,
                "harmonicity": harmonic,
                "loudness": loud,
            }


def gradcam_rows(courses: Sequence[SoundCourse]) -> Iterator[Row]:
    """Yield one row per sound and moment, a column for each pitch class."""
    for course in courses:
        for time_s, values in zip(course.time_s, course.gradcam, strict=True):
            named = dict(zip(PITCH_CLASSES, values, strict=True))
            yield {"piece": course.piece, "time_s": time_s, **named}


def agreement_rows(
    courses: Sequence[SoundCourse], ratings: Sequence[Rating], emotion: str, hop_s: float
) -> Iterator[Row]:
    """Yield the correlation over time of predictions with ratings of the same name.

    Parameters
    ----------
    courses
        From `sound_courses`.
    ratings
        Continuous ratings; those of sounds that are called valence or arousal are used.
    emotion
        What was rated: felt, perceived or not stated.
    hop_s
        Time between two moments in seconds: ratings are averaged over it.
    """
    named = {course.piece: course for course in courses}
    for rating in ratings:
        name = rating.name.lower()
        if rating.reference != "stimulus" or name not in ("valence", "arousal"):
            continue
        if rating.key not in named:
            continue
        course = named[rating.key]
        rated = sample_series(rating, course.time_s - hop_s / 2, hop_s)
        known = np.isfinite(rated)
        predicted = course.affect[:, ("valence", "arousal").index(name)]
        enough = known.sum() >= _LEAST_RATED and np.ptp(rated[known]) > 0
        enough = enough and np.ptp(predicted[known]) > 0
        r = np.corrcoef(predicted[known], rated[known])[0, 1] if enough else np.nan
        yield {
            "piece": rating.key,
            "rating": name,
            "rater": rating.rater,
            "emotion": emotion,
            "n": int(known.sum()),
            "r": r,
        }
