"""The surface on which layer maps meet the functional gradient.

Data on fsaverage5 or fsLR-32k stay where they are. Finer fsaverage meshes are read at the
vertices of fsaverage5, which are their first ones. Volumes in an MNI152 space are projected to
fsaverage5: always scores of every layer, never a best layer. Other spaces have no sphere here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.cortex import cortex_columns, cortex_mask, find_mesh
from bidsapp.brain.geometry import SurfacePair, UnitSpace, surface_units
from bidsapp.brain.projection import Projection, volume_projection
from bidsapp.brain.references import reference_map, reference_provenance
from bidsapp.brain.surfaces import sphere
from bidsapp.resources import N_VERTICES, Mesh
from bidsapp.stats.spins.mesh import SpinMesh, spin_mesh

_SIZE = N_VERTICES["fsaverage5"]


@dataclass(frozen=True, eq=False)
class Reference:
    """A map that layer maps are compared with.

    Attributes
    ----------
    name
        ``gradient1``, ``gradient2``, ``user`` (``user2``, …).
    whole
        (n_vertices,) over both whole hemispheres, whether or not there are data; what rotates.
        NaN outside cortex.
    values
        (n_units,) the same at the units of the surface.
    provenance
        File, hash, source.
    """

    name: str
    whole: NDArray[np.float64]
    values: NDArray[np.float64]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Cortex:
    """A surface with a sphere, and the way to it.

    Attributes
    ----------
    units
        Vertices of the surface (or grayordinates that hold them).
    projection
        From voxels; None when the data lie on the surface.
    columns
        Units of the data that are the surface's units; None for all of them.
    """

    units: UnitSpace
    projection: Projection | None = None
    columns: NDArray[np.intp] | None = None

    def carry(self, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Bring continuous maps (n_maps, n_data_units) to the surface (n_maps, n_units)."""
        if self.projection is not None:
            return self.projection.apply(values)
        return values if self.columns is None else values[:, self.columns]

    def parcel_values(
        self, labels: NDArray[np.integer[Any]], values: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """Average a map of the surface over parcels of the data.

        Parameters
        ----------
        labels
            (n_data_units,) parcel from 0, -1 for none.
        values
            (n_units,) on the surface; NaN is left out.

        Returns
        -------
        ndarray, (n_parcels,)
            NaN for parcels that do not reach the surface.
        """
        n_parcels = int(labels.max()) + 1
        belongs = (labels[None] == np.arange(n_parcels)[:, None]).astype(np.float32)
        weights = np.clip(np.nan_to_num(self.carry(belongs)), 0, None)
        weights = np.where(np.isfinite(values), weights, 0).astype(np.float64)
        total = weights.sum(axis=1)
        sums = weights @ np.nan_to_num(np.asarray(values, np.float64))
        return np.where(total > 0, sums / np.where(total > 0, total, 1), np.nan)

    @property
    def is_projected(self) -> bool:
        """Whether volumes were projected."""
        return self.projection is not None

    @property
    def provenance(self) -> Mapping[str, Any]:
        """How the data came to the surface, for sidecars."""
        if self.projection is not None:
            return self.projection.provenance
        if self.columns is not None:
            return {"Method": "read at the vertices of fsaverage5, the first of the finer mesh"}
        return {"Method": "none: the data lie on this surface"}

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(n_units,) cortex."""
        return cortex_mask(self.units)

    @property
    def mask_hash(self) -> str:
        """SHA-256 of the cortex mask, one byte per vertex of both whole hemispheres."""
        full = self.on_sphere(self.mask.astype(np.float32)[None])[0] == 1
        return hashlib.sha256(full.astype(np.uint8).tobytes()).hexdigest()

    @cached_property
    def mesh(self) -> SpinMesh:
        """Look-up tables of both spheres."""
        return spin_mesh(*sphere(self.units))

    @property
    def mesh_name(self) -> Mesh:
        """``fsaverage5`` or ``fsLR32k``."""
        return cortex_columns(self.units).mesh

    def on_sphere(self, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Spread (n_maps, n_units) over both whole hemispheres; NaN where there is no unit."""
        return cortex_columns(self.units).scatter(values)

    def references(self, names: Sequence[str]) -> tuple[Reference, ...]:
        """Load the reference maps by name or file.

        Raises
        ------
        UsageError, InputMissingError, InputInvalidError
            If one is neither a name nor a file, or does not fit the surface.
        """
        columns = cortex_columns(self.units)
        n, space = columns.n_vertices // 2, self.units.entities["space"]
        everywhere = surface_units(n, n, space=space)
        found = []
        n_users = 0
        for name in names:
            provenance = reference_provenance(name, self.units)
            label = provenance["Name"]
            if label == "user":
                n_users += 1
                label = "user" if n_users == 1 else f"user{n_users}"
            whole = reference_map(name, everywhere)
            values = columns.gather(whole).astype(np.float64)
            found.append(Reference(label, whole, values, provenance))
        return tuple(found)


def find_cortex(units: UnitSpace, *, mni305: bool) -> Cortex | None:
    """Find the surface for the data's units.

    Parameters
    ----------
    units
        Of the data.
    mni305
        Whether voxels are shifted from MNI152 to MNI305 before projection.

    Returns
    -------
    Cortex or None
        None where there is no way to a sphere (subcortical data, unknown meshes).
    """
    if find_mesh(units) is not None:
        return Cortex(units)
    fsaverage5 = surface_units(_SIZE, _SIZE, space="fsaverage5", density="10k")
    if units.kind == "volume" and units.space.startswith("MNI152"):
        return Cortex(fsaverage5, projection=volume_projection(units, mni305=mni305))
    pair = units.geometry
    if (
        isinstance(pair, SurfacePair)
        and units.entities.get("space") == "fsaverage"
        and min(pair.n_left, pair.n_right) > _SIZE
    ):
        first = np.arange(_SIZE)
        return Cortex(fsaverage5, columns=np.concatenate([first, pair.n_left + first]))
    return None
