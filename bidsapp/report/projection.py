"""Bring maps of any supported space to the inflated surface of fsaverage5.

==========================  ===================================================================
fsaverage5                  as it is
fsaverage6, fsaverage       its first 10,242 vertices, which are those of fsaverage5
fsLR-32k                    the corresponding vertex (`bidsapp.resources`), not interpolated
volume in MNI space         voxels between the white and the pial surface (`figures.volume`)
==========================  ===================================================================

Everything else is not drawn on a cortex.
"""

from __future__ import annotations

import numpy as np

from bidsapp.report.brain.template import SIDES as _SIDES
from bidsapp.report.brain.template import anatomy, cortex
from bidsapp.report.figures.volume import Volume, at_cortex
from bidsapp.report.maps import Array
from bidsapp.report.results import Space, SpaceResults
from bidsapp.resources import N_VERTICES, fslr_to_fsaverage5

_SIZE = N_VERTICES["fsaverage5"]
__all__ = ["anatomy", "cortex", "how_projected", "to_cortex"]


def to_cortex(space: SpaceResults, values: Array, *, ordinal: bool) -> dict[str, Array] | None:
    """Bring (n_units,) values to the vertices of fsaverage5.

    Parameters
    ----------
    space
        Where the units lie.
    values
        Scores or labels; NaN where undefined.
    ordinal
        Labels: never averaged.

    Returns
    -------
    dict or None
        Hemisphere → (10242,); None where the space cannot be drawn.
    """
    grid = space.grid
    if grid is None:
        return None
    if grid.is_surface:
        return _from_surface(space.space, grid.hemispheres(values))
    box = grid.volume(values)
    if box is None or grid.affine is None or not space.space.is_mni:
        return None
    volume, target = Volume(box, grid.affine), cortex()
    return {
        side: at_cortex(volume, target.white[side], target.pial[side], ordinal=ordinal)
        for side in _SIDES
    }


def _from_surface(space: Space, values: dict[str, Array]) -> dict[str, Array] | None:
    sizes = {len(hemisphere) for hemisphere in values.values()}
    if set(values) != set(_SIDES) or len(sizes) != 1:
        return None
    size = sizes.pop()
    if space.space == "fsaverage" and size >= _SIZE:
        return {side: hemisphere[:_SIZE] for side, hemisphere in values.items()}
    if space.space == "fsLR" and size == N_VERTICES["fsLR32k"]:
        carried = np.concatenate([values["L"], values["R"]])[fslr_to_fsaverage5()]
        return {"L": carried[:_SIZE], "R": carried[_SIZE:]}
    return None


def how_projected(space: SpaceResults) -> str:
    """Say how the maps of a space came to fsaverage5."""
    if space.grid is not None and not space.grid.is_surface:
        return (
            "Voxels between the white and the pial surface of fsaverage5 (taken as MNI) were "
            "averaged, for the best layer the most frequent one taken; use the volumes for exact "
            "places."
        )
    if space.space.space == "fsLR":
        return (
            "Shown at the vertices of fsaverage5 that correspond to those of fsLR (about 2 mm "
            "off); use the CIFTI files for exact places."
        )
    return "Inflated surface of fsaverage5."
