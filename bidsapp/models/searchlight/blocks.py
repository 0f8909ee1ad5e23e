"""RDMs cut into clip x clip blocks, and sums of block products under permutations of clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from numba import njit

from bidsapp.errors import InputInvalidError
from bidsapp.models.searchlight.table import AnyArray, Selection

IntArray = npt.NDArray[np.integer]
Parts = tuple[torch.Tensor, torch.Tensor]

TILE = 1024


@dataclass(frozen=True)
class ClipBlocks:
    """Where the blocks of an RDM are among the pairs that count.

    A block X is the sum of a symmetric and an antisymmetric part. With the inner products of the
    parts of two blocks, their sum is the product of the blocks, and their difference that with
    the transposed block: half the work of multiplying with both.

    Attributes
    ----------
    data, models : int32 arrays of shape (n_blocks, length, length)
        Positions of each block's pairs among the pairs that count, `missing` where a pair does
        not. One block for each unordered pair of clips; the block of a clip with itself is
        complete for models, and for data above the diagonal only.
    firsts, seconds : int64 arrays of shape (n_blocks,)
        Clips of the blocks.
    number : int32 array of shape (n_clips, n_clips)
        Column in a table of products of each ordered pair of clips: the block, behind all
        blocks the transposed one; -1 for none.
    missing : int
        Number of pairs that count.
    """

    data: npt.NDArray[np.int32]
    models: npt.NDArray[np.int32]
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
        int32 array of shape (n_blocks, n_perm)
        """
        met = self.number[permutations[:, self.firsts], permutations[:, self.seconds]]
        return np.ascontiguousarray(met.T)

    def cut_models(self, rows: AnyArray) -> Parts:
        """Cut model vectors, (n_models, n_selected), to parts (n_models, n_entries, n_blocks)."""
        symmetric, antisymmetric = _parts(rows, self.models)
        upper = antisymmetric.shape[-1]
        symmetric[..., :upper] /= 2
        antisymmetric /= 2
        return symmetric.mT.contiguous(), antisymmetric.mT.contiguous()

    def cut_data(self, vector: AnyArray) -> Parts:
        """Cut a data vector, (n_selected,), to parts (n_blocks, n_entries)."""
        return _parts(vector, self.data)


def _parts(vectors: AnyArray, blocks: npt.NDArray[np.int32]) -> Parts:
    """Add opposite entries, followed by the diagonal; and subtract opposite entries."""
    last = np.zeros((*vectors.shape[:-1], 1), dtype=np.float32)
    padded = np.concatenate([vectors.astype(np.float32), last], axis=-1)
    row, column = np.triu_indices(blocks.shape[-1], 1)
    above = padded.take(blocks[:, row, column], axis=-1)
    below = padded.take(blocks[:, column, row], axis=-1)
    diagonal = padded.take(np.diagonal(blocks, axis1=1, axis2=2), axis=-1)
    symmetric = np.concatenate([above + below, diagonal], axis=-1)
    return torch.from_numpy(symmetric), torch.from_numpy(above - below)


def block_products(data: Parts, models: Parts) -> npt.NDArray[np.float32]:
    """Multiply data blocks with model blocks and transposed model blocks.

    Parameters
    ----------
    data, models
        From `ClipBlocks.cut_data` and `ClipBlocks.cut_models`.

    Returns
    -------
    float32 array of shape (n_models, n_blocks, 2 * n_blocks)
    """
    same, swapped = (torch.matmul(a, b) for a, b in zip(data, models, strict=True))
    return np.asarray(torch.cat([same + swapped, same - swapped], dim=-1).numpy())


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
    models = blocks[firsts, seconds]
    data = models.copy()
    data[(firsts == seconds)[:, None, None] & np.tri(length, dtype=bool)] = selection.size
    number = np.full((n, n), -1, dtype=np.int32)
    number[seconds, firsts] = np.arange(firsts.size) + firsts.size
    number[firsts, seconds] = np.arange(firsts.size)
    return ClipBlocks(data, models, firsts, seconds, number, selection.size)


@njit(nogil=True)
def permuted_products(
    products: npt.NDArray[np.float32],
    look_ups: npt.NDArray[np.int32],
    out: npt.NDArray[np.float64],
) -> None:
    """Sum block products under each permutation.

    Parameters
    ----------
    products : float32 array of shape (n_models, n_blocks, n_columns)
    look_ups : int32 array of shape (n_blocks, n_perm)
    out : float64 array of shape (n_models, n_perm)
    """
    out[:] = 0
    for first in range(0, out.shape[1], TILE):
        last = min(first + TILE, out.shape[1])
        for model in range(products.shape[0]):
            sums = out[model, first:last]
            for block in range(products.shape[1]):
                row, columns = products[model, block], look_ups[block, first:last]
                for p in range(np.uint64(last - first)):
                    sums[p] += row[np.uint32(columns[p])]
