"""Parcels: groups of neighbouring units, and means over them.

Geometric parcels need no atlas: each structure is halved again and again across the coordinate
axis along which it is widest, until the parcels have the wanted size. Exact, deterministic on
every machine, and balanced: sizes within a structure differ by at most one unit.

`geometric_parcels` divides the units of one participant; `standard_parcels` divides the template
instead, so that a parcel is the same place in everybody.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from scipy.sparse import csr_array

from bidsapp import resources
from bidsapp.bids.templateflow import template_files
from bidsapp.brain.cortex import CIFTI_SIDES, cortex_columns, cortex_mask, find_mesh
from bidsapp.brain.geometry import Grayordinates, UnitSpace, VolumeGrid, cifti_units, volume_units
from bidsapp.brain.images import open_image
from bidsapp.brain.meshes import no_mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MEAN_BYTES = 32  # per row and unit of a chunk: data, finite flags, float64 copies


def geometric_parcels(
    units: UnitSpace, n_parcels: int, *, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """Divide the units into compact parcels of nearly equal size.

    Parameters
    ----------
    units
        What to divide; each structure needs coordinates (see `bidsapp.brain.meshes`).
    n_parcels
        How many. Structures get their share by size, and at least one parcel each; so there may
        be more when there are more structures than that, fewer when there are too few units.
    valid
        (n_units,) units to use; all when None.

    Returns
    -------
    (n_units,) array
        0, 1, …; -1 outside `valid`. Parcels are numbered structure by structure, in the order
        in which structures first appear.

    Raises
    ------
    ValueError
        `n_parcels` is not positive.
    InputInvalidError
        A structure has no coordinates: neighbours of its vertices are not known.
    """
    if n_parcels < 1:
        msg = f"n_parcels must be positive, not {n_parcels}"
        raise ValueError(msg)
    chosen = np.ones(units.n_units, dtype=bool) if valid is None else np.asarray(valid)
    labels = np.full(units.n_units, -1, dtype=np.int32)
    members = _members(units.structure, chosen)
    coordinates = units.coordinates_mm()
    shares = proportional_shares([here.size for here in members], n_parcels)
    number = 0
    for here, share in zip(members, shares, strict=True):
        points = coordinates[here]
        if not np.isfinite(points).all():
            raise no_mesh(here.size, str(units.structure[here[0]]), units.space)
        labels[here] = number + bisect(points, share)
        number += share
    return labels


def standard_parcels(units: UnitSpace, n_parcels: int) -> NDArray[np.int32]:
    """Divide the template into parcels and read those of the units.

    Parcels do not depend on which units a participant has: shared units have equal labels.

    ================  ================================================================
    space             what is divided
    ================  ================================================================
    fsaverage5        cortex of the mesh
    fsLR-32k          cortex of the mesh; CIFTI also each subcortical structure of the file
    MNI152 volumes    nilearn's ICBM152 brain mask, on the voxel grid of the data
    other templates   the brain mask of TemplateFlow, if it is on this machine
    other             the units, as by `geometric_parcels`
    ================  ================================================================

    Parameters
    ----------
    units
        Where parcels are wanted.
    n_parcels
        How many the template is divided into; as for `geometric_parcels`.

    Returns
    -------
    (n_units,) array
        0, 1, …; -1 outside the template. A number may be missing where a
        participant has no unit in the parcel.

    Raises
    ------
    ValueError
        `n_parcels` is not positive.
    InputInvalidError
        A voxel grid lies outside the template, or there is no mesh for the vertices.
    """
    template = _template_image(units)
    if template is not None and isinstance(units.geometry, VolumeGrid):
        return _volume_labels(units, units.geometry, n_parcels, template)
    if find_mesh(units) is None:
        return geometric_parcels(units, n_parcels)
    if isinstance(units.geometry, Grayordinates):
        return _cifti_labels(units, units.geometry.axis, n_parcels)
    return geometric_parcels(units, n_parcels, valid=cortex_mask(units))


def _template_image(units: UnitSpace) -> Any:
    """Brain mask of the template that voxels are in; None if there is none at hand."""
    if not isinstance(units.geometry, VolumeGrid):
        return None
    if units.space.startswith("MNI152"):
        from nilearn.datasets import load_mni152_brain_mask

        return load_mni152_brain_mask()
    masks = template_files(units.space, desc="brain", suffix="mask", label=None, atlas=None)
    return open_image(masks[-1]) if masks else None  # the coarsest: more numbers, larger voxels


def _volume_labels(
    units: UnitSpace, grid: VolumeGrid, n_parcels: int, image: Any
) -> NDArray[np.int32]:
    template = _template_mask(grid.mask.shape, grid.affine, image)
    labels = np.full(template.shape, -1, dtype=np.int32)
    standard = volume_units(template, grid.affine, space=units.space)
    labels[template] = geometric_parcels(standard, n_parcels)
    return labels[grid.mask]


def _template_mask(
    shape: tuple[int, ...], affine: NDArray[np.float64], image: Any
) -> NDArray[np.bool_]:
    """Brain mask of a template at the nearest voxel of each voxel of a grid."""
    brain = np.asarray(image.dataobj) > 0
    to_template = np.linalg.inv(image.affine) @ affine
    places = np.indices(shape).reshape(3, -1).T @ to_template[:3, :3].T + to_template[:3, 3]
    nearest = np.floor(places + 0.5).astype(np.intp)
    inside = ((nearest >= 0) & (nearest < brain.shape)).all(axis=1)
    mask = np.zeros(len(places), dtype=bool)
    mask[inside] = brain[tuple(nearest[inside].T)]
    return mask.reshape(shape)


def _cifti_labels(units: UnitSpace, axis: Any, n_parcels: int) -> NDArray[np.int32]:
    columns = cortex_columns(units)
    left, right = np.split(resources.cortex_mask(columns.mesh), 2)
    standard = [
        nib.cifti2.BrainModelAxis.from_surface(np.flatnonzero(mask), mask.size, name)
        for mask, name in zip((left, right), CIFTI_SIDES, strict=True)
    ]
    deep = ~np.isin(axis.name, CIFTI_SIDES)
    whole = standard[0] + standard[1] + axis[deep] if deep.any() else standard[0] + standard[1]
    of_whole = geometric_parcels(cifti_units(whole, space=units.space), n_parcels)
    on_mesh = np.full(columns.n_vertices, -1)
    n_cortex = int(left.sum() + right.sum())
    on_mesh[np.r_[left, right]] = of_whole[:n_cortex]
    labels: NDArray[np.int32] = np.nan_to_num(columns.gather(on_mesh), nan=-1).astype(np.int32)
    labels[deep] = of_whole[n_cortex:]
    return labels


def _members(structure: NDArray[np.str_], chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    names, first = np.unique(structure, return_index=True)
    ordered = [names[index] for index in np.argsort(first)]
    members = [np.flatnonzero(chosen & (structure == name)) for name in ordered]
    return [here for here in members if here.size]


def proportional_shares(sizes: Sequence[int], n_parcels: int) -> list[int]:
    """Share parcels out by largest remainder.

    Parameters
    ----------
    sizes
        Units of each structure, all positive.
    n_parcels
        How many parcels there are to give.

    Returns
    -------
    list of int
        At least 1 and at most the number of units for each structure.
    """
    quota = np.asarray(sizes) * n_parcels / max(sum(sizes), 1)
    shares = np.floor(quota).astype(int)
    order = np.argsort(shares - quota, kind="stable")
    shares[order[: max(0, n_parcels - int(shares.sum()))]] += 1
    return [max(1, min(int(share), size)) for share, size in zip(shares, sizes, strict=True)]


def bisect(points: NDArray[np.float64], n_parts: int) -> NDArray[np.int32]:
    """Cut points into compact parts of equal size.

    Parameters
    ----------
    points
        (n, n_dimensions), finite.
    n_parts
        1..n.

    Returns
    -------
    (n,) array
        0..n_parts - 1; each part has ⌊n / n_parts⌋ or one more points.
    """
    labels = np.zeros(len(points), dtype=np.int32)
    stack = [(np.arange(len(points)), 0, n_parts)]
    while stack:
        here, number, parts = stack.pop()
        if parts == 1:
            labels[here] = number
            continue
        size, extra = divmod(here.size, parts)
        half = parts // 2
        cut = size * half + round(extra * half / parts)
        order = here[_order_along_widest(points[here])]
        stack.append((order[:cut], number, half))
        stack.append((order[cut:], number + half, parts - half))
    return labels


def _order_along_widest(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Sort along the axis of greatest variance; ties by the other axes, then by number."""
    axes = np.argsort(points.var(axis=0).round(6), kind="stable")
    return np.lexsort([points[:, axis] for axis in axes])


def parcel_means(
    data: NDArray[np.floating],
    labels: NDArray[np.integer],
    n_parcels: int,
    *,
    memory_bytes: int = 256 << 20,
) -> NDArray[np.float32]:
    """Average the valid units of each parcel.

    Parameters
    ----------
    data
        (n_rows, n_units); NaN is missing. Pages of a memory-mapped file are given back after
        each chunk.
    labels
        (n_units,); -1 belongs to none.
    n_parcels
        Number of parcels.
    memory_bytes
        Bound on what is held at once.

    Returns
    -------
    (n_rows, n_parcels) array
        NaN where a parcel has no valid unit.
    """
    n_rows, n_units = data.shape
    total = np.zeros((n_rows, n_parcels))
    count = np.zeros((n_rows, n_parcels))
    step = max(1, memory_bytes // (_MEAN_BYTES * n_rows))
    for start in range(0, n_units, step):
        here = np.flatnonzero(labels[start : start + step] >= 0) + start
        if not here.size:
            continue
        block = np.asarray(data[:, start : start + step])[:, here - start].astype(np.float64)
        finite = np.isfinite(block)
        ones = np.ones(here.size)
        pick = csr_array((ones, (np.arange(here.size), labels[here])), (here.size, n_parcels))
        total += np.where(finite, block, 0) @ pick
        count += finite @ pick
        _give_back(data)
    with np.errstate(invalid="ignore"):
        return (total / count).astype(np.float32)


def _give_back(data: NDArray[np.floating]) -> None:
    """Let go of the pages of a file mapped for reading, which count as resident memory."""
    if isinstance(data, np.memmap) and data.mode == "r" and isinstance(data.base, mmap.mmap):
        data.base.madvise(mmap.MADV_DONTNEED)
