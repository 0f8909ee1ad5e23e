"""Decoders of one session in another, with planted topographies; classes of training clips."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.reconstruct.classes import nearest_training
from bidsapp.recipes.reconstruct.decode import Decoded, Regions, make_judge
from bidsapp.recipes.reconstruct.sessions import between
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.stats.clip_exchange import Exchange
from bidsapp.stats.folds import nested_folds
from tests.recipes.reconstruct.test_encoding import clips

N_CLIPS, N_FOLDS, N_UNITS, N_DIMENSIONS = 120, 4, 20, 6
SETTINGS = ReconstructSettings(n_exchanges=99, log10_alpha=(0.0, 1.0, 2.0, 3.0))
REGIONS = Regions(("a",), np.zeros(N_UNITS, np.int64), 0)
Array = NDArray[np.float64]


def rows_of(rng: np.random.Generator) -> ClipRows:
    embedding = rng.standard_normal((N_CLIPS, 1, N_DIMENSIONS))
    block = np.arange(N_CLIPS) % N_FOLDS
    return ClipRows(embedding, block, nested_folds(np.arange(N_FOLDS)))


def identified(
    *, same: bool, signal: float, heard: NDArray[np.bool_] | None = None, seed: int = 3
) -> Exchange:
    """Identification in the second of two sessions by decoders of the first."""
    rng = np.random.default_rng(seed)
    rows = rows_of(rng)
    weights = [rng.standard_normal((N_DIMENSIONS, N_UNITS)) for _ in range(2)]
    weights[1] = weights[0] if same else weights[1]
    responses = [
        (signal * rows.embedding[:, 0] @ own + rng.standard_normal((N_CLIPS, N_UNITS))).T
        for own in weights
    ]
    everywhere = np.ones(N_CLIPS, np.bool_)
    chosen = np.ones((N_FOLDS, 1), np.bool_)
    nothing = np.empty(0)
    decoded = Decoded(nothing, chosen, nothing, None, nothing, (0.0, 0.0), 0)
    exchange, n_clips = between(
        (lambda units: responses[0][units], lambda units: responses[1][units]),
        (everywhere, everywhere if heard is None else heard),
        REGIONS,
        rows,
        decoded,
        SETTINGS,
        seed=1,
    )
    assert n_clips == (N_CLIPS if heard is None else heard.sum())
    return exchange


def test_decoders_generalise_where_sessions_share_a_topography() -> None:
    exchange = identified(same=True, signal=1.0)
    assert float(exchange.observed) > 0.9
    assert float(exchange.p) == 1 / 100


def test_they_do_not_without_signal_nor_with_other_topographies() -> None:
    exchange = identified(same=True, signal=0.0)
    low, high = np.percentile(exchange.null, (0.5, 99.5))
    assert low <= float(exchange.observed) <= high
    others = [float(identified(same=False, signal=1.0, seed=k).observed) for k in range(12)]
    assert np.mean(others) == pytest.approx(0.5, abs=0.08)


def test_clips_that_were_not_heard_in_the_session_are_no_candidates() -> None:
    heard = np.arange(N_CLIPS) % 3 == 0
    assert float(identified(same=True, signal=1.0, heard=heard).observed) > 0.8


@pytest.mark.parametrize("standardise", [True, False])
def test_the_nearest_training_clip_is_never_held_out(*, standardise: bool) -> None:
    rng = np.random.default_rng(4)
    rows = rows_of(rng)
    twin = np.arange(N_CLIPS) ^ 1  # of another fold
    embedding = rows.embedding[np.minimum(np.arange(N_CLIPS), twin)]
    rows = ClipRows(embedding, rows.block, rows.folds)
    settings = ReconstructSettings(n_exchanges=0, standardise=standardise)
    judge = make_judge(rows, clips(), settings, seed=0)
    space = SimpleNamespace(judge=judge)
    nearest = nearest_training(space, judge.compared(judge.target))  # type: ignore[arg-type]
    np.testing.assert_array_equal(nearest, twin)
    assert (rows.fold[nearest] != rows.fold).all()
