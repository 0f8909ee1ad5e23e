"""The largest scores and where they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from bidsapp import resources
from bidsapp.report.html import Cell, Section, Table, cell, columns, number_text, p_cell
from bidsapp.report.maps import Array
from bidsapp.report.projection import cortex, to_cortex
from bidsapp.report.results import SpaceResults
from bidsapp.report.rsa.maps import gain_title
from bidsapp.report.rsa.read import Network, SpaceStudy
from bidsapp.resources import N_VERTICES

_MOST = 15
_APART_MM = 20.0
_NEAR_MM = 10.0
_SIZE = N_VERTICES["fsaverage5"]


@dataclass(frozen=True)
class Places:
    """Candidates: (n,) units, (n, 3) coordinates in mm, and whether those are of a template."""

    units: Array
    mm: Array
    is_template: bool


def peaks(space: SpaceStudy, network: Network, suffix: str) -> Section | None:
    """Tabulate the largest scores that are some way apart."""
    found = places(space.within)
    if found is None or network.largest is None or network.scores is None:
        return None
    mask = network.significant
    passing = mask is not None and bool(mask.any())
    score = network.largest[found.units]
    if passing and mask is not None:
        score = np.where(mask[found.units], score, np.nan)
    chosen = apart(score, found.mm)
    if not len(chosen):
        return None
    names = regions(found.mm[chosen]) if found.is_template else ["\u2013"] * len(chosen)
    rows = [
        _row(network, int(found.units[place]), found.mm[place], name)
        for place, name in zip(chosen, names, strict=True)
    ]
    heads = columns("x#", "y#", "z#", "parcel", "layer", "\u03c1#", "p family-wise#", "centroid#",
                    "\u0394\u03c1#")  # fmt: skip
    who = "units that pass" if passing else "all units, as none passes"
    caption = (
        f"The largest scores of {who}, at least {number_text(_APART_MM, 0)} mm apart: mm, parcel "
        "of the nearest cortex of fsaverage5 (Schaefer 400), layer of the largest score; "
        f"\u0394\u03c1: {gain_title(network).lower()}. A peak was chosen for its score: read the "
        "place, not the height"
    )
    return Section("Peaks", f"peaks{suffix}", [Table(heads, rows, caption)])


def _row(network: Network, unit: int, mm: Array, region: str) -> list[Cell]:
    scores = network.scores
    values = np.full(1, np.nan) if scores is None else scores[:, unit]
    layer = int(np.nanargmax(values))
    p = np.nan if network.p_fwe is None else network.p_fwe[layer, unit]
    centroid = np.nan if network.centroid is None else network.centroid[unit]
    gain = np.nan if network.gain is None else network.gain[layer, unit]
    return [
        *(cell(float(value), 0) for value in mm),
        cell(region),
        Cell(f"{layer + 1} {network.layers[layer]}", layer + 1),
        cell(values[layer], 3),
        p_cell(float(p)),
        cell(float(centroid), 1),
        cell(float(gain), 3),
    ]


def places(within: SpaceResults) -> Places | None:
    """Return where units are; those with a vertex of fsaverage5 on surfaces, else voxels."""
    grid = within.grid
    if grid is None:
        return None
    if grid.is_surface:
        index = to_cortex(within, np.arange(grid.n_units, dtype=float), ordinal=True)
        if index is None:
            return None
        units = np.concatenate([index[side] for side in ("L", "R")])
        known = np.isfinite(units)
        return Places(units[known].astype(int), _middle()[known], is_template=True)
    if grid.voxels is None or grid.affine is None or grid.columns is None:
        return None
    mm = grid.voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    return Places(grid.columns, mm, within.space.is_mni)


@cache
def _middle() -> Array:
    """(20484, 3) vertices between the white and the pial surface of fsaverage5."""
    found = cortex()
    return np.concatenate([(found.white[side] + found.pial[side]) / 2 for side in ("L", "R")])


def apart(score: Array, mm: Array, distance_mm: float = _APART_MM, most: int = _MOST) -> list[int]:
    """Return places with the largest scores, none nearer than a distance to a larger one.

    Parameters
    ----------
    score
        (n,), NaN for places that do not count.
    mm
        (n, 3).
    distance_mm, most
        Smallest distance, and how many at most.
    """
    left = np.where(np.isfinite(score), score, -np.inf)
    chosen: list[int] = []
    while len(chosen) < most and np.isfinite(left.max(initial=-np.inf)):
        place = int(left.argmax())
        chosen.append(place)
        left[np.linalg.norm(mm - mm[place], axis=1) < distance_mm] = -np.inf
    return chosen


def regions(mm: Array) -> list[str]:
    """Name the parcel of the nearest cortex; an en dash more than a centimetre away."""
    distance, vertex = cKDTree(_middle()).query(mm)
    names = ["", *(parcel.name.split("_", 1)[-1] for parcel in resources.schaefer400_parcels())]
    index = resources.schaefer400("fsaverage5")
    return [
        names[index[place]].replace("_", " ") or "\u2013" if near <= _NEAR_MM else "\u2013"
        for near, place in zip(distance, vertex, strict=True)
    ]
