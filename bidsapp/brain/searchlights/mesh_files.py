"""Vertices and triangles of the two cortical meshes that units lie on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np

from bidsapp import resources
from bidsapp.brain.meshes import find_meshes, mesh_coordinates
from bidsapp.errors import InputInvalidError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bidsapp.brain.geometry import UnitSpace

    Mesh = tuple[NDArray[np.float64], NDArray[np.int64]]


def cortical_meshes(units: UnitSpace, sizes: tuple[int, int]) -> tuple[Mesh, Mesh]:
    """Midthickness of both hemispheres.

    Parameters
    ----------
    units
        Whose space and given meshes are looked at.
    sizes
        Vertices of the left and the right hemisphere; 0 for one that is absent.

    Returns
    -------
    left, right
        Points (n_vertices, 3) in mm, triangles (n_triangles, 3) of vertex numbers.

    Raises
    ------
    InputInvalidError
        There is no mesh of this space and size, or a file has no triangles.
    """
    meshes = units.meshes or find_meshes(units.entities.get("space", ""), sizes)
    if meshes is None:
        msg = (
            f"Discs need a mesh of {sizes[0]} + {sizes[1]} vertices in space "
            f"{units.space or 'unknown'}, and none is at hand; give midthickness surfaces, or "
            "use fsaverage5 or fsLR-32k."
        )
        raise InputInvalidError(msg)
    points = mesh_coordinates(sizes, meshes)
    if not isinstance(meshes, str):
        faces = [_read_triangles(path) for path in meshes]
    elif resources.N_VERTICES["fsaverage5"] in sizes:
        faces = _fsaverage5_triangles()
    else:
        faces = [side[1] for side in resources.fslr_midthickness()]
    return (points[0], faces[0]), (points[1], faces[1])


def _read_triangles(path: Path) -> NDArray[np.int64]:
    triangles = nib.load(path).agg_data("triangle")
    if np.ndim(triangles) != 2 or np.shape(triangles)[1] != 3:
        msg = f"{path} has points but no triangles; give a surface, not a point set."
        raise InputInvalidError(msg)
    return np.asarray(triangles, dtype=np.int64)


def _fsaverage5_triangles() -> list[NDArray[np.int64]]:
    from nilearn.datasets import load_fsaverage

    parts = load_fsaverage("fsaverage5")["white_matter"].parts
    return [np.asarray(parts[side].faces, dtype=np.int64) for side in ("left", "right")]
