"""Spin null: how maps on the cortex correlate with a reference that has been rotated.

*Reference*: the complete, smooth map that rotates (a functional gradient).
*Map*: what is tested and stays where it is (a layer map, possibly thresholded).
*Rotation k*: a random turn of the left sphere, mirrored for the right one; the reference is read
at the vertex that comes to lie nearest. Maps and references meet where both are defined.

Values are ranked once (Spearman) and standardised once; each rotation then costs one table
look-up per vertex and, for all maps together, a few rows of a matrix product:

    n = W M',  Sx = W X',  Sxx = W (X²)',  Sy = Y M',  Syy = Y² M',  Sxy = Y X'

with W and M the validity (0/1) of rotated reference and map, Y and X their values (0 where
missing). A missing value is NaN, never zero. `bidsapp.stats.spins.p_values` turns the null into p.

Source: Alexander-Bloch et al. (2018), NeuroImage 178, 540-551.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from bidsapp.stats.spins.mesh import Convention, SpinMesh, per_hemisphere, spin_indices
from bidsapp.stats.spins.rotations import haar_rotations
from bidsapp.stats.spins.sphere_lookup import nearest_on_device

Statistic = Literal["pearson", "spearman"]
_DEGENERATE = 1e-11


@dataclass(frozen=True, eq=False)
class SpinProblem:
    """References and maps, ranked and standardised once; built by `spin_problem`."""

    mesh: SpinMesh
    seed: int
    convention: Convention
    statistics: tuple[Statistic, ...]
    references: tuple[_Samples, ...]
    maps: tuple[_Samples, ...]
    digest: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of statistics, references and maps."""
        return len(self.statistics), len(self.references[0].values), len(self.maps[0].values)


@dataclass(eq=False)
class SpinNull:
    """Correlations before and after rotation; the state to save when work is interrupted.

    Attributes
    ----------
    observed : ndarray, shape (n_statistics, n_references, n_maps)
        Correlations without rotation; NaN for constant or empty maps.
    correlations : ndarray, shape (n_rotations, n_statistics, n_references, n_maps)
        After each rotation; NaN beyond `done`.
    overlap : ndarray of float32, shape (n_rotations, n_references, n_maps)
        Share of a map's units at which the rotated reference is defined.
    done
        Rotations that are complete.
    digest
        Identity of the problem they belong to.
    """

    observed: NDArray[np.float64]
    correlations: NDArray[np.float64]
    overlap: NDArray[np.float32]
    done: int
    digest: str

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return arrays to save; only what is done."""
        return {
            "observed": self.observed,
            "correlations": self.correlations[: self.done],
            "overlap": self.overlap[: self.done],
            "digest": np.array(self.digest),
        }


def spin_problem(
    mesh: SpinMesh,
    references: NDArray[np.floating[Any]],
    maps: NDArray[np.floating[Any]],
    *,
    seed: int,
    statistics: Sequence[Statistic] = ("spearman",),
    convention: Convention = "neuromaps",
) -> SpinProblem:
    """State a spin test.

    Parameters
    ----------
    mesh
        From `spin_mesh`.
    references : ndarray, shape (n_references, n_units)
        Rotate; NaN outside cortex.
    maps : ndarray, shape (n_maps, n_units)
        Stay; NaN where undefined. A hemisphere may be NaN altogether.
    seed
        Names the sequence of rotations, the same for all maps and references.
    statistics
        ``pearson``, ``spearman`` (midranks, taken once within the defined units) or both.
    convention
        See `spin_indices`.

    Returns
    -------
    SpinProblem

    Raises
    ------
    ValueError
        If the number of units differs from the mesh.
    """
    raw = [np.atleast_2d(np.asarray(values, np.float64)) for values in (references, maps)]
    for name, values in zip(("references", "maps"), raw, strict=True):
        if values.shape[1] != mesh.n_units:
            msg = f"{name} have {values.shape[1]} units, but the spheres {mesh.n_units} vertices"
            raise ValueError(msg)
    prepared = [tuple(_standardise(values, s) for s in statistics) for values in raw]
    digest = hashlib.sha256(f"{seed} {convention} {tuple(statistics)}".encode())
    tables = [side.sites for side in (mesh.left, mesh.right) if side is not None]
    for values in [*tables, *raw]:
        digest.update(np.ascontiguousarray(values).tobytes())
    return SpinProblem(
        mesh, seed, convention, tuple(statistics), prepared[0], prepared[1], digest.hexdigest()
    )


def start_null(
    problem: SpinProblem,
    n_rotations: int,
    saved: Mapping[str, NDArray[Any]] | None = None,
) -> SpinNull:
    """Observed correlations and room for `n_rotations`, or what was `saved` with more room.

    Parameters
    ----------
    problem
        From `spin_problem`.
    n_rotations
        Rotations wanted in all.
    saved
        `SpinNull.to_arrays` of an earlier, possibly interrupted run of the same problem.

    Returns
    -------
    SpinNull

    Raises
    ------
    ValueError
        If `saved` belongs to another problem (maps, reference, seed or settings changed).
    """
    null = SpinNull(
        np.empty(problem.shape),
        np.full((n_rotations, *problem.shape), np.nan),
        np.full((n_rotations, *problem.shape[1:]), np.nan, np.float32),
        0,
        problem.digest,
    )
    identity = np.arange(problem.mesh.n_units, dtype=np.int32)[None]
    null.observed[:] = _correlate(_operands(_Cpu(), problem), problem.shape, identity)[0][0]
    if saved is not None:
        if str(saved["digest"]) != problem.digest:
            raise ValueError("the saved spin null belongs to other maps, seed or settings")
        null.done = min(len(saved["correlations"]), n_rotations)
        null.correlations[: null.done] = saved["correlations"][: null.done]
        null.overlap[: null.done] = saved["overlap"][: null.done]
    return null


def advance(
    problem: SpinProblem,
    null: SpinNull,
    *,
    chunk: int = 64,
    n_threads: int = 1,
    device: str = "cpu",
) -> Iterator[int]:
    """Fill `null` chunk by chunk; it may be saved, and work stopped, after each one.

    Parameters
    ----------
    problem, null
        From `spin_problem` and `start_null`.
    chunk
        Rotations held in memory at a time (20 bytes × n_units each); changes no result beyond
        the last digits.
    n_threads
        Threads on the CPU, each with its share of the chunk; matrix products use no further ones
        (waiting for each other costs them more than they gain).
    device
        ``cpu`` or a torch device; the indices are identical.

    Yields
    ------
    int
        Rotations done so far.
    """
    engine = _Cpu() if device == "cpu" else _Device(problem.mesh, device)
    n_parts = n_threads if device == "cpu" else 1
    operands = _operands(engine, problem)
    blas = ThreadpoolController()

    def work(rotations: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        indices = engine.indices(problem.mesh, rotations, problem.convention)
        return _correlate(operands, problem.shape, indices)

    with ThreadPoolExecutor(n_parts) as pool:
        while null.done < len(null.correlations):
            stop = min(null.done + chunk, len(null.correlations))
            rotations = haar_rotations(problem.seed, null.done, stop)
            parts = np.array_split(rotations, min(n_parts, len(rotations)))
            with blas.limit(limits=1, user_api="blas"):
                correlations, overlap = zip(*pool.map(work, parts), strict=True)
            null.correlations[null.done : stop] = np.concatenate(correlations)
            null.overlap[null.done : stop] = np.concatenate(overlap)
            null.done = stop
            yield stop


def spin_null(
    mesh: SpinMesh,
    references: NDArray[np.floating[Any]],
    maps: NDArray[np.floating[Any]],
    *,
    n_rotations: int = 10_000,
    seed: int = 0,
    statistics: Sequence[Statistic] = ("spearman",),
    convention: Convention = "neuromaps",
    chunk: int = 64,
    n_threads: int = 1,
    device: str = "cpu",
) -> SpinNull:
    """State and run a spin test in one go; see `spin_problem`, `start_null` and `advance`.

    For the sensitivity to the direction, call it again with maps and references exchanged: then
    the maps rotate.
    """
    problem = spin_problem(
        mesh, references, maps, seed=seed, statistics=statistics, convention=convention
    )
    null = start_null(problem, n_rotations)
    for _ in advance(problem, null, chunk=chunk, n_threads=n_threads, device=device):
        pass
    return null


def transposed(null: SpinNull) -> SpinNull:
    """Exchange references and maps, so that the references are the family of each map."""
    return SpinNull(
        np.swapaxes(null.observed, 1, 2),
        np.swapaxes(null.correlations, 2, 3),
        np.swapaxes(null.overlap, 1, 2),
        null.done,
        null.digest,
    )


@dataclass(frozen=True, eq=False)
class _Samples:
    """Rows (n_rows, n_units) standardised over their valid units, 0 where missing.

    `masks` holds the distinct validity patterns (n_masks, n_units) as 0.0 and 1.0, `mask_of`
    which one each row has.
    """

    values: NDArray[np.float64]
    masks: NDArray[np.float64]
    mask_of: NDArray[np.int64]


class _Engine(Protocol):
    """Where look-up and sums are computed."""

    def indices(
        self, mesh: SpinMesh, rotations: NDArray[np.float64], convention: Convention
    ) -> Any: ...
    def put(self, values: NDArray[np.float64]) -> Any: ...
    def take(self, row: Any, indices: Any) -> Any: ...
    def fetch(self, values: Any) -> NDArray[np.float64]: ...


class _Cpu:
    def indices(
        self, mesh: SpinMesh, rotations: NDArray[np.float64], convention: Convention
    ) -> NDArray[np.int32]:
        return spin_indices(mesh, rotations, convention=convention)

    def put(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values

    def take(self, row: NDArray[np.float64], indices: NDArray[np.int32]) -> NDArray[np.float64]:
        out = np.empty(indices.shape)
        _take(row, indices, out)
        return out

    def fetch(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values


class _Device:
    def __init__(self, mesh: SpinMesh, device: str) -> None:
        self.device = device
        self.tables = {
            id(side): side.on_device(device)
            for side in (mesh.left, mesh.right)
            if side is not None
        }

    def indices(
        self, mesh: SpinMesh, rotations: NDArray[np.float64], convention: Convention
    ) -> Any:
        import torch

        parts, first = [], 0
        for side, turns in per_hemisphere(mesh, rotations, convention):
            parts.append(nearest_on_device(self.tables[id(side)], turns) + first)
            first += len(side.sites)
        return torch.cat(parts, dim=1)

    def put(self, values: NDArray[np.float64]) -> Any:
        import torch

        return torch.as_tensor(values, device=self.device)

    def take(self, row: Any, indices: Any) -> Any:
        return row[indices]

    def fetch(self, values: Any) -> NDArray[np.float64]:
        return np.asarray(values.cpu().numpy())


@njit(nogil=True, error_model="numpy")
def _take(row, indices, out):  # type: ignore[no-untyped-def]
    for r in range(indices.shape[0]):
        for i in range(indices.shape[1]):
            out[r, i] = row[np.uint32(indices[r, i])]


def _standardise(values: NDArray[np.float64], statistic: Statistic) -> _Samples:
    """Rank (Spearman), centre and scale each row over its valid units."""
    valid = np.isfinite(values)
    scores = np.zeros_like(values)
    for row, good, out in zip(values, valid, scores, strict=True):
        sample = _midranks(row[good]) if statistic == "spearman" else row[good]
        spread = np.ptp(sample) if sample.size else 0.0
        if spread > 0:
            out[good] = (sample - sample.mean()) / sample.std()
    patterns: dict[bytes, int] = {}
    mask_of = [patterns.setdefault(row.tobytes(), len(patterns)) for row in valid]
    masks = np.array([np.frombuffer(pattern, np.bool_) for pattern in patterns], np.float64)
    return _Samples(scores, masks, np.array(mask_of))


def _midranks(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, position, count = np.unique(sample, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[position])


@dataclass(frozen=True, eq=False)
class _Operands:
    """The factors of the matrix products of one statistic, where the engine wants them.

    `columns` (n_units, n_masks + 2 n_maps) holds the maps' masks, values and squared values.
    """

    engine: _Engine
    masks: list[Any]
    references: list[Any]
    mask_of_reference: NDArray[np.int64]
    columns: Any
    mask_of_map: NDArray[np.int64]
    map_sizes: NDArray[np.float64]


def _operands(engine: _Engine, problem: SpinProblem) -> list[_Operands]:
    return [
        _Operands(
            engine,
            [engine.put(mask) for mask in references.masks],
            [engine.put(row) for row in references.values],
            references.mask_of,
            engine.put(np.vstack([maps.masks, maps.values, maps.values**2])).T,
            maps.mask_of,
            np.maximum(maps.masks.sum(1), 1),
        )
        for references, maps in zip(problem.references, problem.maps, strict=True)
    ]


def _correlate(
    operands: list[_Operands], shape: tuple[int, int, int], indices: Any
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Correlations (n, n_statistics, n_references, n_maps), overlap (n, n_references, n_maps)."""
    correlations = np.empty((len(indices), *shape))
    overlap = np.empty((len(indices), *shape[1:]), np.float32)
    for s, own in enumerate(operands):
        take, fetch = own.engine.take, own.engine.fetch
        pick, n_masks = own.mask_of_map, len(own.map_sizes)
        for m, mask in enumerate(own.masks):
            sums = fetch(take(mask, indices) @ own.columns)
            n, x, xx = np.split(sums, [n_masks, n_masks + len(pick)], axis=1)
            for k in np.flatnonzero(own.mask_of_reference == m):
                rotated = take(own.references[k], indices)
                y, xy = np.split(fetch(rotated @ own.columns[:, : -len(pick)]), [n_masks], axis=1)
                rotated *= rotated
                yy = fetch(rotated @ own.columns[:, :n_masks])
                correlations[:, s, k] = _pearson(n[:, pick], x, xx, y[:, pick], yy[:, pick], xy)
                overlap[:, k] = (n / own.map_sizes)[:, pick]
    return correlations, overlap


def _pearson(
    n: NDArray[np.float64],
    x: NDArray[np.float64],
    xx: NDArray[np.float64],
    y: NDArray[np.float64],
    yy: NDArray[np.float64],
    xy: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Correlation from counts and sums; NaN where either side is constant."""
    n = np.maximum(n, 1)
    variance_x, variance_y = xx - x * x / n, yy - y * y / n
    defined = (variance_x > _DEGENERATE * xx) & (variance_y > _DEGENERATE * yy)
    scale = np.sqrt(np.where(defined, variance_x * variance_y, 1.0))
    return np.where(defined, (xy - x * y / n) / scale, np.nan)
