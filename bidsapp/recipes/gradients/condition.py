"""One network at one set of lags: what the group level computes of it, and its maps as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.spin_surface import Cortex
from bidsapp.recipes.base.group_maps import GroupMaps
from bidsapp.recipes.base.regions import Profiles
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients import results
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.results.write import Output
from bidsapp.stats.layer_pca import LayerPca, layer_pca
from bidsapp.stats.tfce import EXTENT, HEIGHT

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Condition:
    """One network at one set of lags.

    Attributes
    ----------
    network, lags
        Which.
    layers
        Names.
    maps
        Group maps on the data's units.
    surface_r
        (n_layers, n_surface_units) mean scores on the surface; None without one.
    surface_best, surface_centroid
        (n_surface_units,) best layer (0 undefined) and centroid of `surface_r`.
    profiles
        Of regions.
    correlations
        (n_participants, n_kinds, n_references) of participants' layer maps with the references;
        None without a surface.
    mean_r
        (n_participants,) score averaged over layers and units.
    """

    network: str
    lags: str
    layers: tuple[str, ...]
    maps: GroupMaps
    surface_r: Array | None
    surface_best: NDArray[np.integer[Any]] | None
    surface_centroid: Array | None
    profiles: Profiles
    correlations: Array | None
    mean_r: Array

    @property
    def is_tested(self) -> bool:
        """Whether music precedes the volumes; the control has scores and no p-values."""
        return self.lags == "positive"


def write_maps(out: Output, item: Condition, settings: GradientsGroupSettings) -> None:
    """Write the group maps of one network at one set of lags."""
    lags, maps = item.lags, item.maps
    layered: dict[str, Any] = {"network": item.network, "names": item.layers}
    share = f"NaN where less than {settings.min_share:.0%} of the participants have a value."
    out.write(declared.MEAN.of(lags), maps.mean_r, note=share, **layered)
    coverage = float(np.isfinite(maps.centroid).mean())
    out.write(results.CENTROID.of(lags), maps.centroid, network=item.network, Coverage=coverage)
    rule = "0 where none is positive." if settings.best_layer == "positive" else "At every unit."
    best = maps.best.astype(np.int64)
    out.write(results.BEST_LAYER.of(lags), best, note=f"Of mean scores. {rule}", **layered)
    test = maps.test
    if test is None:
        return
    fields: dict[str, Any] = {
        "NumberOfSignFlips": test.n_flips,
        "AllSignFlips": test.exact,
        "SmallestP": test.smallest_p,
        "Alternative": settings.alternative,
    }
    for result, values in (
        (declared.T, test.t),
        (declared.D, test.d),
        (declared.P_FWE, test.p_fwe),
        (declared.Q, test.q),
    ):
        out.write(result.of(lags), values, **layered, **fields)
    if maps.clusters is not None:
        fields |= {
            "NumberOfSignFlips": maps.clusters.n_flips,
            "AllSignFlips": maps.clusters.exact,
            "Extent": EXTENT,
            "Height": HEIGHT,
        }
        out.write(declared.P_TFCE.of(lags), maps.clusters.p, **layered, **fields)
    level = f"p <= {settings.significance:g}."
    passed = maps.significant(settings.significance)
    out.write(declared.CONSISTENT, passed, network=item.network, note=level)


def write_projected(
    out: Output, item: Condition, cortex: Cortex, projected_from: str, entities: Mapping[str, str]
) -> None:
    """Write what volumes look like on the surface on which they were spun.

    Parameters
    ----------
    out, item
        Writer of the condition's maps, and the condition.
    cortex
        The surface.
    projected_from, entities
        Space of the volumes, and what names it.
    """
    fields: dict[str, Any] = {
        "Projection": dict(cortex.provenance),
        "ProjectedFrom": projected_from,
    }
    write = partial(out.on(cortex.units, **fields).write, network=item.network, entities=entities)
    assert item.surface_r is not None
    assert item.surface_centroid is not None
    assert item.surface_best is not None
    write(declared.PROJECTED.of(item.lags), item.surface_r, names=item.layers)
    write(declared.CENTROID_PROJECTED.of(item.lags), item.surface_centroid)
    best = item.surface_best.astype(np.int64)
    write(declared.BEST_PROJECTED.of(item.lags), best, names=item.layers)


def write_components(out: Output, item: Condition, n_pcs: int) -> LayerPca | None:
    """Decompose mean scores over layers and write the topographies; None without units."""
    complete = int(np.isfinite(item.maps.mean_r).all(axis=0).sum())
    n = min(n_pcs, len(item.layers), complete)
    if n < 1:
        return None
    pca = layer_pca(item.maps.mean_r, n)
    names = [f"pc{number + 1}" for number in range(len(pca.topographies))]
    out.write(
        declared.PC.of(item.lags),
        pca.topographies,
        network=item.network,
        names=names,
        ExplainedVariance=list(pca.explained),
    )
    return pca
