"""A second opinion on the spin test: neuromaps' nulls on parcels of layer maps and references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp import resources
from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.brain.surfaces import sphere
from bidsapp.brain.surrogates import SecondNull, surrogates
from bidsapp.recipes.base.spins import LayerMap
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.stats.spins.parcellated import surrogate_test


def second_null_rows(
    cortex: Cortex,
    maps: Sequence[LayerMap],
    references: Sequence[Reference],
    settings: GradientsGroupSettings,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Yield one row per layer map of one network and reference.

    Parameters
    ----------
    cortex
        The surface.
    maps
        Layer maps of one network, the family of ``p_max``.
    references
        Of which surrogates are drawn.
    settings
        Which null, how many draws, which statistic.
    seed
        Names the draws.

    Yields
    ------
    dict
        A row of the table. Parcels take part where all maps and references have a value.
    """
    if settings.second_null == "none" or not references:
        return
    method: SecondNull = settings.second_null
    labels = resources.schaefer400(cortex.mesh_name)
    fixed = cortex.on_sphere(np.stack([item.values for item in maps]))
    rotating = np.stack([item.whole for item in references])
    values = _parcel_means(np.vstack([fixed, rotating]), labels)
    complete = np.isfinite(values).all(axis=0)
    kept = np.flatnonzero(complete) + 1
    numbers = np.searchsorted(kept, labels) + 1
    numbered = np.where(np.isin(labels, kept), numbers, 0)
    values = values[:, complete]
    own, others = values[: len(maps)], values[len(maps) :]
    drawn = surrogates(
        others,
        np.split(numbered, 2),
        sphere(cortex.units),
        method,
        n_draws=settings.n_second_null,
        seed=seed,
    )
    test = surrogate_test(others, drawn, own, statistic=settings.spin_statistic)
    for k, reference in enumerate(references):
        for place, item in enumerate(maps):
            yield {
                "lags": item.lags,
                "map": item.kind,
                "reference": reference.name,
                "null": method,
                "statistic": settings.spin_statistic,
                "r": test.r[k, place],
                "p": test.p[k, place],
                "p_max": test.p_fwe[k, place],
                "n_draws": len(drawn),
                "n_parcels": int(complete.sum()),
            }


def _parcel_means(
    maps: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Means (n_maps, n_parcels) over the vertices of parcels 1, 2, …; NaN without a value."""
    n_parcels = int(labels.max())
    means = np.full((len(maps), n_parcels), np.nan)
    for row, values in zip(means, maps, strict=True):
        good = np.isfinite(values) & (labels > 0)
        count = np.bincount(labels[good], minlength=n_parcels + 1)[1:]
        total = np.bincount(labels[good], weights=values[good], minlength=n_parcels + 1)[1:]
        np.divide(total, count, out=row, where=count > 0)
    return means
