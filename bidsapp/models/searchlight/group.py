"""Scores of several participants and noise ceilings, one searchlight of everybody at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import TOLERANCE, Comparison, Dissimilarity
from bidsapp.models.searchlight.scores import multiply
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


@dataclass(frozen=True)
class GroupScores:
    """Comparisons of every participant and the agreement of participants.

    Attributes
    ----------
    rho : float64 array of shape (n_subjects, n_models, n_centres)
    partial : float64 array of shape (n_subjects, n_models, n_centres), or None
        Given the nuisance RDMs, if there are any.
    ceiling_lower, ceiling_upper : float64 arrays of shape (n_centres,)
        Mean correlation of a participant's RDM with the mean of the other participants', and
        of all; after removal of the nuisance RDMs, if there are any. NaN with fewer than two
        RDMs.
    """

    rho: npt.NDArray[np.float64]
    partial: npt.NDArray[np.float64] | None
    ceiling_lower: npt.NDArray[np.float64]
    ceiling_upper: npt.NDArray[np.float64]


def group_searchlight(
    datasets: Sequence[FloatArray],
    neighbourhoods: Neighbourhoods,
    models: FloatArray | ModelTable,
    *,
    pairs: BoolArray | None = None,
    nuisance: FloatArray | None = None,
    dissimilarity: Dissimilarity = "spearman",
    compare: Comparison = "spearman",
    n_threads: int = 1,
    progress: Progress | None = None,
) -> GroupScores:
    """Compare the RDMs of all participants with all models, and with one another.

    Parameters
    ----------
    datasets
        One array (n_items, n_units) per participant, in a common space.
    neighbourhoods, models, pairs, nuisance, dissimilarity, compare, n_threads, progress
        As in `bidsapp.models.searchlight.searchlight_rsa`.

    Returns
    -------
    GroupScores

    Raises
    ------
    InputInvalidError
        If there is no participant or shapes do not fit.

    Notes
    -----
    Ceilings are of normalised rank RDMs (of values, if `compare` is ``pearson``).
    Source: noise ceilings, Nili et al. 2014.
    """
    table = model_table(models, pairs=pairs, nuisance=nuisance, comparison=compare)
    if not datasets:
        raise InputInvalidError("a group without participants; give at least one data set")
    for data in datasets:
        check_data(data, table.selection.n_items, neighbourhoods, dissimilarity)
    n_subjects, n_centres = len(datasets), neighbourhoods.n_centres
    products = np.zeros((n_subjects, n_centres, len(table.rows)))
    squares = np.zeros((n_subjects, n_centres))
    ceilings = np.full((2, n_centres), np.nan)

    pool = Pool(lambda: GroupRdms(n_subjects, table, dissimilarity))

    def work(where: slice, part: Neighbourhoods) -> None:
        with pool.one() as source:
            source.load(datasets, part)
            score(where, source)

    def score(where: slice, source: GroupRdms) -> None:
        between = np.zeros((n_subjects, n_subjects), dtype=source.rows.dtype)
        for i, centre in enumerate(range(where.start, where.stop)):
            squares[:, centre] = source.fill(i)
            products[:, centre] = source.rows
            multiply(source.vectors, source.vectors, between)
            ceilings[:, centre] = noise_ceilings(
                _agreement(table, between, source.rows, squares[:, centre])
            )

    size = group_chunk(datasets, neighbourhoods)
    over_chunks(work, neighbourhoods, size, n_threads=n_threads, progress=progress)
    rho = table.scores(products, squares).transpose(0, 2, 1)
    partial = table.partial(products, squares).transpose(0, 2, 1) if table.has_nuisance else None
    return GroupScores(rho, partial, ceilings[0], ceilings[1])


class GroupRdms:
    """Vectors of one searchlight in all participants, and their products with the models.

    Attributes
    ----------
    vectors : array of shape (n_subjects, n_selected)
    rows : array of shape (n_subjects, n_models + n_nuisance)
    """

    def __init__(self, n_subjects: int, table: ModelTable, dissimilarity: Dissimilarity) -> None:
        ranks = table.comparison != "pearson"
        self._table = table
        self._columns: list[Columns] = []
        self._maker = RdmVectors(table.selection, dissimilarity, ranks)
        self.vectors = self._maker.empty(n_subjects)
        shape = (n_subjects, len(table.rows))
        self.rows = np.zeros(shape, dtype=np.int64 if ranks else np.float64)

    def load(self, datasets: Sequence[FloatArray], part: Neighbourhoods) -> None:
        """Take the data of a few searchlights."""
        self._columns = [Columns(data, part) for data in datasets]

    def fill(self, centre: int) -> npt.NDArray[np.float64]:
        """Compute one searchlight; return sums of squares, 0 where there is no RDM."""
        squares = np.zeros(len(self._columns))
        for subject, columns in enumerate(self._columns):
            vector, members = self.vectors[subject], columns.members(centre)
            squares[subject] = self._maker.fill(columns.values, members, vector)
            if squares[subject] == 0:
                vector[:] = 0
        multiply(self.vectors, self._table.rows, self.rows)
        return squares


def group_chunk(datasets: Sequence[FloatArray], neighbourhoods: Neighbourhoods) -> int:
    """Return how many searchlights of all participants to take together."""
    n_rows = sum(data.size // data.shape[-1] for data in datasets)
    return chunk_size(neighbourhoods, n_rows)


def _agreement(
    table: ModelTable, between: AnyArray, products: AnyArray, squares: FloatArray
) -> npt.NDArray[np.float64]:
    """Correlations of participants' RDMs, those without one left out."""
    there = squares > 0
    norms = np.sqrt(squares[there])
    agreement = between[np.ix_(there, there)] / np.outer(norms, norms)
    if not table.has_nuisance:
        return np.asarray(agreement, dtype=np.float64)
    data, left = table.explained(table.correlations(products[there], squares[there]))
    kept = left > TOLERANCE
    norms = np.sqrt(left[kept])
    rest = (agreement - data @ data.T)[np.ix_(kept, kept)]
    return np.asarray(rest / np.outer(norms, norms), dtype=np.float64)


def noise_ceilings(agreement: FloatArray) -> tuple[float, float]:
    """Return lower and upper noise ceiling from correlations between participants.

    Parameters
    ----------
    agreement : array of shape (n_subjects, n_subjects)
        Inner products of their normalised RDMs.

    Returns
    -------
    lower, upper
        NaN with fewer than two participants.

    Notes
    -----
    With normalised RDMs u, the correlation of u_s with the mean of others needs only inner
    products: the sum of agreements with others over the norm of the others' sum.
    """
    n = len(agreement)
    if n < 2:
        return float("nan"), float("nan")
    own = np.diagonal(agreement)
    with_all, total = agreement.sum(axis=1), agreement.sum()
    others = np.maximum(total - 2 * with_all + own, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        lower = np.where(others > 0, (with_all - own) / np.sqrt(others), np.nan)
        upper = with_all / np.sqrt(total) if total > 0 else np.full(n, np.nan)
    return float(lower.mean()), float(upper.mean())
