"""Two groups of layers in one model: what is unique to each comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from bidsapp.encoding.bands import SHARES, BandScores, two_bands
from bidsapp.encoding.designs import DesignOptions, DesignStore
from bidsapp.encoding.encode import encode, make_scorer
from bidsapp.encoding.rows import FoldOptions, make_rows
from bidsapp.stats.signflip import sign_flip_test

ALPHAS = (0.0, 1.0, 2.0, 3.0, 4.0)
LAGS_S = (4.0, 5.0)


@pytest.fixture
def store(bank, runs, presentations, tmp_path: Path) -> DesignStore:
    durations_s = {item.stim_file: 60.0 for item in presentations}
    rows = make_rows(runs, presentations, durations_s, "positive", LAGS_S, FoldOptions())
    options = DesignOptions(n_components=6, log10_alpha=ALPHAS)
    return DesignStore(bank, rows.timeline, rows.blocks, rows.folds, LAGS_S, options, tmp_path)


@pytest.fixture
def responses(store: DesignStore, rng: np.random.Generator) -> np.ndarray:
    """Five units each: driven by layer 1, by layer 2, by both, by neither; (n_rows, 20)."""
    first, second = (store.design(layer, 0).x[:, :6] for layer in (0, 1))
    parts = [first @ rng.standard_normal((6, 5)), second @ rng.standard_normal((6, 5))]
    parts.append(first @ rng.standard_normal((6, 5)) + second @ rng.standard_normal((6, 5)))
    noisy = [x + 0.7 * x.std() * rng.standard_normal(x.shape) for x in parts]
    noise = rng.standard_normal((len(first), 5))
    return np.hstack([*noisy, noise]).astype(np.float32)


def scorer():
    return make_scorer("gram", "correlation", len(ALPHAS), "cpu", 64 << 20)


@pytest.fixture
def scores(store: DesignStore, responses: np.ndarray) -> BandScores:
    return two_bands([(store, 0)], [(store, 1)], responses, scorer())


def test_unique_contributions_are_where_they_were_planted(scores: BandScores) -> None:
    first, second = scores.unique_first, scores.unique_second
    assert (first[:5] > 0.3).all()
    assert (second[5:10] > 0.3).all()
    assert (first[10:15] > 0.1).all()
    assert (second[10:15] > 0.1).all()
    assert np.abs(second[:5]).max() < 0.1
    assert np.abs(first[5:10]).max() < 0.1
    assert abs(first[15:].mean()) < 0.1


def test_nothing_is_unique_over_participants_where_the_first_group_drives_nothing(
    store: DesignStore, rng: np.random.Generator
) -> None:
    """Family-wise p over units of 12 participants who hear the same, slow noise, 40 studies."""
    n_studies, n_participants, n_units = 40, 12, 6
    second = store.design(1, 0).x[:, :6]
    noise = rng.standard_normal((len(second), n_studies, n_participants, n_units))
    noise = lfilter([1.0], [1.0, -0.7], noise, axis=0)
    driven = np.einsum("nk,kru->nru", second, rng.standard_normal((6, n_studies, n_units)))
    for y in (noise, noise + 0.5 * driven[:, :, None] / driven.std() * noise.std()):
        targets = y.reshape(len(second), -1).astype(np.float32)
        scores = two_bands([(store, 0)], [(store, 1)], targets, scorer())
        unique = np.arctanh(scores.unique_first).reshape(n_studies, n_participants, n_units)
        p = [
            sign_flip_test(study, n_permutations=199, alternative="greater").p_fwe.min()
            for study in unique
        ]
        assert np.mean(np.array(p) <= 0.05) <= 0.15  # 6 of 40: p < .014 at a rate of .05
        assert unique.mean() < 0.005


def test_shares_follow_the_group_that_drives_a_unit(scores: BandScores) -> None:
    assert scores.share[:5].min() > 0.6
    assert scores.share[5:10].max() < 0.4
    assert ((scores.share >= 0) & (scores.share <= 1)).all()


def test_one_group_alone_is_its_own_encoding_model(
    store: DesignStore, responses: np.ndarray, scores: BandScores
) -> None:
    slab = [(slice(0, 20), responses)]
    alone = encode(store, slab, 20, scorer(), label="", quiet=True).r
    np.testing.assert_allclose(scores.first, alone[0], atol=1e-4)
    np.testing.assert_allclose(scores.second, alone[1], atol=1e-4)


def test_layers_of_a_group_count_the_same(store: DesignStore, responses: np.ndarray) -> None:
    both = two_bands([(store, 0), (store, 1)], [(store, 2)], responses, scorer())
    assert (both.unique_first[:15] > 0.2).all()
    assert both.share[:15].min() > 0.6


def test_units_without_data_are_missing(store: DesignStore, responses: np.ndarray) -> None:
    responses[:, 3] = np.nan
    scores = two_bands([(store, 0)], [(store, 1)], responses, scorer())
    missing = np.isnan(scores.joint).all(axis=0)
    assert np.flatnonzero(missing).tolist() == [3]
    assert np.isnan(scores.share[3])
    assert np.isfinite(np.delete(scores.unique_first, 3)).all()


def test_both_extremes_are_offered() -> None:
    assert SHARES[0] == 0.0
    assert SHARES[-1] == 1.0
