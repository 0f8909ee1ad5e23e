"""The units of analysis of one participant in one space, and the way back to images.

``unit``
    a voxel, a vertex or a grayordinate: one column of every time × units matrix.
``structure``
    what a unit belongs to: ``L`` or ``R`` for cortical surfaces and for volumes whose midline
    is x = 0 (MNI templates), ``volume`` for other volumes, CIFTI's own names for the rest
    (``THALAMUS_LEFT``). Parcels never mix structures.
``UnitSpace``
    which units there are, in which order, and where they lie.

Order of units: volumes, voxels of the mask in C order (as ``array[mask]``); GIFTI, left then right
vertices; CIFTI, the grayordinates of the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes

from bidsapp.bids.names import space_entities
from bidsapp.brain.meshes import find_meshes, mesh_coordinates
from bidsapp.errors import InputInvalidError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bidsapp.bids.records import ImageKind, Problem

_TEMPLATE_CODE, _SCANNER_CODE = 4, 1  # NIfTI xform codes: MNI152, scanner


@dataclass(frozen=True, eq=False)
class VolumeGrid:
    """A voxel grid and the voxels in use.

    Attributes
    ----------
    affine
        (4, 4): voxel indices to mm.
    mask
        (x, y, z): the units.
    """

    affine: NDArray[np.float64]
    mask: NDArray[np.bool_]

    @property
    def voxel_sizes_mm(self) -> NDArray[np.float64]:
        """(3,) edge lengths in mm."""
        return np.asarray(voxel_sizes(self.affine))


@dataclass(frozen=True, eq=False)
class SurfacePair:
    """Two hemispheres.

    Attributes
    ----------
    n_left, n_right
        Vertices of each.
    """

    n_left: int
    n_right: int


@dataclass(frozen=True, eq=False)
class Grayordinates:
    """The brain models of a CIFTI file.

    Attributes
    ----------
    axis
        `nibabel.cifti2.BrainModelAxis`.
    """

    axis: Any


Geometry = VolumeGrid | SurfacePair | Grayordinates


@dataclass(frozen=True, eq=False)
class UnitSpace:
    """Which units there are, in which order, and where they lie.

    Attributes
    ----------
    kind
        ``volume``, ``gifti`` or ``cifti``.
    space, resolution, density
        As in `bidsapp.bids.records.Run`.
    structure
        (n_units,) names.
    geometry
        What is needed to make images again.
    meshes
        Surfaces given by the user for coordinates: (left, right), or None.
    problems
        What was passed over when the space was made (no mask, a small intersection).
    """

    kind: ImageKind
    space: str
    resolution: str | None
    density: str | None
    structure: NDArray[np.str_]
    geometry: Geometry
    meshes: tuple[Path, Path] | None = None
    problems: tuple[Problem, ...] = field(default=(), repr=False)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.structure.size)

    @property
    def entities(self) -> dict[str, str]:
        """BIDS entities of outputs in this space, with fsaverage spelled by its density.

        ``fsaverage5`` becomes ``{"space": "fsaverage", "den": "10k"}``, as current BIDS spells
        it; a native space has none.
        """
        return space_entities(self.space, self.resolution, self.density)

    @property
    def xform_code(self) -> int:
        """NIfTI code of the space: 4 for MNI templates, 1 otherwise."""
        return _TEMPLATE_CODE if self.space.startswith("MNI") else _SCANNER_CODE

    def coordinates_mm(self) -> NDArray[np.float64]:
        """Where the units lie.

        Returns
        -------
        (n_units, 3) array
            Millimetres in the world of the image (RAS). Cortical vertices lie midway between
            the white and the pial surface (fsaverage5: MNI305). NaN where no mesh is at hand
            (see `bidsapp.brain.meshes`).
        """
        if isinstance(self.geometry, VolumeGrid):
            return voxel_coordinates(np.argwhere(self.geometry.mask), self.geometry.affine)
        if isinstance(self.geometry, SurfacePair):
            sizes = (self.geometry.n_left, self.geometry.n_right)
            return np.concatenate(mesh_coordinates(sizes, self._meshes(sizes)))
        return self._grayordinate_coordinates(self.geometry.axis)

    def _meshes(self, sizes: tuple[int, int]) -> tuple[Path, Path] | str | None:
        return self.meshes or find_meshes(self.entities.get("space", ""), sizes)

    def _grayordinate_coordinates(self, axis: Any) -> NDArray[np.float64]:
        xyz = np.full((len(axis), 3), np.nan)
        if axis.affine is not None:
            in_volume = np.asarray(axis.volume_mask)
            xyz[in_volume] = voxel_coordinates(axis.voxel[in_volume], axis.affine)
        names = ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT")
        left, right = (int(axis.nvertices.get(name, 0)) for name in names)
        meshes = mesh_coordinates((left, right), self._meshes((left, right)))
        for name, mesh in zip(names, meshes, strict=True):
            here = np.asarray(axis.name == name)
            xyz[here] = mesh[axis.vertex[here]]
        return xyz

    def identity(self) -> str:
        """Hash of everything that decides which units these are.

        Returns
        -------
        str
            16 hexadecimal digits; equal for equal unit spaces, whatever files they came from.
        """
        digest = hashlib.sha256()
        for part in (self.kind, *sorted(self.entities.items())):
            digest.update(repr(part).encode())
        for array in _geometry_arrays(self.geometry):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def _geometry_arrays(geometry: Geometry) -> list[NDArray[Any]]:
    if isinstance(geometry, VolumeGrid):
        shape = np.array(geometry.mask.shape)
        return [geometry.affine.round(4) + 0.0, shape, np.packbits(geometry.mask)]
    if isinstance(geometry, SurfacePair):
        return [np.array([geometry.n_left, geometry.n_right])]
    axis = geometry.axis
    return [axis.name.astype("S"), axis.voxel, axis.vertex]


def voxel_coordinates(
    voxels: NDArray[np.integer[Any]] | NDArray[np.floating[Any]], affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Centres of voxels.

    Parameters
    ----------
    voxels
        (n, 3) indices.
    affine
        (4, 4): voxel indices to mm.

    Returns
    -------
    (n, 3) array
        Millimetres.
    """
    return np.asarray(apply_affine(affine, voxels), dtype=np.float64)


def volume_units(
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    *,
    space: str,
    resolution: str | None = None,
    problems: Sequence[Problem] = (),
) -> UnitSpace:
    """Units of a voxel mask.

    Parameters
    ----------
    mask
        (x, y, z).
    affine
        (4, 4): voxel indices to mm.
    space, resolution
        BIDS entities.
    problems
        To be carried along.

    Returns
    -------
    UnitSpace
        Of kind ``volume``; ``L`` (x < 0) and ``R`` in MNI templates, else ``volume``.

    Raises
    ------
    InputInvalidError
        The mask is empty.
    """
    if not mask.any():
        msg = f"The brain masks in space {space} have no voxel in common; check that they overlap."
        raise InputInvalidError(msg)
    affine = np.asarray(affine, dtype=np.float64)
    if space.startswith("MNI"):
        x = voxel_coordinates(np.argwhere(mask), affine)[:, 0]
        structure = np.where(x < 0, "L", "R")
    else:
        structure = np.full(int(mask.sum()), "volume")
    grid = VolumeGrid(affine, mask)
    return UnitSpace("volume", space, resolution, None, structure, grid, problems=tuple(problems))


def surface_units(
    n_left: int,
    n_right: int,
    *,
    space: str,
    density: str | None = None,
    meshes: tuple[Path, Path] | None = None,
) -> UnitSpace:
    """Units of two hemispheres.

    Parameters
    ----------
    n_left, n_right
        Vertices.
    space, density
        BIDS entities.
    meshes
        Surfaces (left, right) to take coordinates from.

    Returns
    -------
    UnitSpace
        Of kind ``gifti``.
    """
    structure = np.repeat(["L", "R"], [n_left, n_right])
    pair = SurfacePair(n_left, n_right)
    return UnitSpace("gifti", space, None, density, structure, pair, meshes)


def cifti_units(
    axis: Any,
    *,
    space: str,
    density: str | None = None,
    meshes: tuple[Path, Path] | None = None,
) -> UnitSpace:
    """Units of a CIFTI file.

    Parameters
    ----------
    axis
        `nibabel.cifti2.BrainModelAxis`.
    space, density
        BIDS entities.
    meshes
        Surfaces (left, right) to take coordinates from.

    Returns
    -------
    UnitSpace
        Of kind ``cifti``.
    """
    short = {"CORTEX_LEFT": "L", "CORTEX_RIGHT": "R"}
    names = [str(name).removeprefix("CIFTI_STRUCTURE_") for name in axis.name]
    structure = np.array([short.get(name, name) for name in names])
    return UnitSpace("cifti", space, None, density, structure, Grayordinates(axis), meshes)
