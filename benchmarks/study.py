"""What a participant of `gradients` costs at the size of ds003085, step by step.

    OMP_NUM_THREADS=1 python benchmarks/study.py [--shifts 10] [--layers 1] [--lags 3]

3 pieces of 168, 256 and 515 volumes (T 939), 20,484 vertices, 24 layers of 50 components through
the canonical response (or at three lags), 200 parcels with 200 displacements of the music at
positive lags, and 99 beyond acoustics; vertices at negative lags, too; one piece held out at a
time. 30 nuisance regressors per run filter both sides. Delays (six single lags, parcels only) are
left out. Features are not extracted. Some layers and displacements are timed (CPU seconds of one
thread) and multiplied: cost is linear in both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from bidsapp.encoding.encode import encode, encode_with_null, make_scorer
from bidsapp.results.calibrations.encoding import MadeDesigns, smooth
from bidsapp.stats.displacement import piece_shifts

LENGTHS, N_COMPONENTS, N_NUISANCE = (168, 256, 515), 50, 30
N_VERTICES, N_PARCELS, N_LAYERS, N_SHIFTS, N_BEYOND, N_LAG_SETS = 20_484, 200, 24, 200, 99, 2
LOG10_ALPHA = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0)


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shifts", type=int, default=10)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--lags", type=int, default=1, help="regressors of a component")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    names = [f"piece {number}" for number in range(len(LENGTHS))]
    x = [smooth(rng, LENGTHS, args.lags * N_COMPONENTS, 0.9) for _ in range(args.layers)]
    nuisance = [smooth(rng, [length], N_NUISANCE, 0.95) for length in LENGTHS]
    vertices = smooth(rng, LENGTHS, N_VERTICES).astype(np.float32)
    scorer = make_scorer("gram", "correlation", len(LOG10_ALPHA), "cpu", 1 << 29)
    shifts = piece_shifts(names, LENGTHS, 10, args.shifts, 0)
    whole = N_LAYERS * N_LAG_SETS / args.layers
    print("| features | step | CPU s | share |\n|---|---|---|---|")
    for called, regressors in (("as they are", None), ("filtered", nuisance)):
        stores: list[MadeDesigns] = []

        def design(stores: list[MadeDesigns] = stores, given: object = regressors) -> None:
            stores.append(MadeDesigns(x, LENGTHS, LOG10_ALPHA, given))  # type: ignore[arg-type]

        costs = {"designs": timed(design) * whole}
        (store,) = stores

        def score(store: MadeDesigns = store) -> None:
            y = vertices if store.run_filter is None else store.run_filter(vertices)
            encode(store, [(slice(0, N_VERTICES), y)], N_VERTICES, scorer, label="", quiet=True)

        def null(store: MadeDesigns = store) -> None:
            y = vertices[:, :N_PARCELS]
            y = y if store.run_filter is None else store.run_filter(y)
            encode_with_null(
                store, y, shifts, scorer, columns_at_once=20_000, label="", quiet=True
            )

        costs["vertices"] = timed(score) * whole
        of_one = timed(null) * N_LAYERS / args.layers / args.shifts
        costs["null of parcels"] = of_one * N_SHIFTS
        costs["null beyond acoustics"] = of_one * N_BEYOND
        total = sum(costs.values())
        for step, seconds in costs.items():
            print(f"| {called} | {step} | {seconds:.0f} | {seconds / total:.0%} |")
        print(f"| {called} | all | {total:.0f} | 2 cores: {total / 120:.1f} min |", flush=True)


if __name__ == "__main__":
    main()
