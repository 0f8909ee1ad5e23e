"""Displaced music keeps its error rate where a few blocks are shorter than the displacement."""

from __future__ import annotations

import numpy as np

from bidsapp.encoding.parcels import parcel_test
from bidsapp.results.calibrations.encoding import MadeDesigns, score_with_null, smooth

LENGTHS = (18, 25, 34, 50, 72)
"""Rows of each piece; the least displacement is 8 rows, a third of a shorter block."""
N_SETS = 150


def test_short_pieces_beside_long_ones_reject_at_their_level() -> None:
    shares = []
    for seed in range(N_SETS):
        rng = np.random.default_rng([7, seed])
        store = MadeDesigns([smooth(rng, LENGTHS, 5)], LENGTHS, (1.0, 2.0, 3.0))
        observed, null = score_with_null(store, smooth(rng, LENGTHS, 8), seed)
        shares.append(np.mean(parcel_test(observed.mean_r, null).p <= 0.05))
    rate = float(np.mean(shares))
    error = float(np.std(shares) / np.sqrt(N_SETS))
    print(f"pieces of {LENGTHS} rows: {rate:.3f} ± {error:.3f}")
    assert rate <= 0.05 + 2 * error
