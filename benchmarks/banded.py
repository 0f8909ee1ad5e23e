"""Banded ridge of three feature spaces beside himalaya's, on the same grid.

    OMP_NUM_THREADS=1 python benchmarks/banded.py [--rows 540] [--features 200] [--units 20000]

Six blocks of rows, one of them held out, five inner folds, three bands, ten penalties, the 15
points of the simplex in four steps; single precision. himalaya searches the model of all bands
(`solve_multiple_kernel_ridge_random_search`, its kernels counted in, or, where there are fewer
features than training rows, `solve_group_ridge_random_search`); ours gives the best models of all
seven subsets in the same pass, and their scores on the held-out block (with few features), or
their predictions of it. Both run in turn in one process. Printed are processor seconds, and how
often both choose the same weights and penalty.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from himalaya.backend import set_backend
from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search
from himalaya.ridge import solve_group_ridge_random_search
from numpy.typing import NDArray
from sklearn.model_selection import PredefinedSplit

from bidsapp.models.banded import score_banded, simplex_grid
from bidsapp.models.clip_encoding import encode_clips
from bidsapp.models.ridge import FoldFactors, FoldScores, scale_columns, score_fold
from bidsapp.stats.folds import nested_folds

N_BLOCKS = 6
_SMALLEST = 1e-9
ALPHAS = np.logspace(0, 5, 10)
GRID = simplex_grid(3, 4)
FOLD = nested_folds(np.arange(N_BLOCKS))[0]
Array = NDArray[np.float32]


def ours(bands: list[Array], y: Array) -> NDArray[np.floating]:
    """Fit all subsets; return gamma / alpha of each band and target in the model of all bands."""
    block = np.arange(len(y)) % N_BLOCKS
    if is_wide(bands, y):
        fitted = encode_clips(bands, y, block, [FOLD], ALPHAS, GRID)
        return np.nan_to_num(10.0**-fitted.log10_penalty)

    def score(factors: FoldFactors, x: NDArray[np.floating]) -> FoldScores:
        return score_fold(factors, x, y, alpha_metric="mse", batch_units=2048)

    scores = score_banded(bands, block, FOLD, ALPHAS, y, GRID, score=score, centre="train")
    chosen = scores[0, 1, 2]
    return GRID[chosen.weights_index].T / ALPHAS[chosen.alpha_index]


def is_wide(bands: list[Array], y: Array) -> bool:
    """Whether there are more features than training rows."""
    return sum(band.shape[1] for band in bands) > len(y) * (N_BLOCKS - 1) / N_BLOCKS


def theirs(bands: list[Array], y: Array, batch: int) -> Any:
    """Search the same grid; return gamma / alpha of each band and target."""
    block = np.arange(len(y)) % N_BLOCKS
    train = ~np.isin(block, FOLD.test)
    scaled = [scale_columns(band, train)[train].astype(np.float32) for band in bands]
    centred = [band - band.mean(axis=0) for band in scaled]
    test_fold = np.full(int(train.sum()), -1)
    for number, held_out in enumerate(FOLD.inner):
        test_fold[np.isin(block[train], held_out)] = number
    options: dict[str, Any] = {
        "n_iter": GRID.astype(np.float32),
        "alphas": ALPHAS.astype(np.float32),
        "cv": PredefinedSplit(test_fold),
        "n_targets_batch": batch,
        "local_alpha": True,
        "progress_bar": False,
    }
    targets = y[train] - y[train].mean(axis=0)
    if not is_wide(bands, y):
        options |= {"fit_intercept": False, "return_weights": False}
        options["n_iter"] = np.maximum(GRID, _SMALLEST).astype(np.float32)  # it divides by them
        deltas = solve_group_ridge_random_search(centred, targets, **options)[0]
    else:
        kernels = np.stack([band @ band.T for band in centred])
        options["return_weights"] = None
        deltas = solve_multiple_kernel_ridge_random_search(kernels, targets, **options)[0]
    return np.exp(np.asarray(deltas))


def main() -> None:
    """Run both in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=540)
    parser.add_argument("--features", type=int, default=200)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2_000)
    options = parser.parse_args()
    set_backend("numpy")
    rng = np.random.default_rng(0)
    bands = [
        rng.standard_normal((options.rows, options.features)).astype(np.float32) for _ in range(3)
    ]
    signal = sum(
        weight * band[:, :10] @ rng.standard_normal((10, options.units))
        for band, weight in zip(bands, (0.4, 0.2, 0.0), strict=True)
    )
    y = (signal + rng.standard_normal((options.rows, options.units))).astype(np.float32)
    seconds: dict[str, list[float]] = {"himalaya": [], "ours": []}
    for _ in range(options.rounds):
        start = time.process_time()
        deltas = theirs(bands, y, options.batch)
        middle = time.process_time()
        chosen = ours(bands, y)
        seconds["himalaya"].append(middle - start)
        seconds["ours"].append(time.process_time() - middle)
        print({name: round(own[-1], 1) for name, own in seconds.items()}, flush=True)
    same = np.isclose(deltas, chosen, rtol=1e-3, atol=1e-7).all(axis=0).mean()
    ratio = min(seconds["himalaya"]) / min(seconds["ours"])
    print(f"the same choice in {100 * same:.2f} % of targets; himalaya / ours {ratio:.1f}")


if __name__ == "__main__":
    main()
