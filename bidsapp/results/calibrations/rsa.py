"""Calibration of representational similarity analysis: brains that know nothing of the layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import cosine_rdm
from bidsapp.models.searchlight import clip_null
from bidsapp.stats.rsa.acoustics import acoustic_regression, standardised
from bidsapp.stats.rsa.clip_permutation import clip_permutations
from bidsapp.stats.rsa.inference import ClipTest, clip_test, faithful_test
from bidsapp.stats.rsa.pairs import pair_mask

_N_CLIPS, _PER_CLIP, _N_UNITS, _N_MEMBERS = 7, 3, 24, 8
_N_LAYERS, _N_PEOPLE, _N_PERMUTATIONS = 3, 3, 99
_CLIP = np.repeat(np.arange(_N_CLIPS), _PER_CLIP)
_LIGHTS = Neighbourhoods.from_lists(
    [(np.arange(_N_MEMBERS) + start) % _N_UNITS for start in range(0, _N_UNITS, 3)],
    np.arange(0, _N_UNITS, 3),
    np.ones(_N_UNITS // 3),
)
_N_ACOUSTIC_CLIPS, _N_VOXELS, _N_CHANNELS, _LOUD = 9, 24, 12, 0.7
_ACOUSTIC_CLIP = np.repeat(np.arange(_N_ACOUSTIC_CLIPS), 4)
_SPHERE = Neighbourhoods.from_lists([np.arange(_N_VOXELS)], np.array([0]), np.ones(1))
Floats = NDArray[np.float64]


def _test(rng: np.random.Generator) -> ClipTest:
    """Test participants who share drift and patterns of clips that no layer knows of."""
    n_items = _CLIP.size
    shared = rng.standard_normal((_N_CLIPS, _N_UNITS))[_CLIP]
    drift = np.linspace(-1, 1, n_items)[:, None] * rng.standard_normal(_N_UNITS)
    data = [
        (shared + drift + rng.standard_normal((n_items, _N_UNITS))).astype(np.float32)
        for _ in range(_N_PEOPLE)
    ]
    course = rng.standard_normal((_N_LAYERS, _N_CLIPS, 4))[:, _CLIP]
    course = course + 0.3 * rng.standard_normal((_N_LAYERS, n_items, 4))
    first, second = np.triu_indices(n_items, 1)
    models = np.linalg.norm(course[:, first] - course[:, second], axis=-1)
    permutations = clip_permutations(_N_CLIPS, _N_PERMUTATIONS, int(rng.integers(1 << 31)))
    null = clip_null(data, _LIGHTS, models, _CLIP, permutations, pairs=pair_mask(_CLIP))
    return clip_test(null.observed, null.exceed_count, null.maximum)


def clip_permutation(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p over searchlights and layers, (n_sets,)."""
    return np.array([np.nanmin(_test(rng).p_fwe) for _ in range(n_sets)])


def clip_permutation_fdr(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest q over searchlights and layers, (n_sets,): without effects all are false."""
    return np.array([np.nanmin(_test(rng).q) for _ in range(n_sets)])


def clip_permutation_beyond(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p over layers, (n_sets,): brains and layers that follow loudness."""
    p = np.empty(n_sets)
    for number in range(n_sets):
        loudness = _courses(rng, 1)
        regression = acoustic_regression({"loudness": loudness}, _N_ACOUSTIC_CLIPS)
        data = []
        for _ in range(_N_PEOPLE):
            weights = rng.standard_normal((1, _N_VOXELS))
            responses = _LOUD * loudness * weights + _courses(rng, _N_VOXELS)
            data.append(regression.removed_from(responses.astype(np.float32)))
        models = []
        for _ in range(_N_LAYERS):
            own, weights = _courses(rng, _N_CHANNELS), rng.standard_normal((1, _N_CHANNELS))
            models.append(cosine_rdm(standardised(own + 0.5 * loudness * weights)))
        seed = int(rng.integers(1 << 31))
        permutations = clip_permutations(_N_ACOUSTIC_CLIPS, _N_PERMUTATIONS, seed)
        null = clip_null(
            data,
            _SPHERE,
            np.array(models),
            _ACOUSTIC_CLIP,
            permutations,
            pairs=pair_mask(_ACOUSTIC_CLIP),
            nuisance=regression.hat_rdm[None],
        )
        test = clip_test(null.observed, null.exceed_count, null.maximum)
        p[number] = np.nanmin(test.p_fwe)
    return p


def _courses(rng: np.random.Generator, n_columns: int) -> Floats:
    """Slow columns, clip by clip, (n_items, n_columns)."""
    course = rng.standard_normal((_N_ACOUSTIC_CLIPS, n_columns))[_ACOUSTIC_CLIP]
    return course + 0.7 * rng.standard_normal((_ACOUSTIC_CLIP.size, n_columns))


def maximum_t(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the paper's test of the maximum over ten layers of noise."""
    scores = 0.05 * rng.standard_normal((8, 10, n_sets))
    return faithful_test(scores).p
