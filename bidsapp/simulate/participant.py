"""One simulated participant: BOLD in every space, confounds, sidecars and truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.bids.names import build_path
from bidsapp.simulate import bold, files, planted
from bidsapp.simulate.conditions import (
    follow_loudness,
    head_course,
    read_loudness,
    slice_slots,
    slot_times,
)
from bidsapp.simulate.nuisance import Nuisance, confounds
from bidsapp.simulate.spaces import Namer, Space
from bidsapp.simulate.study import Person, Planting, ScheduledRun, Study, draw_person
from bidsapp.simulate.tree import write_raw_run

Floats = npt.NDArray[np.float64]
Bulk = npt.NDArray[np.float32]

FMRIPREP = Path("derivatives") / "fmriprep"


def write_participant(out_dir: Path, study: Study, spaces: Sequence[Space], number: int) -> None:
    """Write all files of participant `number` (from 1)."""
    person = draw_person(study.options, f"{number:02d}", number, study.runs(number))
    if study.options.conditions.motion_follows:
        person = moved_by_sound(out_dir / "stimuli", study, person)
    rng = np.random.default_rng([*person.seed, 7])
    for run in person.runs:
        write_raw_run(out_dir, person.label, run, study)
    study.write_own(out_dir, person, rng)
    truth = out_dir / planted.TRUTH
    planted.write_person(truth, person.label, person.runs)
    summaries: list[tuple[Floats, Floats]] = []
    for space in spaces:
        planting = plant_slices(study, space, person)
        planted.write_maps(truth, person.label, space, planting.maps)
        found = []
        series = participant_bold(planting.signal, space, person, study)
        for run, data in zip(person.runs, series, strict=True):
            corrected = not study.options.conditions.slice_times
            write_bold(out_dir / FMRIPREP, person.label, run, space, data, corrected=corrected)
            found.append(summary_of(data))
        summaries = summaries or found
    for run, nuisance, summary in zip(person.runs, person.nuisances, summaries, strict=True):
        namer = run_namer(out_dir / FMRIPREP, person.label, run)
        write_confounds(namer, nuisance, summary, run.tr_s, rng)


def moved_by_sound(folder: Path, study: Study, person: Person) -> Person:
    """Let the head of a participant follow the loudness of the sounds in `folder`."""
    loudness = read_loudness(folder, study.sounds)
    strength = study.options.conditions.motion_follows
    nuisances = [
        follow_loudness(nuisance, head_course(run.times_s, run.playing, loudness), strength)
        for run, nuisance in zip(person.runs, person.nuisances, strict=True)
    ]
    return replace(person, nuisances=tuple(nuisances))


def plant_slices(study: Study, space: Space, person: Person) -> Planting:
    """Plant in one space, each unit at the time of its slice where times are not corrected."""
    if not study.options.conditions.slice_times:
        return study.plant(space, person)
    slots, times_s = slice_slots(space.coordinates_mm), np.array(slot_times(study.options.tr_s))
    plantings = []
    for time_s in times_s:
        runs = tuple(replace(run, start_s=float(time_s)) for run in person.runs)
        plantings.append(study.plant(space, replace(person, runs=runs)))
    signal = plantings[0].signal
    for slot, planting in enumerate(plantings):
        signal[:, slots == slot] = planting.signal[:, slots == slot]
    return Planting(signal, {**plantings[0].maps, "slice_time_s": times_s[slots]})


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
    places, seed, conditions = space.coordinates_mm, study.options.seed, study.options.conditions
    model = study.noise
    if conditions.motion_follows:
        shared = conditions.shared_artefact
        model = replace(model, motion=conditions.motion, shared_motion=shared)
    ends = np.cumsum([run.n_trs for run in person.runs])[:-1]
    for number, part in enumerate(np.split(signal, ends)):
        nuisance = person.nuisances[number]
        noise = bold.run_noise(nuisance, places, model, [*person.seed, 10 + number])
        yield bold.assemble(part, noise, places, model, seed)


def write_bold(
    root: Path,
    label: str,
    run: ScheduledRun,
    space: Space,
    data: Bulk,
    *,
    corrected: bool = True,
) -> None:
    """Write BOLD of one run in one space with sidecars, as fMRIPrep names them.

    Parameters
    ----------
    root
        Of the derivatives.
    label
        Participant without ``sub-``.
    run, space
        Which run in which space.
    data
        (n_trs, n_units).
    corrected
        Whether the sidecar says that slice times were corrected, and to what time.
    """
    namer = run_namer(root, label, run)
    for path in space.save(data, run.tr_s, namer):
        sidecar: dict[str, Any] = {"Type": "Brain", "RawSources": [_raw_source(label, run)]}
        if "_bold." in path.name:
            sidecar = {
                "RepetitionTime": run.tr_s,
                "SkullStripped": False,
                "SliceTimingCorrected": corrected,
                **({"StartTime": run.start_s} if corrected else {}),
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
