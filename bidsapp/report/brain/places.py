"""Where the largest values of a map are: coordinates, and the parcel of the nearest cortex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from bidsapp.brain.geometry import UnitSpace, VolumeGrid
from bidsapp.report.brain.projection import (
    SIDES,
    cortex,
    has_vertices,
    is_mni,
    region_index,
    region_names,
    to_cortex,
)
from bidsapp.report.figures.style import Array
from bidsapp.report.html import Part
from bidsapp.report.tables import choose, table
from bidsapp.results.kinds import Column, Table

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
    """

    units: Array
    mm: Array


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
        return Places(columns[known].astype(int), cortex().middle_mm[known])
    assert isinstance(units.geometry, VolumeGrid)
    return Places(np.arange(units.n_units), units.coordinates_mm())


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


# ------------------------------------------------------------------ tables with coordinates

REGION = Column("region", title="region", text=True)
"""Filled by `with_regions`."""
_PARCEL = ("parcel", "structure", "x", "y", "z", "n_units")


def with_regions(frame: pd.DataFrame, units: UnitSpace) -> pd.DataFrame:
    """Return a table of places with the name of the nearest parcel of cortex.

    Parameters
    ----------
    frame
        Columns ``x``, ``y`` and ``z`` in mm.
    units
        Voxels or vertices, for the space of the coordinates.

    Returns
    -------
    data frame
        With the column of `REGION`; an en dash where the space has no names.
    """
    named = has_vertices(units) or is_mni(units)
    mm = frame[["x", "y", "z"]].to_numpy(dtype=float)
    known = np.isfinite(mm).all(axis=1) & named
    names = np.full(len(frame), _UNKNOWN, dtype=object)
    if known.any():
        names[known] = parcel_names(mm[known])
    return frame.assign(region=names)


def region_after_z(columns: Sequence[Column]) -> list[Column]:
    """Return columns of a table with that of the region behind the coordinates."""
    place = [column.name for column in columns].index("z") + 1
    return [*columns[:place], REGION, *columns[place:]]


def parcel_columns(declared: Table, *names: str) -> list[Column]:
    """Return the columns that say which and where a parcel is, and further ones of its table."""
    return region_after_z(choose(declared.columns, *_PARCEL, *names))


def top_parcels(frame: pd.DataFrame, by: str, most: int, units: UnitSpace) -> pd.DataFrame:
    """Return the rows of the parcels with the largest values, the largest first.

    Parameters
    ----------
    frame
        One row per parcel.
    by
        Column of the values.
    most
        Rows, at most.
    units
        Voxels or vertices, for the names of regions.
    """
    return with_regions(frame.sort_values(by, ascending=False).head(most), units)


def best_layers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the layer with the largest ``effect`` of each parcel."""
    tested = frame.dropna(subset=["effect"])
    return tested.loc[tested.groupby("parcel")["effect"].idxmax()]


def strongest_parcels(
    frame: pd.DataFrame,
    declared: Table,
    units: UnitSpace,
    *names: str,
    most: int = 20,
    told: str = ", and the layer that has it.",
    **how: Any,
) -> Part:
    """Tabulate the parcels in which a layer has the largest effect.

    Parameters
    ----------
    frame
        One row per parcel and layer, with ``effect``.
    declared
        Its columns.
    units
        Of the space.
    *names
        Columns to show beside those of the place.
    most
        Parcels.
    told
        What the caption says further.
    **how
        As `bidsapp.report.tables.table` takes it.
    """
    shown = top_parcels(best_layers(frame), "effect", most, units)
    caption = (
        f"The {len(shown)} parcels with the largest effect, in standard deviations of their null"
        f"{told} {coordinate_words(units)}"
    )
    return table(shown, parcel_columns(declared, *names), caption, **how)


def coordinate_words(units: UnitSpace) -> str:
    """Return one sentence on the space of coordinates and where region names come from."""
    if not (has_vertices(units) or is_mni(units)):
        return f"Coordinates: mm in the space {units.space}."
    space = units.space if is_mni(units) else f"{units.space} (MNI305)"
    return (
        f"Coordinates: mm in {space}; region: nearest parcel of cortex, Schaefer 2018, 400 "
        "parcels in 7 networks (an en dash: none within 10 mm)."
    )
