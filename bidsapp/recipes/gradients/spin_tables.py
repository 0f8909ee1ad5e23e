"""Correlations of layer maps with reference maps and their tests, as rows: spins, participants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.recipes.base.spins import LayerMap, Spins
from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.results.write import tidy
from bidsapp.stats.bootstrap import bootstrap_interval, resample_counts
from bidsapp.stats.group import GroupMean, cohens_d
from bidsapp.stats.metrics import fisher_z, pearson
from bidsapp.stats.signflip import SignFlips
from bidsapp.stats.spins.null import SpinNull
from bidsapp.stats.spins.p_values import SpinTest, some_maps, spin_test

Array = NDArray[np.floating[Any]]
KINDS = ("best", "centroid")


def map_correlation(maps: Array, references: Array, statistic: str) -> NDArray[np.float64]:
    """Correlate maps with references where both are defined.

    Parameters
    ----------
    maps
        (n_maps, n_units); NaN where undefined.
    references
        (n_references, n_units); NaN outside cortex.
    statistic
        ``spearman`` (midranks among the units both have) or ``pearson``.

    Returns
    -------
    ndarray, shape (n_maps, n_references)
        NaN where a map is constant or has fewer than two units.
    """
    from scipy.stats import rankdata

    r = np.full((len(maps), len(references)), np.nan)
    for i, one in enumerate(maps):
        for k, other in enumerate(references):
            good = np.isfinite(one) & np.isfinite(other)
            pair = [one[good], other[good]]
            if statistic == "spearman":
                pair = [rankdata(values) for values in pair]
            r[i, k] = pearson(*pair)[0] if good.sum() > 1 else np.nan
    return r


def alignment_rows(
    r: Array, subjects: Sequence[str], lags: str, references: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield one row per participant, kind of map and reference.

    Parameters
    ----------
    r
        (n_participants, n_kinds, n_references) correlations.
    subjects
        Labels of the participants.
    lags
        Name of the set of lags.
    references
        Names of the references.
    """
    values: dict[str, Any] = {"lags": lags, "r": r, "z": fisher_z(r)}
    yield from tidy(values, participant=subjects, map=KINDS, reference=references)


def alignment_test_rows(
    r: dict[str, Array], references: Sequence[str], settings: GradientsGroupSettings, seed: int
) -> Iterator[dict[str, Any]]:
    """Test over participants whether the correlations differ from zero, positive lags only.

    Parameters
    ----------
    r
        Lags → (n_participants, n_kinds, n_references).
    references
        Names of the references.
    settings
        Number of flips.
    seed
        Names the flips.

    Yields
    ------
    dict
        ``p_max`` is corrected over kinds of map, for each reference. Negative lags, where music
        follows the volume, have a mean and its interval, and no test.
    """
    for lags, values in r.items():
        z, tested = fisher_z(values), lags == "positive"
        for k, reference in enumerate(references):
            rows = _tests(z[..., k], settings, seed, tested=tested)
            for row, kind in zip(rows, KINDS, strict=True):
                yield {"lags": lags, "map": kind, "reference": reference, **row}


def _tests(
    z: Array, settings: GradientsGroupSettings, seed: int, *, tested: bool
) -> Iterator[dict[str, Any]]:
    """Mean of each column of (n_participants, n_tests), and its two-sided sign-flip test."""
    group = GroupMean((z.shape[1],))
    for values in z:
        group.add(values)
    low, high = bootstrap_interval(z, resample_counts(len(z), settings.n_bootstrap, seed))
    unknown = np.full(z.shape[1], np.nan)
    t, p, p_max, d, d_low, d_high, n_flips, exact = *[unknown] * 6, 0, False
    if tested and len(z) > 1:
        effect = cohens_d(group)
        d, d_low, d_high = effect.d, effect.low, effect.high
        flips = SignFlips(len(z), n_permutations=settings.n_flips, seed=seed)
        tests = flips.add(z)
        t, p, p_max = tests.t, tests.p, flips.family_wise(tests.t)
        n_flips, exact = len(flips.signs), flips.exact
    for k in range(z.shape[1]):
        yield {
            "n": int(group.n[k]),
            "mean_z": group.mean[k],
            "z_low": low[k],
            "z_high": high[k],
            "t": t[k],
            "d": d[k],
            "d_low": d_low[k],
            "d_high": d_high[k],
            "p": p[k],
            "p_max": p_max[k],
            "n_flips": n_flips,
            "exact": exact,
        }


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
    controls: Sequence[LayerMap], references: Sequence[Reference], settings: GradientsGroupSettings
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
        yield {"rotation": rotation + 1, **{name: values[k, index] for name, k, index in columns}}


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
