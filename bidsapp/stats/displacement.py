"""Common displacement: the null over participants moves the music alike in everybody.

Listeners share responses that no model knows. Flipping signs of participants, or shifting each
participant on its own, breaks what they share and rejects too often
(`benchmarks/gradient_claim.py`). Here copy k of the null displaces each piece by the same time in
every participant; what listeners share stays shared, only its alignment with the features is
broken. The group score of copy k is the mean over participants, as for the observed alignment, so
observed and null scores are exchangeable when features and responses are unrelated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.stats.nulls import permutation_p

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


def piece_shifts(
    pieces: Sequence[str],
    lengths: Sequence[int] | IntArray,
    min_shift: int | IntArray,
    n_copies: int,
    seed: int,
    *,
    first: int = 0,
) -> IntArray:
    """Draw the displacement of each block, the same for everybody who heard the piece.

    Parameters
    ----------
    pieces
        Name of what each block holds. Blocks of one name are moved alike: repeats of a piece,
        and the same piece in other participants.
    lengths : array of shape (n_blocks,)
        Rows of each block.
    min_shift
        Least displacement in rows, in either direction; one number or one per block. In a block
        shorter than three times this, a third of the block is used (at least one row).
    n_copies
        Copies of the null.
    seed
        With the name of a piece and the number of a copy it determines the displacement as a
        fraction of the piece: participants with other repetition times move by the same time
        up to half a repetition time.
    first
        Number of the first copy.

    Returns
    -------
    integer array of shape (n_copies, n_blocks)
        Rows by which the responses in each block are shifted circularly.

    Raises
    ------
    InputInvalidError
        If a block has fewer than two rows.
    """
    rows = np.asarray(lengths, dtype=np.int64)
    if rows.size and rows.min() < 2:
        msg = f"a block of {rows.min()} row cannot be shifted; leave such blocks out"
        raise InputInvalidError(msg)
    low = np.maximum(1, np.minimum(np.asarray(min_shift, dtype=np.int64), rows // 3))
    fractions = {name: _fractions(name, n_copies, seed, first) for name in dict.fromkeys(pieces)}
    drawn = np.stack([fractions[name] for name in pieces], axis=1)
    choices = rows - 2 * low + 1
    return np.asarray(low + np.floor(drawn * choices), dtype=np.int64)


def _fractions(piece: str, n_copies: int, seed: int, first: int) -> FloatArray:
    """(n_copies,) numbers in [0, 1) that seed, piece and copy determine."""
    digest = hashlib.blake2b(piece.encode(), digest_size=8).digest()
    key = int.from_bytes(digest, "little")
    return np.array(
        [
            np.random.Generator(
                np.random.Philox(np.random.SeedSequence((seed, key, copy)))
            ).random()
            for copy in range(first, first + n_copies)
        ]
    )


@dataclass(frozen=True, eq=False)
class DisplacementTest:
    """Group scores among those of displaced music.

    Attributes
    ----------
    score
        Observed scores, any shape (layers × parcels).
    effect
        Scores in standard deviations of their own null, above its mean.
    p
        (b + 1) / (m + 1) of each score.
    p_fwe
        The same for the effect, against the largest effect over all scores in each copy.
    """

    score: FloatArray
    effect: FloatArray
    p: FloatArray
    p_fwe: FloatArray


def displacement_test(observed: FloatArray, null: FloatArray) -> DisplacementTest:
    """Test group scores against the scores of displaced music.

    Scores are standardised by mean and standard deviation over all copies, the observed one
    among them, so that each cell counts alike in the maximum: layers whose features are smooth
    have wider nulls and would own the threshold of the raw maximum.

    Parameters
    ----------
    observed : array of any shape
        Mean Fisher z over participants; NaN where missing.
    null : array of shape (m, *observed.shape)
        The same under each displacement.

    Returns
    -------
    DisplacementTest
        One-sided: large scores.
    """
    observed = np.asarray(observed, np.float64)
    null = np.asarray(null, np.float64)
    copies = np.concatenate([observed[None], null])
    mean, sd = copies.mean(axis=0), copies.std(axis=0)
    effects = (copies - mean) / np.where(sd > 0, sd, np.nan)
    flat = effects.reshape(len(copies), -1)
    largest = np.fmax.reduce(np.where(np.isfinite(flat), flat, -np.inf), axis=1)
    p_fwe = permutation_p(
        effects[0], np.broadcast_to(largest[1:].reshape((-1,) + (1,) * observed.ndim), null.shape)
    )
    return DisplacementTest(observed, effects[0], permutation_p(observed, null), p_fwe)
