"""The units that participants share, and each participant's scores on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace, VolumeGrid, volume_units
from bidsapp.brain.maps import read_maps
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.gradients.group.inputs import GroupInputs
from bidsapp.recipes.group_inputs import ParticipantResult


def group_units(inputs: GroupInputs) -> UnitSpace:
    """Units of the group: those of surfaces, or the voxels that any participant has.

    Parameters
    ----------
    inputs
        Checked by `check_same_units`.

    Returns
    -------
    UnitSpace
    """
    model = next(iter(inputs.models))
    paths = [inputs.scores(item, model, "positive") for item in inputs.participants]
    units = read_maps(paths[0], space=inputs.space).units
    if isinstance(units.geometry, VolumeGrid):
        units = volume_units(
            _union(paths, inputs.space), units.geometry.affine, space=inputs.space
        )
    return dataclasses.replace(
        units, resolution=inputs.entities.get("res"), density=inputs.entities.get("den")
    )


def _union(paths: Sequence[tuple[Path, ...]], space: str) -> NDArray[np.bool_]:
    """Voxels that are finite in any participant."""
    union: NDArray[np.bool_] | None = None
    for files in paths:
        grid = read_maps(files, space=space).units.geometry
        assert isinstance(grid, VolumeGrid)
        union = grid.mask if union is None else union | grid.mask
    assert union is not None
    return union


def read_scores(
    inputs: GroupInputs,
    participant: ParticipantResult,
    model: str,
    lags: str,
    units: UnitSpace,
) -> NDArray[np.float32]:
    """Read one participant's layer scores.

    Returns
    -------
    ndarray, shape (n_layers, n_units)
        Correlations; NaN where the participant has no value.

    Raises
    ------
    InputInvalidError
        If the file holds another number of layers than its sidecar says.
    """
    paths = inputs.scores(participant, model, lags)
    values = read_maps(paths, units).values
    expected = len(inputs.models[model])
    if len(values) != expected:
        msg = f"{paths[0]} holds {len(values)} maps for {expected} layers; make it again"
        raise InputInvalidError(msg)
    return values
