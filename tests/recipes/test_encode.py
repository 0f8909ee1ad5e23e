"""Encoding, its refitted null, ratings and tables on a toy network with a planted truth."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bidsapp.bids.records import Presentation, Rating, Run
from bidsapp.features.extract import FeatureBank
from bidsapp.recipes.gradients.designs import DesignStore
from bidsapp.recipes.gradients.encode import Encoding, encode, encode_with_null, make_scorer
from bidsapp.recipes.gradients.outputs import by_piece, fold_rows
from bidsapp.recipes.gradients.ratings import rating_rows, rating_scores, rating_targets
from bidsapp.recipes.gradients.rows import Rows, make_rows
from bidsapp.recipes.gradients.settings import GradientsSettings
from bidsapp.recipes.gradients.summaries import (
    Parcels,
    null_rows,
    parcel_rows,
    parcel_summary_rows,
    piece_rows,
    profile_rows,
)
from bidsapp.recipes.gradients.summaries import (
    test_parcels as compare_parcels,
)
from bidsapp.recipes.inputs import Inputs
from bidsapp.stats.metrics import best_layer
from bidsapp.stats.nulls import circular_shifts

SETTINGS = GradientsSettings(n_components=12)
LAYERS = ["layer0", "layer1", "layer2"]
N_NULL = 40


@pytest.fixture
def inputs(runs: tuple[Run, ...], presentations: tuple[Presentation, ...]) -> Inputs:
    rows = tuple({"stim_file": item.stim_file, "sound_s": 60.0} for item in presentations)
    return Inputs("01", "fsaverage5", runs, presentations, (), rows, ())


@pytest.fixture
def rows(inputs: Inputs) -> Rows:
    return make_rows(inputs, "positive", SETTINGS.lags_s, SETTINGS)


@pytest.fixture
def store(bank: FeatureBank, rows: Rows, tmp_path: Path) -> DesignStore:
    return DesignStore(
        bank, rows.timeline, rows.blocks, rows.folds, rows.lags_s, SETTINGS, tmp_path
    )


@pytest.fixture
def bold(store: DesignStore, rng: np.random.Generator) -> np.ndarray:
    """Six units driven by each layer, then forty of noise; float32 (n_rows, 58)."""
    n_rows = store.timeline.n_rows
    signal = []
    for layer in range(3):
        x = store.design(layer, 0).x[:, :12]
        signal.append(x @ rng.standard_normal((12, 6)) / 12**0.5)
    planted = np.hstack(signal)
    planted += 0.5 * planted.std() * rng.standard_normal(planted.shape)
    return np.hstack([planted, rng.standard_normal((n_rows, N_NULL))]).astype(np.float32)


def run(store: DesignStore, y: np.ndarray, solver: str = "gram", slabs: int = 1) -> Encoding:
    scorer = make_scorer(solver, SETTINGS, "cpu", 64 << 20)
    edges = np.linspace(0, y.shape[1], slabs + 1).astype(int)
    parts = [(slice(a, b), y[:, a:b]) for a, b in pairwise(edges) if b > a]
    return encode(store, parts, y.shape[1], scorer, label="test", quiet=True)


def test_planted_layers_come_back(store: DesignStore, bold: np.ndarray) -> None:
    scores = run(store, bold)
    best = best_layer(scores.mean_r[:, :18])
    assert best.tolist() == [1] * 6 + [2] * 6 + [3] * 6
    assert np.abs(scores.mean_r[:, 18:].mean()) < 0.05


def test_slabs_and_solver_change_nothing(store: DesignStore, bold: np.ndarray) -> None:
    whole = run(store, bold)
    np.testing.assert_allclose(run(store, bold, slabs=5).r, whole.r, atol=2e-5)
    himalaya = run(store, bold, solver="himalaya")
    same = np.isclose(himalaya.log10_alpha, whole.log10_alpha)
    assert same.mean() > 0.98
    np.testing.assert_allclose(himalaya.mean_r[same], whole.mean_r[same], atol=1e-4)


def test_missing_units_are_nan(store: DesignStore, bold: np.ndarray) -> None:
    broken = bold.copy()
    broken[:, 3] = np.nan
    broken[:, 20] = 1.0
    scores = run(store, broken)
    missing = np.isnan(scores.mean_r).all(axis=0)
    assert np.flatnonzero(missing).tolist() == [3, 20]
    assert np.isnan(scores.log10_alpha[:, [3, 20]]).all()
    others = ~missing
    np.testing.assert_allclose(
        scores.mean_r[:, others], run(store, bold).mean_r[:, others], atol=2e-5
    )


def test_null_does_not_depend_on_chunks(store: DesignStore, bold: np.ndarray) -> None:
    scorer = make_scorer("gram", SETTINGS, "cpu", 64 << 20)
    shifts = circular_shifts(store.blocks.lengths, 6, 15, seed=0)
    one, two = (
        encode_with_null(
            store, bold[:, :4], shifts, scorer, columns_at_once=size, label="", quiet=True
        )[1]
        for size in (1, 100)
    )
    assert one.shape == (6, 3, 4)
    np.testing.assert_allclose(one, two, atol=2e-5)


def test_parcel_test_finds_planted_and_spares_null(store: DesignStore, bold: np.ndarray) -> None:
    scorer = make_scorer("gram", SETTINGS, "cpu", 64 << 20)
    shifts = circular_shifts(store.blocks.lengths, 99, 15, seed=1)
    observed, null = encode_with_null(
        store, bold, shifts, scorer, columns_at_once=4096, label="", quiet=True
    )
    test = compare_parcels(observed.mean_r, null)
    assert (test.p_family[:18] <= 0.05).all()
    assert (test.p_family[18:] <= 0.05).sum() <= 3
    assert (test.p_parcel <= test.p_family + 1e-12).all()
    assert test.p_parcel.min() == pytest.approx(1 / 100)
    assert (test.p_parcel[18:] <= 0.05).mean() < 0.2


def test_tables(store: DesignStore, rows: Rows, bold: np.ndarray) -> None:
    scores = run(store, bold[:, :3])
    null = np.zeros((4, 3, 3), dtype=np.float32)
    test = compare_parcels(scores.mean_r, null)
    parcels = Parcels(
        labels=np.array([0, 1, 2]),
        structure=("L", "L", "R"),
        centre_mm=np.zeros((3, 3)),
        n_units=np.array([1, 1, 1]),
    )
    long = list(parcel_rows(test, parcels, LAYERS, "positive"))
    assert len(long) == 9
    assert {row["parcel"] for row in long} == {1, 2, 3}
    summary = list(parcel_summary_rows(test, parcels, LAYERS, "positive"))
    assert [row["best_layer"] for row in summary] == ["layer0"] * 3
    assert all(row["p"] == pytest.approx(0.2) for row in summary)
    assert len(list(null_rows(test, "positive"))) == 4
    pieces = list(piece_rows(scores.r, rows.block_pieces, LAYERS, "positive"))
    assert len(pieces) == 3 * 3 * 4
    one = [row["r"] for row in pieces if row["parcel"] == 1 and row["layer"] == "layer0"]
    assert np.mean(one) == pytest.approx(float(scores.mean_r[0, 0]), abs=1e-6)
    facts = [{"name": name, "kind": "toy", "n_features": 12} for name in LAYERS]
    edges = (scores.edge_low, scores.edge_high)
    significant = np.array([True, True, False])
    profile = list(
        profile_rows(scores.mean_r, edges, significant, facts, (0.9, 0.9, 0.9), "positive")
    )
    assert [row["n_best"] for row in profile] == [2, 0, 0]
    assert profile[0]["n_units"] == 3


def test_pieces_average_their_blocks(rows: Rows) -> None:
    r = np.arange(3 * rows.n_blocks * 2, dtype=float).reshape(3, rows.n_blocks, 2)
    np.testing.assert_array_equal(by_piece(r, rows), r)  # one block per piece here


def test_fold_table(rows: Rows, inputs: Inputs) -> None:
    class Analysis:
        pass

    analysis = Analysis()
    analysis.inputs = inputs  # type: ignore[attr-defined]
    table = list(fold_rows(rows, analysis))  # type: ignore[arg-type]
    assert [row["piece"] for row in table] == list(rows.block_pieces)
    assert sum(row["n_rows"] for row in table) == rows.timeline.n_rows
    assert {row["fold"] for row in table} == {1, 2, 3, 4}


def test_ratings_follow_their_layer(
    store: DesignStore, rows: Rows, inputs: Inputs, rng: np.random.Generator
) -> None:
    """A rating made from layer 1 is predicted by layer 1; one with long gaps is left out."""
    import dataclasses

    course = store.design(1, 0).x[:, :12] @ rng.standard_normal(12)
    ratings = []
    for piece, name in enumerate(rows.timeline.pieces):
        mine = rows.timeline.piece == piece
        times = rows.timeline.stim_time_s[mine]
        grid = np.arange(0, 61, 1.0)
        values = np.interp(grid, times, course[mine])
        ratings.append(Rating("felt", None, "stimulus", name, 1.0, 0.0, tuple(values)))
        gaps = np.where(grid > 20, np.nan, values)
        ratings.append(Rating("gappy", None, "stimulus", name, 1.0, 0.0, tuple(gaps)))
    rated = dataclasses.replace(inputs, ratings=tuple(ratings))
    shifts = circular_shifts(store.blocks.lengths, 19, 15, seed=0)
    scorer = make_scorer("gram", SETTINGS, "cpu", 64 << 20)
    targets = rating_targets(rows, rated)
    assert targets.names == (("felt", None),)
    observed, null = encode_with_null(
        store, targets.y, shifts, scorer, columns_at_once=99, label="", quiet=True
    )
    (found,) = rating_scores(targets, observed.r, null)
    assert found.name == "felt"
    assert found.r_blocks.mean(axis=1).argmax() == 1
    assert found.p[1] == pytest.approx(1 / 20)


def test_run_locked_ratings_use_run_time(rows: Rows, inputs: Inputs) -> None:
    run_name = inputs.runs[0].name
    ramp = Rating("time", "01", "run", run_name, 1.0, 0.0, tuple(np.arange(140.0)))
    times = [np.arange(140.0)] * 2
    y = rating_rows([ramp], rows.timeline, times, [item.name for item in inputs.runs])
    mine = rows.timeline.run == 0
    np.testing.assert_allclose(y[mine], rows.timeline.volume[mine], atol=0.51)
    assert np.isnan(y[~mine]).all()
