"""Pitch classes that sound together, and how unexpected a set is after those before it.

``set``
    a number of 12 bits; bit k is the pitch class k semitones above A. 0 is silence.
``context``
    the sets just before; at most as many as the order of the model.

Source: Witten and Bell 1991, IEEE Trans Inf Theory 37, 1085-1094 (smoothing); surprise of chords
in the brain: Cheung et al. 2019, Curr Biol 29, 4084-4092 (whose model is richer).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = dict[tuple[int, ...], Counter[int]]

N_SETS = 4096
LEAST_SHARE = 0.4
"""Amplitude below which a pitch class does not belong to a set, as a share of the largest."""
HIGHEST_HZ = 2_000.0
"""Partials above are left out: most are overtones."""


def pitch_class_set(frequencies_hz: npt.ArrayLike, amplitudes: npt.ArrayLike) -> int:
    """Return the set of pitch classes of some partials.

    Parameters
    ----------
    frequencies_hz, amplitudes
        (n_partials,) of one moment.

    Returns
    -------
    int
        Classes whose amplitude (root of summed powers) is at least `LEAST_SHARE` of the largest.
    """
    hz, amplitude = np.asarray(frequencies_hz, float), np.asarray(amplitudes, float)
    low = hz <= HIGHEST_HZ
    classes = np.round(12.0 * np.log2(hz[low] / 440.0)).astype(np.int64) % 12
    levels = np.sqrt(np.bincount(classes, amplitude[low] ** 2, minlength=12))
    if not levels.max(initial=0.0):
        return 0
    return int(((levels >= LEAST_SHARE * levels.max()) << np.arange(12)).sum())


def transposed(number: int, steps: int) -> int:
    """Move a set up by semitones (0 to 11)."""
    return ((number << steps) | (number >> (12 - steps))) & (N_SETS - 1)


def surprises(pieces: Sequence[Sequence[int]], order: int = 2) -> list[Floats]:
    """Return how unexpected each set of each piece is, from all other pieces in all keys.

    Parameters
    ----------
    pieces
        Sets of each piece in their order; two pieces or more.
    order
        Longest context.

    Returns
    -------
    list of arrays of shape (n_sets_of_piece,)
        ``-log2`` of the probability, in bits; 12 where nothing is known.

    Raises
    ------
    ValueError
        Fewer than two pieces.
    """
    if len(pieces) < 2:
        msg = (
            f"surprise needs two pieces or more, not {len(pieces)}: it is learned from the others"
        )
        raise ValueError(msg)
    counts = [_counts(piece, order) for piece in pieces]
    total: Counts = defaultdict(Counter)
    for own in counts:
        for context, symbols in own.items():
            total[context].update(symbols)
    return [
        np.array([-np.log2(probability(piece, at, order, total, own)) for at in range(len(piece))])
        for piece, own in zip(pieces, counts, strict=True)
    ]


def probability(
    piece: Sequence[int], at: int, order: int, total: Counts, own: Counts | None = None
) -> float:
    """Return the probability of the set number `at` of a piece after those before it.

    Parameters
    ----------
    piece
        Sets.
    at
        Place in the piece.
    order
        Longest context.
    total, own
        Counts of all pieces, and of those among them that are left out.

    Notes
    -----
    Source: Witten and Bell 1991: a context of N sets, T of them different, gives the share T of
    N + T to the next shorter context; before the shortest all sets are equally likely.
    """
    estimate = 1.0 / N_SETS
    for length in range(min(order, at) + 1):
        context = tuple(piece[at - length : at])
        known = total.get(context, Counter())
        without = (own or {}).get(context, Counter())
        n = known.total() - without.total()
        if n:
            n_types = sum(count > without[symbol] for symbol, count in known.items())
            here = known[piece[at]] - without[piece[at]]
            estimate = (here + n_types * estimate) / (n + n_types)
    return estimate


def _counts(piece: Sequence[int], order: int) -> Counts:
    """Count the sets after each context in all twelve keys."""
    counts: Counts = defaultdict(Counter)
    for steps in range(12):
        moved = [transposed(number, steps) for number in piece]
        for at, number in enumerate(moved):
            for length in range(min(order, at) + 1):
                counts[tuple(moved[at - length : at])][number] += 1
    return counts
