"""What the group level of one space has found, before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.gradients.group.cortex import Cortex, Reference
from bidsapp.recipes.gradients.group.isc import ParcelIsc
from bidsapp.recipes.gradients.group.maps import GroupMaps
from bidsapp.recipes.gradients.group.profiles import Profiles
from bidsapp.recipes.gradients.group.spin import Spins

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Condition:
    """One network at one set of lags.

    Attributes
    ----------
    model, lags
        Which.
    layers
        Names.
    maps
        Group maps on the data's units.
    surface_r
        (n_layers, n_surface_units) the mean scores on the surface; None without one.
    surface_best, surface_centroid
        (n_surface_units,) best layer (0 undefined) and centroid of `surface_r`.
    profiles
        Of regions.
    correlations
        (n_participants, n_kinds, n_references) with the functional gradients; None without a
        surface.
    mean_r
        (n_participants,) score averaged over layers and units.
    """

    model: str
    lags: str
    layers: tuple[str, ...]
    maps: GroupMaps
    surface_r: Array | None
    surface_best: NDArray[np.integer[Any]] | None
    surface_centroid: Array | None
    profiles: Profiles
    correlations: Array | None
    mean_r: Array


@dataclass(frozen=True, eq=False)
class GroupResults:
    """Everything that is written for one space.

    Attributes
    ----------
    units
        Of the data.
    cortex, references
        Surface of the spin test and what rotates on it; None and empty without a surface.
    conditions
        Every network at every set of lags.
    spins
        Nulls of all layer maps; None without a surface.
    isc
        None when it cannot be computed.
    notes
        What has to be said: sentences.
    """

    units: UnitSpace
    cortex: Cortex | None
    references: tuple[Reference, ...]
    conditions: tuple[Condition, ...]
    spins: Spins | None
    isc: ParcelIsc | None
    notes: tuple[str, ...] = field(default=())

    @property
    def models(self) -> tuple[str, ...]:
        """Networks, in order."""
        return tuple(dict.fromkeys(item.model for item in self.conditions))

    def of(self, model: str) -> Mapping[str, Condition]:
        """Lags → condition of one network."""
        return {item.lags: item for item in self.conditions if item.model == model}
