"""Time and memory of retrieval from a corpus on disk: blocks of a float16 memory map.

    OMP_NUM_THREADS=2 python benchmarks/retrieval.py [--items 100000] [--queries 60]

    python benchmarks/retrieval.py --index INDEX

instead retrieves, for every window of an index that ``musicotopy-tools index`` made of real music,
a piece from the window's embedding with noise of half its length, and prints how often it is the
window's own.

A peer that holds the corpus in single precision in memory (one product, one selection) is timed
in turn; it leaves out nothing and takes single windows.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bidsapp.audio.corpus_index import CorpusIndex
from bidsapp.models.retrieval import nearest, retrieve

ROUNDS = 5


def own_pieces(folder: Path) -> None:
    """Retrieve every window's piece from a noisy copy of its embedding."""
    index = CorpusIndex.open(folder)
    embeddings = np.asarray(index.embeddings, np.float32)
    noise = np.random.default_rng(0).standard_normal(embeddings.shape)
    noise *= 0.5 / np.linalg.norm(noise, axis=1, keepdims=True)
    found = nearest(embeddings + noise, index.embeddings, index.pieces, 1)
    own = index.pieces[found.items[:, 0]] == index.pieces
    print(
        f"{len(embeddings):,} windows of {len(index.files)} pieces, {embeddings.shape[1]} "
        f"dimensions: {own.sum():,} retrieve their own piece; mean cosine "
        f"{np.nanmean(found.similarity):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--index", type=Path)
    options = parser.parse_args()
    if options.index:
        own_pieces(options.index)
        return
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embeddings.npy"
        shape = (options.items, options.dimensions)
        corpus = np.lib.format.open_memmap(path, "w+", np.float16, shape)
        for start in range(0, options.items, 10_000):
            part = rng.standard_normal((min(10_000, options.items - start), shape[1]))
            corpus[start : start + len(part)] = part / np.linalg.norm(part, axis=1)[:, None]
        corpus.flush()
        corpus = np.load(path, mmap_mode="r")
        own = rng.standard_normal((options.queries, shape[1])).astype(np.float32)
        decoded = own + rng.standard_normal(own.shape).astype(np.float32)
        excluded = [[row] for row in range(options.queries)]
        tracks, windows = np.arange(options.items), np.arange(options.items) // 10
        single = decoded / np.linalg.norm(decoded, axis=1)[:, None]

        def in_memory() -> None:
            scores = single @ held.T
            np.argpartition(-scores, 10, axis=1)

        every = {
            "nearest, one window per piece": lambda: nearest(decoded, corpus, tracks),
            "nearest, ten windows per piece": lambda: nearest(decoded, corpus, windows),
            "decoded, oracle, random, exclusions": lambda: retrieve(
                decoded, own, corpus, windows, excluded=excluded, seed=0
            ),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in every}
        before = _peak_mib()
        for _ in range(ROUNDS):
            for name, function in every.items():
                times[name].append(_cost_s(function))
        peak = _peak_mib()
        held = np.asarray(corpus, np.float32)
        times["peer: all in memory"] = []
        for _ in range(ROUNDS):
            times["peer: all in memory"].append(_cost_s(in_memory))
    print(f"{options.queries} queries, {options.items:,} x {options.dimensions} float16 on disk")
    for name, seconds in times.items():
        wall, cpu = (sorted(values) for values in zip(*seconds, strict=True))
        print(f"{name}: {wall[0]:.2f} s (median {np.median(wall):.2f}), CPU {cpu[0]:.2f} s")
    print(f"memory beyond the start: {peak - before:.0f} MiB (pages of the map included)")


def _cost_s(function: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
