"""Spin tests of layer maps: one set of rotations for all maps, references and differences."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.atomic import output_errors
from bidsapp.progress import track
from bidsapp.recipes.gradients.group.cortex import Cortex, Reference
from bidsapp.recipes.gradients.group.settings import GroupSettings
from bidsapp.stats.spins.null import SpinNull, SpinProblem, advance, spin_problem, start_null

Array = NDArray[np.floating[Any]]
CHUNK = 64
SAVE_EVERY = 32
"""Chunks between two saves of an unfinished null: 2,048 rotations."""


@dataclass(frozen=True, eq=False)
class LayerMap:
    """A layer map on the surface.

    Attributes
    ----------
    model, lags, kind
        Network, set of lags, ``best`` or ``centroid``.
    values
        (n_units,) NaN where undefined.
    """

    model: str
    lags: str
    kind: str
    values: Array


@dataclass(frozen=True, eq=False)
class Spins:
    """Nulls of all layer maps of one space.

    Attributes
    ----------
    maps, references
        What was compared.
    null
        Statistics × references × maps, the maps three times: both hemispheres, left, right.
    swapped
        The same, both hemispheres only, with the maps rotated; None if not asked for.
    n_units
        (n_references, 3 n_maps) units where both are defined.
    """

    maps: tuple[LayerMap, ...]
    references: tuple[Reference, ...]
    null: SpinNull
    swapped: SpinNull | None
    n_units: NDArray[np.int64]


@dataclass(frozen=True)
class Runner:
    """How rotations are computed, and where unfinished work is kept.

    Attributes
    ----------
    folder
        For the state; it is keyed by everything the null depends on.
    seed, n_threads, device, quiet
        As in the configuration.
    """

    folder: Path
    seed: int
    n_threads: int = 1
    device: str = "cpu"
    quiet: bool = False

    def run(self, problem: SpinProblem, n_rotations: int, label: str) -> SpinNull:
        """Rotate, going on where an interrupted run of the same problem stopped."""
        path = self.folder / f"spins-{problem.digest[:16]}.npz"
        null = start_null(problem, n_rotations, _load(path, problem.digest))
        if null.done >= n_rotations:
            return null
        chunks = -(-(n_rotations - null.done) // CHUNK)
        steps = advance(problem, null, chunk=CHUNK, n_threads=self.n_threads, device=self.device)
        for number, _ in enumerate(
            track(steps, total=chunks, label=label, quiet=self.quiet), start=1
        ):
            if number % SAVE_EVERY == 0:
                _save(path, null)
        _save(path, null)
        return null


def spin_maps(
    cortex: Cortex,
    maps: Sequence[LayerMap],
    references: Sequence[Reference],
    settings: GroupSettings,
    runner: Runner,
    label: str,
) -> Spins:
    """Rotate the references against all layer maps at once, then the maps for comparison.

    Parameters
    ----------
    cortex
        The surface.
    maps, references
        What is compared on it.
    settings
        Numbers of rotations, statistic.
    runner
        How and where.
    label
        For the progress bar.

    Returns
    -------
    Spins

    Notes
    -----
    The reference is complete and smooth and rotates; the layer map, which may be thresholded,
    stays. Source: poster, Methods (spin test with 10,000 rotations); Alexander-Bloch et al.
    (2018), NeuroImage 178, 540-551.
    """
    fixed = np.stack([np.where(cortex.mask, item.values, np.nan) for item in maps])
    rotating = np.stack([item.whole for item in references])
    sides = np.vstack([fixed, *(_only(fixed, cortex.units.structure, side) for side in "LR")])
    statistics = (settings.spin_statistic,)
    on_sphere = cortex.on_sphere
    problem = spin_problem(
        cortex.mesh,
        rotating,
        on_sphere(sides),
        seed=runner.seed,
        statistics=statistics,
    )
    null = runner.run(problem, settings.n_rotations, f"{label}: spins")
    swapped = None
    if settings.n_swapped_rotations:
        problem = spin_problem(
            cortex.mesh,
            on_sphere(fixed),
            rotating,
            seed=runner.seed,
            statistics=statistics,
        )
        swapped = _transposed(
            runner.run(problem, settings.n_swapped_rotations, f"{label}: swapped spins")
        )
    values = np.stack([item.values for item in references])
    shared = np.isfinite(values)[:, None] & np.isfinite(sides)[None]
    return Spins(tuple(maps), tuple(references), null, swapped, shared.sum(axis=-1))


def _only(maps: Array, structure: NDArray[np.str_], side: str) -> Array:
    return np.where(structure == side, maps, np.nan)


def _transposed(null: SpinNull) -> SpinNull:
    """Exchange references and maps."""
    return SpinNull(
        np.swapaxes(null.observed, 1, 2),
        np.swapaxes(null.correlations, 2, 3),
        np.swapaxes(null.overlap, 1, 2),
        null.done,
        null.digest,
    )


def _load(path: Path, digest: str) -> dict[str, NDArray[Any]] | None:
    """State of an earlier run of the same problem; None if there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            saved = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    return saved if str(saved.get("digest")) == digest else None


def _save(path: Path, null: SpinNull) -> None:
    """Write the state at once: a killed run leaves the last whole one."""
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, allow_pickle=False, **null.to_arrays())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
