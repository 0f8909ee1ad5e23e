"""Maps of MNI152 volumes, sampled on the cortex of fsaverage5.

At each vertex the volume is read, linearly interpolated, at several depths between the pial and
the white surface, and the mean is taken. That is one sparse matrix P (vertices × voxels), built
once. Missing voxels (NaN, outside the mask) are left out and the other weights rescaled:

    surface = P x₀ / P m,   x₀ = x with 0 for missing,   m = 1 where x is valid, else 0.

A fallback: the average cortex of fsaverage is not the cortex of an MNI152 template, and a group
map that is projected afterwards is blurred relative to data sampled in each participant's
anatomy. Only continuous maps can be projected; a best-layer map is to be made from projected
scores.

Source: sampling as nilearn's ``vol_to_surf(kind="depth")``; limits of the approach: Wu et al.
(2018), Hum Brain Mapp 39, 3793-3808.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from bidsapp import resources
from bidsapp.brain.geometry import UnitSpace, VolumeGrid
from bidsapp.brain.meshes import fsaverage5_surfaces
from bidsapp.errors import InputInvalidError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Depths from the pial (0) to the white surface (1), both included.
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: A vertex needs valid voxels that carry at least half the weight of one depth.
MIN_WEIGHT = 0.5 / len(DEPTHS)
#: Millimetres of MNI305 (fsaverage) to those of MNI152.
#: Source: FreeSurfer wiki, CoordinateSystems, use case 8 (from ``mni152.register.dat``).
MNI305_TO_MNI152 = (
    (0.9975, -0.0073, 0.0176, -0.0429),
    (0.0146, 1.0009, -0.0024, 1.5496),
    (-0.0130, -0.0093, 0.9971, 1.1840),
    (0.0, 0.0, 0.0, 1.0),
)
_N_CORNERS = 8


@dataclass(frozen=True, eq=False)
class Projection:
    """A way from the voxels of a unit space to fsaverage5.

    Attributes
    ----------
    weights
        (20484, n_units) sparse float64; rows of vertices outside cortex are empty, others sum
        to at most 1, the rest being outside the mask.
    provenance
        How it was made, for sidecars.
    """

    weights: csr_array
    provenance: dict[str, Any]

    def apply(self, values: ArrayLike) -> NDArray[np.float32]:
        """Project maps.

        Parameters
        ----------
        values
            (n_maps, n_units), continuous; NaN is missing.

        Returns
        -------
        (n_maps, 20484) array
            NaN outside cortex and where valid voxels carry too little weight.

        Raises
        ------
        ValueError
            Another number of units, or integers: labels cannot be averaged.
        """
        maps = np.asarray(values)
        if maps.ndim != 2 or maps.shape[1] != self.weights.shape[1]:
            msg = f"maps of shape {maps.shape} for {self.weights.shape[1]} voxels"
            raise ValueError(msg)
        if not np.issubdtype(maps.dtype, np.floating):
            raise ValueError("labels cannot be averaged; project scores, then label the result")
        return np.stack([self._one(row) for row in maps]) if len(maps) else self._none()

    def _one(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        valid = np.isfinite(values)
        total = self.weights @ np.where(valid, values, 0).astype(np.float64)
        weight = self.weights @ valid.astype(np.float64)
        enough = weight >= MIN_WEIGHT
        mean = np.full(total.shape, np.nan, dtype=np.float32)
        mean[enough] = total[enough] / weight[enough]
        return mean

    def _none(self) -> NDArray[np.float32]:
        return np.empty((0, self.weights.shape[0]), dtype=np.float32)


def volume_projection(units: UnitSpace, *, mni305: bool) -> Projection:
    """Prepare the projection of volumes to fsaverage5.

    Parameters
    ----------
    units
        Voxels in an MNI152 space.
    mni305
        Whether to carry the vertices, which are in MNI305, to MNI152 by FreeSurfer's affine
        (a shift of about 2 mm) before reading the volume; otherwise the two are taken as one.

    Returns
    -------
    Projection

    Raises
    ------
    InputInvalidError
        Units that are no voxels in an MNI152 space.
    """
    grid = units.geometry
    if not isinstance(grid, VolumeGrid) or not units.space.startswith("MNI152"):
        msg = (
            f"Data of kind {units.kind} in space {units.space or 'unknown'} cannot be projected "
            "to fsaverage5; give volumes in an MNI152 space, or surface data."
        )
        raise InputInvalidError(msg)
    to_voxels = np.linalg.inv(grid.affine)
    if mni305:
        to_voxels = to_voxels @ np.array(MNI305_TO_MNI152)
    pial, white = fsaverage5_surfaces()
    cortex = np.flatnonzero(resources.cortex_mask("fsaverage5"))
    points = np.stack([pial[cortex] * (1 - depth) + white[cortex] * depth for depth in DEPTHS])
    vertices = np.tile(cortex, len(DEPTHS))
    voxels = points.reshape(-1, 3) @ to_voxels[:3, :3].T + to_voxels[:3, 3]
    weights = _weights(vertices, voxels, len(pial), grid.mask) / len(DEPTHS)
    return Projection(weights, _provenance(weights, cortex.size, mni305))


def _weights(
    rows: NDArray[np.intp],
    voxels: NDArray[np.float64],
    n_rows: int,
    mask: NDArray[np.bool_],
) -> csr_array:
    """Linear interpolation at `voxels` (n, 3), summed over equal `rows`; masked voxels only."""
    column = np.full(mask.shape, -1)
    column[mask] = np.arange(int(mask.sum()))
    low = np.floor(voxels).astype(np.intp)
    share = voxels - low
    parts = []
    for number in range(_N_CORNERS):
        corner = (number >> np.arange(3)) & 1
        here = low + corner
        weight = np.where(corner, share, 1 - share).prod(axis=1)
        kept = ((here >= 0) & (here < mask.shape)).all(axis=1) & (weight > 0)
        columns = column[tuple(here[kept].T)]
        inside = columns >= 0
        parts.append((weight[kept][inside], rows[kept][inside], columns[inside]))
    weight, row, col = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return csr_array((weight, (row, col)), shape=(n_rows, int(mask.sum())))


def _provenance(weights: csr_array, n_cortex: int, mni305: bool) -> dict[str, Any]:
    n_reached = int((weights.sum(axis=1) >= MIN_WEIGHT).sum())
    return {
        "Method": "mean of linear interpolations at depths between pial and white surface",
        "Surfaces": "fsaverage5 (nilearn)",
        "Depths": list(DEPTHS),
        "MinimumWeight": MIN_WEIGHT,
        "Affine": MNI305_TO_MNI152 if mni305 else "none: MNI305 taken as MNI152",
        "CortexVertices": n_cortex,
        "CortexVerticesReached": n_reached,
        "CortexMask": resources.resource_hash("fsaverage5.npz"),
        "Limits": "projected after averaging in MNI152; blurred relative to surface-first data",
    }
