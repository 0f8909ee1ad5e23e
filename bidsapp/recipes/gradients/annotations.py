"""Which known axes of the cortex the representational gradient follows: the annotation profile.

Layer maps and the map of preference are compared with a set of published maps (myelin, functional
gradients, receptors, evolutionary expansion, …) under the same rotations, and corrected over the
set by the largest size of the correlation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.neuromaps import (
    PREFIX,
    annotation_files,
    annotation_name,
    neuromaps_folder,
)
from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.errors import ResourceUnavailableError
from bidsapp.recipes.base.spins import LayerMap
from bidsapp.recipes.gradients.axes import AXES, KNOWN
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.recipes.gradients.spin_tables import tested
from bidsapp.results.cautions import Caution
from bidsapp.stats.spins.null import SpinNull
from bidsapp.stats.spins.p_values import spin_test


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
