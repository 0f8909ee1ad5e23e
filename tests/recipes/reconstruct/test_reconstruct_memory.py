"""Encoding models and decoding keep to the memory they are given, and the estimate knows it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from bidsapp.config import Config
from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.clips import Clip
from bidsapp.recipes.base.cost import Cost
from bidsapp.recipes.reconstruct import cost
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.cost import estimate
from bidsapp.recipes.reconstruct.decode import (
    Regions,
    decode,
    decode_whole,
    in_memory,
    make_judge,
)
from bidsapp.recipes.reconstruct.encoding.fit import EncodedClips, encode_responses
from bidsapp.recipes.reconstruct.refits import predict_other_responses
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.windows import read_responses
from bidsapp.scratch import Scratch
from bidsapp.stats.folds import nested_folds
from tests.recipes.reconstruct.test_reconstruct_clips import NAMES, in_runs, inputs

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


def drawn(n_regions: int, n_units: int, n_dimensions: int) -> tuple[np.ndarray, Regions, ClipRows]:
    """Noise of regions, and an embedding in three folds."""
    rng = np.random.default_rng(7)
    responses = rng.standard_normal((n_regions * n_units, N_CLIPS), np.float32)
    names = tuple(f"r{k}" for k in range(n_regions))
    regions = Regions(names, np.repeat(np.arange(n_regions), n_units), 0)
    embedding = rng.standard_normal((N_CLIPS, 1, n_dimensions))
    folds = nested_folds(np.arange(N_FOLDS))
    return responses, regions, ClipRows(embedding, np.arange(N_CLIPS) % N_FOLDS, folds)


def test_predictions_of_all_regions_lie_on_disk(tmp_path: Path) -> None:
    responses, regions, rows = drawn(60, 12, 500)
    settings = replace(SETTINGS, whole_brain=False)
    room = Scratch(tmp_path / "scratch").room
    decoded, peaks = [], []
    for own in (in_memory, room):
        tracemalloc.start()
        decoded += decode(responses, regions, [rows], settings, memory_bytes=MUCH, room=own)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    of_regions = 8 * 60 * N_CLIPS * 500
    assert peaks[0] > of_regions > 2 * peaks[1]
    np.testing.assert_array_equal(decoded[1].regions, decoded[0].regions)
    np.testing.assert_array_equal(decoded[1].ensemble, decoded[0].ensemble)


def test_volumes_of_few_regions_are_read_at_a_time() -> None:
    """As response windows do: regions of all folds together would be all of the BOLD."""
    _, regions, rows = drawn(40, 300, 3)
    rng = np.random.default_rng(8)
    data = rng.standard_normal((400, 12_000)).astype(np.float32)
    weights = csr_array(np.kron(np.eye(N_CLIPS), np.full((1, 6), 1 / 6)))
    weights.resize((N_CLIPS, 400))
    chosen = np.zeros((N_FOLDS, 40), bool)
    chosen[np.arange(40) % N_FOLDS, np.arange(40)] = True
    tracemalloc.start()
    (predicted,) = predict_other_responses(
        [partial(read_responses, weights, data)], regions, [rows], [chosen], SETTINGS
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < data.nbytes / 2
    averaged = (weights @ data.astype(float)).T.astype(np.float32)
    (whole,) = predict_other_responses([averaged.__getitem__], regions, [rows], [chosen], SETTINGS)
    np.testing.assert_allclose(predicted[0], whole[0], atol=1e-12)


def test_the_estimate_counts_what_is_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cost, "count_units", lambda _: 1_200_000)
    heard = inputs(in_runs(NAMES))
    gib = 1 << 30

    def estimated(memory_gib: int, **changes: object) -> Cost:
        config = Config(
            bids_dir=tmp_path,
            output_dir=tmp_path,
            analysis_level=("participant",),
            mem=f"{memory_gib}G",
            omp_nthreads=1,
        )
        return estimate(heard, replace(ReconstructSettings(), **changes), config)

    assert estimated(1).memory_bytes == gib
    # predictions of regions are on disk: a hundred times as many cost no memory
    many, few = (estimated(64, n_parcels=n, encoding=False) for n in (3000, 300))
    assert many.memory_bytes <= few.memory_bytes < 3 * gib
    assert many.scratch_bytes > few.scratch_bytes
    # predictions of encoding models are held as far as --mem allows
    names = ("vggish", "baseline", "resnet1d")
    models = [estimated(gib_of, networks=names).memory_bytes for gib_of in (2, 64)]
    assert models[0] < models[1]
