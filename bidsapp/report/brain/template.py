"""The template that maps are drawn on: fsaverage5, the MNI anatomy, and names of places."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bidsapp import resources
from bidsapp.report.figures.style import Array
from bidsapp.report.figures.surface import Mesh
from bidsapp.report.figures.volume import Volume
from bidsapp.resources import N_VERTICES

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
