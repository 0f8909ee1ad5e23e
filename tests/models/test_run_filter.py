"""The filter of a run gives the weights of the joint regression on features and nuisance."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.brain.clean import clean
from bidsapp.brain.confounds import cosine_basis, orthonormal_basis
from bidsapp.errors import InputInvalidError
from bidsapp.models.run_filter import make_run_filter

N_TRS, N_RUNS = 90, 2


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)


def design(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run, volume and block of rows: two blocks a run, a gap between them, volumes without."""
    run, volume, label = [], [], []
    for number in range(N_RUNS):
        for part, (first, last) in enumerate(((5, 40), (45, 80))):
            n = last - first
            run += [number] * n
            volume += list(range(first, last))
            label += [-1] * 3 + [2 * number + part] * (n - 3)
    return np.array(run), np.array(volume), np.array(label)


def nuisance_of(rng: np.random.Generator, k: int = 8) -> list[np.ndarray]:
    walks = [np.cumsum(rng.standard_normal((N_TRS, k)), axis=0) for _ in range(N_RUNS)]
    return [orthonormal_basis(np.hstack([w, cosine_basis(N_TRS, 1.5, 1 / 128)])) for w in walks]


def test_weights_are_those_of_ordinary_least_squares_with_nuisance_columns(rng) -> None:
    run, volume, label = design(rng)
    bases = nuisance_of(rng)
    x = np.cumsum(rng.standard_normal((run.size, 5)), axis=0)
    y = x @ rng.standard_normal((5, 3)) + rng.standard_normal((run.size, 3))
    for number in range(N_RUNS):
        own = run == number
        y[own] += 5 * bases[number][volume[own]] @ rng.standard_normal((bases[number].shape[1], 3))
    used = label >= 0
    columns = [x, (label[:, None] == np.arange(4)).astype(float)]
    columns += [np.where(run[:, None] == i, bases[i][volume], 0.0) for i in range(N_RUNS)]
    joint = np.linalg.lstsq(np.hstack(columns)[used], y[used], rcond=None)[0][:5]

    keep = make_run_filter(run, volume, label, bases, ["a", "b"])
    filtered = np.linalg.lstsq(keep(x), keep(y), rcond=None)[0]
    np.testing.assert_allclose(filtered, joint, atol=1e-9)
    one_sided = np.linalg.lstsq(x, keep(y), rcond=None)[0]
    assert np.abs(one_sided - joint).max() > 0.05
    assert (keep(x)[~used] == 0).all()


def test_cleaning_of_the_whole_run_is_contained(rng) -> None:
    """Filtered clean BOLD is filtered raw BOLD, up to the scale of the run."""
    run, volume, label = design(rng)
    bases = nuisance_of(rng)
    raw = [100 + np.cumsum(rng.standard_normal((N_TRS, 4)), axis=0) for _ in range(N_RUNS)]
    cleaned = [clean(y.astype(np.float32), q)[0] for y, q in zip(raw, bases, strict=True)]
    keep = make_run_filter(run, volume, label, bases, ["a", "b"])
    rows = [(number, run == number) for number in range(N_RUNS)]
    at_rows = [np.vstack([y[i][volume[own]] for i, own in rows]) for y in (raw, cleaned)]
    of_raw, of_clean = (keep(y.astype(np.float64)) for y in at_rows)
    for _, own in rows:
        ratio = of_raw[own & (label >= 0)] / of_clean[own & (label >= 0)]
        assert np.abs(ratio / np.median(ratio, axis=0) - 1).max() < 1e-2


def test_missing_values_stay_in_their_column(rng) -> None:
    run, volume, label = design(rng)
    keep = make_run_filter(run, volume, label, nuisance_of(rng), ["a", "b"])
    y = rng.standard_normal((run.size, 3)).astype(np.float32)
    broken = y.copy()
    broken[10, 1] = np.nan
    np.testing.assert_array_equal(keep(broken)[:, [0, 2]], keep(y)[:, [0, 2]])
    assert np.isnan(keep(broken)[(run == 0) & (label >= 0), 1]).all()


def test_a_run_without_freedom_is_refused_by_name(rng) -> None:
    run, volume, label = design(rng)
    with pytest.raises(InputInvalidError, match=r"task-b: 64 volumes .* 64 .* smaller"):
        make_run_filter(run, volume, label, [np.eye(N_TRS)[:, :3], np.eye(N_TRS)], ["a", "task-b"])


def test_common_regressors_have_the_same_weights_in_all_runs(rng) -> None:
    """Filter and common regressors are one projection: weights of the joint least squares."""
    run, volume, label = design(rng)
    bases, used = nuisance_of(rng), label >= 0
    x = np.cumsum(rng.standard_normal((run.size, 5)), axis=0)
    common = np.cumsum(rng.standard_normal((run.size, 4)), axis=0)
    common = np.hstack([common, common[:, :1]])  # one of them twice
    y = x @ rng.standard_normal((5, 3)) + 3 * common @ rng.standard_normal((5, 3))
    y += rng.standard_normal(y.shape)
    columns = [x, common, (label[:, None] == np.arange(4)).astype(float)]
    columns += [np.where(run[:, None] == i, bases[i][volume], 0.0) for i in range(N_RUNS)]
    joint = np.linalg.lstsq(np.hstack(columns)[used], y[used], rcond=None)[0][:5]

    keep = make_run_filter(run, volume, label, bases, ["a", "b"]).beyond(common)
    filtered = np.linalg.lstsq(keep(x), keep(y), rcond=None)[0]
    np.testing.assert_allclose(filtered, joint, atol=1e-9)
    np.testing.assert_allclose(keep(common), 0.0, atol=1e-9)
    assert keep.common.shape[1] == 4
    with pytest.raises(InputInvalidError, match="degrees of freedom"):
        keep.beyond(rng.standard_normal((run.size, run.size)))


def projection(filtered: object, n_rows: int) -> np.ndarray:
    """Return what a filter removes, as a matrix (n_rows, n_rows)."""
    return np.eye(n_rows) - filtered(np.eye(n_rows))  # type: ignore[operator]


@pytest.mark.parametrize("n_common", [0, 3])
def test_noise_of_test_rows_does_not_enter_the_weights(rng, n_common) -> None:
    """Residuals of white noise have covariance -H; training features are orthogonal to it."""
    run, volume, label = design(rng)
    keep = make_run_filter(run, volume, label, nuisance_of(rng), ["a", "b"])
    if n_common:
        keep = keep.beyond(rng.standard_normal((run.size, n_common)))
    x = keep(np.cumsum(rng.standard_normal((run.size, 5)), axis=0))
    removed = projection(keep, run.size)
    for test in range(4):
        train = (label >= 0) & (label != test)
        filtered = keep.training(train)(x)
        crossing = removed[np.ix_(train, label == test)]
        np.testing.assert_allclose(filtered[train].T @ crossing, 0.0, atol=1e-9)
        assert np.abs(x[train].T @ crossing).max() > 0.1
        np.testing.assert_allclose(filtered[~train], 0.0, atol=1e-12)
        assert np.linalg.norm(filtered[train]) > 0.5 * np.linalg.norm(x[train])


def test_a_fold_that_holds_out_whole_runs_changes_nothing(rng) -> None:
    run, volume, label = design(rng)
    keep = make_run_filter(run, volume, label, nuisance_of(rng), ["a", "b"])
    x = keep(rng.standard_normal((run.size, 5)))
    train = (label >= 0) & (run == 1)
    np.testing.assert_allclose(keep.training(train)(x)[train], x[train], atol=1e-10)
