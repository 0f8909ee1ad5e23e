"""From voxels or vertices to the inflated surface of fsaverage5, and to a volume."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bidsapp import resources
from bidsapp.brain.geometry import Grayordinates, SurfacePair, UnitSpace, VolumeGrid
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import Mesh
from bidsapp.report.figures.volume import Volume, at_cortex
from bidsapp.resources import N_VERTICES, fslr_to_fsaverage5

SIDES = {"L": "left", "R": "right"}
SIZE = N_VERTICES["fsaverage5"]
_AUDITORY = frozenset({32, 33, 34, 37, 38, 231, 232, 233, 234, 237, 238})
"""Schaefer parcels of the somatomotor network whose centre lies on the superior temporal plane or
gyrus of fsaverage5: below z = 9 mm, or behind y = -28 mm, below z = 15 mm and 38 mm or more from
the midline. Those above the Sylvian fissure (operculum, insula) keep their name."""
_AIR = 0.08  # share of an anatomy's brightness below which there is no head


@dataclass(frozen=True)
class Cortex:
    """fsaverage5: inflated meshes to draw on, white and pial coordinates (mm) to sample at."""

    meshes: Mapping[str, Mesh]
    white: Mapping[str, Array]
    pial: Mapping[str, Array]

    @property
    def middle_mm(self) -> Array:
        """(20484, 3) points halfway between the white and the pial surface, left first."""
        return np.concatenate([(self.white[side] + self.pial[side]) / 2 for side in SIDES])


@functools.cache
def cortex() -> Cortex:
    """Load fsaverage5 as nilearn ships it."""
    from nilearn.datasets import load_fsaverage, load_fsaverage_data

    surfaces = load_fsaverage("fsaverage5")
    depth = load_fsaverage_data("fsaverage5", data_type="sulcal").data.parts
    meshes = {}
    for key, side in SIDES.items():
        mesh = surfaces["inflated"].parts[side]
        meshes[key] = Mesh(mesh.coordinates, mesh.faces, np.asarray(depth[side], float).ravel())
    white, pial = (
        {key: surfaces[name].parts[side].coordinates for key, side in SIDES.items()}
        for name in ("white_matter", "pial")
    )
    return Cortex(meshes, white, pial)


@functools.cache
def anatomy() -> Volume:
    """Load the MNI template that nilearn ships; NaN outside the head."""
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=2)
    data = np.asarray(image.dataobj, dtype=np.float32)
    return Volume(np.where(data > _AIR * data.max(), data, np.nan), image.affine)


@functools.cache
def region_names() -> tuple[str, ...]:
    """Names of the Schaefer parcels 1 to 400, as ``LH SomMot 9``; empty for 0, no parcel.

    The seven networks count auditory cortex to the somatomotor network; its parcels are named
    ``LH Auditory (SomMot 2)``.
    """
    parcels = resources.schaefer400_parcels()
    names = (parcel.name.split("_", 1)[-1].replace("_", " ") for parcel in parcels)
    return ("", *(_anatomical(number, name) for number, name in enumerate(names, start=1)))


def _anatomical(number: int, name: str) -> str:
    if number not in _AUDITORY:
        return name
    side, _, label = name.partition(" ")
    return f"{side} Auditory ({label})"


def region_index() -> Array:
    """(20484,) number of the Schaefer parcel at each vertex of fsaverage5; 0 for none."""
    return resources.schaefer400("fsaverage5")


_STRUCTURES = {"CIFTI_STRUCTURE_CORTEX_LEFT": "L", "CIFTI_STRUCTURE_CORTEX_RIGHT": "R"}


def is_mni(units: UnitSpace) -> bool:
    """Whether coordinates are MNI millimetres: of volumes in MNI templates, and of fsLR."""
    return units.space.startswith(("MNI", "fsLR"))


def has_vertices(units: UnitSpace) -> bool:
    """Whether there are vertices of a cortical surface."""
    return not isinstance(units.geometry, VolumeGrid)


def unit_words(units: UnitSpace) -> tuple[str, str]:
    """Return what one unit of a space is called, and several.

    Examples
    --------
    >>> from bidsapp.brain.geometry import surface_units
    >>> unit_words(surface_units(2, 2, space="fsaverage5"))
    ('vertex', 'vertices')
    """
    if isinstance(units.geometry, VolumeGrid):
        return "voxel", "voxels"
    if isinstance(units.geometry, Grayordinates) and np.any(units.geometry.axis.volume_mask):
        return "grayordinate", "grayordinates"
    return "vertex", "vertices"


def hemispheres(units: UnitSpace) -> dict[str, Array]:
    """Return the units of each hemisphere.

    Parameters
    ----------
    units
        Voxels or vertices.

    Returns
    -------
    dict
        ``L`` and ``R`` → (n_units,) bool; ``both``, all units, where sides cannot be told.
    """
    sides = {side: np.asarray(units.structure == side) for side in SIDES}
    if all(side.any() for side in sides.values()):
        return sides
    return {"both": np.ones(units.n_units, dtype=bool)}


def on_meshes(units: UnitSpace, values: Array) -> dict[str, Array]:
    """Spread values over the vertices of the space's own meshes.

    Parameters
    ----------
    units
        Voxels or vertices.
    values
        (n_units,).

    Returns
    -------
    dict
        ``L``, ``R`` → (n_vertices,), NaN where the mesh has no unit; empty for volumes.
    """
    geometry = units.geometry
    if isinstance(geometry, SurfacePair):
        return {side: np.asarray(values[units.structure == side], float) for side in SIDES}
    if isinstance(geometry, VolumeGrid):
        return {}
    spread = {}
    axis = geometry.axis
    for name, columns, model in axis.iter_structures():
        if name in _STRUCTURES:
            mesh = np.full(axis.nvertices[name], np.nan)
            mesh[model.vertex] = values[columns]
            spread[_STRUCTURES[name]] = mesh
    return spread


def in_volume(units: UnitSpace, values: Array) -> Volume | None:
    """Put values into the box of voxels.

    Parameters
    ----------
    units
        Voxels or vertices.
    values
        (n_units,).

    Returns
    -------
    Volume or None
        NaN outside; None without voxels.
    """
    geometry = units.geometry
    if isinstance(geometry, VolumeGrid):
        box = np.full(geometry.mask.shape, np.nan)
        box[geometry.mask] = values
        return Volume(box, geometry.affine)
    if isinstance(geometry, SurfacePair) or not np.any(geometry.axis.volume_mask):
        return None
    axis = geometry.axis
    columns = np.flatnonzero(axis.volume_mask)
    box = np.full(axis.volume_shape, np.nan)
    box[tuple(axis.voxel[columns].T)] = values[columns]
    return Volume(box, np.asarray(axis.affine))


def to_cortex(units: UnitSpace, values: Array, *, ordinal: bool) -> dict[str, Array] | None:
    """Bring values to the vertices of fsaverage5.

    Parameters
    ----------
    units
        Voxels or vertices.
    values
        (n_units,) scores or labels; NaN where undefined.
    ordinal
        Labels: never averaged.

    Returns
    -------
    dict or None
        ``L``, ``R`` → (10242,); None where the space cannot be drawn.
    """
    if has_vertices(units):
        return _from_surface(units.space, on_meshes(units, values))
    volume = in_volume(units, values)
    if volume is None or not is_mni(units):
        return None
    target = cortex()
    return {
        side: at_cortex(volume, target.white[side], target.pial[side], ordinal=ordinal)
        for side in SIDES
    }


def _from_surface(space: str, values: Mapping[str, Array]) -> dict[str, Array] | None:
    sizes = {len(hemisphere) for hemisphere in values.values()}
    if set(values) != set(SIDES) or len(sizes) != 1:
        return None
    size = sizes.pop()
    if space.startswith("fsaverage") and size >= SIZE:
        return {side: hemisphere[:SIZE] for side, hemisphere in values.items()}
    if space == "fsLR" and size == N_VERTICES["fsLR32k"]:
        carried = np.concatenate([values[side] for side in SIDES])[fslr_to_fsaverage5()]
        return {"L": carried[:SIZE], "R": carried[SIZE:]}
    return None


def how_projected(units: UnitSpace) -> str:
    """Return one sentence on how maps of a space come to fsaverage5."""
    if not has_vertices(units):
        return (
            "Voxels between the white and the pial surface of fsaverage5 (taken as MNI) were "
            "averaged; for labels the most frequent one was taken. Use the volumes for exact "
            "places."
        )
    if units.space == "fsLR":
        return (
            "Shown at the vertices of fsaverage5 that correspond to those of fsLR (about 2 mm "
            "off); use the CIFTI files for exact places."
        )
    return "Inflated surface of fsaverage5."
