"""Error rates of tests over participants who share responses that no model knows.

    OMP_NUM_THREADS=1 python benchmarks/shared_responses.py [--sets 200] [--n 8] [--shifts 39]

Participants (or raters) have in common a share of their variance that has nothing to do with the
labels (or the music's features), and noise of their own. Each line: rate of p <= .05 by sign flips
of participants, which take what is shared for evidence, and by displacement alike in everybody,
which is what the app prints; the functions are those that the recipes call.

decoders
    ridge decoder of three runs, with the tests of `recipes.emotion3d.group_tests`: p of the
    group, p of the hypothesis that nobody decodes by independent combinations of nulls and by
    common shifts, and how often the bound of the prevalence is above zero.
ratings
    ratings with AR .9 (`recipes.gradients.rating_tests`), three layers: single layers, and
    family-wise over layers.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bidsapp.recipes.emotion3d.group_tests import Scored, group_rows, prevalence_rows
from bidsapp.recipes.emotion3d.settings import GroupSettings
from bidsapp.results.calibrations.displacement import rating_scores
from bidsapp.stats.classification import balanced_accuracy
from bidsapp.stats.displacement import displacement_test
from bidsapp.stats.label_nulls import shifted_labels
from bidsapp.stats.prevalence import prevalence_p
from bidsapp.stats.samples import Samples
from bidsapp.stats.signflip import sign_flip_test

Array = NDArray[np.float64]
LEVEL = 0.05
N_RUNS, N_VOLUMES, N_VOXELS, N_CLASSES, SEGMENT, PENALTY = 3, 120, 12, 4, 8, 30.0
SHARES = {"decoders": (0.0, 0.1, 0.3), "ratings": (0.0, 0.4, 0.8)}


def smoother(x: Array, run: NDArray[np.int64]) -> Array:
    """(n_volumes, n_volumes) weights that ridge gives training volumes of the other runs."""
    weights = np.zeros((len(x), len(x)))
    for number in np.unique(run):
        test, train = np.flatnonzero(run == number), np.flatnonzero(run != number)
        centre = x[train].mean(axis=0)
        known, new = x[train] - centre, x[test] - centre
        gram = known.T @ known + PENALTY * np.eye(x.shape[1])
        weights[np.ix_(test, train)] = new @ np.linalg.solve(gram, known.T)
    return weights


def scores(rng: np.random.Generator, n: int, n_shifts: int, share: float) -> tuple[Array, Array]:
    """Scores (n,) of people who share responses, and (n, n_shifts) with labels shifted alike."""
    run = np.repeat(np.arange(N_RUNS), N_VOLUMES)
    samples = Samples(run, np.tile(2.0 * np.arange(N_VOLUMES), N_RUNS))
    labels = np.repeat(rng.integers(N_CLASSES, size=run.size // SEGMENT), SEGMENT)
    seed = int(rng.integers(1 << 31))
    moved = [labels, *(shifted_labels(labels, samples, k, seed=seed) for k in range(n_shifts))]
    shared = noise(rng)
    values = np.empty((n, 1 + n_shifts))
    for person in range(n):
        weights = smoother(np.sqrt(share) * shared + np.sqrt(1 - share) * noise(rng), run)
        for copy, own in enumerate(moved):
            one_hot = np.eye(N_CLASSES)[own]
            predicted = (weights @ (one_hot - one_hot.mean(axis=0))).argmax(axis=1)
            values[person, copy] = balanced_accuracy(own, predicted, N_CLASSES)
    return values[:, 0], values[:, 1:]


def noise(rng: np.random.Generator) -> Array:
    """Autocorrelated noise (AR .6) of each run, (n_volumes, n_voxels)."""
    white = rng.standard_normal((N_RUNS, N_VOLUMES + 20, N_VOXELS))
    series = lfilter([0.8], [1.0, -0.6], white, axis=1)[:, 20:]
    return np.asarray(series.reshape(-1, N_VOXELS))


def decoders(rng: np.random.Generator, n: int, n_shifts: int, share: float) -> dict[str, bool]:
    """Test one group of decoders."""
    observed, null = scores(rng, n, n_shifts, share)
    subjects = tuple(str(number) for number in range(n))
    scored = [Scored("within", "leave_run_out", "linear", "no", subjects, observed, null)]
    row = next(group_rows(scored, GroupSettings(n_flips=1000), 0))
    shares = next(prevalence_rows(scored, LEVEL, 0))
    drawn = 2 * shares["p_majority"] ** (1 / n) - 1  # p_majority is ((1 + p^(1/n)) / 2)^n
    independent = max(drawn, 0.0) ** n
    assert np.isclose(prevalence_p(independent, n, 0.5), shares["p_majority"])
    return {
        "sign flips": row["p_flip"] <= LEVEL,
        "common": row["p"] <= LEVEL,
        "nobody, independent": independent <= LEVEL,
        "nobody, common": shares["p_global"] <= LEVEL,
        "bound": bool(np.isfinite(shares["bound"])),
    }


def ratings(rng: np.random.Generator, n: int, n_shifts: int, share: float) -> dict[str, float]:
    """Test one group of raters."""
    z, null = rating_scores(rng, n, n_shifts, share)
    flips = sign_flip_test(z.T, n_permutations=1000, seed=0, alternative="greater")
    test = displacement_test(z.mean(axis=1), null.mean(axis=2))
    return {
        "sign flips": float(np.mean(flips.p <= LEVEL)),
        "common": float(np.mean(test.p <= LEVEL)),
        "sign flips, FWE": float(flips.p_fwe.min() <= LEVEL),
        "common, FWE": float(np.nanmin(test.p_fwe) <= LEVEL),
    }


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--shifts", type=int, default=39)
    options = parser.parse_args()
    error = np.sqrt(LEVEL * (1 - LEVEL) / options.sets)
    print(f"{options.n} participants, {options.sets} sets, standard error {error:.3f}")
    for name, study in (("ratings", ratings), ("decoders", decoders)):
        for share in SHARES[name]:
            began, rng = time.perf_counter(), np.random.default_rng(3)
            sets = [study(rng, options.n, options.shifts, share) for _ in range(options.sets)]
            rates = ", ".join(
                f"{key} {np.mean([float(item[key]) for item in sets]):.3f}" for key in sets[0]
            )
            print(f"{name}, share {share:g}: {rates} ({time.perf_counter() - began:.0f} s)",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
