"""Parcels of a participant, and the test of their scores against the refitted null."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.named_atlas import find_parcels
from bidsapp.brain.parcels import standard_parcels
from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.nulls import max_statistic_p, permutation_p

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Parcels:
    """Parcels of one space.

    Attributes
    ----------
    labels
        (n_units,) parcel of each unit from 0, -1 for none.
    structure
        Name of the structure each parcel lies in.
    centre_mm
        (n_parcels, 3) mean coordinate in mm; NaN where the mesh is unknown.
    n_units
        (n_parcels,) size.
    """

    labels: NDArray[np.integer]
    structure: tuple[str, ...]
    centre_mm: Array
    n_units: NDArray[np.integer]

    @property
    def n_parcels(self) -> int:
        """Number of parcels."""
        return len(self.structure)

    @property
    def columns(self) -> dict[str, Any]:
        """Columns that describe parcels in tables, each (n_parcels,)."""
        x, y, z = self.centre_mm.T
        return {"structure": self.structure, "x": x, "y": y, "z": z, "n_units": self.n_units}


def make_parcels(
    units: UnitSpace, valid: NDArray[np.bool_], n_parcels: int, atlas: Path | None
) -> Parcels:
    """Divide the units with data into parcels.

    Parameters
    ----------
    units
        Voxels or vertices.
    valid : ndarray of bool, (n_units,)
        Those with data.
    n_parcels
        Standard parcels when no atlas is given.
    atlas
        Label image; None for standard parcels.
    """
    numbered = (
        standard_parcels(units, n_parcels) if atlas is None else find_parcels(atlas, units).labels
    )
    labels = np.where(valid, numbered, -1)
    members = [np.flatnonzero(labels == number) for number in range(int(numbered.max()) + 1)]
    xyz = units.coordinates_mm()
    nowhere = np.full(3, np.nan)
    return Parcels(
        labels=labels,
        structure=tuple(str(units.structure[some[0]]) if some.size else "n/a" for some in members),
        centre_mm=np.array([xyz[some].mean(axis=0) if some.size else nowhere for some in members]),
        n_units=np.array([some.size for some in members]),
    )


@dataclass(frozen=True)
class ParcelTest:
    """Parcel scores of one set of lags against their temporal null.

    Attributes
    ----------
    r
        (n_layers, n_parcels) mean score.
    null
        (n_shifts, n_layers, n_parcels) scores under circular shifts.
    p, q
        (n_layers, n_parcels) p-value of each layer and parcel, and its false discovery rate.
    p_parcel, q_parcel
        (n_parcels,) p-value of the best layer's score against the null of the best layer's
        score, and its false discovery rate over parcels.
    p_family
        (n_parcels,) p-value corrected over layers and parcels by the maximum.
    """

    r: Array
    null: Array
    p: Array
    q: Array
    p_parcel: Array
    q_parcel: Array
    p_family: Array

    @property
    def null_max(self) -> Array:
        """(n_shifts,) largest score over layers and parcels under each shift."""
        return np.asarray(np.nanmax(self.null, axis=(1, 2)))


def parcel_test(r: Array, null: Array) -> ParcelTest:
    """Compare parcel scores with their refitted null.

    Parameters
    ----------
    r
        (n_layers, n_parcels) scores; a parcel without valid units is NaN.
    null
        (n_shifts, n_layers, n_parcels) scores under shifts.

    Returns
    -------
    ParcelTest
        One-sided p-values, (b + 1) / (m + 1); NaN where nothing was shifted.
    """
    known = np.isfinite(r).all(axis=0)
    p, p_parcel, p_family = (np.full(shape, np.nan) for shape in (r.shape, *[r.shape[1]] * 2))
    if not len(null):
        return ParcelTest(r, null, p, p, p_parcel, p_parcel, p_family)
    seen, shifted = r[:, known], null[:, :, known]
    p[:, known] = permutation_p(seen, shifted)
    p_parcel[known] = permutation_p(seen.max(axis=0), shifted.max(axis=1))
    p_family[known] = max_statistic_p(seen, shifted.max(axis=(1, 2))).min(axis=0)
    q = benjamini_hochberg(p.ravel()).reshape(p.shape)
    return ParcelTest(r, null, p, q, p_parcel, benjamini_hochberg(p_parcel), p_family)
