"""Calibration of common displacement: listeners who share responses that no model knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidsapp.results.calibrations.encoding import LENGTHS, MadeDesigns, score_with_null, smooth
from bidsapp.stats.displacement import displacement_test
from bidsapp.stats.metrics import fisher_z
from bidsapp.stats.preference import gradient_claims

_N_PARTICIPANTS, _N_LAYERS, _N_PARCELS, _N_COMPONENTS = 4, 3, 12, 4
_SHARED, _N_COPIES = 0.4, 19
_LOG10_ALPHA = (2.0, 3.0)
Floats = NDArray[np.float64]


def group_scores(rng: np.random.Generator, amplitude: float = 0.0) -> tuple[Floats, Floats]:
    """Mean Fisher z of a group that shares an unknown response, and of displaced music.

    Parameters
    ----------
    rng
        Of features and responses.
    amplitude
        Of one profile over layers whose amplitude grows over parcels.

    Returns
    -------
    observed : (n_layers, n_parcels)
    copies : (m, n_layers, n_parcels)
    """
    layers = [smooth(rng, LENGTHS, _N_COMPONENTS, ar) for ar in np.linspace(0.6, 0.9, _N_LAYERS)]
    store = MadeDesigns(layers, LENGTHS, _LOG10_ALPHA)
    shared = smooth(rng, LENGTHS, _N_PARCELS, 0.9)
    shared = np.sqrt(_SHARED) * shared / shared.std(axis=0)
    if amplitude:
        course = layers[0] @ rng.standard_normal((_N_COMPONENTS, 1))
        shared += amplitude * course / course.std() * np.linspace(0.2, 1.0, _N_PARCELS)
    own = [smooth(rng, LENGTHS, _N_PARCELS, 0.6) for _ in range(_N_PARTICIPANTS)]
    y = np.hstack([shared + np.sqrt(1 - _SHARED) * noise / noise.std(axis=0) for noise in own])
    observed, null = score_with_null(store, y, int(rng.integers(1 << 31)), _N_COPIES)
    r = np.concatenate([observed.mean_r[None], null])
    z = fisher_z(r).reshape(len(r), _N_LAYERS, _N_PARTICIPANTS, _N_PARCELS).mean(axis=2)
    return z[0], z[1:]


def rating_scores(
    rng: np.random.Generator, n_raters: int = 3, n_copies: int = _N_COPIES, shared: float = 0.6
) -> tuple[Floats, Floats]:
    """Mean Fisher z of ratings that raters share and no model knows, and of displaced music.

    Parameters
    ----------
    rng
        Of features and ratings.
    n_raters, n_copies
        Raters and displacements.
    shared
        Share of variance that all raters have in common.

    Returns
    -------
    observed : (n_layers, n_raters)
    copies : (m, n_layers, n_raters)
    """
    layers = [smooth(rng, LENGTHS, _N_COMPONENTS, ar) for ar in np.linspace(0.6, 0.9, _N_LAYERS)]
    store = MadeDesigns(layers, LENGTHS, _LOG10_ALPHA)
    common, own = smooth(rng, LENGTHS, 1, 0.9), smooth(rng, LENGTHS, n_raters, 0.9)
    y = np.sqrt(shared) * common / common.std() + np.sqrt(1 - shared) * own / own.std(axis=0)
    observed, null = score_with_null(store, y, int(rng.integers(1 << 31)), n_copies)
    return np.asarray(fisher_z(observed.mean_r), np.float64), np.asarray(
        fisher_z(null), np.float64
    )


def ratings(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p-values (n_sets,) over layers of ratings that raters share."""
    scores = (rating_scores(rng) for _ in range(n_sets))
    tests = (displacement_test(z.mean(axis=1), null.mean(axis=2)) for z, null in scores)
    return np.array([np.nanmin(test.p_fwe) for test in tests])


def displacement(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p-values (n_sets,) of groups that share unknown responses."""
    tests = (displacement_test(*group_scores(rng)) for _ in range(n_sets))
    return np.array([np.nanmin(test.p_fwe) for test in tests])


def preference(rng: np.random.Generator, n_sets: int) -> Floats:
    """Return p-values (n_sets,) of preference where one profile grows along the reference."""
    gradient = np.linspace(-1.0, 1.0, _N_PARCELS)
    claims = (gradient_claims(*group_scores(rng, 0.5), gradient) for _ in range(n_sets))
    return np.array([claim.preference.p for claim in claims])
