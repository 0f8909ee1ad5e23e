"""Nested cross-validated ridge: ours against himalaya and scikit-learn.

The job: T = 939 volumes in 3 pieces (168, 256, 515), p = 150 lagged features, 20 alphas,
leave one piece out, choose one alpha per target by leaving out a piece of the training pieces,
score inside the held-out piece. All methods get the same float32 arrays and run in turn within
each repetition, so that a busy machine slows all of them.

scikit-learn cannot do this job: `RidgeCV(alpha_per_target=True)` chooses alphas by leaving out
single volumes, whose neighbours it trains on. It is timed for one fit per outer fold, and its
alphas are expected to differ.

Usage: ``python benchmarks/ridge.py [--quick]``
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
import torch
from himalaya.backend import set_backend
from himalaya.ridge import RidgeCV
from himalaya.scoring import correlation_score
from scipy.signal import lfilter
from sklearn.linear_model import RidgeCV as SklearnRidgeCV
from sklearn.model_selection import PredefinedSplit

from bidsapp.models.ridge import factorise, scale_columns, score_nested
from bidsapp.stats.folds import nested_folds

LENGTHS = (168, 256, 515)
ALPHAS = np.logspace(0, 5, 20)
LABELS = np.repeat(np.arange(3), LENGTHS)
Result = tuple[np.ndarray, np.ndarray]  # r (n_folds, n_units), alpha numbers of the same shape
Solver = Callable[[np.ndarray, np.ndarray], Result]


def make_data(n_units: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n_rows = LABELS.size

    def smooth(n_columns: int, ar: float, extra: int = 0) -> np.ndarray:
        noise = rng.standard_normal((n_rows + 100, n_columns))
        return lfilter([1.0], [1.0, -ar], noise, axis=0)[100 - extra :]

    components = smooth(50, 0.9, extra=2) * np.logspace(0, -2, 50)
    x = np.hstack([components[2 - lag : 2 - lag + n_rows] for lag in range(3)])
    signal = x @ rng.standard_normal((150, n_units))
    signal /= signal.std(axis=0)
    y = smooth(n_units, 0.6)
    y = y / y.std(axis=0) + 0.6 * rng.uniform(0, 1, n_units) * signal
    x = scale_columns(x, slice(None))
    for block in range(3):
        x[block == LABELS] -= x[block == LABELS].mean(axis=0)
        y[block == LABELS] -= y[block == LABELS].mean(axis=0)
    return x.astype(np.float32), y.astype(np.float32)


def ours(x: np.ndarray, y: np.ndarray, *, designs: int = 1) -> Result:
    """With features that differ between folds (copies here), nothing is shared but targets."""
    copies = [x] * 3 if designs == 1 else [x.copy() for _ in range(3)]
    factors = [
        factorise(copy, LABELS, fold, ALPHAS)
        for copy, fold in zip(copies, nested_folds([0, 1, 2]), strict=True)
    ]
    scores = score_nested(factors, copies, y)
    return scores.r, scores.alpha_index


def ours_own_designs(x: np.ndarray, y: np.ndarray) -> Result:
    return ours(x, y, designs=3)


def himalaya(x: np.ndarray, y: np.ndarray, backend: str, **solver_params: int) -> Result:
    b = set_backend(backend)
    r, numbers = [], []
    for test in range(3):
        train = test != LABELS
        model = RidgeCV(
            alphas=ALPHAS.astype(np.float32),
            cv=PredefinedSplit(LABELS[train]),
            solver_params={"score_func": correlation_score, "warn": False, **solver_params},
        ).fit(x[train], y[train])
        prediction = model.predict(x[~train])
        r.append(b.to_numpy(correlation_score(b.asarray(y[~train]), prediction)))
        numbers.append(nearest_alpha(b.to_numpy(model.best_alphas_)))
    return np.stack(r), np.stack(numbers)


def himalaya_numpy(x: np.ndarray, y: np.ndarray) -> Result:
    return himalaya(x, y, "numpy")


def himalaya_torch(x: np.ndarray, y: np.ndarray) -> Result:
    return himalaya(x, y, "torch", n_targets_batch=2000)


def sklearn_loo(x: np.ndarray, y: np.ndarray) -> Result:
    r, numbers = [], []
    for test in range(3):
        train = test != LABELS
        model = SklearnRidgeCV(alphas=ALPHAS, fit_intercept=False, alpha_per_target=True)
        prediction = model.fit(x[train], y[train]).predict(x[~train])
        prediction, observed = (a - a.mean(axis=0) for a in (prediction, y[~train]))
        scale = np.sqrt((prediction**2).sum(axis=0) * (observed**2).sum(axis=0))
        r.append((prediction * observed).sum(axis=0) / scale)
        numbers.append(nearest_alpha(model.alpha_))
    return np.stack(r), np.stack(numbers)


def nearest_alpha(alphas: np.ndarray) -> np.ndarray:
    return np.abs(np.log(alphas)[None, :] - np.log(ALPHAS)[:, None]).argmin(axis=0)


SOLVERS: dict[str, Solver] = {
    "ours": ours,
    "ours, other features in each fold": ours_own_designs,
    "himalaya RidgeCV, numpy, defaults": himalaya_numpy,
    "himalaya RidgeCV, torch, n_targets_batch=2000": himalaya_torch,
    "scikit-learn RidgeCV (leaves out volumes: another job)": sklearn_loo,
}


def compare(n_units: int, repetitions: int) -> None:
    """Time all solvers in turn and print one table."""
    x, y = make_data(n_units)
    warm = make_data(64)
    for solver in SOLVERS.values():
        solver(*warm)
    seconds: dict[str, list[float]] = {name: [] for name in SOLVERS}
    results: dict[str, Result] = {}
    for _ in range(repetitions):
        for name, solver in SOLVERS.items():
            start = time.perf_counter()
            results[name] = solver(x, y)
            seconds[name].append(time.perf_counter() - start)
    reference_r, reference_alpha = ours(x, y.astype(np.float64))
    best = float(np.median(seconds["ours"]))
    print(f"\nV = {n_units}, median (range) of {repetitions}\n")
    print("| method | s | x ours | same alpha | max difference of r, same alpha | of r, all |")
    print("|---|---|---|---|---|---|")
    for name, (r, alpha) in results.items():
        same = alpha == reference_alpha
        difference = np.abs(r - reference_r)
        times = seconds[name]
        print(
            f"| {name} | {np.median(times):.2f} ({min(times):.2f}-{max(times):.2f}) "
            f"| {np.median(times) / best:.1f} | {same.mean():.5f} "
            f"| {difference[same].max():.1e} | {difference.max():.1e} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="V = 2,000 only")
    parser.add_argument("--units", type=int, nargs="+", default=None, help="numbers of targets")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    print(
        f"T = {LABELS.size}, p = 150, {ALPHAS.size} alphas; {torch.get_num_threads()} threads, "
        f"load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, numpy {np.__version__}.\n"
        "Reference of alphas and r: ours in float64 (equal to the closed form to 1e-10)."
    )
    for n_units in options.units or ([2000] if options.quick else [4000, 20000]):
        compare(n_units, options.repetitions)


if __name__ == "__main__":
    main()
