"""Ridge regression of classes on many parts of the same rows, from moments that the parts share.

The parts are the training rows of a fold and those of its inner folds, which overlap nearly
whole. Rows that lie in the same parts and have the same class enter every product together, so
that one pass over the rows serves all parts; what differs is how groups of rows are weighted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

IntArray = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Parts:
    """Which rows lie in which parts.

    Attributes
    ----------
    signature : integer array of shape (n_rows,)
        Rows with the same number lie in the same parts.
    holds : bool array of shape (n_parts, n_signatures)
        Whether a part holds the rows of a signature.
    """

    signature: IntArray
    holds: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Sequence[IntArray], n_rows: int) -> Parts:
        """Group the rows.

        Parameters
        ----------
        rows
            Places of each part's rows.
        n_rows
            All of them.
        """
        inside = np.zeros((len(rows), n_rows), dtype=bool)
        for number, places in enumerate(rows):
            inside[number, places] = True
        holds, signature = np.unique(inside, axis=1, return_inverse=True)
        return cls(signature.ravel(), holds)

    def rows(self, part: int) -> IntArray:
        """Places of the rows of a part, in order."""
        return np.flatnonzero(self.holds[part][self.signature])


@dataclass(frozen=True, eq=False)
class ClassMoments:
    """Sums over the rows of each signature and class, with columns as they are.

    Attributes
    ----------
    parts
        The parts.
    counts : array of shape (n_classes, n_signatures)
    sums : array of shape (n_classes, n_signatures, n_features)
    products : array of shape (n_classes, n_signatures, n_features, n_features)
    """

    parts: Parts
    counts: Floats
    sums: Floats
    products: Floats

    @classmethod
    def of(cls, x: Floats, y: IntArray, n_classes: int, parts: Parts) -> ClassMoments:
        """Sum over the rows; those with class -1 are in no group.

        Parameters
        ----------
        x : array of shape (n_rows, n_features)
        y : integer array of shape (n_rows,)
        n_classes
            Classes from 0.
        parts
            Of the rows.
        """
        n_signatures, n_features = parts.holds.shape[1], x.shape[1]
        group = np.where(y >= 0, y * n_signatures + parts.signature, -1)
        order = np.argsort(group, kind="stable")
        n_groups = n_classes * n_signatures
        edges = np.searchsorted(group[order], np.arange(n_groups + 1))
        counts, sums = np.zeros(n_groups), np.zeros((n_groups, n_features))
        products = np.zeros((n_groups, n_features, n_features))
        for number in np.flatnonzero(np.diff(edges)):
            own = x[order[edges[number] : edges[number + 1]]]
            counts[number], sums[number] = len(own), own.sum(axis=0)
            np.matmul(own.T, own, out=products[number])
        shape = (n_classes, n_signatures)
        return cls(
            parts,
            counts.reshape(shape),
            sums.reshape(*shape, n_features),
            products.reshape(*shape, n_features, n_features),
        )

    def n_rows(self, part: int) -> int:
        """Rows of a part that have a class."""
        return int(self.counts[:, self.parts.holds[part]].sum())

    def ridge(self, part: int, strengths: Sequence[float]) -> list[tuple[Floats, Floats]] | None:
        """Fit ±1 targets with balanced classes; see `bidsapp.models.linear_decoder.ridge`.

        Parameters
        ----------
        part
            Number of the part.
        strengths
            Penalties, in units of the number of rows.

        Returns
        -------
        list of (weights, intercept), or None
            (n_features, n_classes) and (n_classes,) for each strength, with an intercept of minus
            infinity for classes without a row; None where fewer than two classes have any.
        """
        inside = self.parts.holds[part].astype(np.float64)
        n_of = self.counts @ inside
        seen = np.flatnonzero(n_of)
        if len(seen) < 2:
            return None
        n, n_classes, n_features = n_of.sum(), len(n_of), self.sums.shape[2]
        weight = np.zeros(n_classes)
        weight[seen] = n / (len(seen) * n_of[seen])
        weighted = np.einsum("c,csf,s->cf", weight, self.sums, inside)
        x_mean, y_mean = weighted.sum(axis=0) / n, 2 / len(seen) - 1
        factors = np.outer(weight, inside).ravel()
        product = (factors @ self.products.reshape(factors.size, -1)).reshape(n_features, -1)
        product -= n * np.outer(x_mean, x_mean)
        known = (2 * weighted[seen] - n * x_mean - n * y_mean * x_mean).T
        fits: list[tuple[Floats, Floats]] = []
        diagonal = np.einsum("ii->i", product)
        plain = diagonal.copy()
        for strength in strengths:
            diagonal[:] = plain + strength * n
            weights = np.zeros((n_features, n_classes))
            intercept = np.full(n_classes, -np.inf)
            factor = cho_factor(product, lower=True, check_finite=False)
            weights[:, seen] = cho_solve(factor, known, check_finite=False)
            intercept[seen] = y_mean - x_mean @ weights[:, seen]
            fits.append((weights, intercept))
        return fits
