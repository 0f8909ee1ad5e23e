"""Searchlight RSA at the size of a published study, against the tools people use.

    OMP_NUM_THREADS=1 python benchmarks/searchlight.py [--quick] [--spheres 60] [--rounds 5]

480 items, spheres of 100 voxels, 10 model RDMs of 114,960 pairs, Spearman inside the sphere and
Spearman between RDMs. Methods take turns in one process, each on one thread; figures are medians
over rounds of the process's CPU time, so that other work on the machine distorts them little.
What a call costs before its first spheres (ranking the models) is subtracted for everyone. Peers
get patterns ranked within each sphere (no peer ranks them); the ranking counts as theirs.
rsatoolbox and mne-rsa are left out where they are not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree
from scipy.stats import rankdata

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import midranks
from bidsapp.models.searchlight import clip_null, searchlight_rsa
from bidsapp.models.searchlight.scores import inner_products
from bidsapp.models.searchlight.table import model_table

Floats = npt.NDArray[np.floating]
Method = Callable[[Floats, Neighbourhoods, Floats], Floats]

N_ITEMS, SIZE, N_MODELS, N_CLIPS = 480, 100, 10, 16
SHAPE = (22, 22, 20)


def problem(seed: int = 0) -> tuple[Floats, Neighbourhoods, Floats]:
    """Smooth patterns in a box, count spheres around every voxel, model RDMs."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((N_ITEMS, *SHAPE)).astype(np.float32)
    data = gaussian_filter(noise, (2, 1, 1, 1)).reshape(N_ITEMS, -1)
    places = np.argwhere(np.ones(SHAPE, dtype=bool))
    distance, members = KDTree(places).query(places, SIZE)
    units = Neighbourhoods.from_lists(members, np.arange(len(places)), distance[:, -1])
    courses = gaussian_filter(rng.standard_normal((N_MODELS, N_ITEMS, 12)), (0, 3, 0))
    upper = np.triu_indices(N_ITEMS, 1)
    models = [np.linalg.norm(c[:, None] - c[None], axis=-1)[upper] for c in courses]
    return data, units, np.array(models)


def ours(data: Floats, units: Neighbourhoods, models: Floats) -> Floats:
    """Score by this app."""
    return searchlight_rsa(data, units, models).rho.T


def sphere_ranks(data: Floats, units: Neighbourhoods) -> list[Floats]:
    """Ranks within each sphere, (n_items, SIZE)."""
    return [rankdata(data[:, units.of(i)], axis=1) for i in range(units.n_centres)]


def tuned_numpy(data: Floats, units: Neighbourhoods, models: Floats) -> Floats:
    """One sort, one matrix product and one product with all models per sphere."""
    ranks = midranks(models).astype(np.float64)
    ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
    upper = np.triu_indices(N_ITEMS, 1)
    scores = np.empty((units.n_centres, len(models)))
    for i, x in enumerate(sphere_ranks(data, units)):
        z = x - x.mean(axis=1, keepdims=True)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        y = rankdata(1 - (z @ z.T)[upper])
        y -= y.mean()
        scores[i] = ranks @ y / np.linalg.norm(y)
    return scores


def with_mne_rsa(data: Floats, units: Neighbourhoods, models: Floats) -> Floats:
    """Score by mne-rsa, all spheres as patches of one array, models ranked once."""
    from mne_rsa import rsa_array

    ranked = np.concatenate(sphere_ranks(data, units), axis=1)
    starts = range(0, ranked.shape[1], SIZE)
    scores: Floats = rsa_array(
        ranked,
        list(models),
        [(slice(None), slice(start, start + SIZE)) for start in starts],
        data_rdm_metric="correlation",
        rsa_metric="spearman",
    )
    return scores.T


def with_rsatoolbox(data: Floats, units: Neighbourhoods, models: Floats) -> Floats:
    """Score by rsatoolbox's searchlight functions."""
    from rsatoolbox.inference import eval_fixed
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.util.searchlight import evaluate_models_searchlight, get_searchlight_RDMs

    ranked = np.concatenate(sphere_ranks(data, units), axis=1)
    places = np.arange(ranked.shape[1]).reshape(-1, SIZE)
    centres = np.arange(units.n_centres)
    rdms = get_searchlight_RDMs(ranked, centres, places, np.arange(N_ITEMS), method="correlation")
    fixed = [ModelFixed(str(i), model) for i, model in enumerate(models)]
    results = evaluate_models_searchlight(rdms, fixed, eval_fixed, method="spearman", n_jobs=1)
    return np.array([result.evaluations.reshape(-1) for result in results])


def cpu_seconds(method: Method, *arguments: object) -> float:
    """CPU time of one call."""
    start = time.process_time()
    method(*arguments)  # type: ignore[arg-type]
    return time.process_time() - start


def compare_methods(n_spheres: int, rounds: int) -> None:
    """Print the table of methods."""
    data, units, models = problem()
    first = units.n_centres // 2
    methods: dict[str, tuple[Method, int]] = {
        "ours": (ours, 10 * n_spheres),
        "tuned numpy": (tuned_numpy, n_spheres),
    }
    if importlib.util.find_spec("mne_rsa"):
        methods["mne-rsa 1.0"] = (with_mne_rsa, n_spheres)
    if importlib.util.find_spec("rsatoolbox"):
        methods["rsatoolbox 0.3.2"] = (with_rsatoolbox, max(2, n_spheres // 10))
    few = units.subset(slice(first, first + 2))
    exact = ours(data, few, models)
    differences = {
        name: np.abs(m(data, few, models) - exact).max() for name, (m, _) in methods.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, (method, n) in methods.items():
            begin = max(0, min(first, units.n_centres - n - 2))
            more = cpu_seconds(method, data, units.subset(slice(begin, begin + n + 2)), models)
            two = cpu_seconds(method, data, units.subset(slice(begin, begin + 2)), models)
            seconds[name].append((more - two) / n)
    best = statistics.median(seconds["ours"])
    print("| method | ms per sphere, CPU (range) | times ours | 8 x 50,000 spheres | max diff |")
    print("|---|---|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        span = f"{1e3 * median:.2f} ({1e3 * min(values):.2f} to {1e3 * max(values):.2f})"
        hours = median * 400_000 / 3600
        whole = f"{hours * 60:.1f} min" if hours < 1 else f"{hours:.1f} h"
        print(f"| {name} | {span} | {median / best:.0f} | {whole} | {differences[name]:.0e} |")


def measure_memory() -> None:
    """Print what one worker adds to the peak of this process, code compiled, models prepared."""
    data, units, models = problem()
    few = data[:40].copy()
    few[0, ::2] = few[0, 1::2]
    small = model_table(models[:, : 40 * 39 // 2])
    inner_products(few, units.subset(slice(0, 50)), small, "spearman")
    table = model_table(models)
    reset = Path("/proc/self/clear_refs")
    reset.write_text("5")
    before = resident("VmHWM")
    inner_products(data, units.subset(slice(0, 400)), table, "spearman")
    print(f"memory of one worker beyond data and models: {resident('VmHWM') - before:.1f} MB")


def resident(key: str) -> float:
    """Memory of this process from the kernel's table (MB)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def measure_null(n_spheres: int) -> None:
    """Print the cost of the clip permutation null."""
    data, units, models = problem()
    clip = np.repeat(np.arange(N_CLIPS), N_ITEMS // N_CLIPS)
    upper = np.triu_indices(N_ITEMS, 1)
    pairs = clip[upper[0]] != clip[upper[1]]
    rng = np.random.default_rng(1)
    part = units.subset(slice(0, n_spheres))
    for n in (0, 999, 9999):
        drawn = np.array([rng.permutation(N_CLIPS) for _ in range(n + 1)])
        clip_null([data], part.subset(slice(0, 1)), models, clip, drawn, pairs=pairs)
        costs = []
        for size in (1, n_spheres + 1):
            start = time.process_time()
            clip_null([data], units.subset(slice(0, size)), models, clip, drawn, pairs=pairs)
            costs.append(time.process_time() - start)
        print(
            f"clip null, {n + 1} permutations: "
            f"{1e3 * (costs[1] - costs[0]) / n_spheres:.1f} ms CPU per sphere"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few spheres, one round")
    parser.add_argument("--spheres", type=int, default=60, help="spheres of the slower methods")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.quick:
        options.spheres, options.rounds = 10, 1
    torch.set_num_threads(1)
    measure_memory()
    compare_methods(options.spheres, options.rounds)
    measure_null(options.spheres)


if __name__ == "__main__":
    main()
