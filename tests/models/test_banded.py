"""Banded ridge: the grid, himalaya on the same grid, subsets, and planted partitions."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError
from bidsapp.models.banded import partition, score_banded, simplex_grid
from bidsapp.stats.folds import Fold, nested_folds

Array = NDArray[np.float64]
LABELS = np.repeat(np.arange(4), 60)
ALPHAS = np.logspace(0, 4, 9)


def folds() -> tuple[Fold, ...]:
    return nested_folds(np.arange(4), max_outer=4, max_inner=3)


def data(weights: tuple[float, ...], noise: float = 1.0, n_units: int = 12) -> tuple[Any, Array]:
    """Bands of 8, 5 and 3 features; targets that follow some of them."""
    rng = np.random.default_rng(7)
    bands = [rng.standard_normal((LABELS.size, n)) for n in (8, 5, 3)]
    y = noise * rng.standard_normal((LABELS.size, n_units))
    for band, weight in zip(bands, weights, strict=True):
        part = band @ rng.standard_normal((band.shape[1], n_units))
        y += weight * part / part.std(axis=0)
    for block in range(4):
        rows = block == LABELS
        y[rows] -= y[rows].mean(axis=0)
        for band in bands:
            band[rows] -= band[rows].mean(axis=0)
    return bands, y


@pytest.mark.parametrize(("n_bands", "n_steps", "n_points"), [(1, 3, 1), (2, 4, 5), (3, 4, 15)])
def test_the_grid_covers_the_simplex_once(n_bands: int, n_steps: int, n_points: int) -> None:
    grid = simplex_grid(n_bands, n_steps)
    assert grid.shape == (n_points, n_bands)
    np.testing.assert_allclose(grid.sum(axis=1), 1.0)
    assert len({tuple(row) for row in grid}) == n_points


def test_scores_are_himalayas_on_the_same_grid() -> None:
    """One split, one grid, mean squared error: the chosen models and their scores agree."""
    himalaya = pytest.importorskip("himalaya.kernel_ridge")
    from sklearn.model_selection import PredefinedSplit

    bands, y = data((1.0, 0.5, 0.0))
    fold, grid = folds()[0], simplex_grid(3, 3)
    train = ~np.isin(LABELS, fold.test)
    scaled = [band / np.sqrt(np.var(band[train], axis=0).mean()) for band in bands]
    test_fold = np.full(train.sum(), -1)
    for number, held_out in enumerate(fold.inner):
        test_fold[np.isin(LABELS[train], held_out)] = number
    kernels = np.stack([band[train] @ band[train].T for band in scaled])
    deltas, _, _ = himalaya.solve_multiple_kernel_ridge_random_search(
        kernels,
        y[train],
        n_iter=grid,
        alphas=ALPHAS,
        cv=PredefinedSplit(test_fold),
        progress_bar=False,
        return_weights=None,
        local_alpha=True,
    )
    gamma = np.exp(deltas)  # log(gamma / alpha)
    ours = score_banded(bands, LABELS, fold, ALPHAS, y, grid, alpha_metric="mse")[(0, 1, 2)]
    chosen = grid[ours.weights_index] / ALPHAS[ours.alpha_index][:, None]
    agree = np.isclose(gamma.T, chosen, rtol=1e-4, atol=1e-9).all(axis=1)
    assert agree.mean() >= 0.9
    test = np.isin(LABELS, fold.test)
    k = 0
    weights = gamma[:, int(np.flatnonzero(agree)[k])]
    unit = int(np.flatnonzero(agree)[k])
    kernel = sum(w * kernels[b] for b, w in enumerate(weights))
    dual = np.linalg.solve(kernel + np.eye(train.sum()), y[train, unit])
    across = sum(w * scaled[b][test] @ scaled[b][train].T for b, w in enumerate(weights))
    expected = np.corrcoef(across @ dual, y[test, unit])[0, 1]
    assert ours.r[0, unit] == pytest.approx(expected, abs=1e-6)


def test_a_subset_is_the_model_fitted_to_its_bands_alone() -> None:
    bands, y = data((1.0, 0.5, 0.2))
    fold, grid = folds()[1], simplex_grid(3, 2)
    everything = score_banded(bands, LABELS, fold, ALPHAS, y, grid)
    assert set(everything) == {s for n in (1, 2, 3) for s in combinations(range(3), n)}
    for subset in [(0,), (0, 2)]:
        alone = score_banded(
            [bands[b] for b in subset], LABELS, fold, ALPHAS, y, simplex_grid(len(subset), 2)
        )[tuple(range(len(subset)))]
        np.testing.assert_allclose(everything[subset].r, alone.r, atol=1e-9)


def test_more_bands_never_have_a_worse_inner_score() -> None:
    bands, y = data((1.0, 0.5, 0.2))
    scores = score_banded(bands, LABELS, folds()[0], ALPHAS, y, simplex_grid(3, 4))
    assert np.all(scores[0, 1, 2].inner_score >= scores[0, 1].inner_score)
    assert np.all(scores[0, 1].inner_score >= scores[(0,)].inner_score)


def test_a_constant_target_has_no_model() -> None:
    bands, y = data((1.0, 0.0, 0.0))
    y[:, 3] = 0.0
    scores = score_banded(bands, LABELS, folds()[0], ALPHAS, y, simplex_grid(3, 2))[0, 1, 2]
    assert scores.weights_index[3] == -1
    assert np.isnan(scores.r[:, 3]).all()


@pytest.mark.parametrize(
    ("weights", "strongest"), [((1.5, 0.0, 0.0), 0), ((0.0, 1.5, 0.0), 1), ((0.0, 0.0, 1.5), 2)]
)
def test_planted_variance_is_unique_to_its_band(
    weights: tuple[float, ...], strongest: int
) -> None:
    bands, y = data(weights, noise=0.5)
    explained: dict[tuple[int, ...], Array] = {}
    for fold in folds():
        for subset, scores in score_banded(
            bands, LABELS, fold, ALPHAS, y, simplex_grid(3, 3)
        ).items():
            part = (scores.r.mean(axis=0) ** 2) / len(folds())
            explained[subset] = explained.get(subset, 0.0) + part
    parts = partition(explained)
    for band in range(3):
        mean = parts.unique[band].mean()
        assert mean > 0.7 if band == strongest else abs(mean) < 0.05
    total = sum(parts.unique.values()) + sum(parts.shared.values())
    np.testing.assert_allclose(total, parts.total, atol=1e-12)


def test_a_copy_of_a_band_makes_its_variance_shared() -> None:
    bands, y = data((1.5, 0.0, 0.0), noise=0.5)
    twins = [bands[0], bands[0].copy()]
    fold = folds()[0]
    scores = score_banded(twins, LABELS, fold, ALPHAS, y, simplex_grid(2, 4))
    parts = partition({subset: s.r.mean(axis=0) ** 2 for subset, s in scores.items()})
    assert parts.shared[0, 1].mean() > 0.7
    assert max(abs(parts.unique[band].mean()) for band in (0, 1)) < 0.02


def test_what_does_not_fit_is_refused() -> None:
    bands, y = data((1.0, 0.0, 0.0))
    with pytest.raises(InputInvalidError, match="3 bands"):
        score_banded(bands, LABELS, folds()[0], ALPHAS, y, simplex_grid(2, 2))
    with pytest.raises(InputInvalidError, match="needs the scores"):
        partition({(0,): np.zeros(3), (0, 1): np.zeros(3)})
