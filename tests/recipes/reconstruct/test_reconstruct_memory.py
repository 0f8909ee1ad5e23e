"""Encoding models and decoding of the whole brain keep to the memory that they are given."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.clips import Clip
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.decode import Regions, decode_whole, make_judge
from bidsapp.recipes.reconstruct.encoding.fit import EncodedClips, encode_responses
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.folds import nested_folds

N_CLIPS, N_FOLDS, N_REGIONS, N_UNITS = 60, 3, 4, 16_000
SETTINGS = ReconstructSettings(n_exchanges=9, log10_alpha=(0.0, 2.0, 4.0), n_weights=20)
MUCH, LITTLE = 1 << 28, 8 << 20


@pytest.fixture(scope="module")
def responses() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((N_UNITS, N_CLIPS), np.float32)


def encode(responses: np.ndarray, memory_bytes: int) -> EncodedClips:
    """Two embeddings, one with more dimensions than clips, and genres."""
    rng = np.random.default_rng(4)
    embeddings = {name: rng.standard_normal((N_CLIPS, n)) for name, n in (("a", 70), ("b", 5))}
    genre = np.eye(4)[np.arange(N_CLIPS) % 4]
    names = tuple(Clip(f"c{k}", f"c{k}", 0.0) for k in range(N_CLIPS))
    clips = Clips(names, ("",) * N_CLIPS, ((),) * N_CLIPS, np.zeros(1), ())
    block = np.arange(N_CLIPS) % N_FOLDS
    rows = ClipRows(embeddings["a"][:, None], block, nested_folds(np.arange(N_FOLDS)))
    n_units = len(responses)
    label = np.arange(n_units) * N_REGIONS // n_units
    label[::7] = -1
    return encode_responses(
        responses,
        embeddings,
        genre,
        Regions(tuple("abcd"), label, 0),
        make_judge(rows, clips, SETTINGS, seed=5),
        SETTINGS,
        memory_bytes=memory_bytes,
    )


def test_parts_of_units_give_what_all_units_give(responses: np.ndarray) -> None:
    some = responses[:600]
    whole, parts = (encode(some, memory) for memory in (MUCH, 1 << 18))
    np.testing.assert_array_equal(parts.units, whole.units)
    np.testing.assert_allclose(parts.exchange.score, whole.exchange.score, atol=1e-5)
    np.testing.assert_allclose(parts.exchange.groups.null, whole.exchange.groups.null, atol=1e-6)
    assert (parts.exchange.p_fwe == whole.exchange.p_fwe).mean() > 0.99
    assert list(parts.variance) == list(whole.variance)
    for name, values in whole.variance.items():
        np.testing.assert_allclose(parts.variance[name], values, atol=1e-5)
    np.testing.assert_allclose(parts.log10_penalty, whole.log10_penalty)
    np.testing.assert_allclose(parts.components.weights, whole.components.weights, atol=1e-5)


def test_predictions_of_all_units_are_never_held(responses: np.ndarray) -> None:
    encode(responses[:200], LITTLE)  # compiles
    peaks = []
    for memory_bytes in (MUCH, LITTLE):
        tracemalloc.start()
        encode(responses, memory_bytes)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    of_units = 4 * N_UNITS * N_CLIPS
    assert peaks[0] > 6 * of_units  # predictions of four models, and copies
    assert peaks[1] < 1.5 * of_units + 1.5 * LITTLE  # responses once, and maps of scores


def test_responses_of_the_whole_brain_are_read_in_parts(responses: np.ndarray) -> None:
    rng = np.random.default_rng(6)
    block = np.arange(N_CLIPS) % N_FOLDS
    embedding = rng.standard_normal((N_CLIPS, 1, 3))
    embedding[..., 0] += responses[:4000].mean(axis=0)[:, None] * 60
    rows = ClipRows(embedding, block, nested_folds(np.arange(N_FOLDS)))
    regions = Regions(("a", "b"), np.arange(N_UNITS) // (N_UNITS // 2), 0)
    decoded, peaks = [], []
    for memory_bytes in (1 << 30, 1 << 20):
        tracemalloc.start()
        decoded += decode_whole(responses, regions, [rows], SETTINGS, memory_bytes, "cpu")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    np.testing.assert_allclose(decoded[1].predicted, decoded[0].predicted, atol=1e-9)
    assert peaks[1] < 3 << 20 < peaks[0]
