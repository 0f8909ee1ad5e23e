"""Maps across participants beside those of fmralign, on the same responses.

    pip install --no-deps --target FOLDER fmralign==0.0.6
    OMP_NUM_THREADS=1 python benchmarks/alignment_oracle.py FOLDER

fmralign asks for a newer torch than the app, so that it is kept in a folder of its own and only
its linear methods (`methods.procrustes`, `methods.srm`), which need neither, are imported.
Largest differences are printed of: the rotation of one parcel onto another, the map into a shared
space of fewer dimensions, and generalised Procrustes rotations of several participants (their
step, repeated with our start and our number of iterations).
"""

from __future__ import annotations

import importlib
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.alignment import fit_rotations, orthonormal_map

N_CLIPS, N_UNITS, N_FEATURES, N_PEOPLE = 400, 300, 50, 5
Array = NDArray[np.float64]


def import_methods(folder: Path) -> tuple[Any, Any]:
    """Import two modules of fmralign without what its package imports."""
    for name, place in (("fmralign", "fmralign"), ("fmralign.methods", "fmralign/methods")):
        package = types.ModuleType(name)
        package.__path__ = [str(folder / place)]
        sys.modules[name] = package
    return tuple(importlib.import_module(f"fmralign.methods.{n}") for n in ("procrustes", "srm"))  # type: ignore[return-value]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return a result, and the least of five processor times in milliseconds."""
    seconds = []
    for _ in range(5):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return result, 1000 * min(seconds)


def repeated(make: Callable[[], Any], centred: list[Array], shared: Array, n: int) -> Array:
    """Fit their maps to a template and average, several times; return the template."""
    for _ in range(n):
        shared = np.mean([make().fit(x, shared).transform(x) for x in centred], axis=0)
    return shared


def main() -> None:
    """Compare and print."""
    procrustes, srm = import_methods(Path(sys.argv[1]))
    rng = np.random.default_rng(0)
    common = rng.standard_normal((N_CLIPS, N_FEATURES)) * np.linspace(3, 1, N_FEATURES)
    people = [
        common @ np.linalg.qr(rng.standard_normal((N_UNITS, N_UNITS)))[0][:N_FEATURES]
        + 0.3 * rng.standard_normal((N_CLIPS, N_UNITS))
        for _ in range(N_PEOPLE)
    ]
    centred = [x - x.mean(axis=0) for x in people]
    theirs, slow = timed(
        lambda: procrustes.Procrustes(scaling=False).fit(centred[0], centred[1]).R
    )
    ours, fast = timed(lambda: orthonormal_map(centred[0], centred[1]))
    line = "{:45s} largest difference {:.1e}"
    cost = "{}, fmralign {:.0f} ms, ours {:.0f} ms"
    difference = line.format("rotation of one parcel", np.abs(ours - theirs).max())
    print(cost.format(difference, slow, fast))
    target = common - common.mean(axis=0)
    theirs, slow = timed(lambda: srm.DetSRM(N_FEATURES).fit(centred[0], target).Wt)
    ours, fast = timed(lambda: orthonormal_map(centred[0], target))
    difference = line.format("map into 50 dimensions", np.abs(ours - theirs).max())
    print(cost.format(difference, slow, fast))
    rotated = fit_rotations(people)
    n = len(rotated.errors)
    start = np.mean(centred, axis=0)
    theirs = repeated(lambda: procrustes.Procrustes(scaling=False), centred, start, n)
    shown = f"template of generalised Procrustes, {n} rounds"
    print(line.format(shown, np.abs(rotated.shared - theirs).max()))


if __name__ == "__main__":
    main()
