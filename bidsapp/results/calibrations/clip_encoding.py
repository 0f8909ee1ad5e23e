"""Calibration of encoding models of clips: responses that know nothing of the embeddings.

Weights of bands and penalties are chosen in inner folds, as in the recipe. Units share noise, as
voxels do; the participants of a group share responses to the clips, which no embedding holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.banded import simplex_grid
from bidsapp.models.clip_encoding import encode_clips
from bidsapp.stats.clip_exchange import Exchange, averaged
from bidsapp.stats.encoding_exchange import EncodingExchange, exchange_scores
from bidsapp.stats.fdr import benjamini_hochberg
from bidsapp.stats.folds import nested_folds
from bidsapp.stats.identification import turn_within

_N_CLIPS, _N_BLOCKS, _N_DIMENSIONS, _N_UNITS, _N_PEOPLE = 36, 3, 6, 8, 3
_N_EXCHANGES = 99
_ALPHAS = (1.0, 10.0, 100.0, 1000.0)
_GRID = simplex_grid(2, 2)
_CONTRASTS = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, 0], [-1, 0, 1]])
_SUBSETS = ((0,), (1,), (0, 1))
_FIRST, _GAINS = 0, slice(3, 5)
_SHARED = 0.7
Floats = NDArray[np.float64]


def _noise(rng: np.random.Generator) -> Floats:
    """Noise that units share in part, (n_clips, n_units)."""
    own = rng.standard_normal((_N_CLIPS, _N_UNITS))
    common = rng.standard_normal((_N_CLIPS, 1))
    return np.asarray(_SHARED * common + np.sqrt(1 - _SHARED**2) * own)


def _bands(rng: np.random.Generator) -> tuple[Floats, Floats]:
    return (
        rng.standard_normal((_N_CLIPS, _N_DIMENSIONS)),
        rng.standard_normal((_N_CLIPS, _N_DIMENSIONS)),
    )


def _encoded(bands: tuple[Floats, Floats], responses: Floats, seed: int) -> EncodingExchange:
    """Fit both embeddings and both together, and exchange held-out clips."""
    block = np.arange(_N_CLIPS) % _N_BLOCKS
    fitted = encode_clips(
        bands, responses, block, nested_folds(np.arange(_N_BLOCKS)), _ALPHAS, _GRID
    )
    orders = turn_within(_N_EXCHANGES, block, seed)
    groups = np.array_split(np.arange(responses.shape[1]), 2)
    return exchange_scores(
        lambda units: [fitted.predicted[subset][:, units] for subset in _SUBSETS],
        responses,
        block,
        orders,
        _CONTRASTS,
        groups,
    )


def _of_noise(rng: np.random.Generator) -> EncodingExchange:
    return _encoded(_bands(rng), _noise(rng), int(rng.integers(1 << 31)))


def encoding_exchange(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of one region of noise."""
    return np.array([float(_of_noise(rng).groups.p[_FIRST, 0]) for _ in range(n_sets)])


def encoding_exchange_fwe(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p over units of noise, (n_sets,)."""
    return np.array([float(_of_noise(rng).p_fwe[_FIRST].min()) for _ in range(n_sets)])


def encoding_exchange_fdr(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest q over units of noise, (n_sets,)."""
    return np.array(
        [float(benjamini_hochberg(_of_noise(rng).p[_FIRST]).min()) for _ in range(n_sets)]
    )


def _equal(rng: np.random.Generator) -> EncodingExchange:
    """Responses that two embeddings explain alike."""
    bands = _bands(rng)
    weights = rng.standard_normal((_N_DIMENSIONS, _N_UNITS)) / np.sqrt(_N_DIMENSIONS)
    responses = bands[0] @ weights + bands[1] @ weights + _noise(rng)
    return _encoded(bands, responses, int(rng.integers(1 << 31)))


def encoding_exchange_gain(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the difference, in a region, of embeddings that explain it alike."""
    return np.array([float(_equal(rng).groups.p[_GAINS, 0][0]) for _ in range(n_sets)])


def encoding_exchange_gain_fwe(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p (n_sets,) of what a second embedding of noise adds to the first."""
    smallest = []
    for _ in range(n_sets):
        bands = _bands(rng)
        weights = rng.standard_normal((_N_DIMENSIONS, _N_UNITS)) / np.sqrt(_N_DIMENSIONS)
        responses = bands[0] @ weights + _noise(rng)
        result = _encoded(bands, responses, int(rng.integers(1 << 31)))
        smallest.append(float(result.p_fwe[_GAINS][1].min()))
    return np.array(smallest)


def _people(rng: np.random.Generator) -> Exchange:
    """Mean over participants who share responses to the clips."""
    bands, seed, shared = _bands(rng), int(rng.integers(1 << 31)), _noise(rng)
    return averaged([_encoded(bands, shared + _noise(rng), seed).groups for _ in range(_N_PEOPLE)])


def encoding_exchange_alike(rng: np.random.Generator, n_sets: int) -> Floats:
    """p-values (n_sets,) of the mean over participants in one region."""
    return np.array([float(_people(rng).p[_FIRST, 0]) for _ in range(n_sets)])


def encoding_exchange_alike_fwe(rng: np.random.Generator, n_sets: int) -> Floats:
    """Smallest family-wise p over regions of the mean over participants, (n_sets,)."""
    return np.array([float(_people(rng).part(_FIRST).p_family.min()) for _ in range(n_sets)])
