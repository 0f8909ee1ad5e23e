"""False-positive rates of neuromaps' nulls and of our rotations; time of an annotation profile.

    python benchmarks/second_nulls.py [--pairs N] [--draws N] [--only-time]

Each pair has its own smooth maps on two spheres of 300 points and its own draws; parcels (40 per
hemisphere) for neuromaps, vertices for the rotations. A method whose package is absent is named
and left out. The calibration functions of the app are called.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bidsapp.brain.meshes import fsaverage5_spheres
from bidsapp.brain.surrogates import require
from bidsapp.errors import ResourceUnavailableError
from bidsapp.resources import cortex_mask
from bidsapp.results.calibrations.spatial import annotation_spin, second_null, spin
from bidsapp.stats.spins.mesh import spin_mesh
from bidsapp.stats.spins.null import spin_null

LEVEL = 0.05


def line(name: str, p: np.ndarray, seconds: float) -> None:
    rate = float((p <= LEVEL).mean())
    error = np.sqrt(rate * (1 - rate) / len(p))
    print(f"{name:<28} {rate:.3f} (SE {error:.3f}, {len(p)} pairs, {seconds:.0f} s)", flush=True)


def profile() -> None:
    """Time 40 annotations against 3 maps on fsaverage5, as 10,000 rotations of a thread."""
    mesh, cortex = spin_mesh(*fsaverage5_spheres()), cortex_mask("fsaverage5")
    rng = np.random.default_rng(0)
    references, maps = (
        np.where(cortex, rng.standard_normal((n, cortex.size)), np.nan) for n in (40, 3)
    )
    spin_null(mesh, references, maps, n_rotations=64)
    processor, wall = time.process_time(), time.perf_counter()
    spin_null(mesh, references, maps, n_rotations=10_000)
    seconds = time.process_time() - processor, time.perf_counter() - wall
    print("40 annotations, 10,000 rotations: {:.1f} s of one core, {:.1f} s".format(*seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--draws", type=int, default=99)
    parser.add_argument("--only-time", action="store_true")
    options = parser.parse_args()
    profile()
    if options.only_time:
        return
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
