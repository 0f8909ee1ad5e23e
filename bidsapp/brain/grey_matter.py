"""Which units the searchlights cover: grey matter where fMRIPrep has segmented it.

fMRIPrep writes the probability of grey matter on the grid of the anatomy
(``label-GM_probseg``); its mean within each voxel of the BOLD decides, on the same or a coarser
grid the value at the voxel's centre. The discrete segmentation (``dseg``) beside it is not used:
its labels stand for other tissues in older versions.

Surfaces are grey matter; grayordinates have been chosen already.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from bidsapp.brain.geometry import UnitSpace, VolumeGrid, voxel_coordinates
from bidsapp.brain.images import open_image
from bidsapp.errors import InputInvalidError

_MOST_STEPS = 8
_SAME = 1.05
"""Voxels of the anatomy per voxel of the BOLD up to which an axis counts as the same grid."""


def grey_matter(path: Path, units: UnitSpace, threshold: float) -> NDArray[np.bool_]:
    """Choose the voxels that are grey matter.

    Parameters
    ----------
    path
        Probability of grey matter in the same space, on any grid; where it is missing (NaN),
        nothing is known to be grey matter, and neighbours keep their own values.
    units
        Voxels.
    threshold
        Smallest mean probability within a voxel.

    Returns
    -------
    bool array, (n_units,)

    Raises
    ------
    InputInvalidError
        No voxel is grey matter.
    """
    assert isinstance(units.geometry, VolumeGrid)
    image = open_image(path)
    probability = np.nan_to_num(np.asarray(image.dataobj, dtype=np.float32))
    to_image = np.linalg.inv(image.affine) @ units.geometry.affine
    voxels = np.argwhere(units.geometry.mask)
    axes = [_steps(float(size)) for size in np.linalg.norm(to_image[:3, :3], axis=0)]
    steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    total = np.zeros(len(voxels))
    for step in steps:
        at = voxel_coordinates(voxels + step, to_image)
        total += map_coordinates(probability, at.T, order=1, mode="constant")
    mean = total / len(steps)
    if not (mean >= threshold).any():
        msg = (
            f"{path}: the probability of grey matter is at most {mean.max():.2g} within the brain "
            f"mask, and grey_matter is {threshold:g}; restore the file, lower grey_matter, or "
            "take the brain mask with 0"
        )
        raise InputInvalidError(msg)
    return np.asarray(mean >= threshold)


def _steps(size: float) -> NDArray[np.float64]:
    """Places within a voxel, in voxels from its centre, of samples along one axis.

    Parameters
    ----------
    size
        Voxels of the anatomy per voxel of the BOLD.
    """
    n = 1 if size <= _SAME else min(_MOST_STEPS, int(np.ceil(size)))
    return (np.arange(n) - (n - 1) / 2) / n
