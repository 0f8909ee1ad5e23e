"""Spin tests of layer maps: one set of rotations for all maps and references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.progress import track
from bidsapp.scratch import Scratch
from bidsapp.stats.spins.null import (
    SpinNull,
    SpinProblem,
    advance,
    spin_problem,
    start_null,
    transposed,
)

Array = NDArray[np.floating[Any]]
CHUNK = 64
SAVE_EVERY = 32
"""Chunks between two saves of an unfinished null: 2,048 rotations."""


@dataclass(frozen=True, eq=False)
class LayerMap:
    """A layer map on the surface.

    Attributes
    ----------
    network, lags, kind
        Network, set of lags, ``best`` or ``centroid``.
    values
        (n_units,) NaN where undefined.
    """

    network: str
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
    controls
        Maps whose correlation is shown and not tested.
    null
        Statistics × references × maps, the maps three times: both hemispheres, left, right.
    swapped
        The same, both hemispheres only, with the maps rotated; None if not asked for.
    n_units
        (n_references, 3 n_maps) units where both are defined.
    """

    maps: tuple[LayerMap, ...]
    controls: tuple[LayerMap, ...]
    references: tuple[Reference, ...]
    null: SpinNull
    swapped: SpinNull | None
    n_units: NDArray[np.int64]


@dataclass(frozen=True)
class SpinOptions:
    """How layer maps are compared with references.

    Attributes
    ----------
    n_rotations, n_swapped_rotations
        Rotations of the references, and of the layer maps.
    statistic
        ``spearman`` or ``pearson``.
    seed
        Names the rotations.
    n_threads, device
        Where they are computed; results do not depend on it.
    """

    n_rotations: int
    n_swapped_rotations: int
    statistic: Literal["spearman", "pearson"]
    seed: int
    n_threads: int = 1
    device: str = "cpu"


def spin_maps(
    cortex: Cortex,
    maps: Sequence[LayerMap],
    references: Sequence[Reference],
    options: SpinOptions,
    scratch: Scratch,
    *,
    controls: Sequence[LayerMap] = (),
) -> Spins:
    """Rotate the references against all layer maps at once, then the maps for comparison.

    Parameters
    ----------
    cortex
        The surface.
    maps, references
        What is compared on it.
    options
        Numbers of rotations, statistic.
    scratch
        Where unfinished work is kept.
    controls
        Maps that are shown beside and not rotated.

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
    statistics = (options.statistic,)
    on_sphere = cortex.on_sphere
    problem = spin_problem(
        cortex.mesh, rotating, on_sphere(sides), seed=options.seed, statistics=statistics
    )
    null = _rotate(problem, options.n_rotations, options, scratch, "spins")
    swapped = None
    if options.n_swapped_rotations:
        problem = spin_problem(
            cortex.mesh, on_sphere(fixed), rotating, seed=options.seed, statistics=statistics
        )
        swapped = transposed(
            _rotate(problem, options.n_swapped_rotations, options, scratch, "swapped spins")
        )
    values = np.stack([item.values for item in references])
    shared = np.isfinite(values)[:, None] & np.isfinite(sides)[None]
    n_units = shared.sum(axis=-1)
    return Spins(tuple(maps), tuple(controls), tuple(references), null, swapped, n_units)


def annotation_null(
    cortex: Cortex,
    maps: Sequence[LayerMap],
    annotations: Sequence[Reference],
    options: SpinOptions,
    scratch: Scratch,
) -> SpinNull:
    """Rotate annotations of the cortex against maps, the same rotations for all.

    Parameters
    ----------
    cortex
        The surface.
    maps
        Stay in place.
    annotations
        Complete and smooth; rotate.
    options
        Number of rotations, statistic.
    scratch
        Where unfinished work is kept.

    Returns
    -------
    SpinNull
        Statistics × maps × annotations: the family of a map are the annotations.
    """
    fixed = np.stack([np.where(cortex.mask, item.values, np.nan) for item in maps])
    problem = spin_problem(
        cortex.mesh,
        np.stack([item.whole for item in annotations]),
        cortex.on_sphere(fixed),
        seed=options.seed,
        statistics=(options.statistic,),
    )
    return transposed(_rotate(problem, options.n_rotations, options, scratch, "annotations"))


def _only(maps: Array, structure: NDArray[np.str_], side: str) -> Array:
    return np.where(structure == side, maps, np.nan)


def _rotate(
    problem: SpinProblem, n_rotations: int, options: SpinOptions, scratch: Scratch, what: str
) -> SpinNull:
    """Rotate, going on where an interrupted run of the same problem stopped."""
    name = f"spins-{problem.digest[:16]}"
    saved = scratch.load(name)
    known = saved if saved is not None and str(saved.get("digest")) == problem.digest else None
    null = start_null(problem, n_rotations, known)
    if null.done >= n_rotations:
        return null
    chunks = -(-(n_rotations - null.done) // CHUNK)
    steps = advance(problem, null, chunk=CHUNK, n_threads=options.n_threads, device=options.device)
    for number, _ in enumerate(track(steps, total=chunks, label=what, quiet=scratch.quiet), 1):
        if number % SAVE_EVERY == 0:
            scratch.save(name, null.to_arrays())
    scratch.save(name, null.to_arrays())
    return null
