"""What a layer adds to acoustics: two tests of it, in worlds with and without an answer.

    OMP_NUM_THREADS=1 python benchmarks/beyond_acoustics.py [--sets 200] [--shifts 39]

Three pieces of 60, 80 and 100 rows; acoustics of 6 features (AR .8), three layers of 8 components
that take half of their variance from acoustics. Parcels are noise (AR .7), follow acoustics (half
of their variance), follow them with a delay that the regressors do not have, or follow a layer's
own part beside acoustics.

banded
    Correlation of the ridge on acoustics and layer (equal variance) less that on acoustics alone;
    the null displaces the layer and leaves acoustics.
projected
    Acoustics are projected out of responses and of the layer, displaced or not.

Each line: share of p <= .05 in single layers, and in how many studies any layer passes
family-wise over layers and parcels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bidsapp.results.calibrations.acoustics import LOG10_ALPHA, made, projected
from bidsapp.results.calibrations.encoding import (
    LENGTHS,
    MIN_SHIFT,
    MadeDesigns,
    score_with_null,
)
from bidsapp.stats.displacement import displacement_test, piece_shifts
from bidsapp.stats.metrics import fisher_z
from bidsapp.stats.nulls import shifted_rows

Array = NDArray[np.float64]
LEVEL = 0.05


def banded(acoustics: Array, layers: list[Array], y: Array, seed: int, n: int) -> Array:
    """Gain (1 + n, n_layers, n_parcels) of layers, displaced or not, over acoustics."""
    names = [f"piece {number}" for number in range(len(LENGTHS))]
    shifts = piece_shifts(names, LENGTHS, MIN_SHIFT, n, seed)
    labels = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    moves = [np.arange(labels.size), *(shifted_rows(labels, -shift) for shift in shifts)]
    scale = np.sqrt(acoustics.shape[1] / layers[0].shape[1])
    joint = [np.hstack([acoustics, scale * x[rows]]) for rows in moves for x in layers]
    store = MadeDesigns([acoustics, *joint], LENGTHS, LOG10_ALPHA)
    r = score_with_null(store, y, seed, 0)[0].mean_r
    return np.asarray((r[1:] - r[0]).reshape(len(moves), len(layers), -1))


TESTS: dict[str, Callable[..., Array]] = {"banded": banded, "projected": projected}


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--shifts", type=int, default=39)
    options = parser.parse_args()
    for world in ("noise", "acoustics", "acoustics, later", "acoustics and layer 2"):
        began, rng = time.perf_counter(), np.random.default_rng(3)
        rates: dict[str, list[Array]] = {name: [] for name in TESTS}
        for _ in range(options.sets):
            study, seed = made(rng, world), int(rng.integers(1 << 31))
            for name, scores in TESTS.items():
                z = fisher_z(scores(*study, seed, options.shifts))
                test = displacement_test(z[0], z[1:])
                passed = [*(test.p <= LEVEL).mean(axis=1), np.nanmin(test.p_fwe) <= LEVEL]
                rates[name].append(np.array(passed, float))
        for name, values in rates.items():
            text = " ".join(f"{value:.3f}" for value in np.mean(values, axis=0)[:-1])
            fwe = float(np.mean(values, axis=0)[-1])
            seconds = time.perf_counter() - began
            print(f"{world}, {name}: layers {text}, any {fwe:.3f} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
