"""Group maps of layer scores: mean, sign-flip test, effect size, best and centroid layer.

Scores of all participants are in a `ScoreStack` on disk; memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace, VolumeGrid, volume_units
from bidsapp.brain.maps import read_maps
from bidsapp.brain.neighbours import neighbour_pairs
from bidsapp.errors import InputInvalidError
from bidsapp.progress import track
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.base.stack import ScoreStack
from bidsapp.results.kinds import Maps
from bidsapp.results.read import Results
from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.metrics import best_layer, centroid_layer
from bidsapp.stats.signflip import Alternative, SignFlips
from bidsapp.stats.tfce import TfceTest, graph_from_pairs, tfce_test

Array = NDArray[np.floating[Any]]
_SLAB_BYTES = 32 << 20
_FLIP_BYTES = 256 * 16  # per unit: sums of the flips that are computed at once


@dataclass(frozen=True)
class GroupMapOptions:
    """How maps are averaged and tested over participants.

    Attributes
    ----------
    min_share
        Share of the participants that must have a value at a unit.
    n_flips, n_tfce_flips
        Sign flips of maps (0: no test), and of maps enhanced by TFCE.
    alternative
        ``greater`` or ``two-sided``.
    best_layer
        ``positive`` or ``everywhere``, see `choose_best`.
    tfce
        Whether clusters are enhanced and tested, too.
    """

    min_share: float
    n_flips: int
    alternative: Alternative
    best_layer: Literal["positive", "everywhere"] = "positive"
    tfce: bool = False
    n_tfce_flips: int = 0

    @classmethod
    def of(cls, settings: Any) -> GroupMapOptions:
        """Return the options that settings of a group level have under the same names."""
        names = [item.name for item in fields(cls) if hasattr(settings, item.name)]
        return cls(**{name: getattr(settings, name) for name in names})


@dataclass(frozen=True, eq=False)
class SignFlipMaps:
    """Test of every layer and unit against zero over participants; arrays (n_layers, n_units).

    Attributes
    ----------
    t, d
        One-sample t and Cohen's d of Fisher z.
    p_fwe, q
        P corrected by the largest t over all units and layers; false discovery rate over all
        units and layers.
    exact, n_flips, smallest_p
        Whether all sign patterns were used, how many, and the smallest p that can come out.
    """

    t: Array
    d: Array
    p_fwe: Array
    q: Array
    exact: bool
    n_flips: int
    smallest_p: float


@dataclass(frozen=True, eq=False)
class GroupMaps:
    """Group result of one network at one set of lags.

    Attributes
    ----------
    mean_r
        (n_layers, n_units) back-transformed mean of Fisher z; NaN where too few have a value.
    n
        (n_units,) participants with a value, in the layer that has most.
    best
        (n_units,) 1 to n_layers, 0 undefined.
    centroid
        (n_units,) NaN undefined.
    test
        None with fewer than two participants, and without flips.
    clusters
        Threshold-free cluster enhancement; None unless asked for.
    """

    mean_r: Array
    n: NDArray[np.int64]
    best: NDArray[np.integer[Any]]
    centroid: Array
    test: SignFlipMaps | None
    clusters: TfceTest | None = None

    def significant(self, level: float) -> NDArray[np.bool_]:
        """(n_units,) whether any layer passes family-wise over layers and units."""
        if self.test is None:
            return np.zeros(self.n.shape, bool)
        return np.asarray((self.test.p_fwe <= level).any(axis=0))


def cluster_test(
    stack: ScoreStack,
    units: UnitSpace,
    options: GroupMapOptions,
    *,
    seed: int,
    label: str,
    quiet: bool,
) -> TfceTest | None:
    """Test enhanced means over participants; None unless asked for and possible.

    Parameters
    ----------
    stack, options, seed, label, quiet
        As for `group_maps`; the flips are the first ones of the same sequence.
    units
        Of the maps.

    Returns
    -------
    TfceTest or None

    Raises
    ------
    InputInvalidError
        If the mesh of a surface is not at hand, so that nothing is known of neighbours.
    """
    n_layers, n_participants, n_units = stack.shape
    if not options.tfce or n_participants < 2:
        return None
    everywhere = slice(0, n_units)

    def loader(layer: int) -> Callable[[], Array]:
        return lambda: stack.slab(layer, everywhere)

    layers = track(map(loader, range(n_layers)), total=n_layers, label=label, quiet=quiet)
    return tfce_test(
        layers,
        graph_from_pairs(neighbour_pairs(units), n_units),
        n_permutations=options.n_tfce_flips,
        seed=seed,
        alternative=options.alternative,
        min_participants=needed(n_participants, options.min_share),
    )


def needed(n_participants: int, min_share: float) -> int:
    """Participants that must have a value at a unit."""
    return max(1, math.ceil(min_share * n_participants))


def group_maps(
    stack: ScoreStack,
    options: GroupMapOptions,
    *,
    competes: NDArray[np.bool_] | None = None,
    seed: int,
    label: str,
    quiet: bool,
) -> GroupMaps:
    """Average and test the scores of all participants.

    Parameters
    ----------
    stack
        Fisher z of every participant; NaN where missing.
    options
        Numbers of flips, shares.
    competes
        (n_layers,) layers that may be the best one; all by default.
    seed
        Names the random flips.
    label, quiet
        For the progress bar.

    Returns
    -------
    GroupMaps

    Notes
    -----
    Slabs of units with all participants are in memory, and the maximum of every flip; the same
    flips serve all layers and units.
    """
    n_layers, n_participants, n_units = stack.shape
    least = needed(n_participants, options.min_share)
    mean = np.full((n_layers, n_units), np.nan, np.float32)
    n = np.zeros(n_units, np.int64)
    p, d = (np.full((n_layers, n_units), np.nan, np.float32) for _ in range(2))
    t = np.full((n_layers, n_units), np.nan)  # compared with its own flips: no rounding
    flips = _flips(n_participants, least, options, seed)
    step = max(256, _SLAB_BYTES // (_FLIP_BYTES + 40 * n_participants))
    total = n_layers * -(-n_units // step)
    for layer, units in track(stack.slabs(step), total=total, label=label, quiet=quiet):
        z = stack.slab(layer, units)
        count = np.isfinite(z).sum(axis=0)
        n[units] = np.maximum(n[units], count)
        enough = count >= least
        mean[layer, units][enough] = np.nansum(z[:, enough], axis=0, dtype=float) / count[enough]
        if flips is not None:
            tests = flips.add(z)
            t[layer, units], p[layer, units] = tests.t, tests.p
            d[layer, units] = tests.t / np.sqrt(np.maximum(tests.n, 1))
    mean_r = np.tanh(mean)
    return GroupMaps(
        mean_r,
        n,
        choose_best(mean_r, options.best_layer, competes),
        centroid_layer(mean_r, competes=competes),
        None if flips is None else _tested(flips, t, p, d),
    )


def _flips(
    n_participants: int, least: int, options: GroupMapOptions, seed: int
) -> SignFlips | None:
    if n_participants < 2 or not options.n_flips:
        return None
    return SignFlips(
        n_participants,
        n_permutations=options.n_flips,
        seed=seed,
        alternative=options.alternative,
        min_participants=least,
    )


def _tested(flips: SignFlips, t: Array, p: Array, d: Array) -> SignFlipMaps:
    p_fwe = np.stack([flips.family_wise(row).astype(np.float32) for row in t])
    q = np.asarray(benjamini_hochberg(p), np.float32)
    return SignFlipMaps(t, d, p_fwe, q, flips.exact, len(flips.signs), flips.smallest_p)


def choose_best(
    r: Array, rule: str, competes: NDArray[np.bool_] | None = None
) -> NDArray[np.integer[Any]]:
    """Choose the best layer of each unit.

    Parameters
    ----------
    r
        (n_layers, n_units) scores.
    rule
        ``positive``: 0 where no score is positive; ``everywhere``: the largest score, whatever
        its sign, where all layers have one.
    competes
        (n_layers,) layers that may be chosen; all by default.

    Returns
    -------
    ndarray of int, shape (n_units,)
        1 to n_layers, 0 undefined.

    Source: poster, Methods (argmax at each vertex) for ``everywhere``.
    """
    if rule == "positive":
        return best_layer(r, competes=competes)
    numbers = np.arange(1, len(r) + 1)
    if competes is not None:
        numbers, r = numbers[competes], r[competes]
    known = np.isfinite(r).all(axis=0)
    return np.where(known, numbers[np.where(known, r, 0.0).argmax(axis=0)], 0)


def group_units(inputs: GroupInputs, result: Maps, network: str) -> UnitSpace:
    """Units of the group: those of surfaces, or the voxels that any participant has.

    Parameters
    ----------
    inputs
        Participants on the same mesh or grid.
    result, network
        Maps that all have.
    """
    first = inputs.participants[0]
    units = first.units(inputs.at)
    if isinstance(units.geometry, VolumeGrid):
        union = np.zeros(units.geometry.mask.shape, dtype=bool)
        for item in inputs.participants:
            paths = item.images(result, inputs.at, network)
            grid = read_maps(paths, space=inputs.space).units.geometry
            assert isinstance(grid, VolumeGrid)
            union |= grid.mask
        units = volume_units(union, units.geometry.affine, space=inputs.space)
    resolution, density = inputs.at.res or None, inputs.at.den or None
    return replace(units, space=inputs.space, resolution=resolution, density=density)


def participant_maps(
    participant: Results, inputs: GroupInputs, result: Maps, network: str, units: UnitSpace
) -> NDArray[np.float32]:
    """Read one participant's maps of all layers on the units of the group.

    Returns
    -------
    ndarray, shape (n_layers, n_units)
        NaN where the participant has no value.

    Raises
    ------
    InputInvalidError
        If the file holds another number of layers than the network has.
    """
    paths = participant.images(result, inputs.at, network)
    values = read_maps(paths, units).values
    n_layers = len(inputs.networks[network])
    if len(values) != n_layers:
        msg = f"{paths[0]} holds {len(values)} maps for {n_layers} layers; make it again"
        raise InputInvalidError(msg)
    return values
