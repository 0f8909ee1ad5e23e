"""From the files of an acquisition to a `Run`: mask, confounds, repetition time, volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bidsapp.bids.acquisitions import Acquisition
from bidsapp.bids.clock import Stated, dropped_volumes, repetition_time, start_time
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.headers import TimeAxis, content_problem, time_axis
from bidsapp.bids.names import ACQUISITION_ENTITIES, Name, build_name, same_label, select, space_of
from bidsapp.bids.records import Problem, Run
from bidsapp.bids.sidecars import inherited_metadata

NO_CONFOUNDS = "has no confounds table (_desc-confounds_timeseries.tsv)"
"""What is said of a preprocessed run without one."""


@dataclass(frozen=True, slots=True)
class Files:
    """What lies beside the BOLD files of one participant, and what is known of their clock.

    Attributes
    ----------
    confounds, masks
        Tables and masks to choose from.
    preprocessed
        Whether the BOLD comes from fMRIPrep.
    n_dropped, start_time_s
        As in `Filters`.
    """

    confounds: list[tuple[Name, Path]] = field(default_factory=list)
    masks: list[tuple[Name, Path]] = field(default_factory=list)
    preprocessed: bool = True
    n_dropped: int = 0
    start_time_s: float | None = None


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
    stated, problems = _stated(dataset, root, acquisition, axis)
    tr_s, more = repetition_time(first, stated)
    problems += more
    n_dropped, shortened = dropped_volumes(first, stated, files.n_dropped)
    problems += [shortened] if shortened else []
    if tr_s is None or shortened:
        return None, problems
    start_s, more = start_time(
        first, stated, tr_s, preprocessed=files.preprocessed, given_s=files.start_time_s
    )
    problems += more
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
        start_time_s=start_s + n_dropped * tr_s,
        preprocessed=files.preprocessed,
        scan_start_s=n_dropped * tr_s,
    )
    return run, problems


def run_metadata(
    dataset: Dataset, root: Path, acquisition: Acquisition
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the metadata of an acquisition: those of the raw file, then its own on top."""
    raw, problems = _raw_metadata(dataset, root, acquisition)
    own, more = inherited_metadata(acquisition.bold[0], root)
    return raw | own, problems + more


def _raw_metadata(
    dataset: Dataset, root: Path, acquisition: Acquisition
) -> tuple[dict[str, Any], list[Problem]]:
    """Metadata of the raw file that derivatives were made from; none for raw data."""
    if dataset.root is None or dataset.root == root:
        return {}, []
    return inherited_metadata(raw_file(dataset.root, acquisition.entities), dataset.root)


def _stated(
    dataset: Dataset, root: Path, acquisition: Acquisition, axis: TimeAxis
) -> tuple[Stated, list[Problem]]:
    """Gather what headers and sidecars say about the time of an acquisition."""
    raw, problems = _raw_metadata(dataset, root, acquisition)
    own = []
    for path in acquisition.bold:
        metadata, more = inherited_metadata(path, root)
        own.append(metadata)
        problems += more
    n_raw = None
    if dataset.root is not None and dataset.root != root:
        path = raw_file(dataset.root, acquisition.entities)
        raw_axis = time_axis(path, "volume") if path.is_file() else None
        n_raw = raw_axis.n_trs if isinstance(raw_axis, TimeAxis) else None
    return Stated(own, raw, axis, n_raw), problems


def raw_file(root: Path, entities: Mapping[str, str]) -> Path:
    """Return where the BOLD of an acquisition lies, or would lie, in the raw dataset."""
    known = {key: label for key, label in entities.items() if label}
    folders = [f"{key}-{known[key]}" for key in ("sub", "ses") if key in known]
    return root.joinpath(*folders, "func", build_name(known, "bold", ".nii.gz"))


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
        return None, [
            Problem(acquisition.bold[0], NO_CONFOUNDS, "restore it or use --confounds none")
        ]
    path = max(found)[2]
    problem = content_problem(path)
    return (None, [problem]) if problem else (path, [])


def _mask(
    acquisition: Acquisition, masks: Iterable[tuple[Name, Path]]
) -> tuple[Path | None, list[Problem]]:
    found = [
        (len(shared), path)
        for name, path in masks
        if name.suffix == "mask"
        and name.extension in (".nii.gz", ".nii")
        and space_of(name.entities) == acquisition.space
        and name.entities.get("res") == acquisition.resolution
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
