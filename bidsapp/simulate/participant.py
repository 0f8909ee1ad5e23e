"""One simulated participant: BOLD in every space, confounds, sidecars and truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.bids.names import build_path
from bidsapp.simulate import bold, files, planted
from bidsapp.simulate.nuisance import Nuisance, confounds
from bidsapp.simulate.spaces import Namer, Space
from bidsapp.simulate.study import Person, ScheduledRun, Study, draw_person
from bidsapp.simulate.tree import write_raw_run

Floats = npt.NDArray[np.float64]
Bulk = npt.NDArray[np.float32]

FMRIPREP = Path("derivatives") / "fmriprep"


def write_participant(out_dir: Path, study: Study, spaces: Sequence[Space], number: int) -> None:
    """Write all files of participant `number` (from 1)."""
    person = draw_person(study.options, f"{number:02d}", number, study.runs(number))
    rng = np.random.default_rng([*person.seed, 7])
    for run in person.runs:
        write_raw_run(out_dir, person.label, run, study)
    study.write_own(out_dir, person, rng)
    truth = out_dir / planted.TRUTH
    planted.write_person(truth, person.label, person.runs)
    summaries: list[tuple[Floats, Floats]] = []
    for space in spaces:
        planting = study.plant(space, person)
        planted.write_maps(truth, person.label, space, planting.maps)
        found = []
        series = participant_bold(planting.signal, space, person, study)
        for run, data in zip(person.runs, series, strict=True):
            write_bold(out_dir / FMRIPREP, person.label, run, space, data)
            found.append(summary_of(data))
        summaries = summaries or found
    for run, nuisance, summary in zip(person.runs, person.nuisances, summaries, strict=True):
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


def participant_bold(signal: Bulk, space: Space, person: Person, study: Study) -> Iterator[Bulk]:
    """Yield the BOLD of every run, (n_trs, n_units) float32, from the signal of all runs."""
    places, model, seed = space.coordinates_mm, study.noise, study.options.seed
    ends = np.cumsum([run.n_trs for run in person.runs])[:-1]
    for number, part in enumerate(np.split(signal, ends)):
        nuisance = person.nuisances[number]
        noise = bold.run_noise(nuisance, places, model, [*person.seed, 10 + number])
        yield bold.assemble(part, noise, places, model, seed)


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
