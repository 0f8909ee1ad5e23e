"""Read the runs of one participant into one clean time × units matrix on disk.

Two passes: each BOLD file is read once, in blocks, into the matrix; then all runs are cleaned in
chunks of units, Y ← (I − QQ')(Y − mean) and z-scored run by run, with one small orthonormal
nuisance basis Q per run. Chunks come from the memory bound, and the file is mapped only while a
block is copied, so that neither pass holds more than that.

A unit that is missing or constant in any run is NaN in all of them, and counted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from bidsapp.bids.atomic import new_matrix
from bidsapp.bids.locks import holding
from bidsapp.bids.records import Problem
from bidsapp.brain.confounds import Nuisance, nuisance
from bidsapp.brain.geometry import UnitSpace, VolumeGrid
from bidsapp.brain.images import Block, stream_cifti, stream_gifti, stream_volume
from bidsapp.brain.strategies import DEFAULT_STRATEGY
from bidsapp.errors import InputInvalidError, OutputError, UsageError
from bidsapp.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bidsapp.bids.records import Run

_RATED = 10_000  # units whose signal-to-noise ratio is taken, evenly spread, where there are more
_FORMAT = 2  # part of the cache key: raise it when the numbers change
_CLEAN_BYTES = 40  # per time point and unit of a chunk: float32 in and out, float64 work
_CHUNK_BYTES = 256 << 20  # larger chunks are no faster: they leave the processor's caches
#: A unit whose residual is below this share of its raw magnitude is constant: float32 resolves
#: 6e-8, and no BOLD signal has a temporal signal-to-noise ratio of a million.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class Cleaning:
    """How BOLD is cleaned.

    Attributes
    ----------
    confounds
        A name in `bidsapp.brain.strategies.STRATEGIES`.
    high_pass_hz
        Cut-off of the discrete cosine filter in Hz (1/128: fMRIPrep's and SPM's); 0 for none.
    smoothing_fwhm_mm
        Gaussian smoothing in mm, volumes only; 0 for none.
    """

    confounds: str = DEFAULT_STRATEGY
    high_pass_hz: float = 1 / 128
    smoothing_fwhm_mm: float = 0.0


@dataclass(frozen=True, eq=False)
class BoldMatrix:
    """Clean BOLD of one participant.

    Attributes
    ----------
    path
        The ``.npy`` file.
    run_start
        (n_runs + 1,) first row of each run, and the number of rows.
    units
        The columns.
    invalid
        (n_units,) True where a unit is missing or constant in any run; its column is NaN.
    n_constant, n_nan
        How many were constant, and how many not finite.
    confounds
        For each run, the names of what was regressed.
    nuisance
        For each run, (n_trs, rank) orthonormal basis of what was regressed.
    tsnr
        For each run, the median of mean over standard deviation, before cleaning, over at most
        10,000 units that are evenly spread.
    problems
        Oddities that did not stop the work.
    """

    path: Path
    run_start: tuple[int, ...]
    units: UnitSpace
    invalid: NDArray[np.bool_]
    n_constant: int
    n_nan: int
    confounds: tuple[tuple[str, ...], ...]
    nuisance: tuple[NDArray[np.float64], ...] = field(repr=False)
    tsnr: tuple[float, ...]
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    _file: BinaryIO = field(kw_only=True, repr=False, compare=False)
    _offset: int = field(kw_only=True, repr=False, compare=False)

    @property
    def data(self) -> np.memmap[tuple[int, int], np.dtype[np.float32]]:
        """(n_trs_total, n_units) float32, memory-mapped afresh and read-only.

        It is the file that was opened, also after another run with the same work folder has
        deleted it.
        """
        shape = (self.run_start[-1], self.units.n_units)
        return np.memmap(self._file, np.float32, "r", self._offset, shape)

    def remove(self) -> None:
        """Delete the file: results are written, and it is as large as the BOLD itself."""
        with holding(self.path.with_suffix(".lock")):
            for suffix in (".npy", ".npz"):
                self.path.with_suffix(suffix).unlink(missing_ok=True)


def load_bold(
    runs: Sequence[Run],
    units: UnitSpace,
    cleaning: Cleaning,
    cache_dir: Path,
    *,
    memory_bytes: int = 2 << 30,
    quiet: bool = False,
) -> BoldMatrix:
    """Read and clean a participant's runs, or open the result of an earlier call.

    Parameters
    ----------
    runs
        Of one space; their order is the order of rows.
    units
        From `bidsapp.brain.units.unit_space` of the same runs.
    cleaning
        What to remove.
    cache_dir
        Where the matrix is kept, under a name made from the files' names, sizes and
        modification times, the unit space and the cleaning.
    memory_bytes
        Bound on what is held at once.
    quiet
        Show no progress.

    Returns
    -------
    BoldMatrix
        z-scored run by run (sample standard deviation); NaN where a unit is invalid.

    Raises
    ------
    InputMissingError, InputInvalidError
        A file is absent, unreadable, or of another length than announced.
    UsageError
        Smoothing of surfaces, or an unknown confounds strategy.
    OutputError
        The cache folder has too little room.
    ResumableError
        `memory_bytes` is too small for a single volume.
    """
    if cleaning.smoothing_fwhm_mm and units.kind != "volume":
        what = f"--smoothing-fwhm-mm is for volumes, the runs are {units.kind}"
        msg = f"{what}; smooth them beforehand or leave it out."
        raise UsageError(msg)
    cache_dir.mkdir(parents=True, exist_ok=True)
    models = [nuisance(run, cleaning.confounds, cleaning.high_pass_hz) for run in runs]
    path = cache_dir / f"bold-{_cache_key(runs, units, cleaning)}.npy"
    with holding(path.with_suffix(".lock")):
        if not (path.exists() and path.with_suffix(".npz").exists()):
            _build(path, runs, units, cleaning, models, memory_bytes, quiet)
        matrix = _open(path, runs, units, models)
    if matrix.invalid.all():
        msg = (
            f"sub-{runs[0].subject}: each of {units.n_units} units lacks a signal in one of "
            f"{len(runs)} runs or is explained by the confounds ({matrix.n_nan} hold NaN, "
            f"{matrix.n_constant} never change); preprocess the runs again or leave some out"
        )
        raise InputInvalidError(msg)
    return matrix


def _cache_key(runs: Sequence[Run], units: UnitSpace, cleaning: Cleaning) -> str:
    inputs = [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for run in runs
        for file in (*run.bold, run.confounds)
        if file is not None and file.exists()
    ]
    timing = [(run.n_trs, run.tr_s) for run in runs]
    parts = [_FORMAT, inputs, timing, units.identity(), asdict(cleaning)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _open(
    path: Path, runs: Sequence[Run], units: UnitSpace, models: Sequence[Nuisance]
) -> BoldMatrix:
    with np.load(path.with_suffix(".npz")) as facts:
        missing, constant, tsnr = facts["missing"], facts["constant"], facts["tsnr"]
    starts = np.cumsum([0, *(run.n_trs for run in runs)])
    file = path.open("rb")
    version = np.lib.format.read_magic(file)
    assert version == (1, 0), version  # what `new_matrix` writes
    np.lib.format.read_array_header_1_0(file)
    return BoldMatrix(
        path=path,
        run_start=tuple(int(start) for start in starts),
        units=units,
        invalid=missing | constant,
        n_constant=int((constant & ~missing).sum()),
        n_nan=int(missing.sum()),
        confounds=tuple(model.columns for model in models),
        nuisance=tuple(model.basis for model in models),
        tsnr=tuple(float(value) for value in tsnr),
        problems=tuple(problem for model in models for problem in model.problems),
        _file=file,
        _offset=file.tell(),
    )


def _build(
    path: Path,
    runs: Sequence[Run],
    units: UnitSpace,
    cleaning: Cleaning,
    models: Sequence[Nuisance],
    memory_bytes: int,
    quiet: bool,
) -> None:
    _check_room(path.parent, 4 * sum(run.n_trs for run in runs) * units.n_units)
    part = path.with_suffix(".part.npy")
    facts = path.with_suffix(".part.npz")
    try:
        missing, constant, tsnr = _read_all(part, runs, units, cleaning, memory_bytes, quiet)
        _clean_all(part, runs, models, missing, constant, memory_bytes, quiet)
        np.savez(facts, missing=missing, constant=constant, tsnr=tsnr)
        part.replace(path)
        facts.replace(path.with_suffix(".npz"))
    finally:
        part.unlink(missing_ok=True)
        facts.unlink(missing_ok=True)


def _check_room(folder: Path, need: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < need:
        what = f"has {free / 2**30:.1f} GiB free, the BOLD matrix needs {need / 2**30:.1f}"
        msg = f"{folder} {what}; make room or choose another folder with --work-dir."
        raise OutputError(msg)


def _read_all(
    path: Path,
    runs: Sequence[Run],
    units: UnitSpace,
    cleaning: Cleaning,
    memory_bytes: int,
    quiet: bool,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], list[float]]:
    """Copy all runs into a new matrix.

    Returns which units are missing in any run, which are constant in any, and the temporal
    signal-to-noise ratio of each run.
    """
    shape = (sum(run.n_trs for run in runs), units.n_units)
    new_matrix(path, shape, np.float32)
    missing, constant = np.zeros((2, units.n_units), dtype=bool)
    start, tsnr = 0, []
    for run in track(runs, total=len(runs), label="Reading BOLD", quiet=quiet):
        absent, still, ratio = _read_run(path, start, run, units, cleaning, memory_bytes)
        if (absent | still).all():
            msg = (
                f"{run.bold[0]}: no signal in any of {units.n_units} units of this run "
                f"({int(absent.sum())} hold NaN, {int(still.sum())} never change); preprocess it "
                "again or leave the run out"
            )
            raise InputInvalidError(msg)
        missing |= absent
        constant |= still
        tsnr.append(ratio)
        start += run.n_trs
    return missing, constant, tsnr


def _read_run(
    path: Path, start: int, run: Run, units: UnitSpace, cleaning: Cleaning, memory_bytes: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
    """Copy one run's rows into the matrix.

    Returns which units are missing, which are constant, and the median of the temporal
    signal-to-noise ratios of some of them.
    """
    every = -(-units.n_units // _RATED)
    sums, squares = np.zeros((2, -(-units.n_units // every)))
    low = np.full(units.n_units, np.inf, dtype=np.float32)
    high = np.full(units.n_units, -np.inf, dtype=np.float32)
    missing = np.zeros(units.n_units, dtype=bool)
    for block in _stream(run, units, cleaning, min(memory_bytes // 2, _CHUNK_BYTES)):
        here = block.columns
        raw = block.unsmoothed
        missing[here] |= ~np.isfinite(raw).all(axis=0)
        np.minimum(low[here], raw.min(axis=0), out=low[here])
        np.maximum(high[here], raw.max(axis=0), out=high[here])
        numbers = np.arange(units.n_units, dtype=np.int32)[here]
        rated = np.flatnonzero(numbers % every == 0)
        values = raw[:, rated].astype(np.float64)
        sums[numbers[rated] // every] += values.sum(axis=0)
        squares[numbers[rated] // every] += (values**2).sum(axis=0)
        del numbers, values
        rows = slice(start + block.rows.start, start + block.rows.stop)
        matrix = np.load(path, mmap_mode="r+")
        matrix[rows, here] = block.values
        del matrix
    constant = ~missing & (low == high)
    sums /= run.n_trs  # in place from here on: means, then variances
    squares /= run.n_trs
    squares -= sums**2
    varying = ~(missing | constant)[::every] & (squares > 0)
    sums, squares = sums[varying], squares[varying]
    sums /= np.sqrt(squares, out=squares)
    return missing, constant, float(np.median(sums)) if sums.size else np.nan


def _stream(run: Run, units: UnitSpace, cleaning: Cleaning, memory_bytes: int) -> Iterator[Block]:
    if isinstance(units.geometry, VolumeGrid):
        fwhm_mm = cleaning.smoothing_fwhm_mm
        return stream_volume(run, units.geometry.mask, memory_bytes, fwhm_mm)
    if units.kind == "gifti":
        return stream_gifti(run)
    return stream_cifti(run, memory_bytes)


def _clean_all(
    path: Path,
    runs: Sequence[Run],
    models: Sequence[Nuisance],
    missing: NDArray[np.bool_],
    constant: NDArray[np.bool_],
    memory_bytes: int,
    quiet: bool,
) -> None:
    """Clean the matrix in place; `constant` gains the units that the regression explains fully."""
    starts = np.cumsum([0, *(run.n_trs for run in runs)])
    chunk_bytes = min(memory_bytes, _CHUNK_BYTES)
    step = max(1, min(missing.size, chunk_bytes // (_CLEAN_BYTES * int(starts[-1]))))
    chunks = range(0, missing.size, step)
    for start in track(chunks, total=len(chunks), label="Cleaning BOLD", quiet=quiet):
        here = slice(start, min(start + step, missing.size))
        matrix = np.load(path, mmap_mode="r+")
        values = np.array(matrix[:, here])
        for first, last, model in zip(starts[:-1], starts[1:], models, strict=True):
            values[first:last], flat = clean(values[first:last], model.basis)
            constant[here] |= flat & ~missing[here]
        values[:, missing[here] | constant[here]] = np.nan
        matrix[:, here] = values
        del matrix


def clean(
    values: NDArray[np.float32], basis: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Project nuisance out of one run and z-score it.

    Parameters
    ----------
    values
        (n_trs, n_units).
    basis
        (n_trs, rank) orthonormal, orthogonal to the constant.

    Returns
    -------
    cleaned : (n_trs, n_units) array
        float32, mean 0 and sample standard deviation 1; NaN for constant or missing units.
    constant : (n_units,) array
        Units of which nothing is left.
    """
    y = values.astype(np.float64)
    with np.errstate(invalid="ignore"):  # NaN and infinite samples make their own column NaN
        magnitude = np.sqrt(np.einsum("ij,ij->j", y, y) / len(y))
        y -= y.mean(axis=0)
        y -= basis @ (basis.T @ y)
        deviation = np.sqrt(np.einsum("ij,ij->j", y, y) / (len(y) - 1))
        constant = deviation <= _CONSTANT * magnitude
        deviation[constant] = np.nan
        y /= deviation
    return y.astype(np.float32), constant
