"""RDMs cut into clip x clip blocks, and sums of block products under permutations of clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from bidsapp.errors import InputInvalidError
from bidsapp.models.searchlight.table import AnyArray, Selection

IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True)
class ClipBlocks:
    """Where the blocks of an RDM are among the pairs that count.

    Attributes
    ----------
    data : int32 array of shape (n_blocks, length ** 2)
        Positions of each unordered block's pairs among the pairs that count, `missing` where a
        pair does not; a clip with itself only above the diagonal.
    ordered : int32 array of shape (n_ordered, length ** 2)
        The same of each ordered block, complete.
    firsts, seconds : int64 arrays of shape (n_blocks,)
        Clips of the unordered blocks.
    number : int32 array of shape (n_clips, n_clips)
        Row of `ordered` of each ordered pair of clips, -1 for none.
    missing : int
        Number of pairs that count.
    """

    data: npt.NDArray[np.int32]
    ordered: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.int64]
    number: npt.NDArray[np.int32]
    missing: int

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return len(self.number)

    def look_ups(self, permutations: IntArray) -> npt.NDArray[np.int32]:
        """Return which ordered model block each data block meets.

        Parameters
        ----------
        permutations : array of shape (n_perm, n_clips)

        Returns
        -------
        int32 array of shape (n_perm, n_blocks)
        """
        return self.number[permutations[:, self.firsts], permutations[:, self.seconds]]

    def cut_models(self, rows: AnyArray) -> npt.NDArray[np.float32]:
        """Cut model vectors, (n_models, n_selected), to (n_models, length ** 2, n_ordered)."""
        padded = np.concatenate([rows, np.zeros((len(rows), 1), rows.dtype)], axis=1)
        return np.ascontiguousarray(padded.astype(np.float32)[:, self.ordered.T])

    def cut_data(self, vector: AnyArray) -> npt.NDArray[np.float32]:
        """Cut a data vector, (n_selected,), to (n_blocks, length ** 2)."""
        padded = np.append(vector.astype(np.float32), np.float32(0))
        return np.asarray(padded[self.data])


def clip_blocks(clip: IntArray, selection: Selection) -> ClipBlocks:
    """Find the blocks, and check that permuted clips meet the same pairs.

    Parameters
    ----------
    clip : integer array of shape (n_items,)
        Clip of each item; the items of a clip correspond to another's in their order.
    selection
        Pairs that count.

    Returns
    -------
    ClipBlocks

    Raises
    ------
    InputInvalidError
        If clips have different numbers of items, or the pairs that count are not the same in
        all pairs of clips.
    """
    clips, sizes = np.unique(clip, return_counts=True)
    if clip.shape != (selection.n_items,) or clips.size < 2 or np.ptp(sizes) > 0:
        msg = f"{clip.size} clip labels for {selection.n_items} items, {clips.size} clips of \
{sizes.min(initial=0)} to {sizes.max(initial=0)} items; permuting clips needs equal numbers of \
items in two clips or more: trim them to one length"
        raise InputInvalidError(msg)
    items = np.array([np.flatnonzero(clip == label) for label in clips])
    n, length = items.shape
    place = np.full((selection.n_items, selection.n_items), selection.size, dtype=np.int32)
    row, column = np.divmod(selection.index, selection.n_items)
    place[row, column] = place[column, row] = np.arange(selection.size)
    blocks = place[items[:, None, :, None], items[None, :, None, :]]
    counts = blocks < selection.size
    between = ~np.eye(n, dtype=bool)
    if (counts[between] != counts[0, 1]).any() or (counts[~between] != counts[0, 0]).any():
        raise InputInvalidError(
            "the pair mask treats pairs of clips differently, so that clips cannot be permuted; \
mask by clip and by trimmed items only"
        )
    within = bool(counts[0, 0].any())
    firsts, seconds = np.triu_indices(n, 0 if within else 1)
    data = blocks[firsts, seconds].copy()
    data[(firsts == seconds)[:, None, None] & np.tri(length, dtype=bool)] = selection.size
    used = between | within
    number = np.full((n, n), -1, dtype=np.int32)
    number[used] = np.arange(used.sum())
    flat = length * length
    return ClipBlocks(
        data.reshape(-1, flat),
        blocks[used].reshape(-1, flat),
        firsts,
        seconds,
        number,
        selection.size,
    )


@njit(nogil=True)
def permuted_products(
    products: npt.NDArray[np.float32],
    look_ups: npt.NDArray[np.int32],
    out: npt.NDArray[np.float64],
) -> None:
    """Sum block products under each permutation.

    Parameters
    ----------
    products : float32 array of shape (n_models, n_blocks, n_ordered)
    look_ups : int32 array of shape (n_perm, n_blocks)
    out : float64 array of shape (n_models, n_perm)
    """
    for model in range(products.shape[0]):
        table = products[model]
        for p in range(look_ups.shape[0]):
            total = 0.0
            for block in range(look_ups.shape[1]):
                total += table[block, look_ups[p, block]]
            out[model, p] = total
