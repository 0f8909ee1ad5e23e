"""Registration spheres and networks of cortical units.

Two meshes are served, fsaverage5 and fsLR-32k (`bidsapp.brain.cortex`), from what comes with the
app (`bidsapp.resources`) and with nilearn; nothing is downloaded. The spheres of the two are NOT
registered to each other: matching them by nearest vertices misses by 40 to 64 mm.
The way between the meshes is `bidsapp.brain.correspondence`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bidsapp import resources
from bidsapp.brain.cortex import cortex_columns
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.meshes import fsaverage5_spheres

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NETWORKS = {
    "Vis": "Visual",
    "SomMot": "Somatomotor",
    "DorsAttn": "Dorsal attention",
    "SalVentAttn": "Salience / ventral attention",
    "Limbic": "Limbic",
    "Cont": "Control",
    "Default": "Default",
}


def sphere(units: UnitSpace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Registration spheres of the mesh that the units are on.

    Parameters
    ----------
    units
        GIFTI or CIFTI, on fsaverage5 or fsLR-32k.

    Returns
    -------
    left, right : (n_vertices, 3) arrays
        Of whole hemispheres, radius 1; see `cortex_columns` for the way from and to units.

    Raises
    ------
    InputInvalidError
        Units on no such mesh.
    """
    mesh = cortex_columns(units).mesh
    left, right = resources.fslr_spheres() if mesh == "fsLR32k" else fsaverage5_spheres()
    return _unit_length(left), _unit_length(right)


def _unit_length(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def network_labels(
    units: UnitSpace, *, by_hemisphere: bool = True
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Seven large networks of the cortex.

    Parameters
    ----------
    units
        GIFTI or CIFTI, on fsaverage5 or fsLR-32k.
    by_hemisphere
        Whether the halves of a network have labels of their own: 1 to 7 left, 8 to 14 right.

    Returns
    -------
    labels : (n_units,) array
        1 to 14 (or 7); 0 for none.
    names : tuple of str
        Of label 1, 2, …; with ``L`` or ``R`` before them if `by_hemisphere`.

    Raises
    ------
    InputInvalidError
        Units on no such mesh.

    Notes
    -----
    Source: Schaefer et al. (2018), Cereb Cortex 28, 3095-3114 (400 parcels); networks of Yeo et
    al. (2011), J Neurophysiol 106, 1125-1165.
    """
    columns = cortex_columns(units)
    order = list(_NETWORKS)
    parcels = resources.schaefer400_parcels()
    label = np.zeros(1 + len(parcels), dtype=np.int64)
    for parcel in parcels:
        right = by_hemisphere and parcel.hemisphere == "R"
        label[parcel.index] = 1 + order.index(parcel.network) + len(order) * right
    labels = np.nan_to_num(columns.gather(label[resources.schaefer400(columns.mesh)]))
    names = tuple(_NETWORKS.values())
    if by_hemisphere:
        names = tuple(f"{side} {name}" for side in "LR" for name in names)
    return labels.astype(np.int64), names
