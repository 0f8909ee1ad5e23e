r"""Null distribution of searchlight scores under permutations of clips.

A permutation of clips rearranges clip x clip blocks of a model RDM. All permuted inner products
are sums of products of a data block and a model block, so that one small table per searchlight
serves every permutation (a sum of :math:`n (n - 1) / 2` numbers for n clips).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import TOLERANCE, Comparison, Dissimilarity
from bidsapp.models.searchlight.blocks import (
    ClipBlocks,
    block_products,
    clip_blocks,
    permuted_products,
)
from bidsapp.models.searchlight.group import GroupRdms, group_chunk
from bidsapp.models.searchlight.spheres import Pool, Progress, check_data, over_chunks
from bidsapp.models.searchlight.table import (
    AnyArray,
    BoolArray,
    FloatArray,
    ModelTable,
    model_table,
)

IntArray = npt.NDArray[np.integer]

ROUNDING = 1e-6
"""Permuted scores this close below the observed one count as reaching it (float32 tables)."""


@dataclass(frozen=True)
class ClipNull:
    """Scores under permutations of clips.

    A score is the mean over participants of the (partial) correlation.

    Attributes
    ----------
    observed : float64 array of shape (n_models, n_centres)
    maximum : float64 array of shape (n_perm,)
        Over models and the centres of this call; combine calls with `numpy.fmax`. NaN if no
        score exists.
    exceed_count : int64 array of shape (n_models, n_centres)
        Permutations that reach the observed score; all of them where it is NaN.
    expected_max_over_models : float64 array of shape (n_centres,)
        Mean over permutations of the largest score among models.
    """

    observed: npt.NDArray[np.float64]
    maximum: npt.NDArray[np.float64]
    exceed_count: npt.NDArray[np.int64]
    expected_max_over_models: npt.NDArray[np.float64]


def clip_null(
    datasets: Sequence[FloatArray],
    neighbourhoods: Neighbourhoods,
    models: FloatArray | ModelTable,
    clip: IntArray,
    permutations: IntArray,
    *,
    pairs: BoolArray | None = None,
    nuisance: FloatArray | None = None,
    dissimilarity: Dissimilarity = "spearman",
    compare: Comparison = "spearman",
    n_threads: int = 1,
    progress: Progress | None = None,
) -> ClipNull:
    """Score all searchlights under permutations of the clips of the models.

    Parameters
    ----------
    datasets
        One array (n_items, n_units) per participant; one participant is a group of one.
    neighbourhoods, models, pairs, dissimilarity, n_threads, progress
        As in `bidsapp.models.searchlight.searchlight_rsa`.
    clip : integer array of shape (n_items,)
        Clip of each item, equal numbers of items in each; their order within a clip is kept.
    permutations : integer array of shape (n_perm, n_clips) or (n_subjects, n_perm, n_clips)
        Clip c of the data (in ascending order of labels) meets clip ``permutation[c]`` of the
        models; one set for all participants, or one each.
    nuisance : array of shape (n_nuisance, n_pairs)
        They describe the measurement and stay with the data; partialled out of data and
        permuted models.
    compare
        ``spearman`` or ``pearson``.

    Returns
    -------
    ClipNull

    Raises
    ------
    InputInvalidError
        If clips differ in length, the pair mask is not the same for all pairs of clips, or a
        row of `permutations` is no permutation.

    Notes
    -----
    Permuted scores are in float32 sums: within 1e-6 of those of explicitly permuted RDMs.
    """
    table = model_table(models, pairs=pairs, nuisance=nuisance, comparison=compare)
    if table.comparison == "rho-a":
        raise InputInvalidError("a clip null of rho-a; compare by spearman or pearson")
    for data in datasets:
        check_data(data, table.selection.n_items, neighbourhoods, dissimilarity)
    blocks = clip_blocks(clip, table.selection)
    drawn = _checked(permutations, blocks.n_clips, len(datasets))
    null = _PermutedScores(table, blocks, drawn, len(datasets))
    n_models, n_centres, n_perm = table.n_models, neighbourhoods.n_centres, drawn.shape[1]
    observed = np.full((n_models, n_centres), np.nan)
    exceed = np.full((n_models, n_centres), n_perm, dtype=np.int64)
    expected = np.full(n_centres, np.nan)

    pool = Pool(lambda: GroupRdms(len(datasets), table, dissimilarity))

    def work(where: slice, part: Neighbourhoods) -> npt.NDArray[np.float64]:
        with pool.one() as source:
            source.load(datasets, part)
            return score(where, source)

    def score(where: slice, source: GroupRdms) -> npt.NDArray[np.float64]:
        maximum = np.full(n_perm, np.nan)
        for i, centre in enumerate(range(where.start, where.stop)):
            squares = source.fill(i)
            found, permuted = null.of(source, squares)
            if np.isnan(found).all():
                continue
            observed[:, centre] = found
            reached = ~(permuted < found[:, None] - ROUNDING)
            exceed[:, centre] = reached.sum(axis=1)
            best = np.fmax.reduce(permuted, axis=0)
            expected[centre] = best.mean()
            np.fmax(maximum, best, out=maximum)
        return maximum

    size = group_chunk(datasets, neighbourhoods)
    parts = over_chunks(work, neighbourhoods, size, n_threads=n_threads, progress=progress)
    maximum = np.fmax.reduce([np.full(n_perm, np.nan), *parts])
    return ClipNull(observed, maximum, exceed, expected)


class _PermutedScores:
    """What all searchlights share: model blocks, look-ups, permuted nuisance terms."""

    def __init__(
        self,
        table: ModelTable,
        blocks: ClipBlocks,
        drawn: npt.NDArray[np.int64],
        n_subjects: int,
    ) -> None:
        self.table, self.blocks, self.n_subjects = table, blocks, n_subjects
        self.look_ups = [blocks.look_ups(rows) for rows in drawn]
        self.models = blocks.cut_models(table.rows[: table.n_models])
        norms = np.sqrt(np.diagonal(table.gram))
        inverse = np.divide(1, norms, out=np.full_like(norms, np.nan), where=norms > 0)
        self.inverse_norms = inverse[: table.n_models]
        self.terms = [self._nuisance_terms(rows) for rows in self.look_ups]

    def _nuisance_terms(
        self, look_ups: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Coordinates of permuted models on the nuisance basis, and the norm of their rest."""
        n_models, shape = self.table.n_models, (self.table.n_models, look_ups.shape[1])
        if not self.table.has_nuisance:
            return np.zeros((*shape, 0)), np.ones(shape)
        nuisance = self.table.rows[n_models:]
        products = np.stack([self._permuted(row, look_ups) for row in nuisance], axis=-1)
        products *= self.inverse_norms[:, None, None]
        norms = np.sqrt(np.diagonal(self.table.gram)[n_models:])
        products = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        coordinates = np.nan_to_num(products) @ self.table.nuisance_weights()
        left = 1 - (coordinates**2).sum(axis=-1)
        return coordinates, np.sqrt(np.where(left > TOLERANCE, left, np.nan))

    def _permuted(
        self, vector: AnyArray, look_ups: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float64]:
        """Inner products of one vector with permuted models, (n_models, n_perm)."""
        products = block_products(self.blocks.cut_data(vector), self.models)
        out = np.empty((len(products), look_ups.shape[1]))
        permuted_products(products, look_ups, out)
        return out

    def of(
        self, source: GroupRdms, squares: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return observed (n_models,) and permuted (n_models, n_perm) scores."""
        table = self.table
        there = squares > 0
        correlations = table.correlations(source.rows, squares)
        data, left = table.explained(correlations)
        there &= left > TOLERANCE
        score = table.partial if table.has_nuisance else table.scores
        single = score(source.rows, squares)[there]
        if not there.any():
            return np.full(table.n_models, np.nan), np.empty((table.n_models, 0))
        weights = np.zeros(self.n_subjects)
        weights[there] = 1 / np.sqrt(squares[there] * left[there])
        rest = np.sqrt(np.where(there, left, 1))
        if len(self.look_ups) == 1:
            mean = weights @ source.vectors / there.sum()
            coordinates = (data / rest[:, None])[there].mean(axis=0)
            return single.mean(axis=0), self._scores(mean, coordinates, 0)
        total = np.zeros((table.n_models, self.look_ups[0].shape[1]))
        for s in np.flatnonzero(there):
            total += self._scores(weights[s] * source.vectors[s], data[s] / rest[s], int(s))
        return single.mean(axis=0), total / there.sum()

    def _scores(
        self,
        vector: AnyArray,
        coordinates: npt.NDArray[np.float64],
        subject: int,
    ) -> npt.NDArray[np.float64]:
        """Permuted scores of a normalised vector with these nuisance coordinates."""
        which = subject if len(self.look_ups) > 1 else 0
        models, rest = self.terms[which]
        permuted = self._permuted(vector, self.look_ups[which])
        permuted *= self.inverse_norms[:, None]
        return np.asarray((permuted - models @ coordinates) / rest)


def _checked(permutations: IntArray, n_clips: int, n_subjects: int) -> npt.NDArray[np.int64]:
    drawn = np.asarray(permutations, dtype=np.int64)
    drawn = drawn[None] if drawn.ndim == 2 else drawn
    fits = drawn.ndim == 3 and drawn.shape[2] == n_clips and len(drawn) in {1, n_subjects}
    if not fits or (np.sort(drawn, axis=2) != np.arange(n_clips)).any():
        msg = f"permutations {np.shape(permutations)} for {n_clips} clips and {n_subjects} \
participants; give rows that rearrange 0 to {n_clips - 1}, one set for all or one each"
        raise InputInvalidError(msg)
    return drawn
