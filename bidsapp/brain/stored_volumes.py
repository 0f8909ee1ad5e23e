"""Read the runs of a participant once: working grid, nuisance, z-score, half precision on disk.

What the decoders see is a memory map of (volumes, working voxels) per run: a random volume costs
one read of its row, while a compressed 4D image would have to be unpacked from its beginning.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.atomic import new_matrix, write_json
from bidsapp.bids.records import Run
from bidsapp.brain.clean import Cleaning, clean
from bidsapp.brain.confounds import nuisance, orthonormal_basis
from bidsapp.brain.geometry import UnitSpace, VolumeGrid
from bidsapp.brain.images import stream_volume
from bidsapp.brain.units import unit_space
from bidsapp.brain.working_grid import WorkingGrid, network_shape, working_grid
from bidsapp.errors import InputInvalidError, OutputError
from bidsapp.models.cnn3d.volumes import Volumes, frame_stacks
from bidsapp.models.rows import Rows
from bidsapp.progress import track
from bidsapp.scratch import identity, make_once

_RATED = 10_000
_FORMAT = 3  # part of the name of the cache: raise it when the numbers change
_CHUNK_BYTES = 256 << 20
_LEAST_VOLUMES = 10


@dataclass(frozen=True)
class Treatment:
    """What is done to volumes before they are decoded.

    Attributes
    ----------
    cleaning
        Confounds, high-pass filter, smoothing.
    voxel_mm
        Size of the working voxels; 0: as the data.
    standardise
        Give each voxel mean 0 and variance 1 in each run; otherwise per cent of the mean of the
        first run.
    drop_volumes
        First volumes of each run that are left out.
    """

    cleaning: Cleaning
    voxel_mm: float
    standardise: bool
    drop_volumes: int


@dataclass(frozen=True, eq=False)
class StoredVolumes:
    """Volumes of one participant on disk.

    Attributes
    ----------
    folder
        Where they are.
    units
        Working voxels.
    runs
        One array (n_volumes, n_units) per run, mapped; zero is the run's mean.
    global_signal
        Mean over the brain of each volume before anything was removed, per cent of its run's
        mean.
    constant : bool array of shape (n_units,)
        Units that are constant, or not finite, in any run; their values are zero.
    confounds
        For each run, what was regressed.
    problems
        In words.
    tsnr
        For each run, median over units of mean over standard deviation, before cleaning.
    """

    folder: Path
    units: UnitSpace
    runs: tuple[NDArray[np.floating], ...]
    global_signal: tuple[NDArray[np.float32], ...]
    constant: NDArray[np.bool_]
    confounds: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]
    tsnr: tuple[float, ...]

    def volumes(self, n_frames: int = 1) -> Volumes:
        """Return what decoders take, `n_frames` volumes stacked as channels."""
        shape, index = network_shape(self.units)
        series = np.repeat(np.arange(len(self.runs)), [len(run) for run in self.runs])
        frames = frame_stacks(series, n_frames) if n_frames > 1 else None
        return Volumes(Rows(self.runs), index, shape, frames)


def load_volumes(
    runs: Sequence[Run], treatment: Treatment, scratch: Path, *, memory_bytes: int, quiet: bool
) -> StoredVolumes:
    """Read the runs of one participant, or open what an earlier call has stored.

    Parameters
    ----------
    runs
        Of one space.
    treatment
        Cleaning, grid, normalisation and how many first volumes are dropped.
    scratch
        Folder for intermediate files.
    memory_bytes
        Bounds how many volumes are read together.
    quiet
        Show no progress.

    Returns
    -------
    StoredVolumes

    Raises
    ------
    InputMissingError, InputInvalidError
        A file is absent or unreadable, or runs are on different grids or too short.
    OutputError
        The folder has too little room.
    """
    source = unit_space(runs)
    grid = working_grid(source, treatment.voxel_mm)
    key = _key(runs, source, treatment)
    folder = scratch / "volumes" / f"sub-{runs[0].subject}-{key}"
    make_once(
        folder, lambda made: _build(made, runs, source, grid, treatment, memory_bytes, quiet)
    )
    return _open(folder, runs, grid.units)


def cache_bytes(run: Run, n_units: int, *, standardise: bool) -> int:
    """Return the size of a run on disk."""
    return (2 if standardise else 4) * n_units * run.n_trs


def _key(runs: Sequence[Run], source: UnitSpace, treatment: Treatment) -> str:
    files = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for run in runs
        for path in (*run.bold, run.confounds)
        if path is not None and path.exists()
    ]
    timing = [(run.n_trs, run.tr_s) for run in runs]
    return identity(_FORMAT, files, timing, source.identity(), treatment)


def _build(
    folder: Path,
    runs: Sequence[Run],
    source: UnitSpace,
    grid: WorkingGrid,
    treatment: Treatment,
    memory_bytes: int,
    quiet: bool,
) -> None:
    cleaning, drop = treatment.cleaning, treatment.drop_volumes
    n_units = grid.units.n_units
    need = sum(cache_bytes(run, n_units, standardise=treatment.standardise) for run in runs)
    free = shutil.disk_usage(folder).free
    if free < need:
        what = f"has {free / 2**30:.1f} GiB free, the volumes need {need / 2**30:.1f}"
        msg = f"{folder} {what}; make room or choose another folder with --work-dir"
        raise OutputError(msg)
    constant = np.zeros(n_units, bool)
    names: list[list[str]] = []
    tsnr: list[float] = []
    problems: list[str] = []
    scale = 0.0
    label = f"sub-{runs[0].subject}: reading volumes"
    for index, run in enumerate(track(runs, total=len(runs), label=label, quiet=quiet)):
        raw, n_missing = _read(run, source, grid, cleaning, memory_bytes // 4)
        raw = raw[drop:]
        if len(raw) < _LEAST_VOLUMES:
            msg = (
                f"{run.bold[0]} has {len(raw)} volumes after {drop} were dropped;"
                " leave it out or lower drop_volumes"
            )
            raise InputInvalidError(msg)
        if n_missing:
            problems.append(f"{run.name}: {n_missing} voxels are not finite and count as 0.")
        model = nuisance(run, cleaning.confounds, cleaning.high_pass_hz)
        problems += [str(problem) for problem in model.problems]
        names.append(list(model.columns))
        tsnr.append(_tsnr(raw))
        whole = raw.mean(axis=1, dtype=np.float64)
        signal = 100 * (whole / (whole.mean() or 1.0) - 1)
        np.save(folder / f"global-{index}.npy", signal.astype(np.float32))
        basis = orthonormal_basis(model.basis[drop:])
        scale = scale or float(np.abs(whole.mean())) or 1.0
        _store(folder / f"run-{index}.npy", raw, basis, treatment, scale, constant)
    np.save(folder / "constant.npy", constant)
    facts = {"confounds": names, "problems": problems, "tsnr": tsnr}
    write_json(folder / "volumes.json", facts)


def _tsnr(raw: NDArray[np.float32]) -> float:
    """Median of mean over standard deviation of some units that vary; NaN without any."""
    some = raw[:, :: -(-raw.shape[1] // _RATED)].astype(np.float64)
    mean, deviation = some.mean(axis=0), some.std(axis=0)
    varying = deviation > 0
    return float(np.median(mean[varying] / deviation[varying])) if varying.any() else np.nan


def _store(
    path: Path,
    raw: NDArray[np.float32],
    basis: NDArray[np.float64],
    treatment: Treatment,
    scale: float,
    constant: NDArray[np.bool_],
) -> None:
    """Clean a run in chunks of units, write it, and mark its constant units."""
    kind = np.float16 if treatment.standardise else np.float32
    new_matrix(path, raw.shape, kind)
    out = np.load(path, mmap_mode="r+")
    step = max(1, _CHUNK_BYTES // (40 * len(raw)))
    for start in range(0, raw.shape[1], step):
        here = slice(start, start + step)
        values, flat = clean(raw[:, here], basis)
        if not treatment.standardise:
            y = raw[:, here].astype(np.float64)
            values = (100 / scale * (y - basis @ (basis.T @ y))).astype(np.float32)
        bad = flat | ~np.isfinite(values).all(axis=0)
        constant[here] |= bad
        values[:, bad] = 0.0
        out[:, here] = values
    out.flush()


def _read(
    run: Run, source: UnitSpace, grid: WorkingGrid, cleaning: Cleaning, memory_bytes: int
) -> tuple[NDArray[np.float32], int]:
    """Read a run on the working grid; count its voxels that are not finite."""
    assert isinstance(source.geometry, VolumeGrid)
    out = np.empty((run.n_trs, grid.units.n_units), np.float32)
    missing = np.zeros(source.n_units, bool)
    blocks = stream_volume(
        run,
        source.geometry.mask,
        min(max(memory_bytes, 1 << 20), _CHUNK_BYTES),
        cleaning.smoothing_fwhm_mm,
    )
    for block in blocks:
        finite = np.isfinite(block.values)
        missing |= ~finite.all(axis=0)
        out[block.rows] = grid.apply(np.where(finite, block.values, 0.0))
    return out, int(missing.sum())


def _open(folder: Path, runs: Sequence[Run], units: UnitSpace) -> StoredVolumes:
    facts = json.loads((folder / "volumes.json").read_text("utf-8"))
    numbers = range(len(runs))
    return StoredVolumes(
        folder,
        units,
        tuple(np.load(folder / f"run-{index}.npy", mmap_mode="r") for index in numbers),
        tuple(np.load(folder / f"global-{index}.npy") for index in numbers),
        np.load(folder / "constant.npy"),
        tuple(tuple(names) for names in facts["confounds"]),
        tuple(facts["problems"]),
        tuple(np.nan if value is None else value for value in facts["tsnr"]),
    )
