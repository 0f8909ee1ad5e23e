"""Encoding models of some units at a time, so that predictions need not be held for all of them.

Units are gone through region by region. Predictions of the block of units that is at work are
held, and dropped for those of the next one; what is kept of each unit are the variance that models
explain, the penalties, and which penalty the first embedding took in each fold.

Source: Denk et al. 2025, variance partitioning (A.1.8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bidsapp.models.banded import Subset, partition
from bidsapp.models.clip_encoding import BandedEncoding
from bidsapp.recipes.reconstruct.encoding import results
from bidsapp.stats.encoding_exchange import standardised

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
_OTHER_ARRAYS = 10
"""Arrays (n_clips, n_units) beside predictions: responses, copies, squares of a fold."""


class BlockwiseModels:
    """Predictions of the models of a few thousand units, fitted when they are asked for.

    Parameters
    ----------
    fit
        From (n_clips, n_units) responses to models of all subsets of embeddings.
    fit_genre
        The same for the model of the genre; None without it.
    responses
        (n_clips, n_units).
    order
        Units in the order in which they will be asked for.
    fold
        (n_clips,) fold that holds each clip out; -1 for none.
    bands
        Names of the embeddings.
    subsets
        Subsets of embeddings in the order of predictions.
    memory_bytes
        For predictions; at least the units of one request are held.

    Attributes
    ----------
    explained
        Part of the explained variance → (n_units,), as `divided` names them; empty with one
        embedding.
    log10_penalty
        (n_bands, n_units).
    alpha_index
        (n_folds, n_units) penalty of the model of the first embedding.
    """

    def __init__(
        self,
        fit: Callable[[Singles], BandedEncoding],
        fit_genre: Callable[[Singles], BandedEncoding] | None,
        responses: Singles,
        order: Ints,
        fold: Ints,
        bands: Sequence[str],
        subsets: Sequence[Subset],
        memory_bytes: int,
    ) -> None:
        self._fit, self._fit_genre, self._responses = fit, fit_genre, responses
        self._fold, self._bands, self._subsets = fold, bands, subsets
        self._order = order
        self._place = np.full(responses.shape[1], -1)
        self._place[order] = np.arange(len(order))
        n_models = len(subsets) + (fit_genre is not None)
        self._at_once = memory_bytes // (4 * len(fold) * (n_models + _OTHER_ARRAYS))
        self._start, self._held = 0, list[Singles]()
        n_units = responses.shape[1]
        self.explained: dict[str, Floats] = {}
        self.log10_penalty = np.full((len(bands), n_units), np.nan)
        self.alpha_index = np.full((int(fold.max()) + 1, n_units), -1)

    def predicted(self, units: Ints) -> list[Singles]:
        """Return the predictions of each subset, and of the genre, (n_clips, len(units)).

        Parameters
        ----------
        units
            Some that follow each other in the order.
        """
        places = self._place[units]
        first, last = int(places[0]), int(places[-1]) + 1
        n_held = self._held[0].shape[1] if self._held else 0
        if not self._start <= first < last <= self._start + n_held:
            self._start = first
            self._held = []
            self._held = self._fit_block(
                self._order[first : first + max(self._at_once, len(units))]
            )
        own = places - self._start
        return [values[:, own] for values in self._held]

    def _fit_block(self, units: Ints) -> list[Singles]:
        """Fit the models of some units and keep what is wanted of each."""
        y = np.ascontiguousarray(self._responses[:, units])
        fitted = self._fit(y)
        self.log10_penalty[:, units] = fitted.log10_penalty
        self.alpha_index[:, units] = fitted.alpha_index[0]
        if len(self._bands) > 1:
            for name, values in divided(fitted, y, self._fold, self._bands).items():
                everywhere = np.full(self._responses.shape[1], np.nan)
                self.explained.setdefault(name, everywhere)[units] = values
        predicted = [fitted.predicted[subset] for subset in self._subsets]
        if self._fit_genre is not None:
            predicted.append(self._fit_genre(y).predicted[0,])
        return predicted


def divided(
    fitted: BandedEncoding, y: NDArray[np.float32], fold: Ints, bands: Sequence[str]
) -> dict[str, Floats]:
    """Divide explained variance, r times its size, among bands.

    Parameters
    ----------
    fitted
        Predictions of all subsets.
    y
        (n_clips, n_units) responses.
    fold
        (n_clips,) fold that holds each clip out; -1 for none.
    bands
        Their names.

    Returns
    -------
    dict
        ``all embeddings``, ``only NAME`` and ``shared by …`` → (n_units,).
    """
    target = standardised(y, fold)
    explained = {}
    for subset, values in fitted.predicted.items():
        products = standardised(values, fold)
        products *= target
        r = products.sum(axis=0, dtype=np.float64)
        explained[subset] = r * np.abs(r)
    parts = partition(explained)
    named: dict[str, Floats] = {results.JOINT: np.asarray(parts.total)}
    named |= {f"only {bands[k]}": np.asarray(x) for k, x in parts.unique.items()}
    for subset, values in parts.shared.items():
        names = " and ".join(bands[k] for k in subset)
        named[f"shared by {names}"] = np.asarray(values)
    return named
