"""Error rates of encoding where sounds begin from silence, and without their beginnings.

    OMP_NUM_THREADS=1 python benchmarks/onsets.py [--sets 300] [--shifts 39] [--response lags]

Three pieces of 90, 120 and 150 s, TR 1.5 s, three layers (AR .7, .9, .97) through the canonical
response or with lags of 4, 5 and 6 s, 12 parcels of noise (AR .6 and .9). Layers fade in over 2 s from silence, and BOLD has a
transient after each onset: the canonical response to 1 s. Nothing else is common to both. Rows
begin with the longest lag, or later. Each line: rates of p <= .05 in single layers and parcels,
and family-wise over both.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from bidsapp.features.hrf import hrf
from bidsapp.results.calibrations.encoding import MadeDesigns, score_with_null, smooth
from bidsapp.stats.displacement import displacement_test
from bidsapp.stats.metrics import fisher_z

Array = NDArray[np.float64]
TR_S, LENGTHS_S, LAGS_S, FADE_S = 1.5, (90, 120, 150), (4.0, 5.0, 6.0), 2.0
N_PARCELS, N_COMPONENTS, LEVEL = 12, 4, 0.05
BEGINS_S = (6.0, 9.0, 12.0, 15.0)
LOG10_ALPHA = (1.0, 2.0, 3.0, 4.0)


def made(
    rng: np.random.Generator, transient: bool, response: str
) -> tuple[list[Array], Array, Array]:
    """Lagged layers, BOLD (n_rows, n_parcels) and the time (n_rows,) of each row in its sound."""
    lengths = [int(length / TR_S) for length in LENGTHS_S]
    fine = [round(length / 0.5) for length in LENGTHS_S]
    times = [np.arange(n) * TR_S for n in lengths]
    layers = []
    for ar in (0.7, 0.9, 0.97):
        course, parts, start = smooth(rng, fine, N_COMPONENTS, ar ** (0.5 / TR_S)), [], 0
        level = 2.0 * rng.standard_normal(N_COMPONENTS)
        for n, own in zip(fine, times, strict=True):
            moments = np.arange(n) * 0.5
            piece = course[start : start + n] / course.std(axis=0) + level
            if transient:
                piece = piece * np.minimum(1.0, moments / FADE_S)[:, None]
            if response == "canonical":
                piece = fftconvolve(piece, hrf(0.5)[:, None], axes=0)[:n]
            lags = LAGS_S if response == "lags" else (0.0,)
            at = [np.searchsorted(moments, own - lag).clip(0) for lag in lags]
            parts.append(np.hstack([piece[rows] for rows in at]))
            start += n
        layers.append(np.vstack(parts))
    noise = np.hstack([smooth(rng, lengths, N_PARCELS // 2, ar) for ar in (0.6, 0.9)])
    y = noise / noise.std(axis=0)
    if transient:
        answer = hrf(TR_S)
        answer = answer / answer.max()
        shape = np.concatenate([np.pad(answer, (0, n))[:n] for n in lengths])
        y = y + shape[:, None] * rng.uniform(0.5, 2.0, N_PARCELS)
    return layers, y, np.concatenate(times)


def test(
    rng: np.random.Generator, n_shifts: int, transient: bool, response: str
) -> dict[float, Array]:
    """Test one set with each beginning: share at .05, and whether any passes."""
    layers, y, since = made(rng, transient, response)
    results, seed = {}, int(rng.integers(1 << 31))
    ends = np.cumsum([int(length / TR_S) for length in LENGTHS_S])
    for begin in BEGINS_S:
        kept = since >= begin
        lengths = tuple(int(kept[end - n : end].sum()) for end, n in zip(
            ends, np.diff(ends, prepend=0), strict=True))  # fmt: skip
        store = MadeDesigns([layer[kept] for layer in layers], lengths, LOG10_ALPHA)
        observed, null = score_with_null(store, y[kept], seed, n_shifts)
        both = fisher_z(np.concatenate([observed.mean_r[None], null]))
        seen = displacement_test(both[0], both[1:])
        results[begin] = np.array([np.mean(seen.p <= LEVEL), np.nanmin(seen.p_fwe) <= LEVEL])
    return results


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--shifts", type=int, default=39)
    parser.add_argument("--response", default="canonical", choices=("canonical", "lags"))
    options = parser.parse_args()
    for transient in (False, True):
        began, rng = time.perf_counter(), np.random.default_rng(3)
        sets = [
            test(rng, options.shifts, transient, options.response) for _ in range(options.sets)
        ]
        for begin in BEGINS_S:
            values = np.array([item[begin] for item in sets])
            rates, errors = values.mean(axis=0), values.std(axis=0) / np.sqrt(len(sets))
            text = ", ".join(f"{rate:.3f} ± {error:.3f}" for rate, error in zip(
                rates, errors, strict=True))  # fmt: skip
            print(f"{'fade-in and transient' if transient else 'neither'}, rows from {begin:g} s: "
                  f"{text} ({time.perf_counter() - began:.0f} s)", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
