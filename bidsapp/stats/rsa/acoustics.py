"""Acoustic features regressed out of responses to items, and what the regression makes alike.

A voxel that follows loudness only gives dissimilarities that depend on the product of two items'
levels, and layers that follow loudness give such dissimilarities as well: a difference of levels
partialled out of both leaves most of it. Features are therefore regressed out of each voxel's
responses to the items. The regression itself makes patterns alike by the hat matrix of the
features, which is partialled out as a nuisance RDM (`docs/calibration.md` has the error rates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidsapp.stats.rsa.pairs import pair_items

_MOST_COLUMNS = 3
_CLIPS_PER_REGRESSOR = 3
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AcousticRegression:
    """Features that are regressed out of responses to items.

    Attributes
    ----------
    names
        Features that are removed.
    left_out
        Features asked for that would need more regressors than the clips allow, or do not vary.
    basis : array of shape (n_items, n_regressors)
        Orthonormal columns of mean zero that span the features.
    """

    names: tuple[str, ...]
    left_out: tuple[str, ...]
    basis: Floats

    def removed_from(self, patterns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Regress the features out of each voxel's or vertex's responses.

        Parameters
        ----------
        patterns : array of shape (..., n_items, n_units)

        Returns
        -------
        array of the same shape
            With the mean of each column; NaN where `patterns` has NaN.
        """
        if not self.basis.size:
            return patterns
        explained = self.basis @ (self.basis.T @ patterns.astype(np.float64))
        return np.asarray(patterns - explained, np.float32)

    @property
    def hat_rdm(self) -> Floats:
        """(n_pairs,) dissimilarity that the regression causes."""
        first, second = pair_items(len(self.basis))
        return -np.asarray(np.einsum("ij,ij->i", self.basis[first], self.basis[second]))


def acoustic_regression(columns: Mapping[str, Floats], n_clips: int) -> AcousticRegression:
    """Choose as many features as the clips allow, in order.

    Parameters
    ----------
    columns
        Feature → (n_items, n_columns) as sampled at the items; of more than three columns the
        first three principal components are taken.
    n_clips
        Clips; each regressor needs three.
    """
    names, parts = [], []
    room = n_clips // _CLIPS_PER_REGRESSOR
    n_items = len(next(iter(columns.values()))) if columns else 0
    for name, values in columns.items():
        scaled = standardised(values)
        if scaled.shape[1] > _MOST_COLUMNS:
            left, size, _ = np.linalg.svd(scaled, full_matrices=False)
            scaled = left[:, :_MOST_COLUMNS] * size[:_MOST_COLUMNS]
        if 0 < scaled.shape[1] <= room:
            names.append(name)
            parts.append(scaled)
            room -= scaled.shape[1]
    left_out = tuple(name for name in columns if name not in names)
    basis = np.linalg.qr(np.hstack(parts))[0] if parts else np.empty((n_items, 0))
    return AcousticRegression(tuple(names), left_out, basis)


def standardised(patterns: Floats) -> Floats:
    """Z-score channels over items; those that never change are left out.

    Parameters
    ----------
    patterns : array of shape (n_items, n_channels)

    Returns
    -------
    array of shape (n_items, n_varying)
    """
    centred = patterns - patterns.mean(axis=0)
    deviation = centred.std(axis=0)
    varies = deviation > 1e-9 * np.abs(patterns).max(axis=0, initial=0.0)
    return np.asarray(centred[:, varies] / deviation[varies])
