"""Which vertex of fsLR-32k corresponds to each vertex of fsaverage5.

The spheres of the two templates are not registered to each other. Two ways are open: the table
that comes with the app (anatomical, see ``resources/README.md``), and the sphere of fsLR-32k in
register with fsaverage, taken when a TemplateFlow folder holds it. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import KDTree

from bidsapp import resources
from bidsapp.bids.templateflow import template_files
from bidsapp.brain.meshes import fsaverage5_spheres, read_coordinates

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIZE = resources.N_VERTICES["fsLR32k"]


def fslr_to_fsaverage5() -> tuple[NDArray[np.int64], dict[str, str]]:
    """Correspondence of the two meshes.

    Returns
    -------
    indices : (20484,) array
        Into both hemispheres of fsLR-32k: ``on_fsaverage5 = on_fslr[indices]``.
    provenance : dict
        How it was made, for sidecars.

    Raises
    ------
    InputInvalidError
        A sphere in the TemplateFlow folder has another number of vertices.
    """
    paths = _registered_spheres()
    if paths is None:
        return resources.fslr_to_fsaverage5(), {
            "Correspondence": "anatomical, nearest vertex; table fsLR32k_to_fsaverage5.npz",
            "Accuracy": "median 2.1 mm, 90th percentile 4.4 mm on a sphere of radius 100 mm",
            "SHA256": resources.resource_hash("fsLR32k_to_fsaverage5.npz"),
        }
    sides = zip(paths, fsaverage5_spheres(), strict=True)
    nearest = [KDTree(read_coordinates(path, _SIZE)).query(sphere)[1] for path, sphere in sides]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths))
    return np.concatenate([nearest[0], nearest[1] + _SIZE]), {
        "Correspondence": f"nearest vertex on registered spheres; {paths[0].name} and its pair",
        "Accuracy": "within the spacing of vertices",
        "SHA256": digest.hexdigest(),
    }


def carry(
    values: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.floating[Any]], dict[str, str]]:
    """Carry values of whole hemispheres from fsLR-32k to fsaverage5.

    Parameters
    ----------
    values
        (..., 64984); nothing is interpolated, so labels stay labels.

    Returns
    -------
    values : (..., 20484) array
        NaN outside cortex.
    provenance : dict
        As of `fslr_to_fsaverage5`.
    """
    indices, provenance = fslr_to_fsaverage5()
    carried = values[..., indices]
    carried[..., ~resources.cortex_mask("fsaverage5")] = np.nan
    return carried, provenance


def fsaverage5_to_fslr() -> tuple[NDArray[np.int64], dict[str, str]]:
    """Vertex of fsaverage5 for each vertex of fsLR-32k: the way back, for labels.

    Returns
    -------
    indices : (64984,) array
        Into both hemispheres of fsaverage5: ``on_fslr = on_fsaverage5[indices]``. The nearest
        vertex of fsaverage5 on registered spheres; without them, the one whose corresponding
        vertex (`fslr_to_fsaverage5`) is nearest on the sphere of fsLR.
    provenance : dict
        As of `fslr_to_fsaverage5`.

    Raises
    ------
    InputInvalidError
        A sphere in the TemplateFlow folder has another number of vertices.
    """
    forward, provenance = fslr_to_fsaverage5()
    n = resources.N_VERTICES["fsaverage5"]
    paths = _registered_spheres()
    if paths is None:
        own = resources.fslr_spheres()
        places = (forward[:n], forward[n:] - _SIZE)
        targets = [points[place] for points, place in zip(own, places, strict=True)]
    else:
        own = (read_coordinates(paths[0], _SIZE), read_coordinates(paths[1], _SIZE))
        targets = list(fsaverage5_spheres())
    left, right = (
        KDTree(target).query(points)[1] for target, points in zip(targets, own, strict=True)
    )
    return np.concatenate([left, right + n]), provenance


def _registered_spheres() -> tuple[Path, Path] | None:
    entities = {"space": "fsaverage", "density": "32k", "suffix": "sphere"}
    pair = [template_files("fsLR", hemi=side, **entities)[:1] for side in "LR"]
    return (pair[0][0], pair[1][0]) if all(pair) else None
