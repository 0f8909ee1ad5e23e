"""The design ``emotions``: a film in overlapping segments, and a pattern for each emotion.

- Film: scenes of 10 to 60 s with one of five emotions, pauses between them, uneven frequencies.
  Runs are segments of the film that share 16 s with the next one, as in studyforrest: the same
  stimulus in two runs, which the truth marks.
- Labels: tables on the clock of each run with shares of observers, other characters at the same
  time, and stretches on which observers disagree; what is planted is the emotion with the highest
  share, if it is above half.
- Signal: one smooth pattern per emotion around both amygdalae, 5 s late. Participants have the
  same patterns, displaced by up to 8 mm (two voxels of 4 mm). The rest of the brain is null.
- ``leak``: noise that wanders slowly and has another mean in every run. A classifier that is
  tested on volumes between its training volumes then finds emotions in noise alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bidsapp.errors import UsageError
from bidsapp.simulate import bold, files, planted
from bidsapp.simulate.features import Source
from bidsapp.simulate.film import EMOTIONS, Film, intensity, labels, write_script, write_sound
from bidsapp.simulate.observers import COLUMNS, write_observations
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
from bidsapp.simulate.topography import smooth_fields

AMYGDALA_MM = np.array([[-23.0, -4.0, -18.0], [23.0, -4.0, -18.0]])
_TASK = "film"
_SOUND = "film.wav"
_PATTERN_MM = 15.0
_APART_MM = 8.0
_SHORTEST_S = 80.0
_LEAKY = bold.NoiseModel(smooth=1.0, drift=2.0, baseline=2.0, smooth_phi=0.97)


@dataclass(frozen=True, slots=True)
class EmotionsOptions(StudyOptions):
    """Options of the design ``emotions``, beside those of `StudyOptions`.

    Attributes
    ----------
    run_s, overlap_s
        Length of each run, and what it shares with the next one.
    lag_s
        By how much the BOLD signal comes late.
    radius_mm
        Extent of the planted tissue around the amygdalae.
    leak
        Slowly wandering noise and a mean of its own for each run.
    """

    design: ClassVar[str] = "emotions"
    small: ClassVar[Mapping[str, Any]] = {"n_participants": 2, "run_s": 120.0, "voxel_mm": 12}

    n_participants: int = 4
    n_runs: int = 4
    tr_s: float = 2.0
    spaces: tuple[str, ...] = (MNI,)
    voxel_mm: int = 8
    snr: float = 1.5
    run_s: float = 200.0
    overlap_s: float = 16.0
    lag_s: float = 5.0
    radius_mm: float = 45.0
    leak: bool = False

    def check(self) -> None:
        """Raise `UsageError` if there is nothing to simulate."""
        StudyOptions.check(self)
        if self.run_s - self.overlap_s < _SHORTEST_S or min(self.overlap_s, self.lag_s) < 0:
            msg = (
                f"a simulation of emotions needs runs {_SHORTEST_S:g} s longer than their "
                f"overlap, and no overlap or lag below 0 s; got {self}"
            )
            raise UsageError(msg)


@dataclass(frozen=True)
class EmotionsStudy:
    """Everybody hears the same film (see `bidsapp.simulate.study.Study`).

    Attributes
    ----------
    options
        As asked for.
    film
        Scenes and segments.
    """

    options: EmotionsOptions
    film: Film

    sounds = (_SOUND,)
    task = Task(
        _TASK,
        "Simulated listening to a film",
        "a film for the ears in overlapping segments, emotions as observers see them, and BOLD "
        "with a pattern for each emotion.",
        "Listen to the film with your eyes closed.",
        "film",
        "A segment of the film",
    )

    @property
    def noise(self) -> bold.NoiseModel:
        """What covers the signal."""
        return _LEAKY if self.options.leak else bold.NoiseModel()

    def runs(self, number: int) -> tuple[ScheduledRun, ...]:
        """Say what participant `number` hears: one segment after the other."""
        seconds = self.options.run_s
        return tuple(
            scheduled_run(
                _TASK, run, self.options.tr_s, seconds, (Playing(0, 0.0, seconds, start),)
            )
            for run, start in enumerate(self.film.starts_s, start=1)
        )

    def plant(self, space: Space, person: Person) -> Planting:
        """Plant a pattern for each emotion, displaced for this participant."""
        rng = np.random.default_rng([*person.seed, 8])
        direction = rng.standard_normal(3)
        shift = rng.uniform(0, _APART_MM) * direction / np.linalg.norm(direction)
        home = space.coordinates_mm - shift
        apart = np.linalg.norm(home[:, None] - AMYGDALA_MM, axis=2).min(axis=1)
        inside = apart < self.options.radius_mm
        seed = [self.options.seed, 9]
        fields = smooth_fields(home, len(EMOTIONS), length_mm=_PATTERN_MM, seed=seed)
        patterns = fields * inside
        level = np.concatenate(
            [
                intensity(self.film.segment(number), run.times_s, self.options.lag_s)
                for number, run in enumerate(person.runs)
            ]
        )
        signal = person.strength * (level @ patterns)
        maps = {
            "planted": inside.astype(np.int64),
            "snr": person.strength * inside,
            "pattern": patterns,
        }
        return Planting(signal.astype(np.float32), maps)

    def facts(self) -> dict[str, Any]:
        """Name the emotions in the order of their patterns, and their columns."""
        return {"emotions": list(EMOTIONS), "columns": [COLUMNS[name] for name in EMOTIONS]}

    def write_shared(self, out_dir: Path) -> None:
        """Write the labels, and in the truth the scenes and the emotion of each volume."""
        segments = out_dir / "stimuli" / "segments" / "aomovie"
        write_observations(segments, self.film, self.options.seed)
        truth, scenes = out_dir / planted.TRUTH, self.film.scenes
        files.write_tsv(
            truth / "scenes_truth.tsv",
            {
                "onset": [scene.onset_s for scene in scenes],
                "duration": [scene.duration_s for scene in scenes],
                "emotion": [scene.emotion for scene in scenes],
                "n_observers": [scene.n_observers for scene in scenes],
            },
        )
        for number, run in enumerate(self.runs(1)):
            self._write_volumes(truth / f"task-{_TASK}_run-{number + 1}_truth.tsv", number, run)

    def write_own(self, out_dir: Path, person: Person, rng: np.random.Generator) -> None:
        """Write nothing: observers rate the film, not the listeners."""

    def _write_volumes(self, path: Path, number: int, run: ScheduledRun) -> None:
        """Write when each volume was acquired, which emotion is in it, and what it shares."""
        heard = run.times_s - self.options.lag_s
        film_s = heard + self.film.starts_s[number]
        shared = self.film.shared(film_s, number)
        files.write_tsv(
            path,
            {
                "volume": range(run.n_trs),
                "time_s": run.times_s,
                "film_s": film_s,
                "emotion": labels(self.film.segment(number), heard),
                "in_other_run": [int(value) for value in shared],
            },
        )


def emotions_study(out_dir: Path, options: EmotionsOptions, source: Source) -> EmotionsStudy:
    """Write the film into ``stimuli``.

    Parameters
    ----------
    out_dir
        Root of the dataset.
    options
        What to simulate.
    source
        Not used: no network is planted.
    """
    film = write_script(options.n_runs, options.run_s, options.overlap_s, options.seed)
    write_sound(film, out_dir / "stimuli" / _SOUND, options.seed)
    return EmotionsStudy(options, film)
