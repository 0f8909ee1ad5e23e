"""How often a brain that follows loudness only is taken for one that follows the layers.

    OMP_NUM_THREADS=1 python benchmarks/acoustic_brain.py [--sets 200]

Six people hear ten clips; their voxels follow the loudness of the sounds, or nothing, and noise.
Layers follow loudness in part (a weight of .3, or .5) and features that no brain follows. In the
last worlds brains follow the second layer, alone or beside loudness: power. Rates of clip
permutation at .05: single layers, and family-wise over layers.

none
    nothing removed.
difference
    the difference of loudness partialled out as an RDM.
levels
    difference, product and sum of squares of two items' loudness partialled out as RDMs.
regressed
    what `rsa` does beyond acoustics (`bidsapp.stats.rsa.acoustics`), with loudness alone, or with
    three features.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import cosine_rdm
from bidsapp.models.searchlight import clip_null
from bidsapp.stats.rsa.acoustics import acoustic_regression
from bidsapp.stats.rsa.clip_permutation import clip_permutations
from bidsapp.stats.rsa.inference import ClipTest, clip_test
from bidsapp.stats.rsa.pairs import difference_rdm, pair_items, pair_mask

Array = NDArray[np.float64]
N_CLIPS, PER_CLIP, N_VOXELS, N_PEOPLE, N_CHANNELS, N_LAYERS = 10, 12, 40, 6, 20, 3
N_ITEMS = N_CLIPS * PER_CLIP
CLIP = np.repeat(np.arange(N_CLIPS), PER_CLIP)
PAIRS = pair_mask(CLIP)
SPHERE = Neighbourhoods.from_lists([np.arange(N_VOXELS)], np.array([0]), np.ones(1))
METHODS = ("none", "difference", "levels", "regressed 1", "regressed 3")


@dataclass(frozen=True)
class World:
    """Weights of loudness in brains and layers, and of the second layer in brains."""

    name: str
    brain: float = 0.0
    layers: float = 0.3
    planted: float = 0.0


WORLDS = (
    World("noise"),
    World("loudness .4", 0.4),
    World("loudness .7", 0.7),
    World("loudness .7, layers .5", 0.7, 0.5),
    World("layer 2", 0.0, planted=0.2),
    World("layer 2 and loudness", 0.5, planted=0.2),
)


def smooth(rng: np.random.Generator, n_columns: int, phi: float, clip_sd: float = 0.0) -> Array:
    """Autocorrelated columns (n_items, n_columns) of each clip, z-scored over items."""
    white = rng.standard_normal((N_CLIPS, PER_CLIP + 30, n_columns))
    course = lfilter([1.0], [1.0, -phi], white, axis=1)[:, 30:].reshape(N_ITEMS, n_columns)
    course = (
        course / course.std(axis=0) + clip_sd * rng.standard_normal((N_CLIPS, n_columns))[CLIP]
    )
    return np.asarray((course - course.mean(axis=0)) / course.std(axis=0))


def study(
    rng: np.random.Generator, world: World, method: str, n_permutations: int = 99
) -> ClipTest:
    """Test one study."""
    features = smooth(rng, 3, 0.8, 1.0)
    loudness = features[:, :1]
    own = [smooth(rng, N_CHANNELS, 0.8, 1.0) for _ in range(N_LAYERS)]
    n_removed = int(method.rpartition(" ")[2]) if method.startswith("regressed") else 0
    columns = {str(k): features[:, [k]] for k in range(n_removed)}
    regression = acoustic_regression(columns, N_CLIPS)
    data = []
    for _ in range(N_PEOPLE):
        course = world.brain * loudness * rng.standard_normal((1, N_VOXELS))
        weights = rng.standard_normal((N_CHANNELS, N_VOXELS)) / np.sqrt(N_CHANNELS)
        course = course + world.planted * own[1] @ weights + smooth(rng, N_VOXELS, 0.5)
        patterns = (course / course.std(axis=0)).astype(np.float32)
        data.append(regression.removed_from(patterns) if n_removed else patterns)
    models = []
    for features_of_layer in own:
        x = world.layers * loudness * rng.standard_normal((1, N_CHANNELS))
        x = x + np.sqrt(1 - world.layers**2) * features_of_layer
        models.append(cosine_rdm(x / x.std(axis=0)))
    permutations = clip_permutations(N_CLIPS, n_permutations, int(rng.integers(1 << 31)))
    nuisance = _nuisance(method, loudness[:, 0], regression.hat_rdm if n_removed else None)
    null = clip_null(
        data, SPHERE, np.array(models), CLIP, permutations, pairs=PAIRS, nuisance=nuisance
    )
    return clip_test(null.observed, null.exceed_count, null.maximum)


def _nuisance(method: str, loudness: Array, hat: Array | None) -> Array | None:
    first, second = pair_items(N_ITEMS)
    left, right = loudness[first], loudness[second]
    if method == "difference":
        return difference_rdm(loudness)[None]
    if method == "levels":
        return np.array([difference_rdm(loudness), -left * right, left**2 + right**2])
    return None if hat is None else hat[None]


def main() -> None:
    """Print the rates of every world and method."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--worlds", nargs="*", default=[world.name for world in WORLDS])
    options = parser.parse_args()
    print(f"{options.sets} studies; standard error at .05: {np.sqrt(0.0475 / options.sets):.3f}")
    print("world | method | other layers | layer 2 | family-wise")
    for world in (item for item in WORLDS if item.name in options.worlds):
        for method in METHODS:
            began = time.perf_counter()
            rng = np.random.default_rng(7)
            tests = [study(rng, world, method) for _ in range(options.sets)]
            p = np.array([item.p[:, 0] for item in tests])
            family = np.array([np.nanmin(item.p_fwe) for item in tests])
            print(
                f"{world.name} | {method} | {np.mean(p[:, [0, 2]] <= 0.05):.3f} | "
                f"{np.mean(p[:, 1] <= 0.05):.3f} | {np.mean(family <= 0.05):.3f} "
                f"({time.perf_counter() - began:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main()
