"""What decoding costs at the size of ds003720, and which null of identification holds.

``python benchmarks/reconstruct.py cost [--regions N] [--gap CLIPS]`` decodes N of 150 regions of
400 voxels, and all 60,000 voxels together, from 540 clips of four windows with embeddings of 200
dimensions, and prints seconds of processor time and the peak memory.

``python benchmarks/reconstruct.py encoding [--units N]`` fits the encoding models of N voxels by
two such embeddings, with 1,000 exchanges, and prints seconds of processor time.

``python benchmarks/reconstruct.py null [--sets N]`` decodes noise, everything fitted and chosen
anew, and prints the share of p-values at or below .05 of three nulls: held-out clips exchanged and
folds pooled as if they knew nothing of each other; the same, widened (the recipe's); and p-values
of folds combined by e times their geometric mean.

``python benchmarks/reconstruct.py neighbours [--sets N]`` decodes 60 clips played end to end, of
which responses hold a third of the clip before, in noise that is slow or not, with music that
changes slowly from clip to clip or not, and compares folds of consecutive clips, with and without
gaps of clips that are not trained on, with folds that clips are dealt into: accuracy with signal,
and the share of p-values at or below .05 without, of identification and of encoding models.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.banded import simplex_grid
from bidsapp.models.clip_encoding import encode_clips
from bidsapp.models.region_decoder import (
    ClipRows,
    best_regions,
    decode_kernel,
    decode_region,
    ensemble,
    scaled_kernel,
)
from bidsapp.stats.clip_exchange import CHANCE, WIDENING, exchange_clips
from bidsapp.stats.encoding_exchange import exchange_scores
from bidsapp.stats.folds import nested_folds
from bidsapp.stats.identification import turn_within
from bidsapp.stats.nulls import permutation_p

Floats = NDArray[np.float64]
_ALPHAS = tuple(10.0**x for x in (0, 1, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6))
_DESIGNS = ((24, 3, 8, 4), (36, 3, 30, 10), (36, 6, 30, 10), (60, 6, 60, 20))
"""Clips, folds, voxels of a region, dimensions."""
_SEQUENCE = (60, 6, 40, 10)
"""The same of clips in sequence."""


def rows_of(rng: np.random.Generator, n_clips: int, n_windows: int, n: int, k: int) -> ClipRows:
    """Embeddings of noise, n dimensions, in k blocks."""
    clip = rng.standard_normal((n_clips, 1, n))
    embedding = clip + 0.3 * rng.standard_normal((n_clips, n_windows, n))
    return ClipRows(embedding, np.arange(n_clips) % k, nested_folds(np.arange(k)))


def in_sequence(embedding: Floats, n_folds: int, gap: int) -> ClipRows:
    """Hold out consecutive clips, and do not train on `gap` clips before and after them."""
    clip = np.arange(len(embedding))
    block = clip * n_folds // len(embedding)
    apart = np.abs(np.subtract.outer(clip, clip))
    near = np.stack([apart[:, block == k].min(axis=1) <= gap for k in range(n_folds)])
    near &= block != np.arange(n_folds)[:, None]
    return ClipRows(embedding, block, nested_folds(np.arange(n_folds)), near)


def cost(n_regions: int, gap: int) -> None:
    """Print what regions and the whole brain cost."""
    rng = np.random.default_rng(0)
    rows = in_sequence(rows_of(rng, 540, 4, 200, 6).embedding, 6, gap)
    start = time.process_time()
    for _ in range(n_regions):
        decode_region(rng.standard_normal((2160, 400)), rows, _ALPHAS)
    each = (time.process_time() - start) / n_regions
    print(
        f"a region of 400 voxels: {each:.1f} s of processor time, 150: {150 * each / 60:.1f} min"
    )
    start = time.process_time()
    parts = (rng.standard_normal((2160, 4_000), np.float32) for _ in range(15))
    decode_kernel(scaled_kernel(parts), [rows], _ALPHAS)
    print(f"60,000 voxels together: {time.process_time() - start:.0f} s of processor time")
    one_fold = ClipRows(rows.embedding, rows.block, rows.folds[:1], rows.near)
    start = time.process_time()
    for _ in range(n_regions):
        decode_region(rng.standard_normal((2160, 400)), one_fold, _ALPHAS)
    once = (time.process_time() - start) / n_regions
    print(
        f"a region in one fold: {once:.2f} s; nine response windows: {9 * 36 * once:.0f} s; "
        f"ten genres left out: {10 * 36 * once:.0f} s"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.1f} GiB")


def encoding(n_units: int) -> None:
    """Print what encoding models of voxels by two embeddings cost."""
    rng = np.random.default_rng(0)
    bands = [rng.standard_normal((540, 200)) for _ in range(2)]
    y = rng.standard_normal((540, n_units), np.float32)
    block = np.arange(540) % 6
    start = time.process_time()
    fitted = encode_clips(bands, y, block, nested_folds(np.arange(6)), _ALPHAS, simplex_grid(2, 4))
    middle = time.process_time()
    subsets = list(fitted.predicted)
    exchange_scores(
        lambda units: [fitted.predicted[subset][:, units] for subset in subsets],
        y,
        block,
        turn_within(1000, block, 0),
        np.eye(3),
        np.array_split(np.arange(n_units), -(-n_units // 400)),
    )
    spent = time.process_time() - middle
    fitting = middle - start
    print(f"encoding models of {n_units:,} voxels: {fitting:.0f} s, exchanges {spent:.0f} s")


def p_values(rng: np.random.Generator, design: tuple[int, int, int, int]) -> tuple[float, ...]:
    """Return p of one set of noise by the three nulls."""
    n_clips, n_folds, n_units, n_dimensions = design
    rows = rows_of(rng, n_clips, 2, n_dimensions, n_folds)
    shape = (4, n_clips, 2, n_units)
    responses = rng.standard_normal((4, n_clips, 1, 5)) @ rng.standard_normal((4, 1, 5, n_units))
    responses = responses + 0.3 * rng.standard_normal(shape)
    each = [decode_region(own.reshape(-1, n_units), rows, _ALPHAS[::2]) for own in responses]
    chosen = best_regions(np.stack([item.score for item in each], axis=1), 2)
    predicted = ensemble(np.stack([item.predicted for item in each]), chosen, rows.fold)
    target = np.empty_like(predicted)
    for number in range(n_folds):
        target[rows.fold == number] = rows.standardised(number)[rows.fold == number]
    orders = turn_within(199, rows.fold, int(rng.integers(1 << 31)))
    pooled = exchange_clips(predicted, target, rows.fold, rows.fold, orders)
    plain = CHANCE + (pooled.null - CHANCE) / WIDENING
    of_folds = []
    for number in range(n_folds):
        own = np.where(rows.fold == number, 0, -1)
        of_folds.append(float(exchange_clips(predicted, target, own, own, orders).p))
    merged = min(1.0, float(np.e * np.exp(np.log(of_folds).mean())))
    return float(permutation_p(pooled.observed, plain)), float(pooled.p), merged


def null(n_sets: int) -> None:
    """Print error rates of the three nulls."""
    rng = np.random.default_rng(1)
    print("clips folds voxels dimensions | pooled widened merged: share of p <= .05")
    for design in _DESIGNS:
        p = np.array([p_values(rng, design) for _ in range(n_sets)])
        shares = " ".join(f"{share:.3f}" for share in (p <= 0.05).mean(axis=0))
        print(*design, "|", shares, flush=True)


def slow(rng: np.random.Generator, n: int, d: int, r: float) -> Floats:
    """Draw courses (n, d) of variance 1 whose neighbours correlate r."""
    out = rng.standard_normal((n, d))
    for k in range(1, n):
        out[k] = r * out[k - 1] + np.sqrt(1 - r**2) * out[k]
    return out


def consecutive(
    rng: np.random.Generator, noise: float, music: float, signal: float, gap: int | None
) -> tuple[float, float, float]:
    """Decode and encode clips in sequence.

    Parameters
    ----------
    rng, signal
        Random numbers; size of the responses to the music.
    noise, music
        Correlation of neighbouring clips.
    gap
        Clips beside a fold of consecutive clips that are not trained on; None: clips are dealt
        into folds.

    Returns
    -------
    tuple
        Identification accuracy, its p, and p of the mean score of encoding models.
    """
    n_clips, n_folds, n_units, n_dimensions = _SEQUENCE
    embedding = slow(rng, n_clips, n_dimensions, music)
    heard = embedding.copy()
    heard[1:] += 0.3 * embedding[:-1]
    weights = rng.standard_normal((n_dimensions, n_units)) / np.sqrt(n_dimensions)
    responses = signal * heard @ weights + slow(rng, n_clips, n_units, noise)
    rows = in_sequence(embedding[:, None], n_folds, gap or 0)
    if gap is None:
        rows = ClipRows(rows.embedding, rng.permutation(rows.block), rows.folds)
    block = rows.block
    predicted = decode_region(responses, rows, _ALPHAS[::2]).predicted
    target = np.empty_like(predicted)
    for number in range(n_folds):
        target[rows.fold == number] = rows.standardised(number)[rows.fold == number]
    orders = turn_within(199, rows.fold, int(rng.integers(1 << 31)))
    exchange = exchange_clips(predicted, target, rows.fold, rows.fold, orders)
    train = np.stack([rows.train(number) for number in range(n_folds)])
    grid = np.ones((1, 1))
    y = responses.astype(np.float32)
    fitted = encode_clips([embedding], y, block, rows.folds, _ALPHAS[::2], grid, train=train)
    encoded = exchange_scores(
        lambda units: [fitted.predicted[0,][:, units]],
        y,
        rows.fold,
        orders,
        np.eye(1),
        [np.arange(n_units)],
    )
    return float(exchange.observed), float(exchange.p), float(encoded.groups.p[0, 0])


def neighbours(n_sets: int) -> None:
    """Print what folds of consecutive clips change, and gaps beside them."""
    print(
        "correlation of neighbours: noise, music | accuracy with signal; p <= .05 without: "
        "decoding, encoding"
    )
    for noise, music in ((0.7, 0.5), (0.7, 0.0), (0.0, 0.0), (0.9, 0.7)):
        for gap in (None, 0, 1, 2):
            signal, none = (
                np.array([consecutive(rng, noise, music, size, gap) for _ in range(n_sets)])
                for rng, size in ((np.random.default_rng(2), 0.5), (np.random.default_rng(3), 0.0))
            )
            shares = " ".join(f"{share:.3f}" for share in (none[:, 1:] <= 0.05).mean(axis=0))
            folds = "dealt" if gap is None else f"consecutive, gap of {gap} clips"
            print(noise, music, folds, f"| {signal[:, 0].mean():.3f}; {shares}", flush=True)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["cost", "encoding", "null", "neighbours"])
    parser.add_argument("--regions", type=int, default=3)
    parser.add_argument("--gap", type=int, default=1, help="Clips beside folds (cost).")
    parser.add_argument("--units", type=int, default=60_000)
    parser.add_argument("--sets", type=int, default=200)
    options = parser.parse_args()
    if options.what == "cost":
        cost(options.regions, options.gap)
    elif options.what == "encoding":
        encoding(options.units)
    elif options.what == "null":
        null(options.sets)
    else:
        neighbours(options.sets)


if __name__ == "__main__":
    main()
