"""A film for the ears: scenes of one emotion each, overlapping segments, and its sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Share of labelled time of each class.
#: Source: pooled labels of the studyforrest film in the DeepEmotion repository
#: (``annotations/classification.tsv``: 238, 206, 170, 105 and 80 of 799 volumes).
EMOTIONS: Mapping[str, float] = {
    "sadness": 0.30,
    "happiness": 0.26,
    "fear": 0.21,
    "love": 0.13,
    "anger": 0.10,
}
SCENE_S = (10.0, 60.0)
SAMPLING_HZ = 8_000
N_OBSERVERS = 9

_USUAL_S = 45.0
_LABELLED = 0.75
_FULLEST = 0.9
_PITCH_HZ = {"sadness": 110.0, "happiness": 330.0, "fear": 70.0, "love": 220.0, "anger": 150.0}


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of one emotion, in film time.

    Attributes
    ----------
    emotion
        Key of `EMOTIONS`.
    onset_s, duration_s
        When.
    n_observers
        How many of the nine observers say so.
    """

    emotion: str
    onset_s: float
    duration_s: float
    n_observers: int

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True, slots=True)
class Film:
    """Scenes and segments.

    Attributes
    ----------
    scenes
        In order, with pauses without emotion between them.
    starts_s
        Film time at which each run starts.
    run_s
        Length of every run; consecutive ones share what is longer than the distance of starts.
    """

    scenes: tuple[Scene, ...]
    starts_s: tuple[float, ...]
    run_s: float

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return self.starts_s[-1] + self.run_s

    def segment(self, run: int) -> list[Scene]:
        """Scenes of run `run` (from 0) in run time, cut at its ends; shreds below 1 s are lost."""
        start, end = self.starts_s[run], self.starts_s[run] + self.run_s
        found = []
        for scene in self.scenes:
            first, last = max(scene.onset_s, start), min(scene.end_s, end)
            if last - first >= 1.0:
                found.append(Scene(scene.emotion, first - start, last - first, scene.n_observers))
        return found

    def shared(self, film_s: Floats, run: int) -> npt.NDArray[np.bool_]:
        """Whether moments of the film, (n,) s, are heard in another run than `run` too."""
        others = [start for number, start in enumerate(self.starts_s) if number != run]
        heard = [(film_s >= start) & (film_s < start + self.run_s) for start in others]
        return np.asarray(np.any(heard, axis=0)) if heard else np.zeros(len(film_s), dtype=bool)


def write_script(n_runs: int, run_s: float, overlap_s: float, seed: int) -> Film:
    """Write the film: every emotion comes in every run, the frequent ones longer.

    Parameters
    ----------
    n_runs, run_s, overlap_s
        Segments, their length, and what two consecutive ones share.
    seed
        Of the script.
    """
    stretch = run_s - overlap_s
    scenes: list[Scene] = []
    for run in range(n_runs):
        rng = np.random.default_rng([seed, 4, run])
        length = stretch if run < n_runs - 1 else run_s
        scenes += _scenes(run * stretch, length, rng)
    return Film(tuple(scenes), tuple(run * stretch for run in range(n_runs)), run_s)


def _scenes(start_s: float, length_s: float, rng: np.random.Generator) -> list[Scene]:
    """Fill one stretch of the film."""
    shortest, longest = SCENE_S
    names, durations = [], []
    for emotion, share in EMOTIONS.items():
        total = share * _LABELLED * length_s * rng.uniform(0.8, 1.2)
        n_scenes = max(1, round(total / _USUAL_S))
        names += [emotion] * n_scenes
        durations += [float(np.clip(total / n_scenes, shortest, longest))] * n_scenes
    lengths = np.array(durations)
    spare = lengths - shortest
    room = _FULLEST * length_s - shortest * len(lengths)
    lengths = shortest + spare * min(1.0, max(room, 0.0) / max(float(spare.sum()), 1e-9))
    pauses = rng.dirichlet(np.full(len(lengths) + 1, 4.0)) * (length_s - lengths.sum())
    order = rng.permutation(len(lengths))
    onsets = (
        start_s + np.cumsum(pauses[:-1]) + np.concatenate([[0], np.cumsum(lengths[order])])[:-1]
    )
    agreeing = rng.integers(7, N_OBSERVERS + 1, len(lengths))
    return [
        Scene(names[index], round(float(onset), 3), round(float(lengths[index]), 3), int(count))
        for index, onset, count in zip(order, onsets, agreeing, strict=True)
    ]


def intensity(scenes: list[Scene], times_s: Floats, lag_s: float, spread_s: float = 2.0) -> Floats:
    """How strongly each emotion is on in the BOLD signal, (n_times, n_emotions), 0 to 1.

    Scenes come `lag_s` late and are blurred by a triangle of half-width `spread_s`, which is
    symmetric: a scan of lags is right when it ends at `lag_s`.

    Parameters
    ----------
    scenes
        In run time.
    times_s
        (n_times,) of the volumes.
    lag_s, spread_s
        Of the response.
    """
    delays = lag_s + np.linspace(-spread_s, spread_s, 33)
    weights = 1 - np.abs(np.linspace(-1, 1, 33))
    moments = times_s[:, None] - delays
    level = np.zeros((len(times_s), len(EMOTIONS)))
    for column, emotion in enumerate(EMOTIONS):
        for scene in scenes:
            if scene.emotion == emotion:
                heard = (moments >= scene.onset_s) & (moments < scene.end_s)
                level[:, column] += heard @ weights / weights.sum()
    return level


def labels(scenes: list[Scene], times_s: Floats) -> list[str | None]:
    """Emotion at each moment, None in pauses."""
    return [
        next((scene.emotion for scene in scenes if scene.onset_s <= time < scene.end_s), None)
        for time in times_s
    ]


def write_sound(film: Film, path: Path, seed: int) -> None:
    """Write the film's sound: a hum whose pitch goes with the emotion (8 kHz, 8 bits)."""
    import soundfile

    rng = np.random.default_rng([seed, 5])
    wave = 0.02 * rng.standard_normal(round(film.seconds * SAMPLING_HZ))
    for scene in film.scenes:
        first = round(scene.onset_s * SAMPLING_HZ)
        time = np.arange(round(scene.duration_s * SAMPLING_HZ)) / SAMPLING_HZ
        tone = np.sin(2 * np.pi * _PITCH_HZ[scene.emotion] * time)
        tone *= 0.3 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.2, 2.0) * time)
        wave[first : first + len(tone)] += tone[: len(wave) - first]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, SAMPLING_HZ, subtype="PCM_U8")
