"""The units that participants share, and their patterns there, kept on disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.atomic import new_matrix
from bidsapp.brain.geometry import UnitSpace, VolumeGrid, volume_units
from bidsapp.brain.images import flat_positions, open_image, take_units
from bidsapp.brain.maps import read_maps
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.rsa.group.inputs import GroupInputs


def group_units(inputs: GroupInputs) -> tuple[UnitSpace, NDArray[np.int64]]:
    """Units of the group, and how many participants have a searchlight there.

    Parameters
    ----------
    inputs
        Checked by `bidsapp.recipes.rsa.group.collect`.

    Returns
    -------
    units : UnitSpace
        Vertices or grayordinates; of volumes, voxels with a searchlight in any participant.
    n : (n_units,) array
        Participants with a searchlight at each unit.
    """
    maps = [read_maps(inputs.sizes(one), space=inputs.space) for one in inputs.participants]
    units = maps[0].units
    grid = units.geometry
    if isinstance(grid, VolumeGrid):
        counts = np.zeros(grid.mask.shape, dtype=np.int64)
        for item in maps:
            assert isinstance(item.units.geometry, VolumeGrid)
            counts += item.units.geometry.mask
        units = volume_units(np.asarray(counts > 0), grid.affine, space=inputs.space)
        n = counts[counts > 0]
    else:
        n = np.isfinite(np.stack([item.values[0] for item in maps])).sum(axis=0)
    entities = inputs.entities
    units = dataclasses.replace(units, resolution=entities.get("res"), density=entities.get("den"))
    return units, n


def keep_patterns(
    paths: Sequence[Path], units: UnitSpace, n_items: int, target: Path, *, memory_bytes: int
) -> NDArray[np.float32]:
    """Copy patterns to a file that slabs of units can be taken from.

    Parameters
    ----------
    paths
        Of one participant: one file, or both hemispheres.
    units
        Columns.
    n_items
        Maps that there have to be.
    target
        ``.npy`` file; what is there from an analysis that was stopped is used.
    memory_bytes
        Bounds how many volumes are read together.

    Returns
    -------
    array, (n_items, n_units)
        Mapped from disk; NaN where the participant has no data.

    Raises
    ------
    InputInvalidError
        If there are not `n_items` maps, or they do not fit the units.
    """
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part.npy")
        shape = (n_items, units.n_units)
        new_matrix(part, shape, np.float32)
        out = np.load(part, mmap_mode="r+")
        if isinstance(units.geometry, VolumeGrid):
            _copy_volumes(paths[0], units.geometry, out, memory_bytes)
        else:
            values = read_maps(paths, units).values
            _check_number(paths[0], len(values), n_items)
            out[:] = values
        out.flush()
        del out
        part.replace(target)
    kept: NDArray[np.float32] = np.load(target, mmap_mode="r")
    return kept


def _copy_volumes(
    path: Path, grid: VolumeGrid, out: NDArray[np.float32], memory_bytes: int
) -> None:
    """Read volumes in order, a few at a time."""
    image = open_image(path)
    _check_number(path, image.shape[3] if len(image.shape) == 4 else 1, len(out))
    positions = flat_positions(grid.mask)
    at_once = max(1, memory_bytes // (16 * grid.mask.size))
    for start in range(0, len(out), at_once):
        volumes = np.asarray(image.dataobj[..., start : start + at_once], dtype=np.float32)
        out[start : start + at_once] = take_units(volumes, positions)


def _check_number(path: Path, found: int, expected: int) -> None:
    if found != expected:
        msg = f"{path} holds {found} maps for {expected} items; make it again with --overwrite"
        raise InputInvalidError(msg)
