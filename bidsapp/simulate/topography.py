"""The planted map: which layer each unit follows, and where nothing is planted.

Around both auditory cortices depth rises with one of two coordinates, and everything beyond a
radius follows nothing:

- `gradient_rank`: from sensory cortex (superficial layers) to transmodal cortex (deep ones);
- `axis_rank`: from Heschl's gyri forwards and backwards along the superior temporal gyri.

Both are functions of template coordinates, so volumes and surfaces of one participant agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from bidsapp.brain.meshes import find_meshes, mesh_coordinates
from bidsapp.resources import functional_gradient

Floats = npt.NDArray[np.float64]

Rank = Callable[[Floats, float], Floats]

HESCHL_MM = np.array([[-45.0, -22.0, 8.0], [47.0, -20.0, 8.0]])
#: direction of the superior temporal gyrus from its posterior to its anterior end
STG_AXIS = np.array([0.0, 0.9, -0.436])


@dataclass(frozen=True)
class Topography:
    """What is planted in each unit.

    Attributes
    ----------
    layer
        (n_units,) int, 1-based; 0 where nothing is planted.
    amplitude
        (n_units,) relative strength, 0 where nothing is planted.
    """

    layer: npt.NDArray[np.int64]
    amplitude: Floats

    def truth(self, strength: float) -> dict[str, npt.NDArray[Any]]:
        """Return the maps of the truth; at amplitude 1 the signal-to-noise ratio is `strength`."""
        return {"layer": self.layer, "snr": strength * self.amplitude}


def plant(
    coordinates_mm: Floats,
    n_layers: int,
    *,
    n_inputs: int = 0,
    radius_mm: float = 55.0,
    shift_mm: Floats | None = None,
    seed: int = 0,
    rank: Rank | None = None,
) -> Topography:
    """Plant a gradient of layers around both auditory cortices.

    Parameters
    ----------
    coordinates_mm
        (n_units, 3) template coordinates.
    n_layers
        Depth reached at the edge of the planted tissue.
    n_inputs
        Layers at the beginning that no unit follows.
    radius_mm
        Extent of the planted tissue around Heschl's gyri.
    shift_mm
        (2, 3) displacement of the two centres (individual anatomy).
    seed
        Seed of the smooth variation of amplitude (0.7 to 1).
    rank
        Depth as a share of the planted tissue; `gradient_rank` by default.

    Returns
    -------
    Topography
        Layers `n_inputs` + 1 to `n_layers`, about as many units for each.
    """
    centres = HESCHL_MM + (0.0 if shift_mm is None else shift_mm)
    distance = _distance(coordinates_mm, centres)
    planted = distance < radius_mm
    home = coordinates_mm - (centres - HESCHL_MM)[_nearest_centre(coordinates_mm, centres)]
    depth = (rank or gradient_rank)(home, radius_mm)
    layer = np.where(planted, n_inputs + 1 + np.floor((n_layers - n_inputs) * depth), 0)
    bumps = smooth_fields(coordinates_mm, 1, length_mm=30.0, seed=seed)[0]
    amplitude = np.where(planted, 0.85 + 0.15 * np.tanh(bumps), 0.0)
    return Topography(layer.astype(np.int64), amplitude)


def gradient_rank(coordinates_mm: Floats, radius_mm: float) -> Floats:
    """Where units stand along the first functional gradient.

    Parameters
    ----------
    coordinates_mm
        (n_units, 3) template coordinates.
    radius_mm
        Units are ranked among the template's vertices this near to Heschl's gyri.

    Returns
    -------
    ndarray, (n_units,)
        Share of those vertices with a lower gradient than the vertex nearest to the unit, in
        [0, 1).
    """
    gradient, mesh = functional_gradient("fsaverage5", 1), _mesh()
    known = np.isfinite(gradient)
    near = np.sort(gradient[known & (_distance(mesh, HESCHL_MM) < radius_mm)])
    nearest = cKDTree(mesh[known]).query(coordinates_mm)[1]
    rank = np.searchsorted(near, gradient[known][nearest])
    return np.asarray(np.minimum(rank / max(near.size, 1), 1 - 1e-9))


def axis_rank(coordinates_mm: Floats, radius_mm: float) -> Floats:
    """How far from Heschl's gyri units stand along the superior temporal gyri, in [0, 1).

    Parameters
    ----------
    coordinates_mm
        (n_units, 3) template coordinates.
    radius_mm
        Units are ranked among the template's vertices this near to Heschl's gyri.
    """
    mesh = _mesh()
    near = np.sort(_along(mesh[_distance(mesh, HESCHL_MM) < radius_mm]))
    rank = np.searchsorted(near, _along(coordinates_mm))
    return np.asarray(np.minimum(rank / max(near.size, 1), 1 - 1e-9))


def _along(coordinates_mm: Floats) -> Floats:
    home = HESCHL_MM[_nearest_centre(coordinates_mm, HESCHL_MM)]
    return np.asarray(np.abs((coordinates_mm - home) @ STG_AXIS))


def _mesh() -> Floats:
    """Vertices of fsaverage5, left then right."""
    sizes = (10_242, 10_242)
    return np.concatenate(mesh_coordinates(sizes, find_meshes("fsaverage", sizes)))


def _distance(coordinates_mm: Floats, centres: Floats) -> Floats:
    apart = np.linalg.norm(coordinates_mm[:, None] - centres, axis=2)
    return np.asarray(apart.min(axis=1))


def _nearest_centre(coordinates_mm: Floats, centres: Floats) -> npt.NDArray[np.intp]:
    apart = np.linalg.norm(coordinates_mm[:, None] - centres, axis=2)
    return np.asarray(apart.argmin(axis=1))


def smooth_fields(
    coordinates_mm: Floats,
    n_fields: int,
    *,
    length_mm: float,
    seed: int | list[int],
    n_waves: int = 100,
) -> Floats:
    """Smooth random fields with zero mean and unit variance, (n_fields, n_units).

    Sums of `n_waves` random cosines, which approach a Gaussian process with covariance
    ``exp(-d² / (2 length²))``. They are functions of the coordinates: the same seed gives the
    same field on a surface and in a volume.

    Source: Rahimi & Recht 2007, Random features for large-scale kernel machines.
    """
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n_waves, 3)) / length_mm
    phases = rng.uniform(0, 2 * np.pi, n_waves)
    weights = rng.standard_normal((n_fields, n_waves)) * np.sqrt(2.0 / n_waves)
    waves = np.cos(
        directions.astype(np.float32) @ coordinates_mm.T.astype(np.float32)
        + phases.astype(np.float32)[:, None]
    )
    return np.asarray(weights.astype(np.float32) @ waves, dtype=np.float64)
