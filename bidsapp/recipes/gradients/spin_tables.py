"""From nulls to the tables of spin tests: families of maps, differences, hemispheres."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.recipes.base.spins import LayerMap, Spins
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.stats.spins.null import SpinNull
from bidsapp.stats.spins.p_values import SpinTest, paired_difference, some_maps, spin_test

HEMISPHERES = ("both", "L", "R")
FIXED, SWAPPED = "reference rotated", "map rotated"


def spin_rows(
    spins: Spins, network: str, settings: GradientsGroupSettings
) -> Iterator[dict[str, Any]]:
    """Yield the results of one network, and the paired differences positive - negative.

    The family of ``p_max`` is the layer maps of the network (both sets of lags, best and
    centroid), for each reference and hemisphere; for differences, both of them.
    """
    mine = [index for index, item in enumerate(spins.maps) if item.network == network]
    pairs = _pairs(spins.maps, mine)
    for number, side in enumerate(HEMISPHERES):
        here = [number * len(spins.maps) + index for index in mine]
        yield from _rows(spins, some_maps(spins.null, here), here, side, FIXED, settings)
        if pairs:
            yield from _difference_rows(spins, pairs, number, settings)
    if spins.swapped is not None:
        yield from _rows(spins, some_maps(spins.swapped, mine), mine, "both", SWAPPED, settings)


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
        yield from _of_map(
            test,
            place,
            spins.references,
            {
                "lags": item.lags,
                "map": item.kind,
                "statistic": settings.spin_statistic,
                "hemisphere": side,
                "direction": direction,
            },
            spins.n_units[:, column],
        )


def _difference_rows(
    spins: Spins,
    pairs: Sequence[tuple[int, int]],
    number: int,
    settings: GradientsGroupSettings,
) -> Iterator[dict[str, Any]]:
    shift = number * len(spins.maps)
    first = [shift + one for one, _ in pairs]
    second = [shift + other for _, other in pairs]
    differences = paired_difference(spins.null, first, second)
    test = spin_test(differences, overlap_floor=settings.overlap_floor)
    for place, (one, other) in enumerate(pairs):
        yield from _of_map(
            test,
            place,
            spins.references,
            {
                "lags": "positive-negative",
                "map": spins.maps[one].kind,
                "statistic": settings.spin_statistic,
                "hemisphere": HEMISPHERES[number],
                "direction": FIXED,
            },
            np.minimum(spins.n_units[:, shift + one], spins.n_units[:, shift + other]),
        )


def _of_map(
    test: SpinTest,
    place: int,
    references: Sequence[Reference],
    about: dict[str, str],
    n_units: NDArray[np.int64],
) -> Iterator[dict[str, Any]]:
    for k, reference in enumerate(references):
        found = tested(test, (0, k, place))
        yield {**about, "reference": reference.name, **found, "n_units": int(n_units[k])}


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


def _pairs(maps: Sequence[LayerMap], mine: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers of the positive and the negative map of each kind."""
    place = {(maps[index].lags, maps[index].kind): index for index in mine}
    return [
        (place["positive", kind], place["negative", kind])
        for kind in ("best", "centroid")
        if ("positive", kind) in place and ("negative", kind) in place
    ]
