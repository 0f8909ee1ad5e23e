"""Published maps of the cortex: the annotation profile, and the second null of neuromaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp import resources
from bidsapp.bids.neuromaps import PREFIX, annotation_files, annotation_name, neuromaps_folder
from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.brain.surfaces import sphere
from bidsapp.brain.surrogates import SecondNull, surrogates
from bidsapp.errors import ResourceUnavailableError
from bidsapp.recipes.base.spins import LayerMap
from bidsapp.recipes.gradients.references import AXES, KNOWN
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.recipes.gradients.spin_tables import tested
from bidsapp.results.cautions import Caution
from bidsapp.stats.spins.null import SpinNull
from bidsapp.stats.spins.p_values import spin_test
from bidsapp.stats.spins.parcellated import surrogate_test


def find_annotations(
    cortex: Cortex | None, wishes: Sequence[str]
) -> tuple[tuple[Reference, ...], list[Caution]]:
    """Load the annotations of a profile.

    Parameters
    ----------
    cortex
        The surface that they are wanted on; None for no annotations.
    wishes
        Names of annotations, files, or `KNOWN`.

    Returns
    -------
    annotations : tuple of Reference
        Each once.
    doubts : list of Caution
        Says which of `AXES` are not at hand, if some are.

    Raises
    ------
    AppError
        An annotation that was named is not there or does not fit.
    """
    if cortex is None:
        return (), []
    names = [wish for wish in wishes if wish != KNOWN]
    absent: list[str] = []
    if KNOWN in wishes and neuromaps_folder().is_dir():
        for name in AXES:
            try:
                annotation_files(annotation_name(name))
            except ResourceUnavailableError:
                absent.append(name.removeprefix(PREFIX))
            else:
                names.append(name)
    annotations = cortex.references(list(dict.fromkeys(names)))
    if not annotations or not absent:
        return annotations, []
    text = (
        f"The profile has {len(annotations)} annotations; {len(absent)} more of the default set "
        f"are not on this machine: {', '.join(absent)}. `musicotopy-tools fetch neuromaps` "
        "brings them."
    )
    return annotations, [Caution("note", "Annotations that are not at hand", text)]


def profile_maps(
    cortex: Cortex, maps: Sequence[LayerMap], preference: NDArray[np.floating[Any]] | None
) -> list[LayerMap]:
    """Choose the maps that are compared with annotations.

    Parameters
    ----------
    cortex
        The surface.
    maps
        Layer maps of one network; those of positive lags are taken.
    preference
        (n_data_units,) preference for deeper layers, constant within parcels; None without.
    """
    chosen = [item for item in maps if item.lags == "positive"]
    if preference is not None:
        values = cortex.carry(np.asarray(preference, np.float32)[None])[0]
        chosen.append(LayerMap(chosen[0].network, "positive", "preference", values))
    return chosen


def annotation_rows(
    null: SpinNull,
    maps: Sequence[LayerMap],
    annotations: Sequence[Reference],
    settings: GradientsGroupSettings,
) -> Iterator[dict[str, Any]]:
    """Yield one row per map and annotation.

    Parameters
    ----------
    null
        Statistics × maps × annotations, from `bidsapp.recipes.base.spins.annotation_null`.
    maps, annotations
        What was compared.
    settings
        Least overlap, and level of significance.
    """
    test = spin_test(null, overlap_floor=settings.overlap_floor)
    for place, item in enumerate(maps):
        largest = np.nanmax(np.abs(null.correlations[: null.done, 0, place]), axis=1)
        bound = _critical(largest, settings.significance)
        for k, annotation in enumerate(annotations):
            yield {
                "map": item.kind,
                "annotation": annotation.name,
                **tested(test, (0, place, k)),
                "r_significant": bound,
                "n_units": int((np.isfinite(item.values) & np.isfinite(annotation.values)).sum()),
            }


def _critical(largest: Any, level: float) -> float:
    """Smallest size that a family-wise p at or below `level` takes; NaN if none can."""
    ordered = np.sort(largest[np.isfinite(largest)])[::-1]
    n_above = int(np.floor(level * (ordered.size + 1) + 1e-9)) - 1
    return float(ordered[n_above]) if 0 <= n_above < ordered.size else float("nan")


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
