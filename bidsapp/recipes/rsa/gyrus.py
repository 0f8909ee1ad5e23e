"""Layers in both hemispheres, and along the superior temporal gyrus.

Both look at each participant's own layers where participants agree (lower noise ceiling above
zero): that says nothing about which layer, so no difference is built in by the choice of units.

The superior temporal gyrus is a slab in MNI coordinates (RAS, mm): 40 <= |x| <= 72,
-48 <= y <= 16, and z within 10 mm of the line that falls from 16 at y = -38 by two thirds of a
millimetre per millimetre. Planum temporale (-54, -32, 12), Heschl's gyrus (-46, -20, 8) and planum
polare (-44, -4, -8) lie in it; the middle temporal gyrus and the parietal operculum do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.rsa.search import mean_known
from bidsapp.recipes.rsa.settings import GroupSettings
from bidsapp.stats.metrics import best_layer, centroid_layer
from bidsapp.stats.rsa.axis import AxisProfile, axis_position, axis_profile
from bidsapp.stats.rsa.layers import Asymmetry, hemisphere_asymmetry, layer_distribution

_MNI_LIKE = ("MNI", "fsaverage", "fsLR")
_FEWEST_UNITS = 10
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Side:
    """The layers of a hemisphere.

    Attributes
    ----------
    name
        ``L``, ``R``, or ``both`` where hemispheres cannot be told.
    n_best
        (n_layers,) units of the group's map of best layers.
    shares
        (n_participants, n_layers) of the units of participants' own maps; NaN without any.
    """

    name: str
    n_best: NDArray[np.int64]
    shares: Floats


@dataclass(frozen=True, eq=False)
class Axis:
    """Layers of a hemisphere along the superior temporal gyrus.

    Attributes
    ----------
    name
        ``L`` or ``R``.
    position, n_units
        (n_bins,) from 0 (posterior) to 1, and units in each bin.
    centroid
        (n_bins,) mean over participants of their centroid layers.
    rho
        (n_layers, n_bins) mean score.
    profile
        Intervals and tests over participants; None with one participant.
    """

    name: str
    position: Floats
    n_units: NDArray[np.int64]
    centroid: Floats
    rho: Floats
    profile: AxisProfile | None


@dataclass(frozen=True, eq=False)
class Shape:
    """Where the layers of one network are.

    Attributes
    ----------
    sides
        Hemispheres.
    asymmetry
        Left minus right; None with one participant or without hemispheres.
    axes
        Superior temporal gyri that have units.
    """

    sides: tuple[Side, ...]
    asymmetry: Asymmetry | None
    axes: tuple[Axis, ...]


def find_shape(
    rho: NDArray[np.float32],
    best: NDArray[np.int64],
    where: Mask,
    competes: Mask,
    units: UnitSpace,
    settings: GroupSettings,
    seed: int,
) -> Shape:
    """Describe where layers are.

    Parameters
    ----------
    rho
        (n_participants, n_layers, n_units) scores.
    best
        (n_units,) best layers of the group.
    where
        (n_units,) units of participants that are looked at.
    competes
        (n_layers,) layers that may be the best one.
    units
        Their places.
    settings
        Bins and resamples.
    seed
        Names the resamples.
    """
    own_best = np.stack([best_layer(one, mask=where, competes=competes) for one in rho]).astype(
        np.int64
    )
    own_centroid = np.stack(
        [centroid_layer(one, mask=where, competes=competes) for one in rho]
    ).astype(np.float64)
    n_people, n_layers = rho.shape[:2]
    masks = hemispheres(units)
    sides = tuple(
        Side(name, layer_distribution(best, n_layers, mask), _shares(own_best, n_layers, mask))
        for name, mask in masks.items()
    )
    asymmetry = None
    if n_people > 1 and {"L", "R"} <= set(masks):
        asymmetry = hemisphere_asymmetry(
            own_centroid, own_best, masks["L"] & where, masks["R"] & where, n_layers
        )
    axes = []
    gyrus = superior_temporal(units)
    for name, mask in masks.items():
        inside = mask & gyrus
        if name != "both" and inside.sum() >= _FEWEST_UNITS:
            axes.append(_axis(name, rho, own_centroid, inside, units, settings, seed))
    return Shape(sides, asymmetry, tuple(axes))


def hemispheres(units: UnitSpace) -> Mapping[str, Mask]:
    """Units of each hemisphere, or of ``both`` where they cannot be told."""
    found = {side: np.asarray(units.structure == side) for side in "LR"}
    found = {side: mask for side, mask in found.items() if mask.any()}
    return found or {"both": np.ones(units.n_units, dtype=np.bool_)}


def superior_temporal(units: UnitSpace) -> Mask:
    """Units of the superior temporal gyrus; none in spaces without MNI-like coordinates.

    Parameters
    ----------
    units
        fsaverage's coordinates are those of MNI305, a few millimetres off.

    Returns
    -------
    bool array, (n_units,)
    """
    if not units.space.startswith(_MNI_LIKE):
        return np.zeros(units.n_units, dtype=np.bool_)
    x, y, z = units.coordinates_mm().T
    line = 16 - (y + 38) * 2 / 3
    beside = (np.abs(x) >= 40) & (np.abs(x) <= 72) & (y >= -48) & (y <= 16)
    cortex = np.isin(units.structure, ("L", "R"))
    return np.asarray(beside & (np.abs(z - line) <= 10) & cortex)


def _shares(best: NDArray[np.int64], n_layers: int, mask: Mask) -> Floats:
    counts = layer_distribution(best, n_layers, mask).astype(np.float64)
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.nan)


def _axis(
    name: str,
    rho: NDArray[np.float32],
    centroid: Floats,
    inside: Mask,
    units: UnitSpace,
    settings: GroupSettings,
    seed: int,
) -> Axis:
    position = axis_position(units.coordinates_mm()[inside])
    n_bins = settings.axis_bins
    mean = mean_known(rho[:, :, inside].astype(np.float64))
    centres, n_units, binned = _bins(mean, position, n_bins)
    profile = None
    if len(rho) > 1:
        profile = axis_profile(
            centroid[:, inside],
            position,
            n_bins=n_bins,
            n_resamples=max(settings.n_bootstrap, 1),
            seed=seed,
        )
    along = profile.mean if profile else _bins(centroid[:, inside], position, n_bins)[2][0]
    return Axis(name, centres, n_units, along, binned, profile)


def _bins(
    values: Floats, position: Floats, n_bins: int
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Centres of the bins, units in them, and means (n, n_bins) of what is known."""
    bins = np.minimum((position * n_bins).astype(np.int64), n_bins - 1)
    member = (bins[:, None] == np.arange(n_bins)).astype(np.float64)
    known = np.isfinite(values)
    n = known @ member
    total = np.where(known, values, 0) @ member
    means = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return (np.arange(n_bins) + 0.5) / n_bins, member.sum(axis=0).astype(np.int64), means
