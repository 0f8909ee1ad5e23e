"""Acoustic features of the sounds: what layers share with them, and their removal from the brain.

``loudness``
    log power.
``onsets``
    mean rise of the log spectrum.
``centroid``
    spectral centroid in octaves.
``mel``
    first components of the log-mel bands.

They are convolved and sampled as the layers are. Scores keep them; a second test regresses them
out of the responses (`bidsapp.stats.rsa.acoustics`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bidsapp.features.courses import CourseBank
from bidsapp.recipes.rsa.items import Items
from bidsapp.recipes.rsa.layer_models import model_rdm, predicted_patterns
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.stats.rsa.acoustics import AcousticRegression, acoustic_regression, standardised

_SPECTRAL = {"centroid": 0, "onsets": 4}
"""Column of each in the layer ``spectral`` of the baseline network."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Acoustics:
    """Acoustic features of the items.

    Attributes
    ----------
    rdms : array of shape (n_features, n_pairs)
        Dissimilarity of items in each feature, made as those of layers are.
    regression
        What is regressed out of the responses to the items that are tested.
    """

    rdms: Floats
    regression: AcousticRegression

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
    return of_columns(columns, items.tested, len(items.clips), settings)


def of_columns(
    columns: dict[str, Floats], tested: NDArray[np.bool_], n_clips: int, settings: RsaSettings
) -> Acoustics:
    """Compute the RDM of each feature, and the regression of the items that are tested.

    Parameters
    ----------
    columns
        Feature → (n_items, n_columns) as sampled at the items.
    tested
        (n_items,) items that are tested.
    n_clips
        Clips.
    settings
        How dissimilarities of layers are made.
    """
    every = [standardised(values) for values in columns.values()]
    rdms = [model_rdm(values, settings) for values in every]
    n_pairs = tested.size * (tested.size - 1) // 2
    regression = acoustic_regression({k: v[tested] for k, v in columns.items()}, n_clips)
    return Acoustics(np.array(rdms).reshape(len(rdms), n_pairs), regression)


def _centred_ranks(rows: Floats) -> Floats:
    ranks = rankdata(rows, axis=1)
    return np.asarray(ranks - ranks.mean(axis=1, keepdims=True))
