"""Permutations of clips: the null distribution that autocorrelation and drift leave valid.

Clips are what was drawn for the experiment. If the brain does not follow the model, giving the
model's clips to other clips changes nothing but chance; whatever participants share (drift, the
order, noise of the scanner) stays in place. The same permutation goes to all participants: what
their brains have in common about a clip, for reasons unknown to the model, is then permuted as
one, as it must be.

Source: Nichols & Holmes (2002), Hum Brain Mapp 15, 1-25; Phipson & Smyth (2010), Stat Appl Genet
Mol Biol 9, 39, on p = (b + 1) / (m + 1).
"""

from __future__ import annotations

from itertools import islice, permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from bidsapp.errors import InputInvalidError


def is_enumerated(n_clips: int, n_permutations: int) -> bool:
    """Whether all orders of the clips are used, and none is drawn by chance."""
    return factorial(n_clips) - 1 <= n_permutations


def clip_permutations(n_clips: int, n_permutations: int, seed: int) -> NDArray[np.int64]:
    """Permutations of clips, without the observed order among the enumerated ones.

    Parameters
    ----------
    n_clips
        Number of clips.
    n_permutations
        How many to draw; none at 0 or less. Where there are not more orders than this besides
        the observed one, each of those is used once, in lexicographic order.
    seed
        With the index of a permutation it determines the permutation.

    Returns
    -------
    array of shape (m, n_clips)
        Row k: the clip whose model is given to each clip. Drawn ones are independent and
        uniform over all orders. Either way (b + 1) / (m + 1) is a valid p: the added one is
        the observed order.

    Raises
    ------
    InputInvalidError
        Fewer than two clips.
    """
    if n_clips < 2:
        msg = f"{n_clips} clip cannot be permuted; a null over clips needs at least 2"
        raise InputInvalidError(msg)
    if n_permutations <= 0:
        return np.empty((0, n_clips), dtype=np.int64)
    if is_enumerated(n_clips, n_permutations):
        orders = islice(permutations(range(n_clips)), 1, None)
        return np.array(list(orders), dtype=np.int64)
    return np.array(
        [_draw(n_clips, seed, index) for index in range(n_permutations)], dtype=np.int64
    )


def smallest_p(n_clips: int, n_permutations: int) -> float:
    """Smallest p that can come out: 1 / (m + 1)."""
    return 1 / min(n_permutations + 1, factorial(n_clips))


def _draw(n_clips: int, seed: int, index: int) -> NDArray[np.int64]:
    sequence = np.random.SeedSequence((seed, index))
    return np.random.Generator(np.random.Philox(sequence)).permutation(n_clips)
