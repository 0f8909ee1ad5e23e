"""Pairs that count, model and nuisance RDMs on them, and scores from inner products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.models.rdm import TOLERANCE, Comparison, n_items_of
from bidsapp.models.searchlight.products import integer_products
from bidsapp.models.searchlight.sorting import sorted_ranks

FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]

MAX_PAIRS = 2_500_000
"""Above it a sum of products of ranks might leave 64-bit integers."""


@dataclass(frozen=True)
class Selection:
    """Pairs of items that count.

    Attributes
    ----------
    n_items : int
    pairs : int64 array of shape (n_selected,)
        Positions in a condensed RDM.
    index : int64 array of shape (n_selected,)
        Positions in a flat matrix of items x items.
    first, length : int32 arrays of shape (n_runs,)
        The same as runs of consecutive positions.
    """

    n_items: int
    pairs: npt.NDArray[np.int64]
    index: npt.NDArray[np.int64]
    first: npt.NDArray[np.int32]
    length: npt.NDArray[np.int32]

    @property
    def size(self) -> int:
        """Number of pairs that count."""
        return self.index.size


def select(n_pairs: int, pairs: BoolArray | None) -> Selection:
    """Find the pairs that count in the matrix of items x items.

    Parameters
    ----------
    n_pairs
        Length of a condensed RDM.
    pairs : bool array of shape (n_pairs,)
        All if None.

    Raises
    ------
    InputInvalidError
        If fewer than two pairs count, too many do, or the mask has another length.
    """
    n_items = n_items_of(n_pairs)
    if pairs is not None and pairs.shape != (n_pairs,):
        msg = f"a pair mask of {pairs.size} for RDMs of {n_pairs} pairs; give one flag per pair"
        raise InputInvalidError(msg)
    kept = np.arange(n_pairs) if pairs is None else np.flatnonzero(pairs)
    if not 2 <= kept.size <= MAX_PAIRS:
        msg = f"{kept.size} of {n_pairs} pairs of items count; a comparison of RDMs needs 2 to \
{MAX_PAIRS}: change the pair mask or the items"
        raise InputInvalidError(msg)
    row, column = np.triu_indices(n_items, 1)
    index = (row * n_items + column)[kept]
    begins = np.flatnonzero(np.diff(index, prepend=-2) != 1)
    length = np.diff(begins, append=index.size)
    return Selection(n_items, kept, index, index[begins].astype(np.int32), length.astype(np.int32))


@dataclass(frozen=True)
class ModelTable:
    """Model RDMs, then nuisance RDMs, on the pairs that count.

    Attributes
    ----------
    selection : Selection
    rows : array of shape (n_models + n_nuisance, n_selected)
        Doubled centred ranks (int32), or centred values (float64) for Pearson's comparison;
        zeros for a model with NaN.
    gram : float64 array of shape (n_models + n_nuisance, n_models + n_nuisance)
        Products of rows.
    n_models : int
    comparison : {"spearman", "pearson", "rho-a"}
    """

    selection: Selection
    rows: AnyArray
    gram: npt.NDArray[np.float64]
    n_models: int
    comparison: Comparison

    @property
    def has_nuisance(self) -> bool:
        """Whether there are nuisance RDMs."""
        return len(self.rows) > self.n_models

    def scores(self, products: AnyArray, squares: FloatArray) -> npt.NDArray[np.float64]:
        """Return comparisons of data and models.

        Parameters
        ----------
        products : array of shape (..., n_models + n_nuisance)
            Inner products of data RDMs and rows.
        squares : array of shape (...)
            Of data RDMs with themselves; 0 where there is no RDM.

        Returns
        -------
        array of shape (..., n_models)
        """
        squared = squares[..., None].astype(np.float64)
        norms = np.diagonal(self.gram)[: self.n_models]
        scale = squared * norms
        if self.comparison == "rho-a":
            n = float(self.selection.size)
            scale = np.where(scale > 0, ((n**3 - n) / 3) ** 2, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            rho = products[..., : self.n_models] / np.sqrt(scale)
        return np.where(scale > 0, rho, np.nan)

    def partial(self, products: AnyArray, squares: FloatArray) -> npt.NDArray[np.float64]:
        """Return partial correlations of data and models given the nuisance RDMs.

        Parameters
        ----------
        products, squares
            As in `scores`.

        Returns
        -------
        array of shape (..., n_models)
            NaN where the nuisance RDMs leave nothing of data or model.
        """
        r = self.correlations(products, squares)
        data, left = self.explained(r)
        model, right = self.explained(self.correlations(self.gram, np.diagonal(self.gram)))
        model, right = model[: self.n_models], right[: self.n_models]
        with np.errstate(invalid="ignore", divide="ignore"):
            rho = r[..., : self.n_models] - data @ model.T
            rho /= np.sqrt(left[..., None] * right)
        enough = (left[..., None] > TOLERANCE) & (right > TOLERANCE)
        return np.where(enough, rho, np.nan)

    def correlations(self, products: AnyArray, squares: FloatArray) -> npt.NDArray[np.float64]:
        """Divide products by norms, (..., n_models + n_nuisance); NaN without an RDM."""
        scale = squares[..., None].astype(np.float64) * np.diagonal(self.gram)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(scale > 0, products / np.sqrt(scale), np.nan)

    def explained(
        self, correlations: FloatArray
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return what nuisance RDMs explain of normalised RDMs.

        Parameters
        ----------
        correlations : array of shape (..., n_models + n_nuisance)
            Of these RDMs with the rows.

        Returns
        -------
        coordinates : array of shape (..., n_dimensions)
            On an orthonormal basis of the nuisance RDMs.
        left : array of shape (...)
            Share of the sum of squares that they do not explain.
        """
        nuisance = np.nan_to_num(correlations[..., self.n_models :])
        coordinates = nuisance @ self.nuisance_weights()
        return coordinates, 1 - (coordinates**2).sum(axis=-1)

    def nuisance_weights(self) -> npt.NDArray[np.float64]:
        """Turn correlations with nuisance RDMs into coordinates on an orthonormal basis of them.

        Returns
        -------
        array of shape (n_nuisance, n_dimensions)
        """
        gram = self.gram[self.n_models :, self.n_models :]
        norms = np.sqrt(np.diagonal(gram))
        inverse = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        values, vectors = np.linalg.eigh(gram * np.outer(inverse, inverse))
        kept = values > TOLERANCE
        return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def model_table(
    models: FloatArray | ModelTable,
    *,
    pairs: BoolArray | None = None,
    nuisance: FloatArray | None = None,
    comparison: Comparison = "spearman",
) -> ModelTable:
    """Prepare models for comparison with very many data RDMs.

    Parameters
    ----------
    models : array of shape (n_models, n_pairs)
        A model with NaN among the pairs that count has NaN scores. A table is returned as it
        is, and has its pairs and nuisance RDMs.
    pairs : bool array of shape (n_pairs,)
        Pairs that count; all if None.
    nuisance : array of shape (n_nuisance, n_pairs)
    comparison
        ``spearman``, ``pearson`` or ``rho-a``.

    Returns
    -------
    ModelTable

    Raises
    ------
    InputInvalidError
        If shapes do not fit, a nuisance RDM has NaN, rho-a is to be partial, or a table comes
        with pairs, nuisance RDMs or another comparison.
    """
    if isinstance(models, ModelTable):
        if pairs is not None or nuisance is not None or comparison != models.comparison:
            msg = (
                f"a prepared table of models compared by {models.comparison}, and with it a pair \
mask, nuisance RDMs or comparison by {comparison}; give these when the table is prepared"
            )
            raise InputInvalidError(msg)
        return models
    if models.ndim != 2 or (nuisance is not None and nuisance.shape[1:] != models.shape[1:]):
        shape = None if nuisance is None else nuisance.shape
        msg = f"models {models.shape} and nuisance RDMs {shape} do not fit; give rows of pairs"
        raise InputInvalidError(msg)
    selection = select(models.shape[1], pairs)
    rows = models if nuisance is None else np.concatenate([models, nuisance])
    rows = np.asarray(rows, dtype=np.float64)[:, selection.pairs]
    missing = np.asarray(np.isnan(rows).any(axis=1))
    if missing[len(models) :].any():
        msg = f"{missing[len(models) :].sum()} nuisance RDMs have NaN among the pairs that count; \
fill them or leave these pairs out"
        raise InputInvalidError(msg)
    if comparison == "rho-a" and nuisance is not None and len(nuisance):
        raise InputInvalidError(
            "rho-a has no partial form; compare by spearman with nuisance RDMs"
        )
    rows[missing] = 0
    if comparison == "pearson":
        values = rows - rows.mean(axis=1, keepdims=True)
        values[np.ptp(rows, axis=1) == 0] = 0
        gram = np.einsum("ip,jp->ij", values, values)
        return ModelTable(selection, values, gram, len(models), comparison)
    ranks = np.empty(rows.shape, dtype=np.int32)
    for row, out in zip(rows, ranks, strict=True):
        sorted_ranks(row, out)
    exact = np.empty((len(ranks), len(ranks)), dtype=np.int64)
    integer_products(ranks, ranks, exact)
    return ModelTable(selection, ranks, exact.astype(np.float64), len(models), comparison)
