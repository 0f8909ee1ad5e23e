"""What the group level needs of the cortex: spheres, masks, reference maps, projections.

Two meshes are served, fsaverage5 and fsLR-32k (`bidsapp.brain.cortex`), from what comes with the
app (`bidsapp.resources`) and with nilearn; nothing is downloaded. The spheres of the two are NOT
registered to each other: matching them by nearest vertices misses by 40 to 64 mm. The one way
between the meshes is `to_fsaverage5`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bidsapp import resources
from bidsapp.brain.atlas import _gifti_pair
from bidsapp.brain.cortex import (
    CortexColumns,
    cortex_columns,
    cortex_mask,
    find_mesh,
)
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.maps import read_maps
from bidsapp.brain.projection import Projection, project_volume, volume_projection
from bidsapp.errors import InputInvalidError, UsageError
from bidsapp.resources import Mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CortexColumns",
    "Projection",
    "cortex_columns",
    "cortex_mask",
    "find_mesh",
    "network_labels",
    "project_volume",
    "reference_map",
    "reference_provenance",
    "sphere",
    "to_fsaverage5",
    "volume_projection",
]

#: Reference maps by name, with the number of the gradient.
GRADIENTS = {"gradient1": 1, "gradient2": 2}
_MAP_FILES = (".func.gii", ".shape.gii", ".gii", ".dscalar.nii")
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
    left, right = resources.fslr_spheres() if mesh == "fsLR32k" else _fsaverage5_spheres()
    return _unit_length(left), _unit_length(right)


def _fsaverage5_spheres() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from nilearn.datasets import load_fsaverage

    parts = load_fsaverage("fsaverage5")["sphere"].parts
    left, right = (np.asarray(parts[side].coordinates, np.float64) for side in ("left", "right"))
    return left, right


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
    label = np.zeros(1 + len(resources.schaefer400_parcels()), dtype=np.int64)
    for parcel in resources.schaefer400_parcels():
        right = by_hemisphere and parcel.hemisphere == "R"
        label[parcel.index] = 1 + order.index(parcel.network) + len(order) * right
    labels = np.nan_to_num(columns.gather(label[resources.schaefer400(columns.mesh)]))
    names = tuple(_NETWORKS.values())
    if by_hemisphere:
        names = tuple(f"{side} {name}" for side in "LR" for name in names)
    return labels.astype(np.int64), names


def reference_map(reference: str | Path, units: UnitSpace) -> NDArray[np.float64]:
    """Map of the cortex to compare others with.

    Parameters
    ----------
    reference
        ``gradient1`` or ``gradient2`` of functional connectivity, or a file on the same mesh as
        the data with one map: ``.func.gii``, ``.shape.gii`` (one of the pair, the other is found
        by its name) or ``.dscalar.nii``; missing is NaN.
    units
        GIFTI or CIFTI, on fsaverage5 or fsLR-32k.

    Returns
    -------
    (n_units,) array
        NaN outside cortex.

    Raises
    ------
    UsageError
        Neither a name nor a file.
    InputMissingError
        The other hemisphere is absent.
    InputInvalidError
        Unreadable, another mesh, several maps, or a constant one.
    """
    columns = cortex_columns(units)
    full: NDArray[np.floating[Any]]
    if str(reference) in GRADIENTS:
        full = resources.functional_gradient(columns.mesh, GRADIENTS[str(reference)])
    else:
        full = _given_map(_existing(reference), columns.mesh)
    return np.where(cortex_mask(units), columns.gather(full), np.nan).astype(np.float64)


def reference_provenance(reference: str | Path, units: UnitSpace) -> dict[str, str]:
    """Say where a reference map is from.

    Parameters
    ----------
    reference, units
        As for `reference_map`.

    Returns
    -------
    dict
        Name, file, SHA-256 (of both hemispheres) and source, for sidecars.

    Raises
    ------
    UsageError, InputInvalidError
        As for `reference_map`.
    """
    if str(reference) in GRADIENTS:
        mesh = cortex_columns(units).mesh
        return {
            "Name": str(reference),
            "File": f"{mesh}.npz",
            "SHA256": resources.resource_hash(f"{mesh}.npz"),
            "Source": "Vos de Wael et al. (2020), Communications Biology 3, 103 (BrainSpace)",
        }
    path = _existing(reference)
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in _files(path)))
    return {
        "Name": "user",
        "File": path.name,
        "SHA256": digest.hexdigest(),
        "Source": "given by the user",
    }


def _existing(reference: str | Path) -> Path:
    path = Path(reference)
    if not path.is_file():
        names = ", ".join(GRADIENTS)
        msg = f"{reference} is no reference map; give one of {names} or an existing file."
        raise UsageError(msg)
    return path


def _files(path: Path) -> tuple[Path, ...]:
    return _gifti_pair(path) if path.name.endswith(".gii") else (path,)


def _given_map(path: Path, mesh: Mesh) -> NDArray[np.floating[Any]]:
    """Whole hemispheres of a user's map."""
    if not path.name.endswith(_MAP_FILES) or path.name.endswith((".surf.gii", ".label.gii")):
        msg = (
            f"{path} is no map of the cortex; give {' or '.join(_MAP_FILES[:2])} or .dscalar.nii."
        )
        raise InputInvalidError(msg)
    maps = read_maps(_files(path))
    found = find_mesh(maps.units)
    if found != mesh:
        has = found or f"another mesh ({maps.units.n_units} values)"
        msg = (
            f"{path} is on {has}, the data on {mesh}; resample it with registered spheres first "
            "(for instance with wb_command -metric-resample)."
        )
        raise InputInvalidError(msg)
    if len(maps.values) != 1:
        msg = f"{path} has {len(maps.values)} maps; give a file with one."
        raise InputInvalidError(msg)
    full = cortex_columns(maps.units).scatter(maps.values[0])
    if not np.nanstd(full[resources.cortex_mask(mesh)]) > 0:
        msg = f"{path} is constant or missing all over the cortex; give a map that varies."
        raise InputInvalidError(msg)
    return full


def to_fsaverage5(
    values: NDArray[Any], units: UnitSpace
) -> tuple[NDArray[np.floating[Any]], dict[str, Any]]:
    """Carry values from fsLR-32k to the corresponding vertices of fsaverage5.

    Parameters
    ----------
    values
        (..., n_units), labels or continuous: nothing is interpolated.
    units
        GIFTI or CIFTI, on fsLR-32k; what is no cortex is left out.

    Returns
    -------
    values : (..., 20484) array
        Floating point; NaN outside cortex.
    provenance : dict
        For the sidecar.

    Raises
    ------
    InputInvalidError
        Units on another mesh.
    """
    columns = cortex_columns(units)
    if columns.mesh != "fsLR32k":
        msg = f"The data are on {columns.mesh}; only fsLR-32k can be carried to fsaverage5."
        raise InputInvalidError(msg)
    carried = columns.scatter(values)[..., resources.fslr_to_fsaverage5()]
    carried[..., ~resources.cortex_mask("fsaverage5")] = np.nan
    provenance = {
        "Method": "nearest corresponding vertex; anatomical correspondence of template surfaces",
        "Accuracy": "median 2.1 mm, 90th percentile 4.4 mm from registered spheres (radius 100)",
        "Correspondence": "fsLR32k_to_fsaverage5.npz",
        "SHA256": resources.resource_hash("fsLR32k_to_fsaverage5.npz"),
        "CortexVerticesReached": int(
            np.isfinite(carried).reshape(-1, carried.shape[-1]).any(0).sum()
        ),
    }
    return carried, provenance
