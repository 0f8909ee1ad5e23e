"""Encoding, its refitted null and ratings on a toy network with a planted truth."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bidsapp.bids.records import Presentation, Rating, Run
from bidsapp.encoding.designs import DesignOptions, DesignStore
from bidsapp.encoding.encode import (
    Encoding,
    Scorer,
    encode,
    encode_with_null,
    make_scorer,
    predict_held_out,
)
from bidsapp.encoding.parcels import parcel_test
from bidsapp.encoding.ratings import (
    RatingTargets,
    constant_ratings,
    extreme_ratings,
    rating_rows,
    rating_scores,
    rating_targets,
    slow_ratings,
)
from bidsapp.encoding.rows import FoldOptions, Rows, make_rows
from bidsapp.features.extract import FeatureBank
from bidsapp.results.calibrations.encoding import MadeDesigns, score_with_null, smooth
from bidsapp.stats.displacement import piece_shifts
from bidsapp.stats.metrics import best_layer

LAGS_S = (4.0, 5.0, 6.0)
LOG10_ALPHA = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0)
OPTIONS = DesignOptions(n_components=12, log10_alpha=LOG10_ALPHA)
N_NULL = 40


@pytest.fixture
def rows(runs: tuple[Run, ...], presentations: tuple[Presentation, ...]) -> Rows:
    durations_s = {item.stim_file: 60.0 for item in presentations}
    return make_rows(runs, presentations, durations_s, "positive", LAGS_S, FoldOptions())


@pytest.fixture
def store(bank: FeatureBank, rows: Rows, tmp_path: Path) -> DesignStore:
    return DesignStore(
        bank, rows.timeline, rows.blocks, rows.folds, rows.lags_s, OPTIONS, tmp_path
    )


def scorer_of(solver: str = "gram") -> Scorer:
    return make_scorer(solver, "correlation", len(OPTIONS.log10_alpha), "cpu", 64 << 20)


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
    scorer = scorer_of(solver)
    edges = np.linspace(0, y.shape[1], slabs + 1).astype(int)
    parts = [(slice(a, b), y[:, a:b]) for a, b in pairwise(edges) if b > a]
    return encode(store, parts, y.shape[1], scorer, label="test", quiet=True)


def test_planted_layers_come_back(store: DesignStore, bold: np.ndarray) -> None:
    scores = run(store, bold)
    best = best_layer(scores.mean_r[:, :18])
    assert best.tolist() == [1] * 6 + [2] * 6 + [3] * 6
    assert np.abs(scores.mean_r[:, 18:].mean()) < 0.05


def test_predictions_of_held_out_rows_have_the_scores(
    store: DesignStore, bold: np.ndarray
) -> None:
    scores = run(store, bold)
    predicted, features = predict_held_out(store, 1, bold, scorer_of(), 3)
    label = store.blocks.label
    assert np.isnan(predicted[label < 0]).all()
    for block in range(store.n_blocks):
        own = label == block
        r = [np.corrcoef(a, b)[0, 1] for a, b in zip(predicted[own].T, bold[own].T, strict=True)]
        np.testing.assert_allclose(r, scores.r[1, block], atol=2e-3)
    for fold_number, fold, design in store.layer(1):
        rows = np.isin(label, fold.test)
        np.testing.assert_array_equal(features[rows], design.x[rows, :3], err_msg=str(fold_number))


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


def draw_shifts(store: DesignStore, n_copies: int) -> np.ndarray:
    """Displacements of each block, all blocks being other pieces."""
    lengths = store.blocks.lengths
    return piece_shifts([str(number) for number in range(len(lengths))], lengths, 15, n_copies, 0)


def test_null_does_not_depend_on_chunks(store: DesignStore, bold: np.ndarray) -> None:
    scorer = scorer_of()
    shifts = draw_shifts(store, 6)
    one, two = (
        encode_with_null(
            store, bold[:, :4], shifts, scorer, columns_at_once=size, label="", quiet=True
        )[1]
        for size in (1, 100)
    )
    assert one.shape == (6, 3, 4)
    np.testing.assert_allclose(one, two, atol=2e-5)


def test_filtered_null_without_nuisance_is_the_null_that_shifts_responses(
    rng: np.random.Generator,
) -> None:
    """Two ways to the same scores: features displaced back, responses displaced on."""
    lengths, alphas = (60, 80, 100), (0.0, 1.0, 2.0, 3.0)
    nothing = [np.empty((length, 0)) for length in lengths]
    filtered = MadeDesigns([smooth(rng, lengths, 5)], lengths, alphas, nothing)
    centre = filtered.run_filter
    assert centre is not None
    plain = MadeDesigns([centre(filtered.regressors(0, 0)[0])], lengths, alphas)
    y = smooth(rng, lengths, 10)
    y[:, :5] += plain.regressors(0, 0)[0]
    (seen, moved), (also_seen, displaced) = (
        score_with_null(store, y, seed=3, n_shifts=6) for store in (plain, filtered)
    )
    np.testing.assert_allclose(also_seen.r, seen.r, atol=2e-5)
    np.testing.assert_allclose(displaced, moved, atol=2e-5)
    assert np.abs(displaced[0] - displaced[1]).max() > 0.05


def test_filter_on_both_sides_finds_more_and_keeps_the_error_rate() -> None:
    """Twenty-five regressors in 60 to 100 volumes; the features are smooth.

    Shifting clean responses against filtered features would reject .16 here.
    """
    lengths, p, r = (60, 80, 100), [], {True: [], False: []}
    for seed in range(24):
        rng = np.random.default_rng(seed)
        x = smooth(rng, lengths, 5)
        nuisance = [smooth(rng, [length], 25, 0.95) for length in lengths]
        noise = smooth(rng, lengths, 40)
        store = MadeDesigns([x], lengths, (1.0, 2.0, 3.0, 4.0), nuisance)
        observed, null = score_with_null(store, noise, seed)
        p.append(parcel_test(observed.mean_r, null).p[0] <= 0.05)
        if seed < 6:
            y = noise + 0.4 * x @ rng.standard_normal((5, 40))
            clean = store.run_filter(y)
            for both, some in ((True, store), (False, MadeDesigns([x], lengths, (1.0, 3.0)))):
                slab = [(slice(0, 40), clean)]
                scores = encode(some, slab, 40, scorer_of(), label="", quiet=True)
                r[both].append(scores.mean_r.mean())
    assert 0.02 <= np.mean(p) <= 0.09
    assert np.mean(r[True]) > 1.5 * np.mean(r[False])


def test_parcel_test_finds_planted_and_spares_null(store: DesignStore, bold: np.ndarray) -> None:
    scorer = scorer_of()
    shifts = draw_shifts(store, 99)
    observed, null = encode_with_null(
        store, bold, shifts, scorer, columns_at_once=4096, label="", quiet=True
    )
    test = parcel_test(observed.mean_r, null)
    assert (test.p_family[:18] <= 0.05).all()
    assert (test.p_family[18:] <= 0.05).sum() <= 3
    assert (test.p_parcel <= test.p_family + 1e-12).all()
    assert test.p_parcel.min() == pytest.approx(1 / 100)
    assert (test.p_parcel[18:] <= 0.05).mean() < 0.2


def test_ratings_follow_their_layer(
    store: DesignStore, rows: Rows, runs: tuple[Run, ...], rng: np.random.Generator
) -> None:
    """A rating made from layer 1 is predicted by layer 1; one with long gaps is left out."""
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
    shifts = draw_shifts(store, 19)
    scorer = scorer_of()
    targets = rating_targets(rows, ratings, runs)
    assert targets.names == (("felt", None),)
    assert targets.left_out == ("gappy",)
    observed, null = encode_with_null(
        store, targets.y, shifts, scorer, columns_at_once=99, label="", quiet=True
    )
    (felt,) = rating_scores(targets, observed.r, null)
    assert felt.name == "felt"
    assert felt.r_blocks.mean(axis=1).argmax() == 1
    assert felt.p[1] == pytest.approx(1 / 20)


def test_ratings_that_wander_are_named(rows: Rows) -> None:
    lengths = rows.blocks.lengths
    steady = {f"AR {ar}": smooth(np.random.default_rng(3), lengths, 1, ar) for ar in (0.6, 0.8)}
    walk = smooth(np.random.default_rng(4), lengths, 1, 1.0)
    y = np.zeros((rows.timeline.n_rows, 4))
    y[rows.blocks.label >= 0] = np.hstack([*steady.values(), walk, walk])
    names = (*((name, None) for name in steady), ("walk", "01"), ("walk", "02"))
    assert slow_ratings(RatingTargets(names, y), rows) == ["walk"]
    assert slow_ratings(RatingTargets((), y[:, :0]), rows) == []


def test_ratings_that_cannot_be_scored_are_named(rows: Rows) -> None:
    """One that is constant in one block, and one whose largest value makes the score alone."""
    kept = np.flatnonzero(rows.blocks.label >= 0)
    y = np.zeros((rows.timeline.n_rows, 3))
    y[kept] = smooth(np.random.default_rng(5), rows.blocks.lengths, 3, 0.6)
    y[rows.blocks.label == 0, 1] = 4.0
    y[kept[3], 2] = 1e30
    targets = RatingTargets((("felt", None), ("flat", None), ("spike", None)), y)
    assert constant_ratings(targets, rows) == ["flat"]
    assert extreme_ratings(targets, rows) == ["spike"]


def test_run_locked_ratings_use_run_time(rows: Rows, runs: tuple[Run, ...]) -> None:
    run_name = runs[0].name
    ramp = Rating("time", "01", "run", run_name, 1.0, 0.0, tuple(np.arange(140.0)))
    times = [np.arange(140.0)] * 2
    y = rating_rows([ramp], rows.timeline, times, [item.name for item in runs])
    mine = rows.timeline.run == 0
    np.testing.assert_allclose(y[mine], rows.timeline.volume[mine], atol=0.51)
    assert np.isnan(y[~mine]).all()
