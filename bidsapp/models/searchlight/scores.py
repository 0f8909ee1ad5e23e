"""Scores of one data set: every searchlight against every model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import Comparison, Dissimilarity
from bidsapp.models.searchlight.products import Products, integer_products
from bidsapp.models.searchlight.spheres import (
    Columns,
    Pool,
    Progress,
    check_data,
    chunk_size,
    over_chunks,
)
from bidsapp.models.searchlight.table import (
    AnyArray,
    BoolArray,
    FloatArray,
    ModelTable,
    model_table,
)
from bidsapp.models.searchlight.vectors import RdmVectors

SEVERAL_BYTES = 6 << 20
"""Memory of the vectors of searchlights that share one pass over the models."""


@dataclass(frozen=True)
class SearchlightScores:
    """Comparisons of searchlights and models.

    Attributes
    ----------
    rho : float64 array of shape (n_models, n_centres)
        NaN where a searchlight or a model has no varying RDM.
    partial : float64 array of shape (n_models, n_centres), or None
        Given the nuisance RDMs, if there are any.
    n_members : int32 array of shape (n_centres,)
        Members without NaN; the others are left out.
    """

    rho: npt.NDArray[np.float64]
    partial: npt.NDArray[np.float64] | None
    n_members: npt.NDArray[np.int32]


def searchlight_rsa(
    data: FloatArray,
    neighbourhoods: Neighbourhoods,
    models: FloatArray | ModelTable,
    *,
    pairs: BoolArray | None = None,
    nuisance: FloatArray | None = None,
    dissimilarity: Dissimilarity = "spearman",
    compare: Comparison = "spearman",
    device: str = "cpu",
    n_threads: int = 1,
    progress: Progress | None = None,
) -> SearchlightScores:
    """Compare the RDM of every searchlight with every model RDM.

    Parameters
    ----------
    data : array of shape (n_items, n_units)
        Patterns, read as float32; (n_folds, n_items, n_units) for ``crossnobis``. Units with
        NaN or infinity are left out of their searchlights.
    neighbourhoods
        Searchlights; a part of them (`Neighbourhoods.slabs`) gives the same scores.
    models : array of shape (n_models, n_pairs)
        Condensed model RDMs; or what `model_table` prepared from them, `pairs` and `nuisance`
        with the same `compare`: cheaper where a function is called slab by slab.
    pairs : bool array of shape (n_pairs,)
        Pairs that count, ranked among themselves; all if None.
    nuisance : array of shape (n_nuisance, n_pairs)
        RDMs to partial out of data and models.
    dissimilarity
        ``spearman``, ``pearson``, ``euclid`` or ``crossnobis``; see `bidsapp.models.rdm.rdm`.
    compare
        ``spearman``, ``pearson`` or ``rho-a``; see `bidsapp.models.rdm.compare`.
    device
        ``cpu``, or a torch device (``cuda``).
    n_threads
        Threads on the processor.
    progress
        Called with the number of searchlights done since the last call.

    Returns
    -------
    SearchlightScores

    Raises
    ------
    InputInvalidError
        If shapes do not fit; see also `bidsapp.models.searchlight.table.model_table`.

    Notes
    -----
    Source: searchlight RSA, Kriegeskorte et al. 2006, 2008; the algorithm is described in
    `bidsapp.models.searchlight`.
    """
    table = model_table(models, pairs=pairs, nuisance=nuisance, comparison=compare)
    check_data(data, table.selection.n_items, neighbourhoods, dissimilarity)
    if device == "cpu":
        found = inner_products(
            data, neighbourhoods, table, dissimilarity, n_threads=n_threads, progress=progress
        )
    else:
        from bidsapp.models.searchlight.devices import inner_products_on

        found = inner_products_on(
            device, data, neighbourhoods, table, dissimilarity, progress=progress
        )
    partial = table.partial(found.rows, found.squares).T if table.has_nuisance else None
    rho = table.scores(found.rows, found.squares).T
    return SearchlightScores(rho, partial, found.n_members)


def inner_products(
    data: FloatArray,
    neighbourhoods: Neighbourhoods,
    table: ModelTable,
    dissimilarity: Dissimilarity,
    *,
    chunk: int | None = None,
    n_threads: int = 1,
    progress: Progress | None = None,
) -> Products:
    """Compute the inner products from which all scores follow.

    Parameters
    ----------
    data, neighbourhoods, dissimilarity, n_threads, progress
        As in `searchlight_rsa`.
    table
        From `model_table`.
    chunk
        Searchlights whose columns are gathered together; never changes a result.

    Returns
    -------
    Products
    """
    ranks = table.comparison != "pearson"
    n_centres = neighbourhoods.n_centres
    rows = np.zeros((n_centres, len(table.rows)), np.int64 if ranks else np.float64)
    found = Products(rows, np.zeros(n_centres), np.zeros(n_centres, np.int32))

    def maker() -> tuple[RdmVectors, AnyArray]:
        vectors = RdmVectors(table.selection, dissimilarity, ranks)
        return vectors, vectors.empty(n_several)

    pool = Pool(maker)
    n_several = int(np.clip(SEVERAL_BYTES // (4 * table.selection.size) // 4 * 4, 4, 16))

    def work(where: slice, part: Neighbourhoods) -> None:
        with pool.one() as (vectors, several):
            score(where, Columns(data, part), vectors, several)

    def score(where: slice, columns: Columns, vectors: RdmVectors, several: AnyArray) -> None:
        for first in range(where.start, where.stop, n_several):
            last = min(first + n_several, where.stop)
            for centre in range(first, last):
                members = columns.members(centre - where.start)
                vector = several[centre - first]
                found.n_members[centre] = columns.n_usable(centre - where.start)
                found.squares[centre] = vectors.fill(columns.values, members, vector)
                if found.squares[centre] == 0:
                    vector[:] = 0
            multiply(several[: last - first], table.rows, found.rows[first:last])

    n_rows = data.shape[-2] * (len(data) if data.ndim == 3 else 1)
    size = chunk or max(1, chunk_size(neighbourhoods, n_rows) // n_several) * n_several
    over_chunks(work, neighbourhoods, size, n_threads=n_threads, progress=progress)
    return found


def multiply(left: AnyArray, right: AnyArray, out: AnyArray) -> None:
    """Multiply rows of ranks exactly, or rows of values in a fixed order.

    Parameters
    ----------
    left : array of shape (n_left, n_selected)
    right : array of shape (n_right, n_selected)
    out : array of shape (n_left, n_right)
    """
    if left.dtype == np.int32:
        integer_products(left, right, out)
    else:
        np.einsum("ip,jp->ij", left, right, out=out)
