"""Make the `UnitSpace` shared by a participant's runs, or name the run that does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine

from bidsapp.bids.records import ImageKind, Problem
from bidsapp.brain.geometry import UnitSpace, cifti_units, surface_units, volume_units
from bidsapp.brain.images import check_present, gifti_vertices, open_image, read_slab
from bidsapp.errors import InputInvalidError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bidsapp.bids.records import Run

__all__ = ["UnitSpace", "check_grid", "check_same_units", "unit_space"]

#: Affines of one participant's runs may differ by rounding, in mm at any corner of the grid.
AFFINE_TOLERANCE_MM = 0.01
#: Below this share of the union, the intersection of the run masks is reported as a problem.
SMALL_OVERLAP = 0.9
_MASK_VOLUMES = 10


def unit_space(runs: Sequence[Run], *, meshes: tuple[Path, Path] | None = None) -> UnitSpace:
    """Find the units that all runs share.

    Parameters
    ----------
    runs
        Of one participant, one space and one kind; at least one.
    meshes
        Surfaces (left, right) to take the coordinates of cortical vertices from.

    Returns
    -------
    UnitSpace
        Volumes: the intersection of the run masks; where a run has none, the voxels whose mean
        over its first 10 volumes is above 0 (listed in ``problems``).

    Raises
    ------
    InputMissingError
        A file is absent or empty.
    InputInvalidError
        A file is unreadable, or its grid, mesh or grayordinates differ from the first run's.
    """
    kinds = {(run.kind, run.space) for run in runs}
    if len(kinds) != 1:
        msg = f"Runs of one analysis must share one space, not {sorted(kinds)}; use --space."
        raise InputInvalidError(msg)
    if runs[0].kind == "volume":
        return _volume_space(runs)
    if runs[0].kind == "gifti":
        return _surface_space(runs, meshes)
    return _cifti_space(runs, meshes)


def _surface_space(runs: Sequence[Run], meshes: tuple[Path, Path] | None) -> UnitSpace:
    first = runs[0]
    sizes = [gifti_vertices(path) for path in first.bold]
    for run in runs[1:]:
        for path, size in zip(run.bold, sizes, strict=True):
            here = gifti_vertices(path)
            if here != size:
                raise _differs(path, f"{here} vertices", first.bold[0], f"{size}")
    return surface_units(
        sizes[0], sizes[1], space=first.space, density=first.density, meshes=meshes
    )


def _cifti_space(runs: Sequence[Run], meshes: tuple[Path, Path] | None) -> UnitSpace:
    first = runs[0]
    axis = _brain_models(first.bold[0])
    for run in runs[1:]:
        here = _brain_models(run.bold[0])
        if len(here) != len(axis):
            what = f"{len(here)} grayordinates"
            raise _differs(run.bold[0], what, first.bold[0], f"{len(axis)}")
        if here != axis:
            raise _differs(run.bold[0], "other brain models", first.bold[0], "its own")
    return cifti_units(axis, space=first.space, density=first.density, meshes=meshes)


def _brain_models(path: Path) -> Any:
    image = open_image(path)
    axis = image.header.get_axis(1) if isinstance(image, nib.Cifti2Image) else None
    if not isinstance(axis, nib.cifti2.BrainModelAxis):
        msg = f"{path} is no dense CIFTI time series; leave this run out."
        raise InputInvalidError(msg)
    return axis


def _volume_space(runs: Sequence[Run]) -> UnitSpace:
    first = runs[0]
    reference = open_image(first.bold[0])
    problems: list[Problem] = []
    masks = []
    for run in runs:
        image = open_image(run.bold[0])
        if len(image.shape) != 4:
            msg = f"{run.bold[0]} has {len(image.shape)} dimensions instead of 4; leave it out."
            raise InputInvalidError(msg)
        check_grid(run.bold[0], image, first.bold[0], reference)
        masks.append(_run_mask(run, image, problems))
    common = np.logical_and.reduce(masks)
    problems += _overlap_problems(runs, masks, common)
    affine = np.asarray(reference.affine, dtype=np.float64)
    return volume_units(
        common, affine, space=first.space, resolution=first.resolution, problems=problems
    )


def check_grid(path: Path, image: Any, reference_path: Path, reference: Any) -> None:
    """Refuse an image on another voxel grid.

    Parameters
    ----------
    path, image
        The one to check.
    reference_path, reference
        The one to compare with.

    Raises
    ------
    InputInvalidError
        Shapes differ, or a corner of the grid lies more than 0.01 mm elsewhere; the message
        has the numbers.
    """
    shape, expected = image.shape[:3], reference.shape[:3]
    if shape != expected:
        raise _differs(path, f"a grid of {_times(shape)}", reference_path, _times(expected))
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in shape])).reshape(3, -1).T
    shift = apply_affine(image.affine, corners) - apply_affine(reference.affine, corners)
    distance = float(np.linalg.norm(shift, axis=1).max())
    if not distance <= AFFINE_TOLERANCE_MM:
        what = f"an affine that is up to {distance:.3g} mm off"
        raise _differs(path, what, reference_path, f"within {AFFINE_TOLERANCE_MM} mm")


def _run_mask(run: Run, image: Any, problems: list[Problem]) -> NDArray[np.bool_]:
    if run.mask is not None:
        check_present(run.mask)
        mask = open_image(run.mask)
        check_grid(run.mask, mask, run.bold[0], image)
        values = read_slab(run.mask, mask.dataobj).reshape(mask.shape[:3])
        return np.asarray(np.nan_to_num(values) > 0)
    few = read_slab(run.bold[0], image.dataobj, (..., slice(_MASK_VOLUMES)))
    what = f"no brain mask found, voxels whose mean over {few.shape[-1]} volumes is above 0 taken"
    problems.append(Problem(run.bold[0], what, "add a desc-brain_mask beside it"))
    return np.asarray(few.mean(axis=-1) > 0)


def _overlap_problems(
    runs: Sequence[Run], masks: Sequence[NDArray[np.bool_]], common: NDArray[np.bool_]
) -> list[Problem]:
    union = np.logical_or.reduce(masks).sum()
    if common.sum() >= SMALL_OVERLAP * union:
        return []
    smallest = int(np.argmin([mask.sum() for mask in masks]))
    what = (
        f"smallest of {len(masks)} brain masks; only {common.sum()} of {union} voxels are in all"
    )
    path = runs[smallest].mask or runs[smallest].bold[0]
    return [Problem(path, what, "check the field of view and the coregistration of this run")]


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(size) for size in shape)


def _differs(path: Path, what: str, reference: Path, expected: str) -> InputInvalidError:
    msg = f"{path} has {what}, but {reference} has {expected}; leave one of them out."
    return InputInvalidError(msg)


def check_same_units(maps: Sequence[tuple[Path, ...]], kind: ImageKind) -> None:
    """Refuse participants on another mesh, grid or set of grayordinates than the first.

    Brain masks of volumes may differ: participants are counted voxel by voxel.

    Parameters
    ----------
    maps
        The files of one map, for each participant.
    kind
        Of image.

    Raises
    ------
    InputInvalidError
        Names the participant's file and the numbers.
    """
    expected, *others = maps
    for files in others:
        for path, reference in zip(files, expected, strict=True):
            _compare(path, reference, kind)


def _compare(path: Path, reference: Path, kind: ImageKind) -> None:
    if kind == "volume":
        check_grid(path, open_image(path), reference, open_image(reference))
        return
    if kind == "gifti":
        here, there = gifti_vertices(path), gifti_vertices(reference)
        same, what = here == there, f"{here} vertices, not {there}"
    else:
        one, other = (open_image(file).header.get_axis(1) for file in (path, reference))
        same, what = one == other, f"{len(one)} grayordinates that are not the {len(other)}"
    if not same:
        msg = f"{path} has {what} of {reference}; analyse both in one space or exclude one"
        raise InputInvalidError(msg)
