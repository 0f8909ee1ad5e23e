"""Which units the searchlights cover: grey matter where fMRIPrep has segmented it.

fMRIPrep writes the probability of grey matter on the grid of the anatomy
(``label-GM_probseg``); its mean within each voxel of the BOLD decides. The discrete segmentation
(``dseg``) beside it is not used: its labels stand for other tissues in older versions.

Surfaces are grey matter; grayordinates have been chosen already.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from bidsapp.brain.geometry import UnitSpace, VolumeGrid, voxel_coordinates
from bidsapp.brain.images import open_image

_STEPS = (-1 / 3, 0.0, 1 / 3)


def grey_matter(path: Path, units: UnitSpace, threshold: float) -> NDArray[np.bool_]:
    """Choose the voxels that are grey matter.

    Parameters
    ----------
    path
        Probability of grey matter in the same space, on any grid.
    units
        Voxels.
    threshold
        Smallest mean probability within a voxel.

    Returns
    -------
    bool array, (n_units,)
    """
    assert isinstance(units.geometry, VolumeGrid)
    image = open_image(path)
    probability = np.asarray(image.dataobj, dtype=np.float32)
    to_image = np.linalg.inv(image.affine) @ units.geometry.affine
    voxels = np.argwhere(units.geometry.mask)
    total = np.zeros(len(voxels))
    for step in np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), axis=-1).reshape(-1, 3):
        at = voxel_coordinates(voxels + step, to_image)
        total += map_coordinates(probability, at.T, order=1, mode="constant")
    return np.asarray(total / len(_STEPS) ** 3 >= threshold)
