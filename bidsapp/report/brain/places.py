"""Where the largest values of a map are: coordinates, and the parcel of the nearest cortex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from bidsapp.brain.geometry import UnitSpace, VolumeGrid
from bidsapp.report.brain.projection import has_vertices, is_mni, to_cortex
from bidsapp.report.brain.template import SIDES, cortex, region_index, region_names
from bidsapp.report.figures.style import Array

APART_MM = 20.0
MOST_PEAKS = 15
_NEAR_MM = 10.0
_UNKNOWN = "\u2013"


@dataclass(frozen=True)
class Places:
    """Candidates for peaks.

    Attributes
    ----------
    units
        (n,) columns of the maps.
    mm
        (n, 3) coordinates.
    is_template
        Whether coordinates are those of the template, so that parcels can be named.
    """

    units: Array
    mm: Array
    is_template: bool


def places(units: UnitSpace) -> Places | None:
    """Return where units lie.

    Parameters
    ----------
    units
        Voxels, or vertices that have one of fsaverage5.

    Returns
    -------
    Places or None
        None where coordinates are not known.
    """
    if has_vertices(units):
        index = to_cortex(units, np.arange(units.n_units, dtype=float), ordinal=True)
        if index is None:
            return None
        columns = np.concatenate([index[side] for side in SIDES])
        known = np.isfinite(columns)
        return Places(columns[known].astype(int), cortex().middle_mm[known], is_template=True)
    assert isinstance(units.geometry, VolumeGrid)
    return Places(np.arange(units.n_units), units.coordinates_mm(), is_mni(units))


def apart(
    scores: Array, mm: Array, distance_mm: float = APART_MM, most: int = MOST_PEAKS
) -> list[int]:
    """Return the largest scores, none nearer than a distance to a larger one.

    Parameters
    ----------
    scores
        (n,), NaN where one does not count.
    mm
        (n, 3).
    distance_mm, most
        Smallest distance in mm, and largest number.

    Returns
    -------
    list of int
        Places in `scores`, the largest first.
    """
    left = np.where(np.isfinite(scores), scores, -np.inf)
    chosen: list[int] = []
    while len(chosen) < most and np.isfinite(left.max(initial=-np.inf)):
        place = int(left.argmax())
        chosen.append(place)
        left[np.linalg.norm(mm - mm[place], axis=1) < distance_mm] = -np.inf
    return chosen


def parcel_names(mm: Array) -> list[str]:
    """Name the Schaefer parcel of the nearest cortex of fsaverage5.

    Parameters
    ----------
    mm
        (n, 3) coordinates of the template.

    Returns
    -------
    list of str
        An en dash where the cortex is more than 10 mm away, or has no parcel there.
    """
    distance, vertex = cKDTree(cortex().middle_mm).query(mm)
    names, index = region_names(), region_index()
    return [
        names[index[place]] or _UNKNOWN if near <= _NEAR_MM else _UNKNOWN
        for near, place in zip(distance, vertex, strict=True)
    ]
