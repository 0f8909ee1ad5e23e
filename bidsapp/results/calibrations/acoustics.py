"""Calibration of what layers add to acoustics: responses that follow acoustics alone, or more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.run_filter import RunFilter
from bidsapp.results.calibrations.encoding import (
    LENGTHS,
    N_SHIFTS,
    MadeDesigns,
    score_with_null,
    smooth,
)
from bidsapp.stats.displacement import displacement_test
from bidsapp.stats.metrics import fisher_z

LOG10_ALPHA = (0.0, 1.0, 2.0, 3.0, 4.0)
_N_ACOUSTICS, _N_OWN, _N_LAYERS, _N_PARCELS = 6, 8, 3, 6
_LAGS = (1, 2, 3)
Floats = NDArray[np.float64]


def _unit(x: Floats) -> Floats:
    """Columns with mean 0 and variance 1."""
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


def _lagged(x: Floats, lags: tuple[int, ...]) -> Floats:
    """Columns of all lags, each piece for itself; the first rows repeat the first one."""
    starts = np.cumsum((0, *LENGTHS))
    parts = []
    for start, end in pairwise(starts):
        at = [np.clip(np.arange(start, end) - lag, start, None) for lag in lags]
        parts.append(np.hstack([x[rows] for rows in at]))
    return np.vstack(parts)


def made(rng: np.random.Generator, world: str) -> tuple[Floats, list[Floats], Floats]:
    """Lagged acoustics, lagged layers, responses (n_rows, n_parcels)."""
    acoustics = _unit(smooth(rng, LENGTHS, _N_ACOUSTICS))
    own = [_unit(smooth(rng, LENGTHS, _N_OWN)) for _ in range(_N_LAYERS)]
    mixing = [rng.standard_normal((_N_ACOUSTICS, _N_OWN)) for _ in own]
    layers = [_unit(x) + _unit(acoustics @ m) for x, m in zip(own, mixing, strict=True)]
    noise = _unit(smooth(rng, LENGTHS, _N_PARCELS, 0.7))
    weights = rng.standard_normal((_N_ACOUSTICS, _N_PARCELS))
    y = noise
    if world == "acoustics":
        y = noise + _unit(_lagged(acoustics, (2,)) @ weights)
    if world == "acoustics, later":
        y = noise + _unit(_lagged(acoustics, (5,)) @ weights)
    if world == "acoustics and layer 2":
        private = _lagged(own[1], (2,)) @ rng.standard_normal((_N_OWN, _N_PARCELS))
        y = noise + _unit(_lagged(acoustics, (2,)) @ weights) + 0.7 * _unit(private)
    return _lagged(acoustics, _LAGS), [_lagged(x, _LAGS) for x in layers], y


def projected(acoustics: Floats, layers: list[Floats], y: Floats, seed: int, n: int) -> Floats:
    """Scores (1 + n, n_layers, n_parcels) after acoustics are projected out."""
    empty = [np.empty((length, 0)) for length in LENGTHS]
    store = MadeDesigns(layers, LENGTHS, LOG10_ALPHA, empty)
    run_filter = store.run_filter
    assert isinstance(run_filter, RunFilter)
    store.refilter(run_filter.beyond(acoustics))
    observed, null = score_with_null(store, y, seed, n)
    return np.concatenate([observed.mean_r[None], null])


def beyond_acoustics(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p-values (n_sets,) of layers where responses follow acoustics alone."""
    p = []
    for _ in range(n_sets):
        study, seed = made(rng, "acoustics"), int(rng.integers(1 << 31))
        z = fisher_z(projected(*study, seed, N_SHIFTS))
        p.append(np.nanmin(displacement_test(z[0], z[1:]).p_fwe))
    return np.array(p)
