"""Which units are cortical vertices of which mesh, and the way to whole hemispheres and back.

``mesh``
    ``fsaverage5`` (2 × 10,242 vertices) or ``fsLR32k`` (2 × 32,492): those whose spheres, cortex
    and reference maps come with the app. Known by the space and the number of vertices, for
    another mesh may have as many (onavg's smallest has 10,242, too).
``whole hemispheres``
    all vertices of the left, then of the right hemisphere, medial wall included; what spheres
    and rotations work on. CIFTI files hold some of them, as columns among others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bidsapp import resources
from bidsapp.brain.geometry import Grayordinates, SurfacePair, UnitSpace
from bidsapp.errors import InputInvalidError
from bidsapp.resources import N_VERTICES, Mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: CIFTI's names of the two hemispheres.
CIFTI_SIDES = ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT")
_SPACES: dict[str, Mesh] = {"fsaverage": "fsaverage5", "fsLR": "fsLR32k"}


@dataclass(frozen=True, eq=False)
class CortexColumns:
    """Where the vertices of a mesh are among the units.

    Attributes
    ----------
    mesh
        ``fsaverage5`` or ``fsLR32k``.
    n_units
        Units in all, subcortical ones included.
    columns
        Left, right: the units that are cortical vertices.
    vertices
        Left, right: their vertex numbers in the hemisphere.
    """

    mesh: Mesh
    n_units: int
    columns: tuple[NDArray[np.intp], NDArray[np.intp]]
    vertices: tuple[NDArray[np.intp], NDArray[np.intp]]

    @property
    def n_vertices(self) -> int:
        """Vertices of both whole hemispheres."""
        return 2 * N_VERTICES[self.mesh]

    def scatter(self, values: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """From units to whole hemispheres.

        Parameters
        ----------
        values
            (..., n_units).

        Returns
        -------
        (..., n_vertices) array
            Floating point; NaN at vertices that are no unit.
        """
        return self._move(values, self._units(), self._places(), self.n_units, self.n_vertices)

    def gather(self, values: NDArray[Any]) -> NDArray[np.floating[Any]]:
        """From whole hemispheres to units.

        Parameters
        ----------
        values
            (..., n_vertices).

        Returns
        -------
        (..., n_units) array
            Floating point; NaN at units that are no vertex.
        """
        return self._move(values, self._places(), self._units(), self.n_vertices, self.n_units)

    def _units(self) -> NDArray[np.intp]:
        return np.concatenate(self.columns)

    def _places(self) -> NDArray[np.intp]:
        left, right = self.vertices
        return np.concatenate([left, right + N_VERTICES[self.mesh]])

    @staticmethod
    def _move(
        values: NDArray[Any],
        source: NDArray[np.intp],
        target: NDArray[np.intp],
        n_source: int,
        n_target: int,
    ) -> NDArray[np.floating[Any]]:
        values = np.asarray(values)
        if values.shape[-1] != n_source:
            msg = f"{values.shape[-1]} values where {n_source} were expected"
            raise ValueError(msg)
        dtype = np.result_type(values.dtype, np.float32)
        moved = np.full((*values.shape[:-1], n_target), np.nan, dtype=dtype)
        moved[..., target] = values[..., source]
        return moved


def find_mesh(units: UnitSpace) -> Mesh | None:
    """Find the mesh that the units are on.

    Parameters
    ----------
    units
        Of any kind. A space that is not known (empty) is taken by the number of vertices.

    Returns
    -------
    str or None
        ``fsaverage5``, ``fsLR32k``, or None for volumes and other meshes.
    """
    space = units.entities.get("space", "")
    sizes = set(_sizes(units))
    for name, mesh in _SPACES.items():
        if space in ("", name) and sizes == {N_VERTICES[mesh]}:
            return mesh
    return None


def cortex_columns(units: UnitSpace) -> CortexColumns:
    """Find the units that are cortical vertices.

    Parameters
    ----------
    units
        GIFTI or CIFTI, on fsaverage5 or fsLR-32k.

    Returns
    -------
    CortexColumns
        With ways to whole hemispheres and back. All vertices of a GIFTI pair are in it, also
        those of the medial wall.

    Raises
    ------
    InputInvalidError
        Units on no such mesh.
    """
    mesh = find_mesh(units)
    if mesh is None:
        sizes = " + ".join(map(str, _sizes(units)))
        what = f"{sizes} vertices" if sizes else "voxels"
        msg = (
            f"The data in space {units.space or 'unknown'} ({what}) are on no cortical mesh that "
            "comes with the app; give fsaverage5 or fsLR-32k, or project MNI152 volumes first."
        )
        raise InputInvalidError(msg)
    (left, left_vertices), (right, right_vertices) = _sides(units)
    return CortexColumns(mesh, units.n_units, (left, right), (left_vertices, right_vertices))


def cortex_mask(units: UnitSpace) -> NDArray[np.bool_]:
    """Which units are cortex.

    Parameters
    ----------
    units
        As for `cortex_columns`.

    Returns
    -------
    (n_units,) array
        False on the medial wall (that of the reference maps, a little larger than the one of
        CIFTI files) and outside cortex.

    Raises
    ------
    InputInvalidError
        Units on no known mesh.
    """
    columns = cortex_columns(units)
    return np.asarray(columns.gather(resources.cortex_mask(columns.mesh)) == 1)


def _sizes(units: UnitSpace) -> list[int]:
    geometry = units.geometry
    if isinstance(geometry, SurfacePair):
        return [geometry.n_left, geometry.n_right]
    if isinstance(geometry, Grayordinates):
        sizes = geometry.axis.nvertices
        return [int(sizes[name]) for name in CIFTI_SIDES if name in sizes]
    return []


def _sides(units: UnitSpace) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Columns and vertex numbers of each hemisphere."""
    for side, name in zip("LR", CIFTI_SIDES, strict=True):
        if isinstance(units.geometry, Grayordinates):
            axis = units.geometry.axis
            here = np.flatnonzero(axis.name == name)
            yield here, np.asarray(axis.vertex[here], dtype=np.intp)
        else:
            here = np.flatnonzero(units.structure == side)
            yield here, np.arange(here.size)
