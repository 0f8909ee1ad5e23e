"""Exact PCA from a Gram matrix against scikit-learn's IncrementalPCA, on one wide layer.

    python benchmarks/gram_pca.py [--quick] [--frames 939] [--features 98304] [--rounds 3]

Both get the same float32 matrix, made to look like a rectified convolution of music: smooth in
time, a decaying spectrum, a large mean. Both return the scores of 50 components for all frames.
Rounds are interleaved, each in a fresh process whose time excludes imports and reading, and whose
peak memory is its own. Components are compared with a float64 eigendecomposition.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

N_COMPONENTS = 50
BATCH = 100
METHODS = {
    "gram": "Gram, exact (musicotopy)",
    "incremental": f"sklearn IncrementalPCA({N_COMPONENTS}, batch_size={BATCH})",
}
Floats = npt.NDArray[np.floating]


def synthetic_layer(n_frames: int, n_features: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Rectified mixture of 300 slow processes, (n_frames, n_features)."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((n_frames, 300))
    slow = np.empty_like(steps)
    slow[0] = steps[0]
    for i in range(1, n_frames):
        slow[i] = 0.8 * slow[i - 1] + 0.6 * steps[i]
    slow *= np.arange(1, 301) ** -0.7
    out = np.empty((n_frames, n_features), np.float32)
    for start in range(0, n_features, 4096):
        part = out[:, start : start + 4096]
        loadings = rng.standard_normal((300, part.shape[1]))
        noise = 0.3 * rng.standard_normal(part.shape)
        part[:] = np.maximum(slow @ loadings + noise + 0.5, 0.0)
    return out


def gram_scores(x: npt.NDArray[np.float32]) -> Floats:
    """Scores as the app computes them, features arriving in slices."""
    import torch

    from bidsapp.features.gram import accumulate, gram_pca

    gram = np.zeros((len(x), len(x)))
    for start in range(0, x.shape[1], 1 << 15):
        accumulate(gram, torch.from_numpy(x[:, start : start + (1 << 15)]))
    return gram_pca(gram, np.arange(len(x)), N_COMPONENTS).scores


def incremental_scores(x: npt.NDArray[np.float32]) -> Floats:
    """Scores by IncrementalPCA."""
    from sklearn.decomposition import IncrementalPCA

    scores: Floats = IncrementalPCA(N_COMPONENTS, batch_size=BATCH).fit_transform(x)
    return scores


def exact_scores(x: npt.NDArray[np.float32]) -> Floats:
    """Scores from a float64 Gram matrix."""
    gram = np.zeros((len(x), len(x)))
    for start in range(0, x.shape[1], 4096):
        part = x[:, start : start + 4096].astype(np.float64)
        part -= part.mean(axis=0)
        gram += part @ part.T
    values, vectors = np.linalg.eigh(gram)
    best = slice(-1, -N_COMPONENTS - 1, -1)
    scores: Floats = vectors[:, best] * np.sqrt(values[best])
    return scores


def peak_bytes() -> int:
    """Peak resident memory of this process since the last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def run_one(method: str, data: Path, scores: Path) -> None:
    """Run one method in this process and print seconds and peak bytes as JSON."""
    import sklearn.decomposition  # noqa: F401
    import torch  # noqa: F401

    import bidsapp.features.gram  # noqa: F401

    x = np.load(data)
    function = {"gram": gram_scores, "incremental": incremental_scores}[method]
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_bytes()
    start = time.perf_counter()
    found = function(x)
    seconds = time.perf_counter() - start
    np.save(scores, found)
    print(json.dumps({"s": seconds, "peak": peak_bytes(), "added": peak_bytes() - before}))


def correlations(scores: Floats, exact: Floats) -> npt.NDArray[np.float64]:
    """|r| of each component with its exact counterpart."""
    a, b = scores - scores.mean(axis=0), exact - exact.mean(axis=0)
    norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    r: npt.NDArray[np.float64] = np.abs(np.sum(a * b, axis=0)) / norms
    return r


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small matrix, one round")
    parser.add_argument("--frames", type=int, default=939)
    parser.add_argument("--features", type=int, default=98_304)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("METHOD", "DATA", "SCORES"))
    options = parser.parse_args()
    if options.one:
        method, data, scores = options.one
        run_one(method, Path(data), Path(scores))
        return
    if options.quick:
        options.frames, options.features, options.rounds = 300, 8192, 1
    compare(options.frames, options.features, options.rounds)


def compare(n_frames: int, n_features: int, rounds: int) -> None:
    """Run both methods in turn and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x = synthetic_layer(n_frames, n_features)
        np.save(folder / "x.npy", x)
        exact = exact_scores(x)
        del x
        runs: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
        for _ in range(rounds):
            for method, results in runs.items():
                results.append(measure(method, folder))
        worst = {m: correlations(np.load(folder / f"{m}.npy"), exact) for m in METHODS}
    print_table(n_frames, n_features, runs, worst)


def measure(method: str, folder: Path) -> dict[str, float]:
    """Run one method in a fresh process."""
    program = [sys.executable, __file__, "--one", method]
    files = [str(folder / "x.npy"), str(folder / f"{method}.npy")]
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run([*program, *files], check=True, stdout=subprocess.PIPE, env=environment)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def print_table(
    n_frames: int,
    n_features: int,
    runs: dict[str, list[dict[str, float]]],
    worst: dict[str, npt.NDArray[np.float64]],
) -> None:
    """Print medians, their ratio, exactness and memory as Markdown."""
    medians = {method: statistics.median(run["s"] for run in runs[method]) for method in runs}
    size = 4 * n_frames * n_features / 1e9
    print(f"{n_frames} frames by {n_features} features ({size:.2f} GB float32), ", end="")
    print(f"{N_COMPONENTS} components, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(
        "| method | median s (runs) | times slower | worst r, median r | peak GB (beyond data) |"
    )
    print("|--|--|--|--|--|")
    for method, label in METHODS.items():
        seconds = ", ".join(f"{run['s']:.2f}" for run in runs[method])
        peak = max(run["peak"] for run in runs[method]) / 1e9
        added = max(run["added"] for run in runs[method]) / 1e9
        r = worst[method]
        print(
            f"| {label} | {medians[method]:.2f} ({seconds}) "
            f"| {medians[method] / medians['gram']:.1f} "
            f"| {r.min():.6f}, {np.median(r):.6f} | {peak:.2f} ({added:.2f}) |"
        )


if __name__ == "__main__":
    main()
