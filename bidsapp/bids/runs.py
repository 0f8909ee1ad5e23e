"""From the files of an acquisition to a `Run`: mask, confounds, repetition time, volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bidsapp.bids.acquisitions import Acquisition
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.headers import TimeAxis, content_problem, seconds, time_axis
from bidsapp.bids.names import ACQUISITION_ENTITIES, Name, build_name, same_label, select
from bidsapp.bids.records import Problem, Run
from bidsapp.bids.sidecars import inherited_metadata

#: relative difference between sidecar and header above which it is reported
_TR_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Files:
    """What lies beside the BOLD files of one participant."""

    confounds: list[tuple[Name, Path]] = field(default_factory=list)
    masks: list[tuple[Name, Path]] = field(default_factory=list)
    preprocessed: bool = True


def read_run(
    dataset: Dataset, root: Path, acquisition: Acquisition, files: Files
) -> tuple[Run | None, list[Problem]]:
    """Open the headers and sidecars of an acquisition.

    Parameters
    ----------
    dataset
        Dataset the acquisition belongs to.
    root
        The tree it lies in: raw data or derivatives.
    acquisition
        Its files.
    files
        Confounds and masks to choose from.

    Returns
    -------
    run
        None when the acquisition cannot be used.
    problems
        Why, and everything else that was odd.
    """
    axes = [time_axis(path, acquisition.kind) for path in acquisition.bold]
    broken = [axis for axis in axes if isinstance(axis, Problem)]
    if broken:
        return None, broken
    axis = next(axis for axis in axes if isinstance(axis, TimeAxis))
    counts = [axis.n_trs for axis in axes if isinstance(axis, TimeAxis)]
    first = acquisition.bold[0]
    if len(set(counts)) > 1:
        what = f"holds {counts[0]} volumes and the other hemisphere {counts[1]}"
        return None, [Problem(first, what, "run fMRIPrep again for this run")]
    metadata, problems = run_metadata(dataset, root, acquisition)
    tr_s, more = _repetition_time(first, metadata, axis)
    problems += more
    if tr_s is None:
        return None, problems
    mask = confounds = None
    if files.preprocessed:
        confounds, more = _confounds(acquisition, files.confounds)
        problems += more
        if acquisition.kind == "volume":
            mask, more = _mask(acquisition, files.masks)
            problems += more
    run = Run(
        entities=select(acquisition.entities, ACQUISITION_ENTITIES),
        space=acquisition.space,
        resolution=acquisition.resolution,
        density=acquisition.density,
        kind=acquisition.kind,
        bold=acquisition.bold,
        mask=mask,
        confounds=confounds,
        tr_s=tr_s,
        n_trs=axis.n_trs,
        start_time_s=_start_time(metadata),
        preprocessed=files.preprocessed,
    )
    return run, problems


def run_metadata(
    dataset: Dataset, root: Path, acquisition: Acquisition
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the metadata of an acquisition: those of the raw file, then its own on top."""
    merged: dict[str, Any] = {}
    problems: list[Problem] = []
    if dataset.root is not None and dataset.root != root:
        merged, problems = inherited_metadata(
            raw_file(dataset.root, acquisition.entities), dataset.root
        )
    own, more = inherited_metadata(acquisition.bold[0], root)
    return merged | own, problems + more


def raw_file(
    root: Path, entities: Mapping[str, str], suffix: str = "bold", extension: str = ".nii.gz"
) -> Path:
    """Return where a file of an acquisition lies, or would lie, in the raw dataset."""
    known = {key: label for key, label in entities.items() if label}
    folders = [f"{key}-{known[key]}" for key in ("sub", "ses") if key in known]
    return root.joinpath(*folders, "func", build_name(known, suffix, extension))


def _repetition_time(
    path: Path, metadata: Mapping[str, Any], axis: TimeAxis
) -> tuple[float | None, list[Problem]]:
    stated = metadata.get("RepetitionTime")
    sidecar = seconds(float(stated), "sec") if isinstance(stated, int | float) else None
    if sidecar is None and "VolumeTiming" in metadata:
        what = "has VolumeTiming instead of RepetitionTime (sparse acquisition)"
        return None, [Problem(path, what, "leave it out with --bids-filter-file")]
    if sidecar is None and axis.tr_s is None:
        what = "has no RepetitionTime in any sidecar and none in its header"
        return None, [Problem(path, what, "add RepetitionTime (s) to its JSON sidecar")]
    if sidecar and axis.tr_s and abs(sidecar - axis.tr_s) > _TR_TOLERANCE * sidecar:
        what = f"RepetitionTime is {sidecar:g} s in the sidecar and {axis.tr_s:g} s in the header"
        return sidecar, [Problem(path, what, "the sidecar is used; correct whichever is wrong")]
    return sidecar or axis.tr_s, []


def _start_time(metadata: Mapping[str, Any]) -> float:
    value = metadata.get("StartTime")
    corrected = metadata.get("SliceTimingCorrected") is True
    return float(value) if corrected and isinstance(value, int | float) else 0.0


def _confounds(
    acquisition: Acquisition, tables: Iterable[tuple[Name, Path]]
) -> tuple[Path | None, list[Problem]]:
    wanted = ("timeseries", "regressors")
    found = [
        (len(shared), -wanted.index(name.suffix), path)
        for name, path in tables
        if name.suffix in wanted
        and name.extension == ".tsv"
        and (shared := _shared(name.entities, acquisition.entities)) is not None
    ]
    if not found:
        what = "has no confounds table (_desc-confounds_timeseries.tsv)"
        return None, [Problem(acquisition.bold[0], what, "restore it or use --confounds none")]
    path = max(found)[2]
    problem = content_problem(path)
    return (None, [problem]) if problem else (path, [])


def _mask(
    acquisition: Acquisition, masks: Iterable[tuple[Name, Path]]
) -> tuple[Path | None, list[Problem]]:
    own = {"space": acquisition.space, "res": acquisition.resolution}
    own["space"] = None if acquisition.space == "native" else acquisition.space
    found = [
        (len(shared), path)
        for name, path in masks
        if name.suffix == "mask"
        and name.extension in (".nii.gz", ".nii")
        and all(name.entities.get(key) == label for key, label in own.items())
        and (shared := _shared(name.entities, acquisition.entities)) is not None
    ]
    if not found:
        what = "has no brain mask (_desc-brain_mask)"
        return None, [Problem(acquisition.bold[0], what, "restore it; a mask is computed instead")]
    path = max(found)[1]
    problem = content_problem(path)
    return (None, [problem]) if problem else (path, [])


def _shared(entities: Mapping[str, str], run: Mapping[str, str]) -> list[str] | None:
    """Acquisition entities that a companion shares with its run; None if they contradict.

    A companion may lack entities of the run (confounds have no ``echo``), never add one.
    """
    own = select(entities, ACQUISITION_ENTITIES)
    if any(key not in run or not same_label(key, label, run[key]) for key, label in own.items()):
        return None
    return list(own) if "task" in own else None
