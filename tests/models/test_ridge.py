"""What must not change the scores, and what must be missing."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bidsapp.errors import InputInvalidError
from bidsapp.models import ridge_batches
from bidsapp.models.ridge import (
    FoldFactors,
    batch_size,
    factorise,
    scale_columns,
    score_fold,
    score_nested,
)
from bidsapp.models.ridge_scores import prepare_split
from bidsapp.stats.folds import Fold, nested_folds

ALPHAS = np.logspace(-1, 4, 12)
FOLD = Fold((1,), ((0,), (2,)))
seeds = st.integers(0, 2**16)
few = settings(max_examples=15, deadline=None)


def scores_of(x, y, labels, fold=FOLD, **options):
    return score_fold(factorise(x, labels, fold, ALPHAS), x, y, **options)


def assert_same(ours, theirs, atol=1e-10):
    np.testing.assert_array_equal(ours.alpha_index, theirs.alpha_index)
    np.testing.assert_allclose(ours.r, theirs.r, rtol=0, atol=atol)
    np.testing.assert_allclose(ours.inner_score, theirs.inner_score, rtol=0, atol=atol)


@given(seed=seeds)
@few
def test_rotating_and_shifting_features_changes_nothing(oracle, seed):
    problem, rng = oracle.make_problem(seed=seed), np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.standard_normal((12, 12)))
    moved = problem.x @ rotation + rng.standard_normal(12)
    base = scores_of(problem.x, problem.y, problem.labels)
    assert_same(scores_of(moved, problem.y, problem.labels), base)


@given(seed=seeds, scale=st.floats(1e-3, 1e3), batch=st.integers(1, 50))
@few
def test_order_scale_and_batches_of_targets_change_nothing(oracle, seed, scale, batch):
    problem, rng = oracle.make_problem(seed=seed), np.random.default_rng(seed)
    order = rng.permutation(40)
    moved = problem.y[:, order] * scale + 5.0
    base = scores_of(problem.x, problem.y, problem.labels)
    ours = scores_of(problem.x, moved, problem.labels, batch_units=batch)
    back = np.argsort(order)
    ours = dataclasses.replace(
        ours,
        r=ours.r[:, back],
        alpha_index=ours.alpha_index[back],
        inner_score=ours.inner_score[back],
    )
    assert_same(ours, base, atol=1e-9)


@given(seed=seeds)
@few
def test_order_of_rows_and_numbers_of_blocks_change_nothing(oracle, seed):
    problem, rng = oracle.make_problem(seed=seed), np.random.default_rng(seed)
    order = rng.permutation(problem.labels.size)
    renumbered = np.array([2, 0, 1])[problem.labels]
    base = scores_of(problem.x, problem.y, problem.labels)
    ours = scores_of(
        problem.x[order], problem.y[order], renumbered[order], Fold((0,), ((2,), (1,)))
    )
    assert_same(ours, base)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_and_missing_targets_are_nan_and_harm_nobody(problem, dtype):
    y = problem.y.astype(dtype)
    base = scores_of(problem.x, y, problem.labels)
    y[:, 2], y[:, 5], y[:, 6] = 0.0, 1000.1, np.nan
    y[3, 8], y[60, 9], y[80, 10] = np.nan, np.nan, np.inf
    ours = scores_of(problem.x, y, problem.labels, batch_units=16)
    lost = [2, 5, 6, 8, 9, 10]
    assert np.flatnonzero(np.isnan(ours.r[0])).tolist() == lost
    assert np.flatnonzero(ours.alpha_index == -1).tolist() == lost
    assert np.flatnonzero(np.isnan(ours.inner_score)).tolist() == lost
    kept = np.setdiff1d(np.arange(40), lost)
    np.testing.assert_allclose(ours.r[:, kept], base.r[:, kept], rtol=0, atol=2e-6)


def test_target_constant_in_one_block(problem):
    y = problem.y.copy()
    y[problem.labels == 1, 4] = 7.0
    y[problem.labels == 0, 5] = 7.0
    ours = scores_of(problem.x, y, problem.labels)
    assert np.isnan(ours.r[0, 4])
    assert ours.alpha_index[4] >= 0
    assert np.isfinite(ours.r[0, 5])


def test_constant_features(problem):
    x = np.column_stack([problem.x, np.ones(len(problem.x)), problem.x[:, 0]])
    ours = scores_of(x, problem.y, problem.labels)
    assert np.isfinite(ours.r).all()
    x[:] = 1.0
    assert np.isnan(scores_of(x, problem.y, problem.labels).r).all()


def test_ties_go_to_the_larger_alpha(problem):
    alphas = [1e-15, 1e-14]
    factors = factorise(problem.x, problem.labels, FOLD, alphas)
    assert (score_fold(factors, problem.x, problem.y).alpha_index == 1).all()


def test_factors_survive_a_file(problem):
    factors = factorise(problem.x, problem.labels, FOLD, ALPHAS, centre="train")
    file = io.BytesIO()
    np.savez(file, **factors.to_arrays())
    file.seek(0)
    with np.load(file) as arrays:
        again = FoldFactors.from_arrays(arrays)
    assert (again.centre, again.refit.test, again.inner[1].train) == ("train", (1,), (0,))
    ours = score_fold(again, problem.x, problem.y)
    np.testing.assert_array_equal(ours.r, score_fold(factors, problem.x, problem.y).r)


@pytest.mark.parametrize("case", ["spread", "white", "equal", "pairs"])
def test_partial_fractions_equal_going_through_alphas(oracle, monkeypatch, case):
    """Also where eigenvalues are near each other, or all the same."""
    problem = oracle.make_problem((60, 70, 80), n_features=30, n_units=50)
    x = {
        "spread": problem.x,
        "white": np.random.default_rng(0).standard_normal((210, 30)),
        "equal": np.vstack([np.linalg.qr(problem.x[problem.labels == b])[0] for b in range(3)]),
        "pairs": np.hstack([problem.x[:, :15], problem.x[:, :15] + 1e-7 * problem.x[:, 15:]]),
    }[case]
    base = scores_of(x, problem.y, problem.labels)
    single = scores_of(x, problem.y.astype(np.float32), problem.labels)

    def one_by_one(*arguments):
        split = prepare_split(*arguments)
        held_out = tuple(dataclasses.replace(h, power_table=None) for h in split.held_out)
        return dataclasses.replace(split, held_out=held_out)

    monkeypatch.setattr(ridge_batches, "prepare_split", one_by_one)
    assert_same(scores_of(x, problem.y, problem.labels), base, atol=1e-11)
    assert np.abs(single.inner_score - base.inner_score).max() < 2e-5


def test_nested_equals_fold_by_fold_and_threads_do_not_matter(problem):
    folds = nested_folds([0, 1, 2])
    designs = [problem.x, problem.x, problem.x[:, :8]]
    factors = [
        factorise(x, problem.labels, f, ALPHAS) for x, f in zip(designs, folds, strict=True)
    ]
    y = problem.y.astype(np.float32)
    nested = score_nested(factors, designs, y, batch_units=16)
    for number, (factor, x) in enumerate(zip(factors, designs, strict=True)):
        alone = score_fold(factor, x, y, batch_units=16)
        np.testing.assert_array_equal(nested.r[number], alone.r[0])
        np.testing.assert_array_equal(nested.alpha_index[number], alone.alpha_index)
    before = torch.get_num_threads()
    try:
        for n_threads in (1, 2, 3):
            torch.set_num_threads(n_threads)
            again = score_nested(factors, designs, y, batch_units=16)
            np.testing.assert_array_equal(again.r, nested.r)
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu(oracle):
    problem = oracle.make_problem((84, 128, 257), n_features=60, n_units=3000)
    for dtype, atol in ((np.float64, 1e-10), (np.float32, 5e-6)):
        y = problem.y.astype(dtype)
        cpu = scores_of(problem.x, y, problem.labels)
        cuda = scores_of(problem.x, y, problem.labels, device="cuda")
        same = cpu.alpha_index == cuda.alpha_index
        assert same.mean() > 0.99
        np.testing.assert_allclose(cuda.r[:, same], cpu.r[:, same], rtol=0, atol=atol)


def test_scale_columns():
    x = np.random.default_rng(0).standard_normal((50, 4)) * [1, 2, 3, 4] + 9
    scaled = scale_columns(x, np.arange(30))
    assert np.var(scaled[:30], axis=0).mean() == pytest.approx(1)
    np.testing.assert_allclose(scaled / scaled[0, 0], x / x[0, 0])
    np.testing.assert_array_equal(scale_columns(np.ones((5, 2)), np.arange(5)), np.ones((5, 2)))


def test_batch_size_grows_with_memory_between_bounds():
    sizes = [batch_size(m << 20, 939, 150, 20, 3, n_workers=2) for m in (1, 10, 20, 1000)]
    assert sizes[0] == 32
    assert sizes == sorted(sizes)
    assert sizes[1] < sizes[2] < sizes[3] == 2048


def test_refusals_name_numbers(problem):
    with pytest.raises(InputInvalidError, match="increase strictly"):
        factorise(problem.x, problem.labels, FOLD, [1.0, 1.0])
    with pytest.raises(InputInvalidError, match="1 feature values are not finite"):
        factorise(
            np.where(problem.x == problem.x[0, 0], np.nan, problem.x), problem.labels, FOLD, [1]
        )
    with pytest.raises(InputInvalidError, match="no block is left"):
        factorise(problem.x, problem.labels, Fold((0, 1), ((2,),)), [1])
    factors = factorise(problem.x, problem.labels, FOLD, ALPHAS)
    with pytest.raises(InputInvalidError, match=r"\(115, 40\)"):
        score_fold(factors, problem.x, problem.y[1:])
