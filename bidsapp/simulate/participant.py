"""One simulated participant: BOLD in every space, confounds, sidecars and truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    nuisances = [draw_nuisance(run.n_trs, run.tr_s, rng) for run in world.runs]
    return Person(label, seed, shift, strength, tuple(nuisances))


def write_participant(out_dir: Path, world: World, spaces: Sequence[Space], number: int) -> None:
    """Write all files of participant `number` (from 1)."""
    person = draw_person(world, f"{number:02d}", number)
    rng = np.random.default_rng([*person.seed, 7])
    for run in world.runs:
        write_raw_run(out_dir, person.label, run, world)
    rate(out_dir, person.label, world, rng)
    planted.write_person(out_dir / planted.TRUTH, person.label, world.runs)
    summaries: list[tuple[Floats, Floats]] = []
    for space in spaces:
        topography = plant_for(world, space, person)
        found = []
        series = participant_bold(world, space, topography, person)
        for run, data in zip(world.runs, series, strict=True):
            write_bold(out_dir / FMRIPREP, person.label, run, space, data)
            found.append(summary_of(data))
        summaries = summaries or found
        planted.write_map(
            out_dir / planted.TRUTH, person.label, space, topography, person.strength
        )
    for run, nuisance, summary in zip(world.runs, person.nuisances, summaries, strict=True):
        namer = run_namer(out_dir / FMRIPREP, person.label, run)
        write_confounds(namer, nuisance, summary, run.tr_s, rng)


def write_confounds(
    namer: Namer,
    nuisance: Nuisance,
    summary: tuple[Floats, Floats],
    tr_s: float,
    rng: np.random.Generator,
) -> None:
    """Write the confounds table of one run and its JSON.

    Parameters
    ----------
    namer
        Names files of the run.
    nuisance
        What was mixed into its BOLD.
    summary
        Global signal and DVARS, as `summary_of` returns them.
    tr_s
        Repetition time.
    rng
        Source of measurement noise.
    """
    columns, metadata = confounds(nuisance, *summary, tr_s, rng)
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
) -> Iterator[Bulk]:
    """Yield the BOLD of every run, (n_trs, n_units) float32."""
    places = space.coordinates_mm
    signal = bold.planted_signal(world.responses(), topography, places, world.options.seed)
    signal *= person.strength
    ends = np.cumsum([run.n_trs for run in world.runs])[:-1]
    for number, part in enumerate(np.split(signal, ends)):
        nuisance = person.nuisances[number]
        noise = bold.run_noise(nuisance, places, NOISE, [*person.seed, 10 + number])
        yield bold.assemble(part, noise, places, NOISE, world.options.seed)


def write_bold(root: Path, label: str, run: ScheduledRun, space: Space, data: Bulk) -> None:
    """Write BOLD of one run in one space with sidecars, as fMRIPrep names them."""
    namer = run_namer(root, label, run)
    for path in space.save(data, run.tr_s, namer):
        sidecar: dict[str, Any] = {"Type": "Brain", "RawSources": [_raw_source(label, run)]}
        if "_bold." in path.name:
            sidecar = {
                "RepetitionTime": run.tr_s,
                "SkullStripped": False,
                "SliceTimingCorrected": True,
                "StartTime": run.start_s,
                "TaskName": run.entities["task"],
            }
        files.write_json(path.with_name(path.name.split(".")[0] + ".json"), sidecar)


def _raw_source(label: str, run: ScheduledRun) -> str:
    entities = {"sub": label, **run.entities}
    return "bids:raw:" + build_path(entities, "bold", ".nii.gz")


def run_namer(root: Path, label: str, run: ScheduledRun) -> Namer:
    """Return a function that names files of one run below `root` and makes their folder."""

    def name(entities: dict[str, str], suffix: str, extension: str) -> Path:
        all_entities = {"sub": label, **run.entities} | entities
        path = root / build_path(all_entities, suffix, extension)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    return name


def summary_of(data: Bulk) -> tuple[Floats, Floats]:
    """Return global signal (n_trs,) and DVARS (n_trs - 1,) of one run."""
    change = np.diff(data, axis=0)
    dvars = np.sqrt(np.square(change).mean(axis=1))
    return data.mean(axis=1).astype(np.float64), dvars.astype(np.float64)
