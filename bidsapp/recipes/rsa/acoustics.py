"""Acoustic features of the sounds, and their removal from the patterns of the brain.

``loudness``
    log power.
``onsets``
    mean rise of the log spectrum.
``centroid``
    spectral centroid in octaves.
``mel``
    first components of the log-mel bands.

They are convolved and sampled as the layers are. A voxel that follows loudness only gives
dissimilarities that depend on the product of two items' levels, and layers that follow loudness
give such dissimilarities as well: a difference of levels partialled out of both leaves most of it.
Features are therefore regressed out of each voxel's responses to the items. The regression itself
makes patterns alike by the hat matrix of the features, which is partialled out as a nuisance RDM
(`docs/calibration.md` has the error rates of both).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bidsapp.errors import UsageError
from bidsapp.features.courses import CourseBank
from bidsapp.models.rdm import rdm
from bidsapp.recipes.rsa.items import Items
from bidsapp.recipes.rsa.layer_models import layer_dissimilarity, predicted_patterns, standardised
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.stats.rsa.pairs import pair_items

FEATURES = ("loudness", "onsets", "centroid", "mel")
"""What can be removed."""
NUISANCE = "acoustics"
"""Name of the nuisance RDM."""
_SPECTRAL = {"centroid": 0, "onsets": 4}
"""Column of each in the layer ``spectral`` of the baseline network."""
_N_MEL = 3
_CLIPS_PER_REGRESSOR = 3
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Acoustics:
    """Acoustic features of the items.

    Attributes
    ----------
    names
        Features that are removed.
    left_out
        Features asked for that would need more regressors than the clips allow, or do not vary.
    basis : array of shape (n_items, n_regressors)
        Orthonormal columns of mean zero that span the features.
    rdms : array of shape (n_features, n_pairs)
        Dissimilarity of items in each feature that was asked for, made as those of layers are.
    """

    names: tuple[str, ...]
    left_out: tuple[str, ...]
    basis: Floats
    rdms: Floats

    def removed_from(self, patterns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Regress the features out of each voxel's or vertex's responses.

        Parameters
        ----------
        patterns : array of shape (n_items, n_units)

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
    def hat_rdm(self) -> Floats | None:
        """(n_pairs,) dissimilarity that the regression causes; None if nothing was removed."""
        if not self.basis.size:
            return None
        first, second = pair_items(len(self.basis))
        return -np.asarray(np.einsum("ij,ij->i", self.basis[first], self.basis[second]))

    def shares(self, models: Floats, pairs: NDArray[np.bool_]) -> Floats:
        """Share of the variance of layers' ranked dissimilarities that the features explain.

        Parameters
        ----------
        models : array of shape (n_layers, n_pairs)
        pairs : bool array of shape (n_pairs,)
            Those that are compared.

        Returns
        -------
        array of shape (n_layers,)
            R² of a regression on the ranked dissimilarities of all features; NaN without
            features, and for a layer whose dissimilarities are missing or constant.
        """
        out = np.full(len(models), np.nan)
        known = [row[pairs] for row in self.rdms if np.isfinite(row[pairs]).all()]
        if not known:
            return out
        x = _centred_ranks(np.array(known)).T
        for number, model in enumerate(models):
            values = model[pairs]
            if not np.isfinite(values).all() or np.ptp(values) == 0:
                continue
            y = _centred_ranks(values[None])[0]
            rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
            out[number] = 1 - (rest @ rest) / (y @ y)
        return out


def check_features(wanted: Sequence[str]) -> None:
    """Refuse names of features that are not known.

    Raises
    ------
    UsageError
        With the known ones.
    """
    unknown = [name for name in wanted if name not in FEATURES]
    if unknown:
        msg = f"rsa.acoustics: {unknown[0]!r} is not known; choose from {', '.join(FEATURES)}"
        raise UsageError(msg)


def acoustics(bank: CourseBank, items: Items, settings: RsaSettings) -> Acoustics:
    """Compute the features of items.

    Parameters
    ----------
    bank
        Courses of the baseline network: layers ``mel``, ``loudness``, ``spectral``.
    items
        What the rows are.
    settings
        ``acoustics``, and how dissimilarities of layers are made.
    """
    layers = [layer.name for layer in bank.layers]

    def of(layer: str) -> Floats:
        course: Any = bank.course(layers.index(layer))
        return predicted_patterns(bank, np.asarray(course), items)

    columns: dict[str, Floats] = {}
    for name in settings.acoustics:
        if name in _SPECTRAL:
            columns[name] = of("spectral")[:, [_SPECTRAL[name]]]
        else:
            columns[name] = of(name)
    return from_columns(columns, len(items.clips), settings)


def from_columns(columns: dict[str, Floats], n_clips: int, settings: RsaSettings) -> Acoustics:
    """Choose as many features as the clips allow, in order, and compute their RDMs.

    Parameters
    ----------
    columns
        Feature → (n_items, n_columns) as sampled at the items.
    n_clips
        Clips; each regressor needs three.
    settings
        How dissimilarities of layers are made.
    """
    names, parts, rdms = [], [], []
    room = n_clips // _CLIPS_PER_REGRESSOR
    n_items = len(next(iter(columns.values()))) if columns else 0
    for name, values in columns.items():
        scaled = standardised(values)
        rdms.append(rdm(scaled, layer_dissimilarity(scaled.shape[1], settings)))
        if scaled.shape[1] > _N_MEL:
            left, size, _ = np.linalg.svd(scaled, full_matrices=False)
            scaled = left[:, :_N_MEL] * size[:_N_MEL]
        if 0 < scaled.shape[1] <= room:
            names.append(name)
            parts.append(scaled)
            room -= scaled.shape[1]
    left_out = tuple(name for name in columns if name not in names)
    basis = np.linalg.qr(np.hstack(parts))[0] if parts else np.empty((n_items, 0))
    n_pairs = n_items * (n_items - 1) // 2
    return Acoustics(tuple(names), left_out, basis, np.array(rdms).reshape(len(rdms), n_pairs))


def _centred_ranks(rows: Floats) -> Floats:
    ranks = rankdata(rows, axis=1)
    return np.asarray(ranks - ranks.mean(axis=1, keepdims=True))
