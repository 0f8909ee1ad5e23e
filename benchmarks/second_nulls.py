"""False-positive rates of neuromaps' nulls and of our rotations on unrelated parcellated maps.

    python benchmarks/second_nulls.py [--pairs N] [--draws N]

Each pair has its own smooth maps on two spheres of 300 points and its own draws; parcels (40 per
hemisphere) for neuromaps, vertices for the rotations. A method whose package is absent is named
and left out. The calibration functions of the app are called.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bidsapp.brain.surrogates import require
from bidsapp.errors import ResourceUnavailableError
from bidsapp.results.calibrations.spatial import annotation_spin, second_null, spin

LEVEL = 0.05


def line(name: str, p: np.ndarray, seconds: float) -> None:
    rate = float((p <= LEVEL).mean())
    error = np.sqrt(rate * (1 - rate) / len(p))
    print(f"{name:<28} {rate:.3f} (SE {error:.3f}, {len(p)} pairs, {seconds:.0f} s)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--draws", type=int, default=99)
    options = parser.parse_args()
    for name, calibrate in (("rotations", spin), ("annotation profile", annotation_spin)):
        start = time.process_time()
        line(name, calibrate(np.random.default_rng(5), options.pairs), time.process_time() - start)
    for method in ("vasa", "hungarian", "burt2020", "moran"):
        try:
            require(method)
        except ResourceUnavailableError as error:
            print(f"{method:<28} left out: {error}")
            continue
        start = time.process_time()
        rng = np.random.default_rng(5)
        p = second_null(rng, options.pairs, method, options.draws)
        line(f"neuromaps {method}", p, time.process_time() - start)


if __name__ == "__main__":
    main()
