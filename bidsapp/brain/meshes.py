"""Coordinates of cortical vertices, from what is at hand without a network.

1. Meshes the user gives (``midthickness.surf.gii`` of the participant or of a template).
2. fsaverage5: the mean of nilearn's white and pial surfaces (MNI305 millimetres); fsaverage3 and
   fsaverage4 are its first vertices, as each finer icosahedron begins with the coarser one.
3. fsLR-32k: the midthickness that comes with the app (`bidsapp.resources`).
4. fsLR and fsaverage of another density: that of a filled TemplateFlow folder
   (``TEMPLATEFLOW_HOME``).

Otherwise coordinates are NaN, and compact parcels are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import nibabel as nib
import numpy as np

from bidsapp import resources
from bidsapp.bids.headers import vertex_counts
from bidsapp.bids.names import space_entities
from bidsapp.bids.templateflow import template_files
from bidsapp.errors import InputInvalidError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bidsapp.bids.records import Run

#: vertices of fsaverage3, 4 and 5
_FSAVERAGE_SIZES: Final = frozenset({642, 2562, 10242})
_NILEARN: Final = "nilearn:fsaverage5"
_SHIPPED: Final = "resources:fsLR32k"


def find_meshes(space: str, sizes: tuple[int, int]) -> tuple[Path, Path] | str | None:
    """Look for surfaces of a template.

    Parameters
    ----------
    space
        ``fsaverage`` or ``fsLR``.
    sizes
        Vertices of the left and the right hemisphere.

    Returns
    -------
    (left, right) paths, the name of a shipped mesh, or None
        For `mesh_coordinates`.
    """
    present = {size for size in sizes if size}  # a CIFTI file may lack a hemisphere
    if space == "fsaverage" and present <= _FSAVERAGE_SIZES and len(present) == 1:
        return _NILEARN
    if space == "fsLR" and present == {resources.N_VERTICES["fsLR32k"]}:
        return _SHIPPED
    if space in ("fsLR", "fsaverage"):
        return _templateflow_meshes(space, sizes)
    return None


def no_mesh(n_vertices: int, side: str, space: str) -> InputInvalidError:
    """Return the error that says why vertices cannot be divided into compact parcels."""
    msg = (
        f"there is no mesh for {n_vertices} vertices of {side} in space {space}, so that they "
        "cannot be divided into compact parcels; give parcels with --atlas, or analyse "
        "--space fsaverage5 or fsLR"
    )
    return InputInvalidError(msg)


def refuse_unknown_mesh(run: Run) -> None:
    """Refuse a pair of hemispheres whose mesh is not at hand, by its headers.

    Parameters
    ----------
    run
        A run of any kind; volumes and grayordinates pass.

    Raises
    ------
    InputInvalidError
        There is no mesh for it.
    """
    if run.kind != "gifti":
        return
    left, right = vertex_counts(run.bold)
    space = space_entities(run.space, run.resolution, run.density).get("space", "")
    if find_meshes(space, (left, right)) is None:
        raise no_mesh(left, "L", run.space)


def _templateflow_meshes(template: str, sizes: tuple[int, int]) -> tuple[Path, Path] | None:
    """Midthickness surfaces in a filled TemplateFlow folder."""
    density = f"{round(sizes[0] / 1000)}k"
    entities = {"density": density, "suffix": "midthickness", "extension": ".surf.gii"}
    pair = [template_files(template, hemi=hemi, desc=None, **entities)[:1] for hemi in "LR"]
    return (pair[0][0], pair[1][0]) if all(pair) else None


def mesh_coordinates(
    sizes: tuple[int, int], meshes: tuple[Path, Path] | str | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertex coordinates of both hemispheres.

    Parameters
    ----------
    sizes
        Vertices of the left and the right hemisphere.
    meshes
        What `find_meshes` returned.

    Returns
    -------
    left, right : (n_vertices, 3) arrays
        Millimetres; NaN where there is no mesh.

    Raises
    ------
    InputInvalidError
        A given mesh has another number of vertices.
    """
    if meshes is None:
        left, right = (np.full((size, 3), np.nan) for size in sizes)
    elif meshes == _SHIPPED:
        (left, _), (right, _) = resources.fslr_midthickness()
    elif isinstance(meshes, str):
        whole = np.split(np.mean(fsaverage5_surfaces(), axis=0), 2)
        left, right = (side[:size] for side, size in zip(whole, sizes, strict=True))
    else:
        left, right = (
            read_coordinates(path, size) for path, size in zip(meshes, sizes, strict=True)
        )
    return left, right


def fsaverage5_surfaces() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pial and white surface of fsaverage5, as nilearn ships them.

    Returns
    -------
    pial, white : (20484, 3) arrays
        Left, then right vertices; MNI305 millimetres.
    """
    from nilearn.datasets import load_fsaverage

    surfaces = load_fsaverage("fsaverage5")
    pial, white = (
        np.concatenate(
            [surfaces[name].parts[side].coordinates for side in ("left", "right")],
            dtype=np.float64,
        )
        for name in ("pial", "white_matter")
    )
    return pial, white


def fsaverage5_spheres() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Registration spheres of fsaverage5, as nilearn ships them.

    Returns
    -------
    left, right : (10242, 3) arrays
        Radius 100.
    """
    from nilearn.datasets import load_fsaverage

    parts = load_fsaverage("fsaverage5")["sphere"].parts
    left, right = (parts[side].coordinates.astype(np.float64) for side in ("left", "right"))
    return left, right


def read_coordinates(path: Path, size: int) -> NDArray[np.float64]:
    """Coordinates of a surface file.

    Parameters
    ----------
    path
        ``.surf.gii``.
    size
        Vertices it should have.

    Returns
    -------
    (size, 3) array
        Millimetres.

    Raises
    ------
    InputInvalidError
        Another number of vertices.
    """
    coordinates = np.asarray(nib.load(path).agg_data("pointset"), dtype=np.float64)
    if coordinates.shape != (size, 3):
        msg = f"{path} has {coordinates.shape[0]} vertices, the data {size}; give the right mesh."
        raise InputInvalidError(msg)
    return coordinates
