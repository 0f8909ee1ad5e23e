"""One simulated participant: BOLD in every space, confounds, sidecars and truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.bids.names import build_path
from bidsapp.simulate import bold, files, planted
from bidsapp.simulate.nuisance import Nuisance, confounds, draw_nuisance
from bidsapp.simulate.ratings import rate
from bidsapp.simulate.spaces import Namer, Space
from bidsapp.simulate.topography import Topography, plant
from bidsapp.simulate.tree import write_raw_run
from bidsapp.simulate.world import ScheduledRun, World

Floats = npt.NDArray[np.float64]
Bulk = npt.NDArray[np.float32]

FMRIPREP = Path("derivatives") / "fmriprep"
NOISE = bold.NoiseModel()


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
    nuisances
        Per run.
    """

    label: str
    seed: tuple[int, int]
    shift_mm: Floats
    strength: float
    nuisances: tuple[Nuisance, ...]


def draw_person(world: World, label: str, number: int) -> Person:
    """Draw a participant: place of the map (3 mm), gain (10 %), motion of each run."""
    options = world.options
    seed = (options.seed, 100 + number)
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, 3.0, (2, 3))
    strength = options.snr * float(np.exp(rng.normal(0, 0.1)))
    nuisances = [draw_nuisance(run.n_trs, options.tr_s, rng) for run in world.runs]
    return Person(label, seed, shift, strength, tuple(nuisances))


def write_participant(out_dir: Path, world: World, spaces: Sequence[Space], number: int) -> None:
    """Write all files of participant `number` (from 1)."""
    person = draw_person(world, f"{number:02d}", number)
    rng = np.random.default_rng([*person.seed, 7])
    for run in world.runs:
        write_raw_run(out_dir, person.label, run, world)
    rate(out_dir, person.label, world, rng)
    summaries: list[tuple[Floats, Floats]] = []
    for space in spaces:
        topography = plant_for(world, space, person)
        series = participant_bold(world, space, topography, person)
        for run, data in zip(world.runs, series, strict=True):
            write_bold(out_dir / FMRIPREP, person.label, run, space, data, world)
        summaries = summaries or [_summary(data) for data in series]
        planted.write_map(
            out_dir / planted.TRUTH, person.label, space, topography, person.strength
        )
    for run, nuisance, summary in zip(world.runs, person.nuisances, summaries, strict=True):
        columns, metadata = confounds(nuisance, *summary, world.options.tr_s, rng)
        namer = _namer(out_dir / FMRIPREP, person.label, world.task, run.label)
        files.write_tsv(namer({"desc": "confounds"}, "timeseries", ".tsv"), columns)
        files.write_json(namer({"desc": "confounds"}, "timeseries", ".json"), metadata)


def plant_for(world: World, space: Space, person: Person) -> Topography:
    """Return the planted map of one participant in one space."""
    return plant(
        space.coordinates_mm,
        len(world.features.layers),
        radius_mm=world.options.radius_mm,
        shift_mm=person.shift_mm,
        seed=world.options.seed,
    )


def participant_bold(
    world: World, space: Space, topography: Topography, person: Person
) -> list[Bulk]:
    """BOLD of every run, (n_trs, n_units) float32."""
    places = space.coordinates_mm
    signal = bold.planted_signal(world.responses(), topography, places, world.options.seed)
    signal *= person.strength
    ends = np.cumsum([run.n_trs for run in world.runs])[:-1]
    series = []
    for number, part in enumerate(np.split(signal, ends)):
        nuisance = person.nuisances[number]
        noise = bold.run_noise(nuisance, places, NOISE, [*person.seed, 10 + number])
        series.append(bold.assemble(part, noise, places, NOISE, world.options.seed))
    return series


def write_bold(
    root: Path, label: str, run: ScheduledRun, space: Space, data: Bulk, world: World
) -> None:
    """Write BOLD of one run in one space with sidecars, as fMRIPrep names them."""
    namer = _namer(root, label, world.task, run.label)
    tr_s = world.options.tr_s
    for path in space.save(data, tr_s, namer):
        sidecar: dict[str, Any] = {"Type": "Brain", "RawSources": [_raw_source(label, run, world)]}
        if "_bold." in path.name:
            sidecar = {
                "RepetitionTime": tr_s,
                "SkullStripped": False,
                "SliceTimingCorrected": True,
                "StartTime": tr_s / 2,
                "TaskName": world.task,
            }
        files.write_json(path.with_name(path.name.split(".")[0] + ".json"), sidecar)


def _raw_source(label: str, run: ScheduledRun, world: World) -> str:
    entities = {"sub": label, "task": world.task, "run": run.label}
    return "bids:raw:" + build_path(entities, "bold", ".nii.gz")


def _namer(root: Path, label: str, task: str, run: str) -> Namer:
    """Return a function that names files of one run below `root` and makes their folder."""

    def name(entities: dict[str, str], suffix: str, extension: str) -> Path:
        all_entities = {"sub": label, "task": task, "run": run} | entities
        path = root / build_path(all_entities, suffix, extension)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    return name


def _summary(data: Bulk) -> tuple[Floats, Floats]:
    """Return global signal (n_trs,) and DVARS (n_trs - 1,) of one run."""
    change = np.diff(data, axis=0)
    dvars = np.sqrt(np.square(change).mean(axis=1))
    return data.mean(axis=1).astype(np.float64), dvars.astype(np.float64)
