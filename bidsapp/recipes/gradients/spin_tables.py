"""From nulls to the tables of spin tests: families of maps, hemispheres, the control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.recipes.base.spins import LayerMap, Spins
from bidsapp.recipes.gradients.alignment_tests import map_correlation
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.stats.spins.null import SpinNull
from bidsapp.stats.spins.p_values import SpinTest, some_maps, spin_test

HEMISPHERES = ("both", "L", "R")
FIXED, SWAPPED = "reference rotated", "map rotated"


def spin_rows(
    spins: Spins, network: str, settings: GradientsGroupSettings
) -> Iterator[dict[str, Any]]:
    """Yield the results of one network, and the correlations of its control.

    The family of ``p_max`` is the layer maps of the network (best and centroid), for each
    reference and hemisphere.
    """
    own = [index for index, item in enumerate(spins.maps) if item.network == network]
    for number, side in enumerate(HEMISPHERES):
        columns = [number * len(spins.maps) + index for index in own]
        yield from _rows(spins, some_maps(spins.null, columns), columns, side, FIXED, settings)
    controls = [item for item in spins.controls if item.network == network]
    if controls:
        yield from _control_rows(controls, spins.references, settings)
    if spins.swapped is not None:
        yield from _rows(spins, some_maps(spins.swapped, own), own, "both", SWAPPED, settings)


def _rows(
    spins: Spins,
    null: SpinNull,
    columns: Sequence[int],
    side: str,
    direction: str,
    settings: GradientsGroupSettings,
) -> Iterator[dict[str, Any]]:
    test = spin_test(null, overlap_floor=settings.overlap_floor)
    for place, column in enumerate(columns):
        item = spins.maps[column % len(spins.maps)]
        for k, reference in enumerate(spins.references):
            yield {
                "lags": item.lags,
                "map": item.kind,
                "reference": reference.name,
                "statistic": settings.spin_statistic,
                "hemisphere": side,
                "direction": direction,
                **tested(test, (0, k, place)),
                "n_units": int(spins.n_units[k, column]),
            }


def tested(test: SpinTest, at: tuple[int, int, int]) -> dict[str, Any]:
    """Return the columns of one correlation and its p, which is missing without rotations.

    Parameters
    ----------
    test
        Of all correlations.
    at
        Place of the statistic, of what was rotated, and of what stayed.
    """
    used = test.n_used[at] > 0
    p = {"p": test.p, "p_low": test.p_low, "p_high": test.p_high, "p_max": test.p_fwe}
    return {
        "r": test.r[at],
        **{name: values[at] if used else np.nan for name, values in p.items()},
        "n_rotations": int(test.n_used[at]),
        "overlap_min": test.overlap_min[at],
        "overlap_median": test.overlap_median[at],
    }


def _control_rows(
    controls: Sequence[LayerMap],
    references: Sequence[Reference],
    settings: GradientsGroupSettings,
) -> Iterator[dict[str, Any]]:
    """Correlations of maps of negative lags: what smooth music leaves, nothing to be tested."""
    values = np.stack([item.values for item in references])
    r = map_correlation(
        np.stack([item.values for item in controls]), values, settings.spin_statistic
    )
    for item, correlations in zip(controls, r, strict=True):
        for k, reference in enumerate(references):
            shared = np.isfinite(item.values) & np.isfinite(values[k])
            yield {
                "lags": item.lags,
                "map": item.kind,
                "reference": reference.name,
                "statistic": settings.spin_statistic,
                "hemisphere": "both",
                "direction": FIXED,
                "r": correlations[k],
                **dict.fromkeys(("p", "p_low", "p_high", "p_max"), np.nan),
                "n_rotations": 0,
                **dict.fromkeys(("overlap_min", "overlap_median"), np.nan),
                "n_units": int(shared.sum()),
            }


def null_rows(spins: Spins, network: str) -> Iterator[dict[str, Any]]:
    """Yield one row per rotation, one column per main test (both hemispheres)."""
    columns = [
        (f"{item.lags}_{item.kind}_{reference.name}", k, index)
        for index, item in enumerate(spins.maps)
        if item.network == network
        for k, reference in enumerate(spins.references)
    ]
    for rotation in range(spins.null.done):
        values = spins.null.correlations[rotation, 0]
        yield {
            "rotation": rotation + 1,
            **{name: values[k, index] for name, k, index in columns},
        }


def spin_facts(cortex: Cortex | None, spins: Spins | None) -> dict[str, Any] | None:
    """Return how layer maps were rotated, for the summary; None where they were not."""
    if cortex is None or spins is None:
        return None
    return {
        "mesh": cortex.mesh_name,
        "n_vertices": cortex.mesh.n_units,
        "cortex_mask_sha256": cortex.mask_hash,
        "n_cortex": int(cortex.mask.sum()),
        "way_to_the_surface": dict(cortex.provenance),
        "n_rotations": spins.null.done,
        "n_swapped_rotations": 0 if spins.swapped is None else spins.swapped.done,
        "rotations": "uniform on SO(3), keyed by seed and number; right hemisphere mirrored",
        "convention": "a vertex takes the value of the vertex nearest to its rotation",
        "digest": spins.null.digest,
    }
