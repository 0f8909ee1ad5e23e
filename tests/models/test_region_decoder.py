"""Predictions of embeddings against closed-form ridge, and what regions are chosen by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsapp.models.block_ridge import Metric, predict_nested
from bidsapp.models.region_decoder import (
    ClipRows,
    best_regions,
    decode_kernel,
    decode_region,
    decode_spaces,
    ensemble,
    is_wide,
    scaled_kernel,
)
from bidsapp.models.ridge import factorise, scale_columns, score_fold
from bidsapp.models.ridge_designs import FeatureDesign, KernelDesign
from bidsapp.stats.folds import Fold, nested_folds

ALPHAS = tuple(np.logspace(-1, 5, 7))
N_CLIPS, N_WINDOWS, N_BLOCKS = 20, 3, 4


def study(n_units: int, noise: float = 1.0) -> tuple[np.ndarray, ClipRows]:
    """Responses (n_rows, n_units) that carry three of five dimensions."""
    rng = np.random.default_rng(7)
    clip = rng.standard_normal((N_CLIPS, 1, 5))
    embedding = 4 + clip + 0.3 * rng.standard_normal((N_CLIPS, N_WINDOWS, 5))
    weights = rng.standard_normal((5, n_units)) * np.array([1, 1, 1, 0, 0])[:, None]
    responses = embedding.reshape(-1, 5) @ weights
    responses += noise * rng.standard_normal(responses.shape)
    folds = nested_folds(np.arange(N_BLOCKS))
    return responses, ClipRows(embedding, np.arange(N_CLIPS) % N_BLOCKS, folds)


def closed_form(x: np.ndarray, y: np.ndarray, test: np.ndarray, alpha: float) -> np.ndarray:
    """Predicted differences from the training mean, by the normal equations."""
    mean_x, mean_y = x[~test].mean(axis=0), y[~test].mean(axis=0)
    gram = (x[~test] - mean_x).T @ (x[~test] - mean_x)
    moments = (x[~test] - mean_x).T @ (y[~test] - mean_y)
    return (x[test] - mean_x) @ np.linalg.solve(gram + alpha * np.eye(len(gram)), moments)


@pytest.mark.parametrize("n_units", [6, 100])
def test_predictions_are_closed_form_ridge(n_units: int) -> None:
    responses, rows = study(n_units)
    decoding = decode_region(responses, rows, [10.0])
    scale = np.sqrt(responses.var(axis=0).mean())
    y = rows.embedding.reshape(len(responses), -1)
    for number, fold in enumerate(rows.folds):
        test = np.isin(rows.labels, fold.test)
        expected = closed_form(responses / scale, y, test, 10.0) / y[~test].std(axis=0)
        expected = expected.reshape(-1, N_WINDOWS, 5).mean(axis=1)
        np.testing.assert_allclose(decoding.predicted[rows.fold == number], expected, atol=1e-8)
        truth = rows.standardised(number)
        mean = rows.embedding.mean(axis=1)
        np.testing.assert_allclose(
            truth, (mean - y[~test].mean(axis=0)) / y[~test].std(axis=0), atol=1e-10
        )


def test_the_kernel_is_that_of_all_units_in_any_parts() -> None:
    responses, rows = study(200)
    kernel = scaled_kernel([responses[:, :30], responses[:, 30:31], responses[:, 31:]])
    centred = responses - responses.mean(axis=0)
    scale = responses.var(axis=0).mean()
    np.testing.assert_allclose(kernel, centred @ centred.T / scale, atol=1e-8)
    (whole,) = decode_kernel(kernel, [rows], ALPHAS)
    region = decode_region(responses, rows, ALPHAS)
    assert is_wide(200, rows)
    np.testing.assert_allclose(whole.predicted, region.predicted, atol=1e-9)


@pytest.mark.parametrize("metric", ["mse", "correlation"])
@pytest.mark.parametrize("n_units", [12, 100])
def test_penalties_and_scores_are_those_of_single_folds(metric: Metric, n_units: int) -> None:
    """The solver of voxelwise encoding, fold by fold, in float64."""
    responses, rows = study(n_units)
    x = scale_columns(responses, np.arange(len(responses)))
    targets = rows.embedding.reshape(len(x), -1)
    design = (KernelDesign if n_units == 100 else FeatureDesign)(
        x @ x.T if n_units == 100 else x, targets, rows.labels
    )
    nested = predict_nested(design, rows.folds, ALPHAS, metric=metric)
    for number, fold in enumerate(rows.folds):
        labels = np.where(np.isin(rows.labels, fold.test), -1, rows.labels)
        factors = factorise(x, labels, Fold((), fold.inner), ALPHAS, centre="train")
        expected = score_fold(factors, x, targets, alpha_metric=metric)
        np.testing.assert_array_equal(nested.alpha_index[number], expected.alpha_index)
        np.testing.assert_allclose(nested.inner_score[number], expected.inner_score, atol=2e-5)


def test_embeddings_that_go_through_together_do_not_meet() -> None:
    responses, rows = study(12)
    other = ClipRows(rows.embedding[:, :, :2] ** 2, rows.block, rows.folds)
    together = decode_spaces(responses, [rows, other], ALPHAS)
    for decoding, own in zip(together, (rows, other), strict=True):
        alone = decode_region(responses, own, ALPHAS)
        np.testing.assert_allclose(decoding.predicted, alone.predicted, atol=1e-9)
        np.testing.assert_allclose(decoding.score, alone.score, rtol=1e-5)
        np.testing.assert_array_equal(decoding.alpha_edge_high, alone.alpha_edge_high)


def test_nothing_of_the_held_out_clips_is_learned() -> None:
    responses, rows = study(12)
    before = decode_region(responses, rows, ALPHAS)
    held_out = rows.fold == 2
    changed = rows.embedding.copy()
    changed[held_out] = np.random.default_rng(1).standard_normal(changed[held_out].shape)
    after = decode_region(responses, ClipRows(changed, rows.block, rows.folds), ALPHAS)
    np.testing.assert_allclose(before.predicted[held_out], after.predicted[held_out], atol=1e-9)
    np.testing.assert_allclose(before.score[2], after.score[2], rtol=1e-6)
    assert not np.allclose(before.predicted[~held_out], after.predicted[~held_out])


def with_gaps(rows: ClipRows) -> ClipRows:
    """Two clips near each block, and one that is in it, which does not count."""
    near = np.zeros((N_BLOCKS, N_CLIPS), np.bool_)
    for block, own in enumerate(near):
        own[np.flatnonzero(rows.block != block)[[block, 7 + block]]] = True
        own[block] = True
    return ClipRows(rows.embedding, rows.block, rows.folds, near)


@pytest.mark.parametrize("metric", ["mse", "correlation"])
@pytest.mark.parametrize("n_units", [12, 100])
def test_clips_near_held_out_ones_are_as_if_they_had_not_been_heard(
    metric: Metric, n_units: int
) -> None:
    """Fold by fold and penalty by penalty, by the normal equations without their rows."""
    responses, whole = study(n_units)
    rows = with_gaps(whole)
    decoding = decode_region(responses, rows, ALPHAS, metric=metric)
    x = responses / np.sqrt(responses.var(axis=0).mean())
    y = rows.embedding.reshape(len(x), -1)
    for number, fold in enumerate(rows.folds):
        test = np.repeat(rows.fold == number, N_WINDOWS)
        used = np.repeat(rows.train(number), N_WINDOWS)
        assert (used | test).sum() == len(x) - 2 * N_WINDOWS
        scores = np.zeros((len(ALPHAS), y.shape[1]))
        for (block,) in fold.inner:
            held_out = used & (rows.labels == block)
            learnt = used & ~held_out & ~np.repeat(rows.near[block], N_WINDOWS)
            both = learnt | held_out
            for place, alpha in enumerate(ALPHAS):
                values = closed_form(x[both], y[both], held_out[both], alpha)
                truth = y[held_out] - y[learnt].mean(axis=0)
                error = -np.square(values - truth).mean(axis=0)
                r = [np.corrcoef(a, b)[0, 1] for a, b in zip(values.T, truth.T, strict=True)]
                scores[place] += (error if metric == "mse" else np.array(r)) / len(fold.inner)
        within = np.stack([y[used & (rows.labels == k)].var(axis=0) for (k,) in fold.inner])
        size = [(used & (rows.labels == k)).sum() for (k,) in fold.inner]
        best = scores.argmax(axis=0)
        both = used | test
        for k, place in enumerate(best):
            values = closed_form(x[both], y[both][:, [k]], test[both], ALPHAS[place])
            expected = values.reshape(-1, N_WINDOWS).mean(axis=1) / y[used, k].std()
            np.testing.assert_allclose(
                decoding.predicted[rows.fold == number, k], expected, atol=1e-8
            )
        score = scores.max(axis=0)
        if metric == "mse":
            score = score / np.average(within, axis=0, weights=size)
        np.testing.assert_allclose(decoding.score[number], score.mean(), atol=1e-4)


@pytest.mark.parametrize("n_units", [12, 100])
def test_nothing_of_clips_near_held_out_ones_is_learned(n_units: int) -> None:
    responses, whole = study(n_units)
    rows = with_gaps(whole)
    before = decode_region(responses, rows, ALPHAS)
    near = rows.near_to(rows.folds[2].test)
    changed = rows.embedding.copy()
    changed[near] = 100.0
    other = replace(rows, embedding=changed)
    after = decode_region(responses, other, ALPHAS)
    held_out = rows.fold == 2
    np.testing.assert_allclose(before.predicted[held_out], after.predicted[held_out], atol=1e-9)
    np.testing.assert_allclose(before.score[2], after.score[2], rtol=1e-6)
    np.testing.assert_array_equal(rows.standardised(2)[held_out], other.standardised(2)[held_out])
    assert not np.allclose(before.predicted[rows.fold == 0], after.predicted[rows.fold == 0])


@pytest.mark.parametrize("n_units", [12, 100])
def test_gaps_ask_for_no_further_decompositions(
    n_units: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each two blocks, and one for each fold."""
    responses, whole = study(n_units)
    asked: list[int] = []
    for design in (FeatureDesign, KernelDesign):

        def counted(self, *words, _usual=design.decompose):
            asked.append(1)
            return _usual(self, *words)

        monkeypatch.setattr(design, "decompose", counted)
    decode_region(responses, with_gaps(whole), ALPHAS)
    assert len(asked) == N_BLOCKS * (N_BLOCKS - 1) // 2 + N_BLOCKS


def test_one_fold_may_hold_out_some_clips_only() -> None:
    responses, rows = study(12)
    alone = ClipRows(rows.embedding, rows.block, rows.folds[:1])
    decoding = decode_region(responses, alone, ALPHAS)
    whole = decode_region(responses, rows, ALPHAS)
    test = alone.fold == 0
    np.testing.assert_allclose(decoding.predicted[test], whole.predicted[test])
    assert np.isnan(decoding.predicted[~test]).all()


def test_regions_that_carry_the_embedding_are_chosen_and_averaged() -> None:
    responses, rows = study(12, noise=0.5)
    rng = np.random.default_rng(2)
    regions = [rng.standard_normal(responses.shape), responses, responses[:, ::-1]]
    for metric in ("mse", "correlation"):
        decodings = [decode_region(x, rows, ALPHAS, metric=metric) for x in regions]
        chosen = best_regions(np.stack([d.score for d in decodings], axis=1), 2)
        np.testing.assert_array_equal(chosen, [[False, True, True]] * N_BLOCKS)
        predicted = np.stack([d.predicted for d in decodings])
        mean = ensemble(predicted, chosen, rows.fold)
        np.testing.assert_allclose(mean, predicted[1:].mean(axis=0))
        assert (decodings[0].alpha_edge_high >= 0).all()
        assert (decodings[0].alpha_edge_high <= 1).all()
    assert (decodings[0].alpha_edge_high > decodings[1].alpha_edge_high).all()


def test_constant_dimensions_are_not_predicted() -> None:
    responses, rows = study(8)
    embedding = rows.embedding.copy()
    embedding[..., 1] = 2.0
    flat = ClipRows(embedding, rows.block, rows.folds)
    decoding = decode_region(responses, flat, ALPHAS)
    assert (decoding.predicted[:, 1] == 0).all()
    assert (flat.standardised(0)[:, 1] == 0).all()
    assert np.isfinite(decoding.score).all()
