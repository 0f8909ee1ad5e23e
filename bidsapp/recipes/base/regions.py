"""Layer profiles of regions, how reliable their best layer is, and components over layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.atlas import Atlas
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.named_atlas import find_parcels, poster_parcels
from bidsapp.brain.parcels import parcel_means
from bidsapp.brain.rois import ROIS, find_rois
from bidsapp.brain.spin_surface import Cortex
from bidsapp.brain.surfaces import network_labels
from bidsapp.results.write import tidy
from bidsapp.stats.bootstrap import bootstrap_interval, jackknife_interval, resampled_means
from bidsapp.stats.group import GroupMean
from bidsapp.stats.layer_pca import LayerPca
from bidsapp.stats.metrics import best_layer, centroid_layer, fisher_z

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions that do not overlap.

    Attributes
    ----------
    on_surface
        Whether `labels` are of the surface's units, or of the data's.
    labels
        (n_units,) 0, 1, …; -1 for none.
    names, structures
        One per region; structure ``L``, ``R``, ``both`` or what the units belong to.
    files
        Names of the files of the atlas that they come from; none for those of the app.
    """

    on_surface: bool
    labels: NDArray[np.integer[Any]]
    names: tuple[str, ...]
    structures: tuple[str, ...]
    files: tuple[str, ...] = ()

    def means(self, values: Array) -> NDArray[np.float64]:
        """Mean of (n_layers, n_units) over the units of each region: (n_layers, n_regions)."""
        return parcel_means(values, self.labels, len(self.names)).astype(np.float64)


def regions(units: UnitSpace, cortex: Cortex | None, atlas: Path | None) -> tuple[Regions, ...]:
    """List the regions that profiles are made of.

    Parameters
    ----------
    units
        Of the data.
    cortex
        Surface for the whole cortex and seven networks; None for neither.
    atlas
        User's label image on the units of the data, or the name of an atlas. If None, the
        poster's four regions are taken from the atlas that names their parts, where it is on
        this machine (`bidsapp.brain.named_atlas.POSTER_ATLASES`).

    Returns
    -------
    tuple of Regions

    Raises
    ------
    InputMissingError, InputInvalidError, ResourceUnavailableError
        If the atlas is absent or does not fit.
    """
    found: list[Regions] = []
    if cortex is not None:
        found += _cortical(cortex)
    if atlas is None:
        poster = poster_parcels(units)
        found += () if poster is None else _four(poster, units)
    else:
        parcels = find_parcels(atlas, units)
        first = [int(np.argmax(parcels.labels == k)) for k in range(len(parcels.names))]
        structures = tuple(str(units.structure[unit]) for unit in first)
        found += _four(parcels, units)
        files = tuple(path.name for path in parcels.files)
        found.append(Regions(False, parcels.labels, parcels.names, structures, files))
    return tuple(found)


def _four(parcels: Atlas, units: UnitSpace) -> Iterator[Regions]:
    """STG, MTG, IFG and mPFC, if the atlas names their parts: both sides, then each alone."""
    found = find_rois(parcels.names)
    if found is None:
        return
    _, parts = found
    region = np.full(len(parcels.names) + 1, -1)
    for number, places in enumerate(parts.values()):
        region[places] = number
    labels = region[parcels.labels]
    files = tuple(path.name for path in parcels.files)
    yield Regions(False, labels, ROIS, ("both",) * len(ROIS), files)
    for side in "LR":
        if np.isin(units.structure, side).any():
            here = np.where(units.structure == side, labels, -1)
            yield Regions(False, here, ROIS, (side,) * len(ROIS), files)


def _cortical(cortex: Cortex) -> Iterator[Regions]:
    """Whole cortex and networks, both hemispheres together and each alone."""
    side = np.where(cortex.units.structure == "L", 0, 1)
    yield Regions(True, np.where(cortex.mask, 0, -1), ("Cortex",), ("both",))
    yield Regions(True, np.where(cortex.mask, side, -1), ("Cortex",) * 2, ("L", "R"))
    labels, names = network_labels(cortex.units, by_hemisphere=False)
    yield Regions(True, labels - 1, names, ("both",) * len(names))
    labels, sided = network_labels(cortex.units)
    sides, plain = zip(*(name.split(" ", 1) for name in sided), strict=True)
    yield Regions(True, labels - 1, plain, sides)


@dataclass(frozen=True, eq=False)
class Profiles:
    """Profiles of all regions at one set of lags.

    Attributes
    ----------
    names, structures
        One per region.
    r
        (n_participants, n_layers, n_regions) mean score; NaN where a participant has no unit.
    """

    names: tuple[str, ...]
    structures: tuple[str, ...]
    r: Array


def profile_rows(
    profiles: Profiles, counts: NDArray[np.float64], layers: Sequence[str], lags: str
) -> Iterator[dict[str, Any]]:
    """Yield mean and 95 % bootstrap interval (over participants) of each region and layer.

    Parameters
    ----------
    profiles
        Of all participants.
    counts
        Resamples, from `resample_counts`.
    layers, lags
        Names.
    """
    for k, (name, structure) in enumerate(zip(profiles.names, profiles.structures, strict=True)):
        group = GroupMean((len(layers),))
        for values in fisher_z(profiles.r[..., k]):
            group.add(values)
        low, high = bootstrap_interval(fisher_z(profiles.r[..., k]), counts)
        columns = {"mean_r": np.tanh(group.mean), "ci_low": np.tanh(low), "ci_high": np.tanh(high)}
        place = {"roi": name, "structure": structure, "lags": lags}
        yield from tidy({**place, **_numbers(layers), **columns, "n": group.n}, layer=layers)


def _numbers(layers: Sequence[str]) -> dict[str, range]:
    return {"layer_index": range(1, len(layers) + 1)}


def reliability_rows(
    profiles: Profiles,
    counts: NDArray[np.float64],
    layers: Sequence[str],
    lags: str,
    competes: NDArray[np.bool_],
) -> Iterator[dict[str, Any]]:
    """Yield how often each layer is the best one of a region when participants are redrawn.

    Parameters
    ----------
    profiles, counts, layers, lags
        As for `profile_rows`.
    competes
        (n_layers,) layers that may be the best one.

    Yields
    ------
    dict
        ``share`` of the resamples; shares of a region sum to less than 1 where some resamples
        have no positive layer. ``centroid_low, centroid_high``: 95 % jackknife interval
        within the layers. Shares are missing with fewer than two participants, intervals with
        fewer than five.
    """

    def centroid(mean_z: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        return centroid_layer(np.tanh(mean_z), competes=competes)

    single = len(profiles.r) < 2
    for k, (name, structure) in enumerate(zip(profiles.names, profiles.structures, strict=True)):
        z = fisher_z(profiles.r[..., k])
        drawn = np.tanh(resampled_means(z, counts)).T
        best = best_layer(drawn, competes=competes)
        interval = jackknife_interval(z, centroid)
        low, high = np.clip(interval, 1, len(layers))
        shares = [np.nan if single else (best == k).mean() for k in range(1, len(layers) + 1)]
        columns = {"share": shares, "centroid_low": low, "centroid_high": high}
        place = {"roi": name, "structure": structure, "lags": lags}
        yield from tidy({**place, **_numbers(layers), **columns}, layer=layers)


def pca_rows(pca: LayerPca, layers: Sequence[str], lags: str) -> Iterator[dict[str, Any]]:
    """Yield the loading of each layer on each component."""
    columns = {"loading": pca.loadings.T, "explained": np.asarray(pca.explained)[:, None]}
    components = range(1, pca.loadings.shape[1] + 1)
    values: dict[str, Any] = {"lags": lags, **_numbers(layers), **columns}
    yield from tidy(values, component=components, layer=layers)
