"""Pieces of one run in training and test: what filtering both sides does to scores.

    OMP_NUM_THREADS=1 python benchmarks/shared_runs.py [--sets 20]

Runs hold two or three pieces, each piece is held out once. Features are smooth (AR .8, through
the canonical response, TR 1.5 s), responses are noise (AR .5, 200 of them) plus a signal; twelve
nuisance regressors a run, four of them slow cosines, are projected out of the responses. Three
ways to treat features:

as they are
    The nuisance stays in them.
filtered
    The projection of the run is applied to them.
training apart
    As the app does: features of training rows are filtered once more, by the nuisance of these
    rows alone (`bidsapp.models.run_filter.RunFilter.training`).

``printed`` is the mean score of cross-validation, ``honest`` the correlation of the same
predictions with responses to the same music whose noise was drawn again, filtered alike. They
must agree: what is printed beyond is noise of the run that both sides share.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bidsapp.features.hrf import hrf
from bidsapp.models.ridge import factorise, ridge_weights, scale_columns, score_fold
from bidsapp.models.run_filter import make_run_filter
from bidsapp.stats.folds import nested_folds
from bidsapp.stats.metrics import pearson

Array = NDArray[np.float64]
ALPHAS = 10.0 ** np.arange(0, 6, 0.5)
N_FEATURES, N_NUISANCE, N_COSINES, N_UNITS = 30, 12, 4, 200
TR_S = 1.5


@dataclass(frozen=True)
class World:
    """Runs × pieces × rows of a piece, and the signal in standard deviations of the noise."""

    n_runs: int
    n_pieces: int
    n_rows: int
    signal: float


WORLDS = (
    World(2, 2, 75, 0.0),
    World(2, 2, 75, 0.3),
    World(3, 3, 150, 0.0),
    World(3, 3, 150, 0.3),
    World(4, 3, 40, 0.0),
    World(4, 3, 40, 0.3),
)


def smooth(rng: np.random.Generator, n: int, k: int, ar: float) -> Array:
    """Autocorrelated noise (n, k)."""
    return np.asarray(lfilter([1.0], [1.0, -ar], rng.standard_normal((n + 50, k)), axis=0)[50:])


def one(rng: np.random.Generator, world: World) -> dict[str, tuple[float, float]]:
    """Return printed and honest mean scores of the three ways for one draw."""
    n, n_blocks = world.n_pieces * world.n_rows, world.n_runs * world.n_pieces
    run, volume = np.repeat(np.arange(world.n_runs), n), np.tile(np.arange(n), world.n_runs)
    label = np.repeat(np.arange(n_blocks), world.n_rows)
    cosines = np.cos(np.pi * np.outer(np.arange(n) + 0.5, np.arange(1, N_COSINES + 1)) / n)
    nuisance = [
        np.hstack([smooth(rng, n, N_NUISANCE - N_COSINES, 0.9), cosines])
        for _ in range(world.n_runs)
    ]
    names = [f"run {number + 1}" for number in range(world.n_runs)]
    keep = make_run_filter(run, volume, label, nuisance, names)
    courses = [smooth(rng, world.n_rows, N_FEATURES, 0.8) for _ in range(n_blocks)]
    x = np.vstack([lfilter(hrf(TR_S), [1.0], course, axis=0) for course in courses])
    signal = x @ rng.standard_normal((N_FEATURES, N_UNITS))
    signal *= world.signal / signal.std()

    def responses() -> Array:
        noise = np.vstack([smooth(rng, n, N_UNITS, 0.5) for _ in range(world.n_runs)])
        return keep(noise / noise.std() + signal)

    y, again, filtered = responses(), responses(), keep(x)
    scores: dict[str, list[tuple[float, float]]] = {}
    for fold in nested_folds(np.arange(n_blocks)):
        train = ~np.isin(label, fold.test)
        apart = np.where(train[:, None], keep.training(train)(filtered), filtered)
        for name, features in (
            ("as they are", x),
            ("filtered", filtered),
            ("training apart", apart),
        ):
            scaled = scale_columns(features, train)
            factors = factorise(scaled, label, fold, ALPHAS)
            found = score_fold(factors, scaled, y)
            predicted = scaled[~train] @ ridge_weights(factors, scaled, y, found.alpha_index)
            honest = pearson(predicted, again[~train]).mean()
            scores.setdefault(name, []).append((float(found.r.mean()), float(honest)))
    return {name: tuple(np.mean(pairs, axis=0)) for name, pairs in scores.items()}


def main() -> None:
    """Print a line for each world and way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=20)
    n_sets = parser.parse_args().sets
    print("| runs x pieces x rows | signal | features | printed | honest | s.e. |")
    print("|---|---|---|---|---|---|")
    for world in WORLDS:
        rng = np.random.default_rng(1)
        draws = [one(rng, world) for _ in range(n_sets)]
        for name in draws[0]:
            both = np.array([draw[name] for draw in draws])
            printed, honest = both.mean(axis=0)
            error = both[:, 0].std(ddof=1) / np.sqrt(n_sets)
            size = f"{world.n_runs} x {world.n_pieces} x {world.n_rows}"
            print(
                f"| {size} | {world.signal:g} | {name} | {printed:.3f} | {honest:.3f} "
                f"| {error:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
