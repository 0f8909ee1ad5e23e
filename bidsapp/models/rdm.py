r"""Representational dissimilarity matrices, one at a time: the plain definitions.

An RDM is condensed: the upper triangle, row by row, as in `scipy.spatial.distance.squareform`.
The searchlight (`bidsapp.models.searchlight`) computes the same numbers for very many
searchlights and is tested against this module.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from bidsapp.errors import InputInvalidError

__all__ = [
    "Comparison",
    "Dissimilarity",
    "compare",
    "cosine_rdm",
    "midranks",
    "n_items_of",
    "partial_compare",
    "rdm",
]

Dissimilarity = Literal["spearman", "pearson", "euclid", "crossnobis"]
Comparison = Literal["spearman", "pearson", "rho-a"]
FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]

MIN_FEATURES: dict[Dissimilarity, int] = {
    "spearman": 2,
    "pearson": 3,
    "euclid": 1,
    "crossnobis": 1,
}
"""Features below which there is no RDM. The Pearson correlation of two features is 1 or -1 up to
rounding, which ranks must not see; their Spearman correlation is exact."""

TOLERANCE = 1e-10
"""Share of variance below which nothing is left of an RDM beside its nuisance RDMs."""


def rdm(
    patterns: FloatArray, dissimilarity: Dissimilarity, *, folds: FloatArray | None = None
) -> npt.NDArray[np.float64]:
    r"""Return the dissimilarities of all pairs of items.

    Parameters
    ----------
    patterns : array of shape (n_items, n_features)
        One pattern per item; not used by ``crossnobis``.
    dissimilarity
        ``spearman`` and ``pearson`` are 1 - correlation; ``euclid`` the distance; ``crossnobis``
        the mean over pairs of different folds a, b of
        :math:`(x_i^a - x_j^a) \cdot (x_i^b - x_j^b) / n` with n features: noise adds nothing to
        it on average, so that it may be negative. Whiten the patterns before for Mahalanobis.
    folds : array of shape (n_folds, n_items, n_features)
        Independent measurements of the same patterns, for ``crossnobis``.

    Returns
    -------
    array of shape (n_pairs,)
        NaN for pairs with a pattern that does not vary over features (correlations), and for
        fewer features than `MIN_FEATURES`.

    Raises
    ------
    InputInvalidError
        If ``crossnobis`` has fewer than two folds.

    Notes
    -----
    Pairs with the same Spearman correlation get the same number to the last bit: it is a
    function of one correctly rounded division of integers.
    Source: crossnobis distance, Walther et al. 2016.
    """
    upper = np.triu_indices(len(patterns) if folds is None else folds.shape[1], 1)
    if folds is None and patterns.shape[1] < MIN_FEATURES[dissimilarity]:
        return np.full(upper[0].size, np.nan)
    if dissimilarity == "spearman":
        return 1 - _spearman(patterns)[upper]
    if dissimilarity == "pearson":
        return 1 - _pearson(patterns)[upper]
    if dissimilarity == "euclid":
        return np.sqrt(np.maximum(_squared(cross_gram(patterns[None]))[upper], 0))
    if folds is None or len(folds) < 2:
        msg = f"crossnobis with {0 if folds is None else len(folds)} folds; give at least two \
independent measurements of each pattern, or use another dissimilarity"
        raise InputInvalidError(msg)
    return _squared(cross_gram(folds))[upper]


def cosine_rdm(patterns: FloatArray) -> npt.NDArray[np.float64]:
    """Return 1 - cosine of all pairs of patterns, seen from their mean.

    Unlike a correlation it takes no mean over features away, so that it is the same after every
    rotation of them: of voxels that mix the features at random, the correlation distance tends to
    it as their number grows.

    Parameters
    ----------
    patterns : array of shape (n_items, n_features)

    Returns
    -------
    array of shape (n_pairs,)
        NaN for pairs with a pattern that is the mean.
    """
    x = patterns.astype(np.float64)
    x -= x.mean(axis=0)
    norms = np.linalg.norm(x, axis=1)
    norms[norms == 0] = np.nan
    x /= norms[:, None]
    return np.asarray(1 - (x @ x.T)[np.triu_indices(len(x), 1)])


def cross_gram(folds: FloatArray) -> npt.NDArray[np.float64]:
    """Return inner products of patterns, between different folds where there are several.

    Parameters
    ----------
    folds : array of shape (n_folds, n_items, n_features)

    Returns
    -------
    array of shape (n_items, n_items)
        The product of one fold with itself; of several, the mean over ordered pairs of
        different folds, over features. Patterns are relative to the first item.
    """
    x = folds.astype(np.float64)
    x -= x[:, :1]
    if len(x) == 1:
        return np.asarray(x[0] @ x[0].T)
    total = x.sum(axis=0)
    products = total @ total.T - np.einsum("fik,fjk->ij", x, x)
    return np.asarray(products / (len(x) * (len(x) - 1) * max(x.shape[2], 1)))


def _squared(gram: FloatArray) -> npt.NDArray[np.float64]:
    norms = np.diagonal(gram)
    return np.asarray(norms[:, None] + norms[None, :] - 2 * gram, dtype=np.float64)


def _spearman(patterns: FloatArray) -> npt.NDArray[np.float64]:
    ranks = 2 * rankdata(patterns, axis=1) - (patterns.shape[1] + 1)
    products = ranks @ ranks.T
    norms = np.diagonal(products)
    with np.errstate(invalid="ignore"):
        squared = products**2 / (norms[:, None] * norms[None, :])
    return np.asarray(np.sign(products) * np.sqrt(squared))


def _pearson(patterns: FloatArray) -> npt.NDArray[np.float64]:
    x = patterns.astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(x, axis=1)
    norms[np.ptp(patterns, axis=1) == 0] = np.nan
    x /= norms[:, None]
    return np.asarray(x @ x.T)


def midranks(values: FloatArray) -> npt.NDArray[np.int64]:
    """Return centred ranks, doubled so that ties are integers too.

    Parameters
    ----------
    values : array of shape (..., n)

    Returns
    -------
    array of shape (..., n)
        2 rank - (n + 1) with mid-ranks for ties; the sum is 0.
    """
    doubled = 2 * rankdata(values, axis=-1) - (values.shape[-1] + 1)
    return np.asarray(np.rint(doubled), dtype=np.int64)


def compare(
    rdm_a: FloatArray, rdm_b: FloatArray, comparison: Comparison, pairs: BoolArray | None = None
) -> float:
    """Compare two RDMs.

    Parameters
    ----------
    rdm_a, rdm_b : arrays of shape (n_pairs,)
    comparison
        ``spearman``, ``pearson``, or ``rho-a``: Spearman's rho expected when ties are broken at
        random, which favours no model for its ties.
    pairs : bool array of shape (n_pairs,)
        Pairs that count.

    Returns
    -------
    float
        NaN if an RDM is constant or has a NaN among these pairs.

    Notes
    -----
    Source: rho-a, Schuett et al. 2023.
    """
    a, b = (_selected(values, pairs) for values in (rdm_a, rdm_b))
    if np.isnan(a).any() or np.isnan(b).any() or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    if comparison == "pearson":
        a, b = a - a.mean(), b - b.mean()
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))
    x, y = midranks(a).astype(np.float64), midranks(b).astype(np.float64)
    if comparison == "rho-a":
        return float(3 * (x @ y) / (float(a.size) ** 3 - a.size))
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def partial_compare(
    rdm_a: FloatArray,
    rdm_b: FloatArray,
    nuisance: FloatArray,
    comparison: Literal["spearman", "pearson"] = "spearman",
    pairs: BoolArray | None = None,
) -> float:
    """Compare what nuisance RDMs leave of two RDMs.

    Parameters
    ----------
    rdm_a, rdm_b : arrays of shape (n_pairs,)
    nuisance : array of shape (n_nuisance, n_pairs)
    comparison
        Partial correlation of ranks or of values.
    pairs : bool array of shape (n_pairs,)
        Pairs that count.

    Returns
    -------
    float
        NaN if an RDM is constant, has a NaN, or is explained by the nuisance RDMs.
    """
    rows = [_selected(values, pairs) for values in (rdm_a, rdm_b, *nuisance)]
    if any(np.isnan(row).any() or np.ptp(row) == 0 for row in rows[:2]):
        return float("nan")
    x = np.array([midranks(row) for row in rows] if comparison == "spearman" else rows, float)
    x -= x.mean(axis=1, keepdims=True)
    x = x[np.ptp(x, axis=1) > 0]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    basis = np.linalg.svd(x[2:], full_matrices=False)
    kept = basis.Vh[basis.S**2 > TOLERANCE] if len(x) > 2 else x[2:]
    a, b = (row - kept.T @ (kept @ row) for row in x[:2])
    if min(a @ a, b @ b) <= TOLERANCE:
        return float("nan")
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def n_items_of(n_pairs: int) -> int:
    """Return how many items have this many pairs.

    Parameters
    ----------
    n_pairs
        Length of a condensed RDM.

    Raises
    ------
    InputInvalidError
        If no number of items has.
    """
    n_items = int(np.ceil(np.sqrt(2 * n_pairs)))
    if n_items * (n_items - 1) != 2 * n_pairs or n_pairs < 1:
        msg = f"an RDM of {n_pairs} pairs is no upper triangle; give n (n - 1) / 2 pairs"
        raise InputInvalidError(msg)
    return n_items


def _selected(values: FloatArray, pairs: BoolArray | None) -> FloatArray:
    return values if pairs is None else values[pairs]
