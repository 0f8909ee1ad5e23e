"""What every simulated dataset shares, and what a design has to say.

A *design* is what is heard when, and what is planted. Everything else (noise, motion, files,
sidecars, confounds, truth) is the same for all designs and asks a `Study` for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from bidsapp.errors import UsageError
from bidsapp.simulate.bold import NoiseModel
from bidsapp.simulate.conditions import SCENARIOS, Conditions
from bidsapp.simulate.nuisance import Nuisance, draw_nuisance
from bidsapp.simulate.signals import Playing
from bidsapp.simulate.spaces import Space

Floats = npt.NDArray[np.float64]
Bulk = npt.NDArray[np.float32]

MNI = "MNI152NLin2009cAsym"


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """What all designs ask for.

    Attributes
    ----------
    n_participants, n_runs
        How many.
    tr_s
        Repetition time in s.
    spaces
        ``fsaverage5`` and names of volume templates.
    voxel_mm
        Voxel size of the volumes, a whole number of mm.
    snr
        Standard deviation of the signal over that of the noise without drift; 0 plants nothing.
    seed
        Of everything.
    scenario
        Key of `SCENARIOS`: what else the data have.
    """

    design: ClassVar[str]
    small: ClassVar[Mapping[str, Any]]

    n_participants: int = 3
    n_runs: int = 2
    tr_s: float = 1.0
    spaces: tuple[str, ...] = ("fsaverage5", MNI)
    voxel_mm: int = 6
    snr: float = 1.2
    seed: int = 0
    scenario: str = "plain"

    @property
    def conditions(self) -> Conditions:
        """Conditions of the scenario."""
        return SCENARIOS[self.scenario]

    @classmethod
    def quick(cls, **changes: Any) -> Self:
        """Return the smallest dataset that still has everything: seconds to make."""
        return cls(**{**cls.small, **changes})

    def check(self) -> None:
        """Raise `UsageError` if there is nothing to simulate."""
        few = min(self.n_participants, self.n_runs, self.voxel_mm) < 1
        if few or self.tr_s <= 0 or self.snr < 0 or not self.spaces:
            msg = (
                "a simulation needs at least one participant, run and space, voxels of 1 mm, a TR "
                f"above 0 and a signal-to-noise ratio of 0 or more; got {self}"
            )
            raise UsageError(msg)
        if self.scenario not in SCENARIOS:
            msg = f"the scenario {self.scenario} is not known; choose from {', '.join(SCENARIOS)}"
            raise UsageError(msg)


@dataclass(frozen=True)
class ScheduledRun:
    """When what is played in one run.

    Attributes
    ----------
    entities
        What names the run: ``task``, and ``run`` if there are several.
    n_trs
        Volumes.
    tr_s
        Repetition time.
    start_s
        Time of the reference slice of the first volume.
    playing
        Presentations; ``piece`` counts as in `Study.sounds`.
    """

    entities: dict[str, str]
    n_trs: int
    tr_s: float
    start_s: float
    playing: tuple[Playing, ...]

    @property
    def times_s(self) -> Floats:
        """Time of each volume's reference slice, (n_trs,) s."""
        return np.asarray(self.start_s + self.tr_s * np.arange(self.n_trs), dtype=np.float64)

    @property
    def duration_s(self) -> float:
        """Length of the scan in s."""
        return self.n_trs * self.tr_s


def scheduled_run(
    task: str, number: int, tr_s: float, seconds: float, playing: tuple[Playing, ...]
) -> ScheduledRun:
    """Schedule run `number`, at least `seconds` long.

    Volumes are stamped with the middle of the TR, as fMRIPrep's slice timing correction does.
    """
    entities = {"task": task, "run": str(number)}
    return ScheduledRun(entities, int(np.ceil(seconds / tr_s)), tr_s, tr_s / 2, playing)


@dataclass(frozen=True)
class Person:
    """What is one participant's own.

    Attributes
    ----------
    label
        Without ``sub-``.
    seed
        Of the noise.
    shift_mm
        (2, 3) displacement of the planted map's centres.
    strength
        Signal-to-noise ratio where the amplitude is 1.
    runs
        What this participant hears.
    nuisances
        Per run.
    """

    label: str
    seed: tuple[int, int]
    shift_mm: Floats
    strength: float
    runs: tuple[ScheduledRun, ...]
    nuisances: tuple[Nuisance, ...]


def draw_person(
    options: StudyOptions, label: str, number: int, runs: tuple[ScheduledRun, ...]
) -> Person:
    """Draw a participant: place of the map (3 mm), gain (10 %), motion of each run."""
    seed = (options.seed, 100 + number)
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, 3.0, (2, 3))
    strength = options.snr * float(np.exp(rng.normal(0, 0.1)))
    nuisances = [draw_nuisance(run.n_trs, run.tr_s, rng) for run in runs]
    return Person(label, seed, shift, strength, runs, tuple(nuisances))


@dataclass(frozen=True)
class Task:
    """What a design is called in the raw dataset.

    Attributes
    ----------
    label
        The ``task`` entity.
    title
        Name of the dataset.
    about
        One sentence for the README.
    instructions
        What participants were told.
    trial_type, meaning
        Of the presentations in ``events.tsv``.
    """

    label: str
    title: str
    about: str
    instructions: str
    trial_type: str
    meaning: str


@dataclass(frozen=True)
class Planting:
    """What is planted in the units of one space of one participant.

    Attributes
    ----------
    signal
        (n_times of all runs, n_units), in standard deviations of the noise.
    maps
        The truth over units, (n_units,) or (n_maps, n_units) each: integers are -1 and floats
        NaN outside the brain when they are written. ``snr`` is always there.
    """

    signal: Bulk
    maps: Mapping[str, npt.NDArray[Any]]


class Study(Protocol):
    """A design at work: the sounds are written, and the participants can be asked for."""

    @property
    def options(self) -> StudyOptions:
        """As asked for."""

    @property
    def task(self) -> Task:
        """What it is called."""

    @property
    def noise(self) -> NoiseModel:
        """What covers the signal."""

    @property
    def sounds(self) -> tuple[str, ...]:
        """Sound files, relative to ``stimuli``."""

    def runs(self, number: int) -> tuple[ScheduledRun, ...]:
        """Say what participant `number` (from 1) hears."""

    def plant(self, space: Space, person: Person) -> Planting:
        """Plant in one space of one participant."""

    def facts(self) -> dict[str, Any]:
        """Say for ``truth.json`` what was planted."""

    def write_shared(self, out_dir: Path) -> None:
        """Write what all participants share beyond the sounds: catalogue, labels, features."""

    def write_own(self, out_dir: Path, person: Person, rng: np.random.Generator) -> None:
        """Write what one participant has beyond BOLD and events: ratings."""
