"""Spin test: speed beside neuromaps and BrainSpace, cost of many maps, peak memory.

    python benchmarks/spins.py [--quick] [--threads N]

All contenders take turns in every round on the same fsaverage5 spheres, and medians over rounds
are printed, so that other load on the machine falls on all of them alike. neuromaps and
BrainSpace are needed for the comparison only. Peak memory and the cold time of a whole test are
those of a fresh process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.resources import cortex_mask, functional_gradient
from bidsapp.stats.spins.mesh import SpinMesh, spin_indices, spin_mesh
from bidsapp.stats.spins.null import spin_null
from bidsapp.stats.spins.p_values import spin_test
from bidsapp.stats.spins.rotations import haar_rotations

N_MAPS = 24
N_ROTATIONS = 10_000


def spheres() -> list[NDArray[np.float64]]:
    import nibabel as nib

    spec = find_spec("nilearn")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "datasets" / "data" / "fsaverage5"
    loaded: list[Any] = [nib.load(folder / f"sphere_{side}.gii.gz") for side in ("left", "right")]
    return [surface.darrays[0].data.astype(float) for surface in loaded]


def example() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the first gradient, and maps made of the second one and noise, all within cortex."""
    first, second = (functional_gradient("fsaverage5", number) for number in (1, 2))
    noise = np.random.default_rng(0).standard_normal((N_MAPS, len(first)))
    maps = np.where(cortex_mask("fsaverage5"), second + 2 * noise, np.nan)
    return first[None], maps


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each contender; the first round warms up and does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            taken = timed(work)
            if number:
                seconds[name].append(taken)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def compare_indices(mesh: SpinMesh, threads: int, rounds: int, n_rotations: int) -> None:
    """Milliseconds per rotation to find the vertices of both hemispheres."""
    rotations = haar_rotations(0, 0, 64)
    left, right = (side.vertices for side in (mesh.left, mesh.right) if side is not None)
    contenders: dict[str, Callable[[], Any]] = {
        "musicotopy, 1 thread": lambda: spin_indices(mesh, rotations),
        f"musicotopy, {threads} threads": lambda: spin_indices(mesh, rotations, n_threads=threads),
    }
    sizes = dict.fromkeys(contenders, len(rotations))
    if find_spec("neuromaps"):
        from neuromaps.nulls.spins import gen_spinsamples

        both, hemisphere = np.vstack([left, right]), np.repeat([0, 1], len(left))
        contenders["neuromaps"] = lambda: gen_spinsamples(
            both, hemisphere, n_rotate=n_rotations, seed=0, check_duplicates=False
        )
    if find_spec("brainspace"):
        from brainspace.null_models import SpinPermutations

        contenders["BrainSpace"] = lambda: SpinPermutations(n_rep=n_rotations, random_state=0).fit(
            left, right
        )
    medians = interleaved(contenders, rounds)
    per_rotation = {
        name: 1e3 * seconds / sizes.get(name, n_rotations) for name, seconds in medians.items()
    }
    reference = per_rotation["musicotopy, 1 thread"]
    print("indices, both hemispheres of fsaverage5")
    for name, value in per_rotation.items():
        print(f"  {name:24s} {value:8.3f} ms per rotation   {value / reference:6.1f} x")
    best = min(list(per_rotation.values())[:2])
    for name, target in (("neuromaps", 30), ("BrainSpace", 15)):
        if name in per_rotation:
            print(f"  {name} / ours = {per_rotation[name] / best:.1f} (target {target})")


def compare_maps(mesh: SpinMesh, threads: int, rounds: int, n_rotations: int) -> None:
    """Seconds for one map and for many, with the same rotations."""
    reference, maps = example()
    medians = interleaved(
        {
            f"{n} maps": lambda n=n: spin_null(  # type: ignore[misc]
                mesh, reference, maps[:n], n_rotations=n_rotations, n_threads=threads
            )
            for n in (1, N_MAPS)
        },
        rounds,
    )
    print(f"whole test, {n_rotations} rotations, {threads} threads")
    for name, seconds in medians.items():
        print(f"  {name:24s} {seconds:8.3f} s")
    one, many = medians.values()
    print(f"  {N_MAPS} maps / 1 map = {many / one:.2f} (target 1.5)")


def fresh_process(n_maps: int, threads: int, n_rotations: int) -> None:
    """Run this file once more, alone, for time and peak memory from a cold start."""
    command = [sys.executable, __file__, "--worker", str(n_maps), "--threads", str(threads)]
    command += ["--rotations", str(n_rotations)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(f"  {done.stdout.strip()}")


def worker(n_maps: int, threads: int, n_rotations: int) -> None:
    start = time.perf_counter()
    reference, maps = example()
    null = spin_null(
        spin_mesh(*spheres()),
        reference,
        maps[:n_maps],
        n_rotations=n_rotations,
        n_threads=threads,
    )
    p = spin_test(null).p[0, 0, 0]
    seconds = time.perf_counter() - start
    print(
        f"{n_maps:2d} maps: {seconds:.1f} s with compilation, peak {peak_memory_mb():.0f} MB, "
        f"p = {p:.4f}"
    )


def peak_memory_mb() -> float:
    """Peak resident memory of this process alone (``ru_maxrss`` would inherit the parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rounds and rotations")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rotations", type=int, default=N_ROTATIONS)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.threads, options.rotations)
        return
    rounds, n_rotations = (3, 500) if options.quick else (9, options.rotations)
    mesh = spin_mesh(*spheres())
    compare_indices(mesh, options.threads, rounds, 4 if options.quick else 20)
    compare_maps(mesh, options.threads, rounds, min(n_rotations, 2000))
    print(
        f"fresh process, {n_rotations} rotations, {options.threads} threads (targets 30 s, 300 MB)"
    )
    for n_maps in (1, N_MAPS):
        fresh_process(n_maps, options.threads, n_rotations)


if __name__ == "__main__":
    main()
